/* The end of a store comes soon to whoever waits in it. */
#include <pthread.h>
#include <unistd.h>

#include "buf.h"
#include "check.h"
#include "cleanup.h"
#include "s3_script.h"
#include "store.h"
#include "store_contract.h"

enum { WAITERS = 4 };

static void *
wait_in_put(void *arg)
{
	struct s3_script *x = arg;
	struct error err;

	s3_script_failed(store_put(x->s, "k", "1", 1, &err), &err, ERR_CANCELLED, "cancelled", NULL);
	return NULL;
}

/* So many threads are in a call, the server has got their requests, and the store ends. */
static void
check_end(struct s3_script *x, const struct s3_step *steps, size_t count)
{
	pthread_t threads[WAITERS];
	struct error err;
	uint64_t size;
	int64_t begun;

	s3_script_set(x, steps, count);
	for (size_t i = 0; i < count; i++)
		CHECK(pthread_create(&threads[i], NULL, wait_in_put, x) == 0);
	http_server_wait(s3_server_http(x->server), count);
	/* The answers arrive. */
	(void)usleep(100000);
	begun = s3_script_clock();
	store_end(x->s);
	for (size_t i = 0; i < count; i++)
		CHECK(pthread_join(threads[i], NULL) == 0);
	CHECK(s3_script_clock() - begun < 3000);
	/* And to whoever comes later. */
	s3_script_failed(store_size(x->s, "k", &size, &err), &err, ERR_CANCELLED, "cancelled", NULL);
	store_end(x->s);
	CHECK_INT(s3_server_count(x->server, ""), count);
}

static void
test_in_pause(void)
{
	static const struct s3_step steps[WAITERS] = {
	    [0 ... WAITERS - 1] = SAYS("PUT ", 503, "SlowDown", .headers = "Retry-After: 60\r\n")};
	const struct s3_settings settings = {.retry_s = 300};
	struct s3_script x;

	s3_script_begin(&x, NULL, &settings);
	check_end(&x, steps, COUNT_OF(steps));
	s3_script_end(&x);
}

static void
test_in_exchange(void)
{
	static const struct s3_step steps[WAITERS] = {[0 ... WAITERS - 1] = DOES("PUT ", STEP_STALL)};
	struct s3_script x;

	s3_script_begin(&x, NULL, NULL);
	check_end(&x, steps, COUNT_OF(steps));
	s3_script_end(&x);
}

/* A listing ends between its pages, a removal between its batches. */
static int
end_store(void *arg, const struct store_object *object, struct error *err)
{
	(void)object;
	(void)err;
	store_end(arg);
	return 0;
}

static void
test_in_list(void)
{
	struct s3_script x;
	struct error err;

	s3_script_begin(&x, &(struct s3_server_rules){.page = 1}, NULL);
	store_check_put(x.s, "a", "1");
	store_check_put(x.s, "b", "1");
	s3_script_failed(store_list(x.s, "", end_store, x.s, &err), &err, ERR_CANCELLED, "cancelled", NULL);
	s3_script_failed(store_remove_many(x.s, (const char *const[]){"a", "b"}, 2, NULL, NULL, &err), &err,
	    ERR_CANCELLED, "cancelled", NULL);
	s3_script_end(&x);
}

int
main(void)
{
	(void)alarm(120);
	test_in_pause();
	test_in_exchange();
	test_in_list();
	return 0;
}
