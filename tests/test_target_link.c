/* Hard links in the target of an import, and groups whose content is damaged. */
#include "landing.h"

#include <unistd.h>

#include "check.h"
#include "cleanup.h"
#include "scratch.h"

static void
test_hard_links(void)
{
	struct target *t;
	struct entry e;
	struct error err;
	struct target_counters c;

	t = landing_begin();
	CHECK_INT(landing_member(t, "a/1", 3), 2);
	CHECK_INT(landing_member(t, "b/2", 3), 1);
	CHECK_INT(landing_member(t, "c", 3), 1);
	for (enum entry_type type = ENTRY_SYMLINK; type <= ENTRY_SOCKET; type++) {
		char one[16], two[16];

		if ((type == ENTRY_CHAR_DEVICE || type == ENTRY_BLOCK_DEVICE) && geteuid() != 0)
			continue;
		(void)snprintf(one, sizeof one, "s%d", type);
		(void)snprintf(two, sizeof two, "t%d", type);
		e = landing_entry(type, one);
		e.nlink = 2;
		e.link = "x";
		e.link_len = 1;
		e.dev_major = 1;
		e.dev_minor = 3;
		CHECK_OK(landing_special(t, &e, &err), &err);
		e.path = two;
		CHECK_OK(landing_special(t, &e, &err), &err);
	}
	target_counters(t, &c);
	CHECK_INT(c.links, geteuid() == 0 ? 7 : 5);
	CHECK_INT(c.files, 1);
	landing_finish(t);
	landing_check("root/c", "link", 4);
	CHECK_INT(landing_stat("root/a/1").st_nlink, 3);
	CHECK_INT(landing_stat("root/a/1").st_ino, landing_stat("root/b/2").st_ino);
	CHECK_INT(landing_stat("root/c").st_mtim.tv_sec, 1000000000);
	CHECK_INT(landing_stat("root/s3").st_nlink, 2);
	CHECK_INT(landing_stat("root/s6").st_ino, landing_stat("root/t6").st_ino);
	CHECK(S_ISLNK(landing_stat("root/t3").st_mode));
}

/* At the limit of links the name in the marker is used up, and the group goes on with a new file. */
static void
test_link_limit(void)
{
	struct target *t;

	t = landing_begin();
	/* The name in the marker counts: the third member takes its place, the fourth begins a new group. */
	t->link_limit = 3;
	CHECK_INT(landing_member(t, "1", 5), 2);
	CHECK_INT(landing_member(t, "2", 5), 1);
	CHECK_INT(landing_member(t, "3", 5), 1);
	CHECK_INT(landing_member(t, "4", 5), 2);
	CHECK_INT(landing_member(t, "5", 5), 1);
	landing_finish(t);
	CHECK_INT(landing_stat("root/1").st_nlink, 3);
	CHECK_INT(landing_stat("root/3").st_ino, landing_stat("root/1").st_ino);
	CHECK_INT(landing_stat("root/4").st_nlink, 2);
	landing_check("root/5", "link", 4);
}

/* ---- groups whose content is damaged ---- */

/* Begin the file of a group; the caller abandons it. */
static struct target_file *
begin_member(struct target *t, const char *path)
{
	struct entry e = landing_entry(ENTRY_FILE, path);
	struct target_file *f;
	struct error err;

	e.nlink = 9;
	e.size = 4;
	CHECK_INT(landing_file(t, &e, 1, &f, &err), 2);
	CHECK(f != NULL);
	CHECK_OK(target_file_write(f, 0, "li", 2, &err), &err);
	return f;
}

static bool
member_is_lost(struct target *t, const char *path)
{
	struct entry e = landing_entry(ENTRY_FILE, path);
	struct target_file *f;
	struct error err;
	int r;

	e.nlink = 9;
	e.size = 4;
	CHECK_OK(r = landing_file(t, &e, 1, &f, &err), &err);
	CHECK(f == NULL);
	CHECK(r == 1 || r == TARGET_LINK_LOST);
	return r == TARGET_LINK_LOST;
}

static int
remove_lost(struct target *t, const char *path)
{
	struct entry e = landing_entry(ENTRY_FILE, path);
	struct error err;
	int r;

	e.nlink = 9;
	CHECK_OK(r = target_link_remove_lost(t, &e, &err), &err);
	return r;
}

static bool
exists_in_root(const char *name)
{
	char rel[64];

	(void)snprintf(rel, sizeof rel, "root/%s", name);
	return landing_exists(rel);
}

