/* The walk against a model that reads everything and sorts it, and folders that outlive it. */
#include "walk.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "names.h"

static void
random_name(char *out, uint64_t *seed)
{
	size_t len = 1 + check_random(seed) % (check_random(seed) % 8 == 0 ? 200 : 4);

	do {
		for (size_t i = 0; i < len; i++) {
			/* A few letters often, so that names share beginnings, and any byte now and then. */
			uint8_t any = (uint8_t)check_random(seed), c = (uint8_t) "ab.\x01"[any % 4];

			if (check_random(seed) % 4 == 0)
				c = any;
			out[i] = (char)(c == 0 || c == '/' ? 0xff : c);
		}
		/* Some begin alike for longer than a sorting key. */
		if (check_random(seed) % 4 == 0 && len > 1)
			memset(out, 'a', len = 12 + len % 3);
		for (size_t i = 12; i < len; i++)
			out[i] = (char)('a' + check_random(seed) % 26);
		out[len] = '\0';
	} while (strcmp(out, ".") == 0 || strcmp(out, "..") == 0);
}

static void
random_tree(int fd, unsigned depth, uint64_t *seed)
{
	unsigned count = (unsigned)(check_random(seed) % (depth == 0 ? 60 : 25));

	for (unsigned i = 0; i < count; i++) {
		char name[256];
		CLEANUP_CLOSE int sub = -1;

		random_name(name, seed);
		switch (check_random(seed) % 8) {
		case 0:
		case 1:
			if (depth < 4 && mkdirat(fd, name, 0700) == 0 &&
			    (sub = openat(fd, name, O_RDONLY | O_DIRECTORY)) >= 0)
				random_tree(sub, depth + 1, seed);
			break;
		case 2:
			if (symlinkat("..", fd, name) < 0)
				CHECK_INT(errno, EEXIST);
			break;
		case 3:
			(void)mkfifoat(fd, name, 0600);
			break;
		default:
			sub = openat(fd, name, O_WRONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK, 0600);
		}
	}
}

static void
test_random(void)
{
	static const struct walker_options usual = {.max_folders = 0}, tight = {.max_folders = 4};

	for (uint64_t seed = 1; seed <= 5; seed++) {
		CLEANUP_CLOSE int fd = open(walk_root, O_RDONLY | O_DIRECTORY);
		uint64_t state = seed;

		CHECK(fd >= 0);
		random_tree(fd, 0, &state);
		walk_check_like_model(&usual, NAMES_LIMIT);
		walk_check_like_model(&tight, NAMES_LIMIT);
		/* So small a limit that every folder goes through the temporary file, one name a run. */
		walk_check_like_model(&tight, 0);
		walk_check_like_model(&usual, 4096);
		walk_clean();
	}
}

/* The order that differs from that of strcmp(). */
static void
test_order(void)
{
	static const char *const want[] = {"", "a", "a/b", "a/b/c", "a\x01", "a.b", "a0", "b"};
	static const struct walker_options o = {.max_folders = 0};
	CLEANUP(walk_paths_free) struct walk_paths got = {0};
	struct walk_notices notices;

	walk_put_folder("a");
	walk_put_folder("a/b");
	walk_put_file("a/b/c");
	walk_put_file("a.b");
	walk_put_file("a\x01");
	walk_put_file("a0");
	walk_put_file("b");
	walk_list(&got, &o, NAMES_LIMIT, &notices);
	CHECK_INT(got.n, COUNT_OF(want));
	for (size_t i = 0; i < got.n; i++)
		CHECK_STR(got.paths[i], want[i]);
	walk_clean();
}

static void
test_root(void)
{
	static const struct walker_options o = {.max_folders = 0};
	char path[PATH_MAX + 16];
	struct walker *w;
	struct walker_node n;
	struct error err;

	(void)snprintf(path, sizeof path, "%s/nothing", walk_base);
	CHECK_INT(walker_new(path, &o, NULL, NULL, &w, &err), ERR_NOT_FOUND);
	walk_put_file("f");
	(void)snprintf(path, sizeof path, "%s/f", walk_root);
	CHECK_INT(walker_new(path, &o, NULL, NULL, &w, &err), ERR_USAGE);
	CHECK(unlink(path) == 0);
	/* A symlink to a folder will do. */
	(void)snprintf(path, sizeof path, "%s/link", walk_base);
	CHECK(symlink("root", path) == 0);
	CHECK_OK(walker_new(path, &o, NULL, NULL, &w, &err), &err);
	CHECK_INT(walker_next(w, &n, &err), 1);
	CHECK(S_ISDIR(n.stx.stx_mode) && n.self != NULL && n.parent == NULL);
	CHECK_STR(n.path, "");
	/* A root that goes away is no empty tree. */
	CHECK(rmdir(walk_root) == 0);
	CHECK_INT(walker_next(w, &n, &err), ERR_NOT_FOUND);
	walker_free(w);
	CHECK(mkdir(walk_root, 0700) == 0);
	CHECK(unlink(path) == 0);
	walker_free(NULL);
	folder_unref(NULL);
}

