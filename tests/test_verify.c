/*
 * Verification: a whole repository is found whole, and each kind of damage is found at the level that is meant to find
 * it, with the names of all that need it.
 */
#include <fcntl.h>
#include <json-c/json.h>
#include <sys/stat.h>
#include <unistd.h>

#include "buf.h"
#include "check.h"
#include "cleanup.h"
#include "flow.h"
#include "pack.h"
#include "verify.h"

static struct flow f;

static const char *
src(const char *name)
{
	return flow_in(f.source, name);
}

static void
must_export(struct manifest *m)
{
	struct export_options o = flow_export_options(f.source);
	struct error err;

	/* Each thread fills packs of its own. */
	o.threads = 1;
	CHECK_OK(flow_export(&f, &o, m, &err), &err);
}

/* ---- running it ---- */

#define FINDINGS 16

static struct json_object *findings[FINDINGS];
static size_t nfindings;

static void
forget_findings(void)
{
	while (nfindings > 0)
		(void)json_object_put(findings[--nfindings]);
}

static const char *
text_of(const struct json_object *o, const char *member)
{
	struct json_object *value;

	CHECK(json_object_object_get_ex(o, member, &value));
	return json_object_get_string(value);
}

static int64_t
number_of(const struct json_object *o, const char *member)
{
	struct json_object *value;

	CHECK(json_object_object_get_ex(o, member, &value));
	return json_object_get_int64(value);
}

/* The texts of an array, each with a comma behind it. */
static const char *
list_of(const struct json_object *o, const char *member)
{
	static char text[4096];
	struct json_object *value;
	size_t len = 0;

	CHECK(json_object_object_get_ex(o, member, &value));
	text[0] = '\0';
	for (size_t i = 0; i < json_object_array_length(value); i++)
		len += (size_t)snprintf(
		    text + len, sizeof text - len, "%s,", json_object_get_string(json_object_array_get_idx(value, i)));
	return text;
}

/* What verify has reported on standard output. */
static void
collect_findings(const char *path)
{
	CLEANUP_FCLOSE FILE *file = fopen(path, "r");
	static char line[65536];

	CHECK(file != NULL);
	forget_findings();
	while (fgets(line, sizeof line, file) != NULL) {
		struct json_object *o = json_tokener_parse(line);

		CHECK(o != NULL);
		if (strcmp(text_of(o, "message_type"), "damage") == 0 && nfindings < FINDINGS)
			findings[nfindings++] = o;
		else
			(void)json_object_put(o);
	}
}

static struct verify_result
verify(unsigned level, double sample, unsigned threads)
{
	struct verify_options o = {.level = level, .sample = sample, .day = 20000, .threads = threads};
	struct report_options ro = {.command = "test", .json = true, .quiet = true};
	struct verify_result result = {0};
	char path[300];
	struct report *report;
	struct volume *v;
	struct error err;

	(void)snprintf(path, sizeof path, "%s/report", f.base);
	CHECK(freopen(path, "w", stdout) != NULL);
	CHECK_OK(report_new(&ro, &report, &err), &err);
	CHECK_OK(volume_open(f.repo, FLOW_VOLUME, false, 0, &v, &err), &err);
	CHECK_OK(verify_volume(v, &o, report, &f.progress, &result, &err), &err);
	volume_free(v);
	report_free(report);
	CHECK(fflush(stdout) == 0);
	collect_findings(path);
	return result;
}

/* ---- objects ---- */

struct search {
	const char *part;
	size_t skip;
	char key[256];
};

static int
match(void *arg, const struct store_object *object, struct error *err)
{
	struct search *s = arg;

	(void)err;
	if (strstr(object->key, s->part) == NULL || s->skip-- > 0)
		return 0;
	(void)snprintf(s->key, sizeof s->key, "%s", object->key);
	return 1;
}

static bool
find_object(const char *part, size_t n, char out[256])
{
	struct search s = {.part = part, .skip = n};
	struct error err;

	CHECK_OK(store_list(f.store, "", match, &s, &err), &err);
	(void)snprintf(out, 256, "%s", s.key);
	return s.key[0] != '\0';
}

