/*
 * Beginning and end of every command.
 */
#include "command.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cleanup.h"
#include "error.h"
#include "secrets.h"

/* ---- signals ---- */

static void (*on_signal)(void);
static pthread_mutex_t waited_lock = PTHREAD_MUTEX_INITIALIZER;
static struct store *waited; /* the command's store: who waits in it must end too */
static volatile sig_atomic_t signal_seen;
static sigset_t signals;

static void *
signal_thread(void *arg)
{
	int sig;

	(void)arg;
	for (;;) {
		if (sigwait(&signals, &sig) != 0)
			continue;
		if (signal_seen != 0)
			_exit(128 + sig);
		signal_seen = sig;
		on_signal();
		(void)pthread_mutex_lock(&waited_lock);
		if (waited != NULL)
			store_end(waited);
		(void)pthread_mutex_unlock(&waited_lock);
	}
	return NULL;
}

int
command_on_signal(void (*fn)(void), struct error *err)
{
	pthread_t thread;
	int e;

	on_signal = fn;
	(void)sigemptyset(&signals);
	(void)sigaddset(&signals, SIGINT);
	(void)sigaddset(&signals, SIGTERM);
	(void)sigaddset(&signals, SIGHUP);
	/* Threads inherit the mask: the signals reach only sigwait(). */
	(void)pthread_sigmask(SIG_BLOCK, &signals, NULL);
	e = pthread_create(&thread, NULL, signal_thread, NULL);
	if (e != 0) {
		errno = e;
		return error_errno(err, "start the signal thread");
	}
	(void)pthread_detach(thread);
	return 0;
}

/* ---- resources ---- */

#define MIB (1024u * 1024)
/* Memory beside pack buffers.  A content thread: window, bundle, compressor.  Once: an allowance for catalog,
 * deduplication, items and so on, less than the sum of their ceilings (docs/architecture.md, "Memory"). */
#define MEMORY_THREAD     (11 * MIB)
#define MEMORY_FIXED      (46 * MIB)
#define MEMORY_DEFAULT    (128 * MIB)
#define MEMORY_CONNECTION (2 * MIB) /* to a server: buffers, and the certificates that TLS trusts */
#define PACK_MIN          (4 * MIB)
#define PACK_USUAL        (12 * MIB)
#define PACK_META         (12 * MIB) /* what a reader of the whole catalog fetches at once */
#define PACK_MAX          (32 * MIB)

enum { LOCAL_CONNECTIONS = 2 };

/* A folder answers at once, a server after a while: more requests at a time hide that. */
static bool
is_remote(const char *repository)
{
	return strstr(repository, "://") != NULL && strncmp(repository, "file:", 5) != 0;
}

int
command_resources(
    const struct options *o, unsigned remote_connections, struct command_resources *out, struct error *err)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);
	bool remote = is_remote(o->repository);
	uint64_t memory, fixed, least;
	unsigned packs;

	out->threads = o->threads > 0 ? o->threads : cores < 1 ? 1 : (unsigned)MIN(cores, 16L);
	out->connections = o->connections > 0 ? o->connections : remote ? remote_connections : LOCAL_CONNECTIONS;
	packs = out->threads + out->connections;
	fixed = MEMORY_FIXED + (uint64_t)out->threads * MEMORY_THREAD;
	/* More threads than two get the memory that they need; the ceiling of a small machine is kept: many connections
	 * make packs smaller, as long as they are packs. */
	memory = MAX(
	    (uint64_t)MEMORY_DEFAULT, fixed + PACK_META + (uint64_t)(out->threads + LOCAL_CONNECTIONS) * PACK_USUAL);
	fixed += PACK_META;
	fixed += remote ? (uint64_t)out->connections * MEMORY_CONNECTION : 0;
	least = fixed + (uint64_t)packs * PACK_MIN;
	memory = o->max_memory > 0 ? o->max_memory : MAX(memory, least);
	if (memory < least)
		return error_set(err, ERR_USAGE, "--max-memory: %u threads and %u connections need at least %lluM",
		    out->threads, out->connections, (unsigned long long)(least / MIB + 1));
	out->pack_size = (size_t)MIN((memory - fixed) / packs, (uint64_t)PACK_MAX);
	out->meta_pack_size = PACK_META;
	out->dedup_bytes = 16 * MIB;
	return 0;
}

