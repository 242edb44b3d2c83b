/*
 * An S3 endpoint that is probed.
 */
#include "probing.h"

#include "check.h"
#include "cleanup.h"
#include "probe.h"
#include "s3_internal.h"
#include "store.h"
#include "store_contract.h"

static int
note(void *arg, const struct probe_finding *f, struct error *err)
{
	struct probing *x = arg;

	CHECK(f->title[0] != '\0' && !f->needed);
	if (f->result != PROBE_YES)
		buf_printf(&x->found, "%s=%s ", f->name, probe_result_name(f->result));
	if (f->result == PROBE_IGNORED && strcmp(f->name, "md5") != 0 && strcmp(f->name, "crc32c") != 0)
		CHECK(f->detail[0] != '\0');
	if (strcmp(f->name, "clock") == 0)
		(void)snprintf(x->clock, sizeof(x->clock), "%s", f->detail);
	return ++x->findings == x->stop_at ? error_set(err, ERR_USAGE, "enough") : 0;
}

/* What store_probe() has put by then. */
void
probing_begin(struct probing *x, const struct s3_server_rules *rules, const char *customer_key)
{
	const struct s3_settings settings = {.retry_s = 2, .sse_customer_key_file = customer_key};
	struct s3_server_rules with = *rules;

	with.damage_expected = true;
	*x = (struct probing){.server = s3_server_new(&with), .found = BUF_INIT(4096)};
	x->s = s3_server_open(x->server, "p", &settings);
	store_check_put(x->s, PROBING_FOLDER "a", "1");
	store_check_put(x->s, PROBING_FOLDER "b", "1");
	store_check_put(x->s, PROBING_FOLDER "c", "1");
}

int
probing_run(struct probing *x, struct error *err)
{
	return s3_probe(x->s, PROBING_FOLDER, note, x, err);
}

void
probing_end(struct probing *x)
{
	store_check_list(x->s, PROBING_FOLDER, "doctor/t/a:1 doctor/t/b:1 doctor/t/c:1 ");
	store_free(x->s);
	CHECK_INT(s3_server_forged(x->server), 0);
	s3_server_free(x->server);
	buf_free(&x->found);
}

void
probing_check(struct probing *x, const char *want, unsigned findings)
{
	struct error err;

	CHECK_OK(probing_run(x, &err), &err);
	buf_u8(&x->found, 0);
	CHECK_OK(buf_check(&x->found, "findings", &err), &err);
	CHECK_STR((char *)x->found.data, want);
	CHECK_INT(x->findings, findings);
}

void
probing_check_rules(struct s3_server_rules rules, const char *want)
{
	struct probing x;

	probing_begin(&x, &rules, NULL);
	probing_check(&x, want, PROBING_FINDINGS);
	probing_end(&x);
}

bool
probing_is(const struct s3_server_request *q, const char *text)
{
	return strncmp(q->http->head, text, strlen(text)) == 0;
}

bool
probing_reply(struct http_server_call *call, int status, const char *body)
{
	(void)http_server_reply(call, status, NULL, body, strlen(body));
	return true;
}