static void
replace(const char *key, const void *bytes, size_t len)
{
	struct error err;

	CHECK_OK(store_remove(f.store, key, &err), &err);
	CHECK_OK(store_put(f.store, key, bytes, len, &err), &err);
}

/* ---- each kind of damage ---- */

enum how { REMOVE, APPEND, CUT, FLIP_START, FLIP_FIRST_FRAME, FLIP_TRAILER, FLIP_END, EMPTY };

static void
spoil(const char *key, enum how how)
{
	CLEANUP(buf_free) struct buf b = BUF_INIT(PACK_LEN_MAX);
	struct error err;

	CHECK_OK(store_load(f.store, key, PACK_LEN_MAX - 1, &b, &err), &err);
	switch (how) {
	case REMOVE:
		CHECK_OK(store_remove(f.store, key, &err), &err);
		return;
	case APPEND:
		buf_u8(&b, 0);
		break;
	case CUT:
		b.len--;
		break;
	case FLIP_START:
		b.data[20] ^= 1;
		break;
	case FLIP_FIRST_FRAME:
		b.data[PACK_HEADER_LEN + 5] ^= 1;
		break;
	case FLIP_TRAILER:
		b.data[b.len - PACK_FOOTER_LEN - 5] ^= 1;
		break;
	case FLIP_END:
		b.data[b.len - 1] ^= 1;
		break;
	case EMPTY:
		b.len = 0;
		break;
	}
	replace(key, b.data, b.len);
}

static const struct {
	const char *part;
	size_t nth;
	enum how how;
	unsigned level; /* the first one that finds it */
	const char *kind;
} damages[] = {
    {"/p/", 0, REMOVE, 1, "missing"},
    {"/p/", 0, APPEND, 1, "length"},
    {"/p/", 0, CUT, 1, "length"},
    {"/p/", 0, EMPTY, 1, "length"},
    {"/p/", 0, FLIP_START, 2, "pack"},
    {"/p/", 0, FLIP_TRAILER, 2, "pack"},
    {"/p/", 0, FLIP_END, 2, "pack"},
    {"/p/", 0, FLIP_FIRST_FRAME, 3, "frame"},
    {"/m/", 0, FLIP_START, 2, "pack"},
    {"/m/", 0, FLIP_TRAILER, 2, "pack"},
    {"/m/", 0, FLIP_FIRST_FRAME, 2, "catalog"},
    {"/m/", 0, REMOVE, 1, "missing"},
    {"/m/", 1, REMOVE, 0, "snapshot"},
    {"/s/", 0, FLIP_START, 0, "manifest"},
    {"/s/", 1, EMPTY, 0, "manifest"},
    {"/k/", 0, REMOVE, 0, "key"},
    {"/k/", 0, FLIP_START, 0, "key"},
    {"/k/", 0, EMPTY, 0, "key"},
    {"volumes/", 0, REMOVE, 0, "key"},
    {"volumes/", 0, FLIP_START, 0, "key"},
    {"volumes/", 0, EMPTY, 0, "key"},
};

/* Two snapshots that share most. */
static void
make_two(void)
{
	scratch_remove(f.source);
	flow_new_repo(&f);
	flow_make_tree(f.source);
	must_export(NULL);
	flow_write(src("twin"), 99, 3000);
	must_export(NULL);
}

static void
test_clean(void)
{
	for (unsigned level = 0; level <= VERIFY_LEVEL_MAX; level++) {
		struct verify_result r = verify(level, 100, 1 + level % 3);

		CHECK_INT(r.damage, 0);
		CHECK_INT(nfindings, 0);
		CHECK_INT(r.snapshots, 2);
		CHECK(r.packs >= 4);
		CHECK_INT(r.packs_read, level >= 3 ? r.packs : 0);
		CHECK_INT(r.frames > 0, level >= 3);
	}
}

