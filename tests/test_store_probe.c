/*
 * Probing stores: a good one passes, and each thing that a bad one does is found.
 */
#include "buf.h"
#include "check.h"
#include "cleanup.h"
#include "probe.h"
#include "store.h"
#include "store_fault.h"

/* A store that passes everything on but for what it does wrong. */
enum wrong {
	NOTHING,
	OVERWRITES, /* a second put replaces */
	LIES_ABOUT_SIZE,
	SHIFTS_RANGES,
	GIVES_BEYOND_END,
	FORGETS, /* one object is not listed */
	KEEPS /* remove does nothing */
};

struct crooked {
	struct store store;
	struct store *inner;
	enum wrong wrong;
};

static struct store *
inner_of(struct store *s)
{
	return ((struct crooked *)s)->inner;
}

static int
crooked_put(struct store *s, const char *key, const void *bytes, size_t len, enum store_kind kind, struct error *err)
{
	struct error ignored;
	struct store *inner = inner_of(s);

	if (((struct crooked *)s)->wrong == OVERWRITES)
		(void)store_remove(inner, key, &ignored);
	return inner->ops->put(inner, key, bytes, len, kind, err);
}

static int
crooked_get(struct store *s, const char *key, uint64_t offset, void *bytes, size_t len, struct error *err)
{
	enum wrong wrong = ((struct crooked *)s)->wrong;
	int r;

	r = store_get(inner_of(s), key, wrong == SHIFTS_RANGES ? offset + 1 : offset, bytes, len, err);
	return wrong == GIVES_BEYOND_END && r == ERR_CORRUPT ? 0 : r;
}

static int
crooked_size(struct store *s, const char *key, uint64_t *out, struct error *err)
{
	int r = store_size(inner_of(s), key, out, err);

	*out += ((struct crooked *)s)->wrong == LIES_ABOUT_SIZE;
	return r;
}

static int
crooked_load(struct store *s, const char *key, size_t limit, struct buf *out, struct error *err)
{
	return store_load(inner_of(s), key, limit, out, err);
}

struct forgetting {
	store_list_fn *fn;
	void *arg;
	bool forgets;
};

static int
forget_one(void *arg, const struct store_object *object, struct error *err)
{
	struct forgetting *f = arg;

	if (f->forgets) {
		f->forgets = false;
		return 0;
	}
	return f->fn(f->arg, object, err);
}

static int
crooked_list(struct store *s, const char *prefix, store_list_fn *fn, void *arg, struct error *err)
{
	struct forgetting f = {fn, arg, ((struct crooked *)s)->wrong == FORGETS};

	return store_list(inner_of(s), prefix, forget_one, &f, err);
}

static int
crooked_remove(struct store *s, const char *key, struct error *err)
{
	return ((struct crooked *)s)->wrong == KEEPS ? 0 : store_remove(inner_of(s), key, err);
}

static const struct store_ops crooked_ops = {
    .name = "crooked",
    .put = crooked_put,
    .get = crooked_get,
    .size = crooked_size,
    .load = crooked_load,
    .list = crooked_list,
    .remove = crooked_remove,
};

/* "name=result " of what is not yes. */
static int
note(void *arg, const struct probe_finding *f, struct error *err)
{
	(void)err;
	CHECK(f->title[0] != '\0');
	if (f->result != PROBE_YES) {
		CHECK(f->detail[0] != '\0');
		buf_printf(arg, "%s=%s%s ", f->name, probe_result_name(f->result), f->needed ? "" : "?");
	}
	return 0;
}

static void
check_probe(enum wrong wrong, const char *want)
{
	CLEANUP(buf_free) struct buf found = BUF_INIT(1000);
	struct crooked c = {.store.ops = &crooked_ops, .wrong = wrong};
	struct error err;

	CHECK_OK(store_mem_open(&c.inner, &err), &err);
	CHECK_OK(store_probe(&c.store, note, &found, &err), &err);
	buf_u8(&found, 0);
	CHECK_STR((char *)found.data, want);
	store_free(c.inner);
}

static int
count_object(void *arg, const struct store_object *object, struct error *err)
{
	(void)object;
	(void)err;
	++*(unsigned *)arg;
	return 0;
}

/* Whatever call fails: no crash, an error or a finding, and nothing is left where removing works. */
static void
test_failures(void)
{
	for (uint64_t n = 1;; n++) {
		CLEANUP(buf_free) struct buf found = BUF_INIT(10000);
		const struct store_fault_plan plan = {
		    .ops = STORE_FAULT_ANY & ~(unsigned)STORE_FAULT_REMOVE, .nth = n, .code = ERR_UNAVAILABLE};
		struct store *inner, *s;
		struct error err;
		unsigned left = 0;
		int r;

		CHECK_OK(store_mem_open(&inner, &err), &err);
		CHECK_OK(store_fault_new(inner, &s, &err), &err);
		store_fault_fail(s, &plan);
		r = store_probe(s, note, &found, &err);
		CHECK(r == 0 || r == ERR_UNAVAILABLE);
		store_fault_fail(s, NULL);
		CHECK_OK(store_list(s, "", count_object, &left, &err), &err);
		CHECK_INT(left, 0);
		store_free(s);
		if (r == 0 && found.len == 0)
			break;
		CHECK(n < 100);
	}
}

int
main(void)
{
	check_probe(NOTHING, "");
	check_probe(OVERWRITES, "overwrite=no? ");
	check_probe(LIES_ABOUT_SIZE, "size=no ");
	check_probe(SHIFTS_RANGES, "range=no ");
	check_probe(GIVES_BEYOND_END, "range=no ");
	check_probe(FORGETS, "list=no ");
	check_probe(KEEPS, "remove=ignored? ");
	test_failures();
	return 0;
}