/* ---- folders that others hold ---- */

struct reader {
	struct folder *held[16];
	size_t n;
	unsigned waits;
	atomic_bool cancel;
	struct walker *w;
};

static void
give_back(void *arg)
{
	struct reader *r = arg;

	r->waits++;
	while (r->n > 0)
		folder_unref(r->held[--r->n]);
}

static void
test_held(void)
{
	static const struct walker_options o = {.max_folders = 6};
	struct reader reader = {.n = 0};
	struct walk_notices notices = {.errnum = 0};
	struct walker_node n;
	struct error err;
	unsigned count = 0;
	int r;

	for (unsigned i = 0; i < 50; i++) {
		char name[16];

		(void)snprintf(name, sizeof name, "d%02u", i);
		walk_put_folder(name);
	}
	CHECK_OK(walker_new(walk_root, &o, walk_on_notice, &notices, &reader.w, &err), &err);
	walker_on_wait(reader.w, give_back, &reader);
	while ((r = walker_next(reader.w, &n, &err)) == 1) {
		count++;
		if (n.self != NULL) {
			CHECK(reader.n < 6);
			reader.held[reader.n++] = folder_ref(n.self);
		}
	}
	CHECK_OK(r, &err);
	CHECK_INT(count, 51);
	CHECK(reader.waits > 5);
	/* Folders outlive the walk. */
	CHECK(reader.n > 0);
	walker_free(reader.w);
	CHECK(fcntl(folder_fd(reader.held[0]), F_GETFD) >= 0);
	give_back(&reader);
}

static void *
canceller(void *arg)
{
	struct reader *r = arg;

	while (!atomic_load(&r->cancel))
		(void)sched_yield();
	walker_cancel(r->w);
	return NULL;
}

static void
let_cancel(void *arg)
{
	atomic_store(&((struct reader *)arg)->cancel, true);
}

static void
test_cancel(void)
{
	static const struct walker_options o = {.max_folders = 4};
	struct reader reader = {.n = 0};
	struct walker_node n;
	struct error err;
	pthread_t thread;
	int r;

	CHECK_OK(walker_new(walk_root, &o, NULL, NULL, &reader.w, &err), &err);
	walker_on_wait(reader.w, let_cancel, &reader);
	CHECK_INT(pthread_create(&thread, NULL, canceller, &reader), 0);
	while ((r = walker_next(reader.w, &n, &err)) == 1)
		if (n.self != NULL)
			reader.held[reader.n++] = folder_ref(n.self);
	CHECK_INT(r, ERR_CANCELLED);
	CHECK_INT(pthread_join(thread, NULL), 0);
	walker_free(reader.w);
	give_back(&reader);
}

/* Folders given back by threads, some of them after the walk has ended. */
#define HANDED 64u

struct handed {
	pthread_mutex_t lock;
	pthread_cond_t filled;
	struct folder *folders[HANDED];
	size_t n;
	bool end;
};

static void *
releaser(void *arg)
{
	struct handed *h = arg;
	struct folder *f;

	for (;;) {
		(void)pthread_mutex_lock(&h->lock);
		while (h->n == 0 && !h->end)
			(void)pthread_cond_wait(&h->filled, &h->lock);
		f = h->n > 0 ? h->folders[--h->n] : NULL;
		(void)pthread_mutex_unlock(&h->lock);
		if (f == NULL)
			return NULL;
		CHECK(fcntl(folder_fd(f), F_GETFD) >= 0);
		folder_unref(f);
	}
}

static void
test_threads(void)
{
	static const struct walker_options o = {.max_folders = 5};
	struct handed h = {.lock = PTHREAD_MUTEX_INITIALIZER, .filled = PTHREAD_COND_INITIALIZER};
	struct walker *w;
	struct walker_node n;
	struct error err;
	pthread_t threads[2];
	unsigned count = 0;

	CHECK_OK(walker_new(walk_root, &o, NULL, NULL, &w, &err), &err);
	for (size_t i = 0; i < COUNT_OF(threads); i++)
		CHECK_INT(pthread_create(&threads[i], NULL, releaser, &h), 0);
	while (walker_next(w, &n, &err) == 1) {
		count++;
		if (n.self == NULL)
			continue;
		(void)pthread_mutex_lock(&h.lock);
		CHECK(h.n < HANDED);
		h.folders[h.n++] = folder_ref(n.self);
		(void)pthread_cond_signal(&h.filled);
		(void)pthread_mutex_unlock(&h.lock);
	}
	CHECK_INT(count, 51);
	walker_free(w);
	(void)pthread_mutex_lock(&h.lock);
	h.end = true;
	(void)pthread_cond_broadcast(&h.filled);
	(void)pthread_mutex_unlock(&h.lock);
	for (size_t i = 0; i < COUNT_OF(threads); i++)
		CHECK_INT(pthread_join(threads[i], NULL), 0);
	walk_clean();
}

int
main(void)
{
	static void (*const tests[])(void) = {test_random, test_order, test_root, test_held, test_cancel, test_threads};

	walk_tests("test_walker", tests, COUNT_OF(tests));
	return 0;
}