static void
test_each_damage(void)
{
	struct error err;
	char key[256];

	for (size_t i = 0; i < COUNT_OF(damages); i++) {
		CLEANUP(buf_free) struct buf good = BUF_INIT(PACK_LEN_MAX);

		CHECK(find_object(damages[i].part, damages[i].nth, key));
		CHECK_OK(store_load(f.store, key, PACK_LEN_MAX - 1, &good, &err), &err);
		spoil(key, damages[i].how);
		for (unsigned level = 0; level <= VERIFY_LEVEL_MAX; level++) {
			struct verify_result r = verify(level, 100, 2);
			bool named = false;

			CHECK_INT(r.damage > 0, level >= damages[i].level);
			CHECK_INT(nfindings, r.damage);
			for (size_t k = 0; k < nfindings; k++)
				named = named || strcmp(text_of(findings[k], "kind"), damages[i].kind) == 0;
			/* A higher level may see the same thing first in another way. */
			CHECK(named || level != damages[i].level);
		}
		replace(key, good.data, good.len);
		CHECK_INT(verify(VERIFY_LEVEL_MAX, 100, 2).damage, 0);
	}
}

/* ---- who needs it ---- */

static void
check_finding(const char *object, const char *paths, int64_t entries, int64_t snapshots)
{
	CHECK_INT(nfindings, 1);
	CHECK_STR(text_of(findings[0], "object"), object);
	if (paths != NULL)
		CHECK_STR(list_of(findings[0], "paths"), paths);
	CHECK_INT(number_of(findings[0], "entry_count"), entries);
	CHECK_INT(number_of(findings[0], "snapshot_count"), snapshots);
}

/* The pack of the first session holds what both snapshots share, that of the second one what is new. */
static void
test_names(void)
{
	char first[256], second[256], part[64];
	struct manifest m, n;

	scratch_remove(f.source);
	flow_new_repo(&f);
	flow_make_small_tree(f.source, true);
	must_export(&m);
	flow_write(src("new"), 5, 200 * 1024);
	must_export(&n);
	for (unsigned i = 0; i < 2; i++) {
		const struct manifest *which = i == 0 ? &m : &n;
		size_t len = (size_t)snprintf(part, sizeof part, "/p/");

		for (size_t k = 0; k < SESSION_ID_LEN; k++)
			len += (size_t)snprintf(part + len, sizeof part - len, "%02x", which->session[k]);
		CHECK(find_object(part, 0, i == 0 ? first : second));
	}
	manifest_wipe(&m);
	manifest_wipe(&n);
	for (unsigned level = 1; level <= 2; level++) {
		CLEANUP(buf_free) struct buf good = BUF_INIT(PACK_LEN_MAX);
		struct error err;

		CHECK_OK(store_load(f.store, first, PACK_LEN_MAX - 1, &good, &err), &err);
		spoil(first, REMOVE);
		CHECK_INT(verify(level, 100, 1).damage, 1);
		/* Names are told once, entries are those of both snapshots. */
		check_finding(first, "chunk,d/small,link,one,", 8, 2);
		replace(first, good.data, good.len);
		buf_reset(&good);
		CHECK_OK(store_load(f.store, second, PACK_LEN_MAX - 1, &good, &err), &err);
		spoil(second, REMOVE);
		CHECK_INT(verify(level, 100, 1).damage, 1);
		check_finding(second, "new,", 1, 1);
		replace(second, good.data, good.len);
	}
	/* One frame costs what is in it: the first one of the pack is the chunk or the bundle. */
	spoil(first, FLIP_FIRST_FRAME);
	CHECK_INT(verify(3, 100, 1).damage, 1);
	CHECK(strcmp(list_of(findings[0], "paths"), "chunk,") == 0 ||
	      strcmp(list_of(findings[0], "paths"), "d/small,link,one,") == 0);
}