/* ---- begin and end ---- */

static uint64_t
command_clock_ms(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

uint64_t
command_elapsed_ms(const struct command_context *c)
{
	return command_clock_ms() - c->started_ms;
}

int
command_begin_report(struct command_context *c, const struct options *o, const char *name, struct error *err)
{
	struct report_options ro = {
	    .command = name, .json = o->json, .quiet = o->quiet, .verbose = o->verbose, .interval_s = 30};

	memset(c, 0, sizeof *c);
	c->options = o;
	c->started_ms = command_clock_ms();
	return report_new(&ro, &c->report, err);
}

static void
command_set_waited(struct store *store)
{
	(void)pthread_mutex_lock(&waited_lock);
	waited = store;
	(void)pthread_mutex_unlock(&waited_lock);
}

int
command_begin(struct command_context *c, const struct options *o, const char *name, struct error *err)
{
	struct secret secrets[SECRETS_MAX];
	struct store *store = NULL;
	size_t count = 0;
	int r = command_begin_report(c, o, name, err);

	memset(secrets, 0, sizeof secrets);
	if (r == 0)
		r = store_open(o->repository, false, &o->s3, &store, err);
	if (r == 0 && (o->limit_upload > 0 || o->limit_download > 0))
		r = store_limit_new(store, o->limit_upload, o->limit_download, &store, err);
	if (r == 0 && (r = secrets_find(o, secrets, &count, err)) < 0)
		store_free(store);
	else if (r == 0)
		r = repo_open(store, secrets, count, &c->repo, err);
	if (r == 0)
		command_set_waited(store);
	if (r == 0 && o->s3.insecure_tls)
		report_note(
		    c->report, NULL, 0, "--insecure-tls: the server's certificate is not checked, anybody may be it");
	for (size_t i = 0; i < COUNT_OF(secrets); i++)
		secret_wipe(&secrets[i]);
	return r;
}

int
command_volume(struct command_context *c, struct error *err)
{
	return volume_open(c->repo, c->options->volume, false, 0, &c->volume, err);
}

int
command_snapshot(struct command_context *c, const char *spec, struct snapshot **out, struct error *err)
{
	struct manifest m;
	int r = snapshot_resolve(c->volume, spec, &m, err);

	return r < 0 ? r : snapshot_open(c->volume, &m, out, err);
}

const char *
command_path(const char *arg, size_t *len)
{
	*len = strlen(arg);
	while (*len > 0 && arg[*len - 1] == '/')
		--*len;
	while (*len > 0 && (*arg == '/' || (*arg == '.' && (*len == 1 || arg[1] == '/'))))
		arg++, --*len;
	return arg;
}

int
command_end(struct command_context *c, int r, struct error *err)
{
	int status = 0;

	if (c->report != NULL)
		report_progress_stop(c->report);
	/* A write that failed earlier may leave nothing to flush. */
	errno = EIO;
	if ((fflush(stdout) != 0 || ferror(stdout) != 0) && r >= 0)
		r = error_errno(err, "write to standard output");
	if (r < 0 && c->report != NULL)
		report_error(c->report, err);
	else if (r < 0)
		(void)fprintf(stderr, "snapferry: %s\n", err->msg);
	if (r < 0)
		status =
		    err->code == ERR_CANCELLED && signal_seen != 0 ? 128 + signal_seen : error_exit_status(err->code);
	else if (c->report != NULL && report_warnings(c->report) > 0)
		status = 3;
	command_set_waited(NULL);
	volume_free(c->volume);
	repo_free(c->repo);
	report_free(c->report);
	return status;
}
