/*
 * The folder into which a snapshot is imported, as a whole: opening, warnings, counters, the end.
 *
 * What is made in it is made by target_folder.c, target_special.c and target_file.c; target_marker.c knows the folder
 * that marks a running import.
 */

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>

#include "attrs.h"
#include "cleanup.h"
#include "entry.h"
#include "error.h"
#include "target_internal.h"

static unsigned
clamp(rlim_t value, unsigned low, unsigned high)
{
	return value < low ? low : value > high ? high : (unsigned)value;
}

/* Folders, files and everything else the program has open (connections above all) share the descriptors. */
static void
set_limits(struct target *t)
{
	struct rlimit limit = {1024, 1024};

	(void)getrlimit(RLIMIT_NOFILE, &limit);
	t->max_folders = clamp(limit.rlim_cur / 2, 8, 512);
	t->max_files = clamp(limit.rlim_cur / 8, 2, 128);
	t->window = clamp(t->max_folders / 2, 4, 32);
}

static bool
id_valid(const char id[64])
{
	return id[0] != 0 && memchr(id, 0, 64) != NULL && strchr(id, '/') == NULL;
}

/* With nothing opened yet. */
static int
target_new(
    const struct target_options *options, target_warn_fn *warn, void *arg, struct target **out, struct error *err)
{
	struct target *t;

	if (!id_valid(options->id))
		return error_set(err, ERR_USAGE, "not a snapshot id");
	t = calloc(1, sizeof *t);
	if (t == NULL)
		return error_nomem(err);
	t->options = *options;
	t->warn = warn;
	t->warn_arg = arg;
	t->root = t->marker = t->lock_file = t->links = t->old_links = -1;
	(void)pthread_mutex_init(&t->lock, NULL);
	(void)pthread_cond_init(&t->folder_released, NULL);
	(void)pthread_cond_init(&t->file_opened, NULL);
	(void)snprintf(t->marker_name, sizeof t->marker_name, "%s%s", TARGET_MARKER_PREFIX, options->id);
	set_limits(t);
	*out = t;
	return 0;
}

int
target_open(const char *path, const struct target_options *options, target_warn_fn *warn, void *arg,
    struct target **out, struct error *err)
{
	struct target *t;
	int r;

	*out = NULL;
	r = target_new(options, warn, arg, &t, err);
	if (r < 0)
		return r;
	t->old_umask = umask(0);
	t->umask_set = true;
	r = target_marker_open(t, path, err);
	if (r == 0)
		r = target_way_begin(t, err);
	if (r < 0) {
		target_free(t);
		return r;
	}
	*out = t;
	return 0;
}

int
target_check(const char *path, const struct target_options *options, struct error *err)
{
	struct target *t;
	int r = target_new(options, NULL, NULL, &t, err);

	if (r < 0)
		return r;
	r = target_marker_check(t, path, err);
	target_free(t);
	return r;
}

bool
target_resuming(const struct target *t)
{
	return t->resuming;
}

void
target_cancel(struct target *t)
{
	pthread_mutex_lock(&t->lock);
	t->cancelled = true;
	pthread_cond_broadcast(&t->folder_released);
	pthread_mutex_unlock(&t->lock);
}

int
target_check_path(const struct target *t, const struct entry *e, size_t known, struct error *err)
{
	size_t begin = known == 0 ? 0 : known + 1;
	char shown[128];

	if (e->path_len > ENTRY_PATH_MAX || (begin > 0 && begin >= e->path_len) ||
	    !entry_path_valid(e->path + begin, e->path_len - begin))
		return error_set(err, ERR_CORRUPT, "impossible path in the catalog: \"%s\"",
		    error_quote(shown, sizeof shown, e->path, e->path_len));
	if (entry_path_is_within(t->marker_name, strlen(t->marker_name), e->path, e->path_len))
		return error_set(err, ERR_CORRUPT, "the catalog has a path that only an import uses: \"%s\"",
		    error_quote(shown, sizeof shown, e->path, e->path_len));
	return 0;
}

void
target_name(char out[TARGET_NAME_MAX], const char *path, size_t path_len)
{
	const char *slash = memrchr(path, '/', path_len);
	const char *name = slash == NULL ? path : slash + 1;
	size_t len = MIN((size_t)(path + path_len - name), (size_t)TARGET_NAME_MAX - 1);

	memcpy(out, name, len);
	out[len] = 0;
}

void
target_warning(struct target *t, const struct entry *e, const char *what)
{
	if (t->warn != NULL)
		t->warn(t->warn_arg, e->path, e->path_len, what);
}

void
target_warn_attrs(struct target *t, const struct entry *e, unsigned failures)
{
	static const struct {
		unsigned bit;
		const char *what;
	} kinds[] = {
	    {ATTRS_OWNER, "owner could not be set"},
	    {ATTRS_MODE, "mode could not be set"},
	    {ATTRS_XATTR, "extended attributes or ACL could not be set"},
	    {ATTRS_TIMES, "times could not be set"},
	};

	for (size_t i = 0; i < COUNT_OF(kinds); i++)
		if (failures & kinds[i].bit)
			target_warning(t, e, kinds[i].what);
}

int
target_errno(const struct entry *e, const char *doing, struct error *err)
{
	int saved = errno;
	char shown[256];

	(void)error_quote(shown, sizeof shown, e->path, e->path_len);
	errno = saved;
	return error_errno(err, "%s \"%s\"", doing, shown);
}

int
target_finish(struct target *t, struct error *err)
{
	int r;

	/* As long as the marker is there a killed import is continued: it goes when everything else is on disk. */
	if (syncfs(t->root) < 0)
		return error_errno(err, "sync the target to disk");
	r = target_marker_remove(t, err);
	if (r < 0)
		return r;
	t->finished = true;
	if (fsync(t->root) < 0)
		return error_errno(err, "sync the target's root to disk");
	return 0;
}

void
target_counters(struct target *t, struct target_counters *out)
{
	*out = (struct target_counters){
	    .files = atomic_load(&t->n_files),
	    .folders = atomic_load(&t->n_folders),
	    .symlinks = atomic_load(&t->n_symlinks),
	    .specials = atomic_load(&t->n_specials),
	    .links = atomic_load(&t->n_links),
	    .bytes_written = atomic_load(&t->n_bytes),
	    .skipped = atomic_load(&t->n_skipped),
	};
}

/* Whether anything would be there to go on with. */
static bool
did_something(struct target *t)
{
	struct target_counters c;

	target_counters(t, &c);
	return t->resuming || (c.files | c.folders | c.symlinks | c.specials | c.links | c.bytes_written) != 0;
}

void
target_free(struct target *t)
{
	struct error ignored;

	if (t == NULL)
		return;
	target_way_end(t);
	if (t->links >= 0 && !t->finished && !did_something(t))
		(void)target_marker_remove(t, &ignored);
	else if (t->links >= 0 && !t->finished)
		target_marker_keep(t);
	if (t->umask_set)
		(void)umask(t->old_umask);
	cleanup_close_p(&t->old_links);
	cleanup_close_p(&t->links);
	cleanup_close_p(&t->marker);
	cleanup_close_p(&t->lock_file);
	cleanup_close_p(&t->root);
	(void)pthread_cond_destroy(&t->file_opened);
	(void)pthread_cond_destroy(&t->folder_released);
	(void)pthread_mutex_destroy(&t->lock);
	free(t);
}