/* Many blocks of a catalog, and several snapshots. */
static void
test_many_names(void)
{
	enum { FILES = 6000, SNAPSHOTS = 3 };
	char name[64], key[256];

	scratch_remove(f.source);
	flow_new_repo(&f);
	CHECK(mkdir(f.source, 0700) == 0);
	for (unsigned i = 0; i < FILES; i++) {
		(void)snprintf(name, sizeof name, "file-with-a-name-%06u", i);
		flow_write(src(name), i, 16);
	}
	for (unsigned i = 0; i < SNAPSHOTS; i++) {
		must_export(NULL);
		flow_write(src("zzz"), i, 100);
	}
	CHECK_INT(verify(VERIFY_LEVEL_MAX, 100, 2).damage, 0);
	CHECK_INT(verify(VERIFY_LEVEL_MAX, 100, 2).snapshots, SNAPSHOTS);
	/* Of the data packs one holds all but "zzz". */
	for (size_t i = 0; find_object("/p/", i, key); i++) {
		uint64_t size;
		struct error err;

		CHECK_OK(store_size(f.store, key, &size, &err), &err);
		if (size > FILES * 16)
			break;
	}
	spoil(key, REMOVE);
	CHECK_INT(verify(1, 100, 1).damage, 1);
	check_finding(key, NULL, FILES * SNAPSHOTS, SNAPSHOTS);
	CHECK(strncmp(list_of(findings[0], "paths"), "file-with-a-name-000000,file-with-a-name-000001,", 48) == 0);
}

/* ---- keys ---- */

/* The finding names the object and the other one; the next export that stores something makes it good. */
static void
test_keys(void)
{
	static const char *const parts[] = {"/k/", "volumes/"};
	static const enum how hows[] = {REMOVE, EMPTY, FLIP_START};
	char key[256], other[256];

	for (size_t i = 0; i < COUNT_OF(parts) * COUNT_OF(hows); i++) {
		size_t side = i % COUNT_OF(parts);

		CHECK(find_object(parts[side], 0, key) && find_object(parts[!side], 0, other));
		spoil(key, hows[i / COUNT_OF(parts)]);
		CHECK_INT(verify(0, 100, 1).damage, 1);
		CHECK_STR(text_of(findings[0], "object"), key);
		CHECK_STR(text_of(findings[0], "kind"), "key");
		CHECK(strstr(text_of(findings[0], "message"), other) != NULL);
		CHECK(strstr(text_of(findings[0], "message"), "still works") != NULL);
		/* What is read first is looked at by every export. */
		if (side == 1) {
			must_export(NULL);
			CHECK_INT(verify(0, 100, 1).damage, 1);
			flow_write(src("more"), 200 + i, 100);
		}
		must_export(NULL);
		CHECK_INT(verify(0, 100, 1).damage, 0);
	}
}

/* Two good ones that are not the same: the copy goes, as the finding says. */
static void
test_unequal_keys(void)
{
	static const char *const parts[] = {"/k/", "volumes/"};
	char key[256], copy[256];
	struct error err;

	for (size_t i = 0; i < COUNT_OF(parts); i++) {
		CLEANUP(buf_free) struct buf b = BUF_INIT(65536);

		CHECK(find_object(parts[i], 0, key) && find_object("volumes/", 0, copy));
		CHECK_OK(store_load(f.store, key, 65000, &b, &err), &err);
		buf_put(&b, "\n", 1);
		replace(key, b.data, b.len);
		CHECK_INT(verify(0, 100, 1).damage, 1);
		CHECK_STR(text_of(findings[0], "object"), copy);
		CHECK(strstr(text_of(findings[0], "message"), "not the same") != NULL);
		must_export(NULL);
		CHECK_INT(verify(0, 100, 1).damage, 1);
		CHECK_OK(store_remove(f.store, copy, &err), &err);
		flow_write(src("more"), 300 + i, 100);
		must_export(NULL);
		CHECK_INT(verify(0, 100, 1).damage, 0);
	}
}

/* ---- what is above volumes ---- */

struct seen {
	char names[512], bad[1024];
};

static void
note_bad(void *arg, const char *key, const struct error *err)
{
	struct seen *s = arg;
	size_t len = strlen(s->bad);

	CHECK(err->code == ERR_CORRUPT || err->code == ERR_NOT_FOUND);
	(void)snprintf(s->bad + len, sizeof s->bad - len, "%s,", key);
}