/* Names linked before the damage is known, and after; each is told once. */
static void
test_lost_group(void)
{
	static const char *const names[] = {"a/1", "b/2", "c", "d/4"};
	struct target_counters c;
	struct target_file *f;
	struct target *t;

	for (size_t linked = 1; linked <= COUNT_OF(names); linked++) {
		t = landing_begin();
		f = begin_member(t, names[0]);
		for (size_t i = 1; i < linked; i++)
			CHECK(!member_is_lost(t, names[i]));
		target_file_abandon(f);
		for (size_t i = linked; i < COUNT_OF(names); i++)
			CHECK(member_is_lost(t, names[i]));
		for (size_t i = 0; i < COUNT_OF(names); i++) {
			CHECK_INT(remove_lost(t, names[i]), i > 0 && i < linked);
			CHECK(!exists_in_root(names[i]));
			CHECK_INT(remove_lost(t, names[i]), 0);
		}
		target_counters(t, &c);
		CHECK_INT(c.links, 0);
		CHECK_INT(c.files, 0);
		target_free(t);
	}
}

/* Another import starts afresh: lost or not before, what is left under the names makes way. */
static void
test_lost_and_resumed(void)
{
	struct target_file *f;
	struct target *t;
	struct error err;

	for (unsigned again = 0; again < 2; again++) {
		t = landing_begin();
		CHECK_OK(landing_small(t, "z", "x", &err), &err);
		f = begin_member(t, "1");
		CHECK(!member_is_lost(t, "2"));
		CHECK(!member_is_lost(t, "3"));
		target_file_abandon(f);
		/* Killed before the second pass. */
		target_free(t);
		CHECK(!landing_exists("root/1"));
		CHECK(landing_exists("root/2") && landing_stat("root/2").st_size == 0);

		t = landing_open(false);
		CHECK(target_resuming(t));
		if (again == 1) {
			target_file_abandon(begin_member(t, "1"));
			CHECK(member_is_lost(t, "2"));
			CHECK(!landing_exists("root/2"));
			CHECK(member_is_lost(t, "3"));
			CHECK_INT(remove_lost(t, "2") + remove_lost(t, "3"), 0);
			target_free(t);
			t = landing_open(false);
		}
		CHECK_INT(landing_member(t, "1", 3), 2);
		CHECK_INT(landing_member(t, "2", 3), 1);
		CHECK_INT(landing_member(t, "3", 3), 1);
		CHECK_INT(remove_lost(t, "2"), 0);
		landing_finish(t);
		landing_check("root/1", "link", 4);
		CHECK_INT(landing_stat("root/3").st_nlink, 3);
		CHECK_INT(landing_stat("root/2").st_ino, landing_stat("root/1").st_ino);
	}
}

/* The name in the marker was used up: the group has two files. */
static void
test_lost_at_the_limit(void)
{
	static const char *const names[] = {"1", "2", "3", "4", "5"};
	struct target_file *f, *second;
	struct target *t;

	for (unsigned order = 0; order < 2; order++) {
		t = landing_begin();
		t->link_limit = 3;
		f = begin_member(t, "1");
		CHECK(!member_is_lost(t, "2"));
		CHECK(!member_is_lost(t, "3"));
		if (order == 1)
			target_file_abandon(f);
		if (order == 1) {
			CHECK(member_is_lost(t, "4"));
		} else {
			second = begin_member(t, "4");
			target_file_abandon(f);
			target_file_abandon(second);
		}
		CHECK(member_is_lost(t, "5"));
		for (size_t i = 0; i < COUNT_OF(names); i++) {
			CHECK_INT(remove_lost(t, names[i]), i == 1 || i == 2);
			CHECK(!exists_in_root(names[i]));
		}
		target_free(t);
	}
}

/* When the marker cannot remember, the import must not end as if all were well. */
static void
test_loss_unmarked(void)
{
	struct entry e = landing_entry(ENTRY_FILE, "2");
	struct target_file *f;
	struct target *t;
	struct error err;

	t = landing_begin();
	f = begin_member(t, "1");
	CHECK(!member_is_lost(t, "2"));
	scratch_remove(landing_path("root/" LANDING_MARKER "/new"));
	target_file_abandon(f);
	e.nlink = 9;
	CHECK_INT(target_link_remove_lost(t, &e, &err), ERR_SYSTEM);
	target_free(t);
}

int
main(void)
{
	static void (*const tests[])(void) = {test_hard_links, test_link_limit, test_lost_group, test_lost_and_resumed,
	    test_lost_at_the_limit, test_loss_unmarked};

	landing_tests("test_target_link", tests, COUNT_OF(tests));
	return 0;
}
