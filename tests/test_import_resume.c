/*
 * Imports that were interrupted, or fail: the next one goes on where that is right.
 */
#include "flow.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "cleanup.h"

static struct flow f;

static const char *
src(const char *name)
{
	return flow_in(f.source, name);
}

/* Fail at the last thing that is fetched: the planner is through, so the empty file is there. */
static uint64_t
interrupt_import(void)
{
	struct store_fault_plan plan = {.ops = STORE_FAULT_GET, .code = ERR_UNAVAILABLE};
	struct import_options in = {.target = f.target, .threads = 1, .connections = 1};
	uint64_t before = store_fault_count(f.store, STORE_FAULT_GET);
	struct error err;

	CHECK_OK(flow_import_with(&f, NULL, &in, NULL, &err), &err);
	/* The second pass over the catalog reads one block. */
	plan.nth = store_fault_count(f.store, STORE_FAULT_GET) - before - 1;
	scratch_remove(f.target);
	store_fault_fail(f.store, &plan);
	CHECK_INT(flow_import_with(&f, NULL, &in, NULL, &err), ERR_UNAVAILABLE);
	store_fault_fail(f.store, NULL);
	return plan.nth;
}

/* As after a power loss: size and time are right, the content is not. */
static void
spoil(void)
{
	const char *bad = flow_in(f.target, "one");
	struct stat st;
	int fd;

	CHECK(stat(src("one"), &st) == 0);
	(void)unlink(bad);
	fd = open(bad, O_WRONLY | O_CREAT, 0640);
	CHECK(fd >= 0 && write(fd, "", 1) == 1);
	CHECK(futimens(fd, (struct timespec[2]){st.st_mtim, st.st_mtim}) == 0);
	CHECK(close(fd) == 0);
}

static void
set_boot(const char *text)
{
	char path[400];
	struct manifest m;
	struct volume *v;
	struct error err;
	FILE *file;

	CHECK_OK(volume_open(f.repo, FLOW_VOLUME, false, 0, &v, &err), &err);
	CHECK_OK(snapshot_resolve(v, "latest", &m, &err), &err);
	(void)snprintf(path, sizeof path, "%s/.snapferry-%s/boot", f.target, m.snapshot);
	manifest_wipe(&m);
	volume_free(v);
	CHECK(access(path, F_OK) == 0);
	if (text == NULL) {
		CHECK(unlink(path) == 0);
		return;
	}
	file = fopen(path, "w");
	CHECK(file != NULL && fputs(text, file) >= 0 && fclose(file) == 0);
}

static void
test_resume(void)
{
	static const char *const doubtful[] = {"00000000-0000-4000-8000-000000000000\n", "", "everything", NULL};
	struct export_options o = flow_export_options(f.source);
	struct import_result result;
	struct error err;
	struct stat st;
	char boot[64] = "";
	FILE *file = fopen("/proc/sys/kernel/random/boot_id", "r");

	CHECK(file != NULL && fgets(boot, sizeof boot, file) != NULL && fclose(file) == 0);
	flow_fresh(&f);
	flow_make_tree(f.source);
	flow_must_export(&f, &o, NULL);

	/* Told to stop: all was synced, and files count.  Killed: they do under the same boot. */
	for (unsigned i = 0; i < 2; i++) {
		(void)interrupt_import();
		spoil();
		if (i == 1)
			set_boot(boot);
		flow_must_import(&f, &result);
		CHECK(result.resumed && result.skipped >= 2);
		CHECK(stat(flow_in(f.target, "one"), &st) == 0);
		scratch_remove(f.target);
	}
	for (size_t i = 0; i < COUNT_OF(doubtful); i++) {
		uint64_t nth = interrupt_import();

		spoil();
		set_boot(doubtful[i]);
		/* Interrupted once more, doubt remains. */
		if (i == 0) {
			store_fault_fail(
			    f.store, &(struct store_fault_plan){
					 .ops = STORE_FAULT_GET, .nth = nth, .and_later = true, .code = ERR_SYSTEM});
			CHECK_INT(flow_import(&f, NULL, f.target, false, NULL, &err), ERR_SYSTEM);
			store_fault_fail(f.store, NULL);
			spoil();
		}
		flow_must_import(&f, &result);
		CHECK(result.resumed);
		CHECK_INT(result.skipped, 0);
		CHECK(flow_same(f.source, f.target));
		scratch_remove(f.target);
	}
}

/* With few descriptors the planner waits for folders all the time, also when the import fails. */
static void
test_failure_with_few_descriptors(void)
{
	struct export_options o = flow_export_options(f.source);
	struct import_options in = {.target = f.target, .threads = 1, .connections = 1};
	struct rlimit old, few;
	struct error err;
	char name[32];

	flow_fresh(&f);
	CHECK(mkdir(f.source, 0700) == 0);
	for (unsigned i = 0; i < 100; i++) {
		(void)snprintf(name, sizeof name, "%u", i);
		CHECK(mkdir(src(name), 0700) == 0);
		(void)snprintf(name, sizeof name, "%u/file", i);
		flow_write(src(name), 1000 + i, 127 * 1024);
	}
	flow_must_export(&f, &o, NULL);
	CHECK(getrlimit(RLIMIT_NOFILE, &old) == 0);
	few = old;
	few.rlim_cur = 80;
	CHECK(setrlimit(RLIMIT_NOFILE, &few) == 0);
	for (uint64_t nth = 10; nth < 30; nth++) {
		store_fault_fail(
		    f.store, &(struct store_fault_plan){.ops = STORE_FAULT_GET, .nth = nth, .code = ERR_UNAVAILABLE});
		int r = flow_import_with(&f, NULL, &in, NULL, &err);

		CHECK(r == 0 || r == ERR_UNAVAILABLE);
		store_fault_fail(f.store, NULL);
		scratch_remove(f.target);
	}
	flow_must_import(&f, NULL);
	CHECK(flow_same(f.source, f.target));
	CHECK(setrlimit(RLIMIT_NOFILE, &old) == 0);
}

int
main(void)
{
	static void (*const tests[])(void) = {test_resume, test_failure_with_few_descriptors};

	(void)alarm(120);
	flow_begin(&f);
	for (size_t i = 0; i < COUNT_OF(tests); i++)
		tests[i]();
	flow_end(&f);
	return 0;
}
