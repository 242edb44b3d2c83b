/*
 * The S3 store against a script.
 */
#include "s3_script.h"

#include <stdarg.h>
#include <time.h>

#include "check.h"
#include "store.h"

/* What must never be shown: parts of what clients know and servers may not echo. */
static const char *const secrets[] = {"secret", "SERVERSECRET", "Signature=", "Credential=", "token-", "c3Vubnk"};

static bool
reply_error(struct http_server_call *call, const struct s3_step *step)
{
	if (step->code == NULL)
		(void)http_server_reply(call, step->status, step->headers, "", 0);
	else
		(void)s3_server_error(
		    call, step->status, step->code, step->inside != NULL ? step->inside : "", step->headers);
	return true;
}

static bool
act(struct http_server_call *call, const struct s3_step *step)
{
	switch (step->kind) {
	case STEP_RAW:
		(void)http_server_send(call, step->raw, strlen(step->raw));
		http_server_close(call);
		return true;
	case STEP_RESET:
	case STEP_DONE_RESET:
		http_server_reset(call);
		return true;
	case STEP_STALL:
		(void)http_server_stall(call);
		http_server_close(call);
		return true;
	default:
		return reply_error(call, step);
	}
}

/* The step that this request takes, before or after the work; NULL: none. */
static const struct s3_step *
take_step(struct s3_script *x, const struct s3_server_request *q, bool after)
{
	const struct s3_step *step = NULL;

	(void)pthread_mutex_lock(&x->lock);
	if (x->next < x->count)
		step = &x->steps[x->next];
	if (step != NULL && (strncmp(q->http->head, step->beginning, strlen(step->beginning)) != 0 ||
				(step->kind >= STEP_DONE_RESET) != after))
		step = NULL;
	if (step != NULL)
		x->next++;
	(void)pthread_mutex_unlock(&x->lock);
	return step;
}

static bool
before(struct http_server_call *call, const struct s3_server_request *q, void *arg)
{
	const struct s3_step *step = take_step(arg, q, false);

	return step != NULL && act(call, step);
}

static bool
after(struct http_server_call *call, const struct s3_server_request *q, void *arg)
{
	const struct s3_step *step = take_step(arg, q, true);

	return step != NULL && act(call, step);
}

void
s3_script_begin(struct s3_script *x, const struct s3_server_rules *rules, const struct s3_settings *settings)
{
	memset(x, 0, sizeof(*x));
	(void)pthread_mutex_init(&x->lock, NULL);
	if (rules != NULL)
		x->rules = *rules;
	x->rules.script = before;
	x->rules.after = after;
	x->rules.arg = x;
	x->server = s3_server_new(&x->rules);
	x->s = s3_server_open(x->server, "p", settings);
}

static void
check_taken(struct s3_script *x)
{
	(void)pthread_mutex_lock(&x->lock);
	CHECK_INT(x->next, x->count);
	(void)pthread_mutex_unlock(&x->lock);
}

void
s3_script_set(struct s3_script *x, const struct s3_step *steps, size_t count)
{
	check_taken(x);
	(void)pthread_mutex_lock(&x->lock);
	x->steps = steps;
	x->count = count;
	x->next = 0;
	(void)pthread_mutex_unlock(&x->lock);
}

size_t
s3_script_drop(struct s3_script *x)
{
	size_t taken;

	(void)pthread_mutex_lock(&x->lock);
	taken = x->next;
	x->next = x->count;
	(void)pthread_mutex_unlock(&x->lock);
	return taken;
}

void
s3_script_end(struct s3_script *x)
{
	check_taken(x);
	store_free(x->s);
	CHECK_INT(s3_server_forged(x->server), 0);
	s3_server_free(x->server);
	(void)pthread_mutex_destroy(&x->lock);
}

void
s3_script_failed(int r, const struct error *err, enum error_code want, ...)
{
	const char *part;
	va_list parts;

	if (r < 0 && r != (int)want)
		(void)fprintf(stderr, "message: %s\n", err->msg);
	CHECK_INT(r, want);
	CHECK_INT(err->code, want);
	va_start(parts, want);
	while ((part = va_arg(parts, const char *)) != NULL) {
		if (strstr(err->msg, part) == NULL)
			(void)fprintf(stderr, "\"%s\" is not in: %s\n", part, err->msg);
		CHECK(strstr(err->msg, part) != NULL);
	}
	va_end(parts);
	for (size_t i = 0; i < sizeof(secrets) / sizeof(secrets[0]); i++)
		CHECK(strstr(err->msg, secrets[i]) == NULL);
}

int64_t
s3_script_clock(void)
{
	struct timespec now;

	CHECK(clock_gettime(CLOCK_MONOTONIC, &now) == 0);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}
