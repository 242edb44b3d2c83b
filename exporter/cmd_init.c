/*
 * snapferry init
 */
#include <json-c/json.h>
#include <time.h>
#include <unistd.h>

#include "command.h"
#include "error.h"
#include "secrets.h"
#include "store.h"

#define SCRYPT_LOG_N 16

static void
init_tell(struct command_context *c)
{
	const struct options *o = c->options;
	struct json_object *j = json_object_new_object();

	(void)json_object_object_add(j, "repository", json_object_new_string(o->repository));
	(void)json_object_object_add(j, "id", json_object_new_string(repo_id(c->repo)));
	if (o->new_key_file != NULL)
		(void)json_object_object_add(j, "key_file", json_object_new_string(o->new_key_file));
	report_json(c->report, "summary", j);
	if (o->quiet)
		return;
	report_line(c->report, "Repository %s is ready (id %s).", o->repository, repo_id(c->repo));
	if (o->new_key_file != NULL)
		report_line(c->report,
		    "The key was written to %s.  Keep copies of this file away from the repository and the cluster:\n"
		    "without it nobody, including you, can read what is stored.",
		    o->new_key_file);
	else
		report_line(c->report,
		    "Keep the %s in a safe place away from the repository and the cluster:\n"
		    "without it nobody, including you, can read what is stored.",
		    o->key_file != NULL ? "key file" : "passphrase");
}

int
cmd_init(const struct options *o)
{
	struct command_context c;
	struct secret secret = {0};
	struct store *store = NULL;
	struct error err;
	int r = command_begin_report(&c, o, "init", &err);

	if (r == 0)
		r = store_open(o->repository, true, &o->s3, &store, &err);
	if (r == 0 && (r = secrets_for_init(o, &secret, &err)) < 0)
		store_free(store);
	else if (r == 0)
		r = repo_init(
		    store, &secret, o->label == NULL ? "first" : o->label, SCRYPT_LOG_N, time(NULL), &c.repo, &err);
	if (r == ERR_EXISTS)
		(void)error_prefix(&err, "%s", o->repository);
	/* Only a key that was made here, and that opens nothing for certain: it would be in the way of the next try. */
	if ((r == ERR_EXISTS || r == ERR_NO_REPOSITORY) && o->new_key_file != NULL && secret.len > 0)
		(void)unlink(o->new_key_file);
	secret_wipe(&secret);
	if (r == 0)
		init_tell(&c);
	return command_end(&c, r, &err);
}
