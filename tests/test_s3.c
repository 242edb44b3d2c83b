/* The S3 store keeps the contract of stores, whatever the server can or cannot do, and each of its requests is signed
 * as it must be. */
#include <unistd.h>

#include "buf.h"
#include "check.h"
#include "cleanup.h"
#include "s3_server.h"
#include "store.h"
#include "store_contract.h"

static void
check_contract(const struct s3_server_rules *rules, const char *prefix, const struct s3_settings *settings)
{
	struct s3_server *server = s3_server_new(rules);
	struct store *s = s3_server_open(server, prefix, settings);

	store_contract(s);
	store_free(s);
	CHECK_INT(s3_server_forged(server), 0);
	s3_server_free(server);
}

static void
test_contract(void)
{
	static const struct s3_server_rules rules[] = {
	    {.page = 0},
	    {.page = 1},
	    {.page = 3, .no_list2 = true},
	    {.page = 2, .old_list = true},
	    {.no_delete_many = true},
	    {.region = "eu-central-1"},
	    {.skew_s = 7200},
	    {.skew_s = -100000},
	};
	static const char *const prefixes[] = {"", "a", "Team A/b+c=%41&\xC3\xA4/~x", "v/x:y@z*'();,$!"};

	for (size_t i = 0; i < COUNT_OF(rules); i++)
		check_contract(&rules[i], prefixes[i % COUNT_OF(prefixes)], NULL);
	for (size_t i = 0; i < COUNT_OF(prefixes); i++)
		check_contract(&rules[1], prefixes[i], NULL);
}

/* What settings add to requests is signed, and changes nothing else. */
static void
test_settings(void)
{
	static const char *const tags[] = {"team=storage & co", "b=", "c+d=e=f"};
	const struct s3_settings settings = {.storage_class = "STANDARD_IA",
	    .sse_kms_key = "arn:aws:kms:eu-west-1:1:key/2",
	    .tags = tags,
	    .ntags = COUNT_OF(tags),
	    .requester_pays = true,
	    .checksum = "md5",
	    .addressing = "path"};

	check_contract(&(struct s3_server_rules){.page = 2}, "p", &settings);
}

static void
test_many(void)
{
	struct s3_server *server = s3_server_new(&(struct s3_server_rules){.page = 0});
	struct store *s = s3_server_open(server, "p", NULL);

	store_contract_many(s);
	/* Two pages for "many", one for the check at the end; two batches. */
	CHECK_INT(s3_server_count(server, "GET /bucket-1?"), 3);
	CHECK_INT(s3_server_count(server, "POST /bucket-1?delete="), 2);
	CHECK_INT(s3_server_count(server, "DELETE "), 1);
	CHECK_INT(s3_server_count(server, "HEAD "), 0);
	store_free(s);
	CHECK_INT(s3_server_forged(server), 0);
	s3_server_free(server);
}

/* Two stores below prefixes of one bucket, one of which is the beginning of the other's name: neither sees the
 * other. */
static void
test_prefixes(void)
{
	struct s3_server *server = s3_server_new(&(struct s3_server_rules){.page = 2});
	struct store *a = s3_server_open(server, "team", NULL), *b = s3_server_open(server, "team1/", NULL);
	struct store *all = s3_server_open(server, "", NULL);
	struct error err;

	store_check_put(a, "k", "1");
	store_check_put(a, "l/m", "12");
	store_check_put(b, "k", "123");
	store_check_list(a, "", "k:1 l/m:2 ");
	store_check_list(b, "", "k:3 ");
	store_check_list(all, "", "team/k:1 team/l/m:2 team1/k:3 ");
	CHECK_OK(store_remove(a, "k", &err), &err);
	store_check_content(b, "k", "123");
	store_free(a);
	store_free(b);
	store_free(all);
	CHECK_INT(s3_server_forged(server), 0);
	s3_server_free(server);
}

/* A server that puts without a condition only is asked first; racing writers are more than that can tell apart. */
static void
test_no_condition(void)
{
	struct s3_server *server = s3_server_new(&(struct s3_server_rules){.no_condition = true});
	struct store *s = s3_server_open(server, "p", NULL);
	struct error err;

	store_check_put(s, "a", "1");
	/* Tried with the condition, then looked for, then put. */
	CHECK_INT(s3_server_count(server, "PUT "), 2);
	CHECK_INT(s3_server_count(server, "HEAD "), 1);
	store_check_put(s, "b", "2");
	CHECK_INT(s3_server_count(server, "PUT "), 3);
	CHECK_INT(s3_server_count(server, "HEAD "), 2);
	CHECK_INT(store_put(s, "a", "3", 1, &err), ERR_EXISTS);
	CHECK_INT(s3_server_count(server, "PUT "), 3);
	store_check_content(s, "a", "1");
	store_free(s);
	CHECK_INT(s3_server_forged(server), 0);
	s3_server_free(server);
}

/* The server looks: a wrong secret, and a body that changes on its way, are found out. */
static void
test_server(void)
{
	struct s3_server *server = s3_server_new(&(struct s3_server_rules){.page = 0});
	struct store *s;
	struct error err;

	CHECK(setenv("AWS_SECRET_ACCESS_KEY", "wrong", 1) == 0);
	s = s3_server_open(server, "p", NULL);
	CHECK_INT(store_put(s, "a", "1", 1, &err), ERR_DENIED);
	CHECK(strstr(err.msg, "SignatureDoesNotMatch") != NULL && strstr(err.msg, "wrong") == NULL);
	/* Once more, in case that it was a bit on the way. */
	CHECK_INT(s3_server_forged(server), 2);
	store_free(s);
	s3_server_free(server);
}

int
main(void)
{
	(void)alarm(120);
	test_contract();
	test_settings();
	test_many();
	test_prefixes();
	test_no_condition();
	test_server();
	return 0;
}