static int
note_name(void *arg, const char *name, struct error *err)
{
	struct seen *s = arg;
	size_t len = strlen(s->names);

	(void)err;
	(void)snprintf(s->names + len, sizeof s->names - len, "%s,", name);
	return 0;
}

static void
check_repo(const char *bad)
{
	struct seen s = {.bad = ""};
	struct error err;

	CHECK_OK(repo_check(f.repo, note_bad, &s, &err), &err);
	CHECK_STR(s.bad, bad);
}

static void
test_repository(void)
{
	CLEANUP(buf_free) struct buf slot = BUF_INIT(65536), descriptor = BUF_INIT(65536);
	static const char other[] = "keys/0123456789abcdef.json";
	char key[256];
	struct error err;
	uint8_t *at;

	check_repo("");
	CHECK(find_object("keys/", 0, key));
	CHECK_OK(store_load(f.store, key, 65000, &slot, &err), &err);
	/* The slot of another person is no slot, another one, or of a newer program. */
	CHECK_OK(store_put(f.store, other, "{}", 2, &err), &err);
	check_repo("keys/0123456789abcdef.json,");
	replace(other, slot.data, slot.len);
	check_repo("keys/0123456789abcdef.json,");
	at = memmem(slot.data, slot.len, "\"version\": 1", 12);
	CHECK(at != NULL);
	at[11] = '9';
	replace(other, slot.data, slot.len);
	check_repo("");
	CHECK_OK(store_remove(f.store, other, &err), &err);
	/* Our own one is cut. */
	at[11] = '1';
	replace(key, slot.data, slot.len / 2);
	(void)snprintf(key + strlen(key), sizeof key - strlen(key), ",");
	check_repo(key);
	key[strlen(key) - 1] = '\0';
	replace(key, slot.data, slot.len);

	CHECK_OK(store_load(f.store, "repo.json", 65000, &descriptor, &err), &err);
	replace("repo.json", descriptor.data, descriptor.len / 2);
	check_repo("repo.json,");
	CHECK_OK(store_remove(f.store, "repo.json", &err), &err);
	check_repo("repo.json,");
	CHECK_OK(store_put(f.store, "repo.json", descriptor.data, descriptor.len, &err), &err);
	check_repo("");
}

static void
check_list(const char *names, const char *bad)
{
	struct seen s = {.bad = ""};
	struct error err;

	CHECK_OK(volume_list_all(f.repo, note_name, note_bad, &s, &err), &err);
	CHECK_STR(s.names, names);
	CHECK_STR(s.bad, bad);
}

/* A volume is found by any key object of it. */
static void
test_all_volumes(void)
{
	char main[256], copy[256], both[520];

	check_list(FLOW_VOLUME ",", "");
	CHECK(find_object("/k/", 0, main) && find_object("volumes/", 0, copy));
	spoil(copy, REMOVE);
	check_list(FLOW_VOLUME ",", "");
	must_export(NULL);
	spoil(main, REMOVE);
	check_list(FLOW_VOLUME ",", "");
	spoil(copy, EMPTY);
	(void)snprintf(both, sizeof both, "%s,%s,", main, copy);
	check_list("", both);
}

/* ---- samples ---- */

static void
test_sample(void)
{
	uint64_t some = 0, packs = verify(3, 100, 1).packs;

	/* The same packs each time, and not more for less. */
	for (unsigned percent = 5; percent <= 100; percent += 19) {
		struct verify_result r = verify(3, percent, 2);

		CHECK(r.packs_read >= some && r.packs_read <= packs);
		CHECK_INT(verify(3, percent, 1).packs_read, r.packs_read);
		CHECK_INT(r.damage, 0);
		some = r.packs_read;
	}
	CHECK_INT(some, packs);
	CHECK(verify(3, 0.001, 1).packs_read <= 1);
}

int
main(void)
{
	(void)alarm(60);
	flow_begin(&f);
	make_two();
	test_clean();
	test_each_damage();
	test_keys();
	test_unequal_keys();
	test_sample();
	test_names();
	test_many_names();
	test_repository();
	test_all_volumes();
	forget_findings();
	flow_end(&f);
	return 0;
}
