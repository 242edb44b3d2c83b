/*
 * Content threads: take tasks, read what they name, pass complete items on to the recorder.
 */
#include "content.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "attrs.h"
#include "cleanup.h"
#include "error.h"

int
content_attributes(struct content *c, int fd, struct entry *e, struct arena *a, struct error *err)
{
	int r;

	buf_reset(&c->xattrs);
	r = attrs_read_fd(fd, &c->xattrs, err);
	if (r == ERR_NOMEM)
		return r;
	if (r < 0) {
		report_warn(c->x->report, e->path, e->path_len, "attributes could not be read: %s", err->msg);
		buf_reset(&c->xattrs);
	}
	e->xattrs_len = c->xattrs.len;
	e->xattrs = c->xattrs.len == 0 ? NULL : arena_copy(a, c->xattrs.data, c->xattrs.len);
	return e->xattrs_len > 0 && e->xattrs == NULL ? error_nomem(err) : 0;
}

int
content_path_hash(struct content *c, const struct entry *e, uint64_t *out, struct error *err)
{
	uint8_t full[ID_LEN];
	int r = mac_compute(c->path_mac, NULL, 0, e->path, e->path_len, full, err);

	if (r < 0)
		return r;
	*out = 0;
	for (unsigned i = 0; i < 8; i++)
		*out |= (uint64_t)full[i] << (8 * i);
	return 0;
}

static void *
content_map(size_t len)
{
	/* Untouched pages cost nothing: a volume of small files never fills the window. */
	void *p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

void
content_free(struct content *c)
{
	if (c == NULL)
		return;
	packer_free(c->packer);
	mac_free(c->path_mac);
	loader_free(c->loader);
	if (c->window != NULL)
		(void)munmap(c->window, CONTENT_WINDOW);
	if (c->bundle != NULL)
		(void)munmap(c->bundle, BUNDLE_ROOM);
	buf_free(&c->xattrs);
	free(c);
}

static int
content_init(struct content *c, struct export *x, struct error *err)
{
	int r;

	c->x = x;
	buf_init(&c->xattrs, ENTRY_XATTRS_MAX);
	c->window = content_map(CONTENT_WINDOW);
	c->bundle = content_map(BUNDLE_ROOM);
	if (c->window == NULL || c->bundle == NULL)
		return error_nomem(err);
	if ((r = packer_new(x->session, 'p', x->options->level, &c->packer, err)) < 0)
		return r;
	return mac_new(x->keys->manifest, &c->path_mac, err);
}

int
content_new(struct export *x, struct content **out, struct error *err)
{
	struct content *c = calloc(1, sizeof *c);
	int r;

	if (c == NULL)
		return error_nomem(err);
	if ((r = content_init(c, x, err)) < 0) {
		content_free(c);
		return r;
	}
	*out = c;
	return 0;
}

int
content_flush(struct content *c, struct error *err)
{
	return packer_flush(c->packer, err);
}

/* False when the item was not handed on: it is still ours. */
static bool
content_task(struct content *c, struct task *t, struct error *err)
{
	struct stretch *s = t->item->stretch;

	if (s == NULL) {
		if (content_batch(c, t->item->batch, err) < 0)
			return false;
	} else {
		if (content_piece(c, s, t->piece, err) < 0)
			return false;
		/* Whoever completes the last piece owns the item. */
		if (atomic_fetch_sub(&s->pending, 1) != 1)
			return true;
	}
	if (queue_push_at(c->x->done, t->item->seq, t->item))
		return true;
	(void)error_set(err, ERR_CANCELLED, "cancelled");
	return false;
}

void
content_abandon(struct task *t)
{
	struct stretch *s = t->item->stretch;

	if (s == NULL || atomic_load(&s->pending) == 0 || atomic_fetch_sub(&s->pending, 1) == 1)
		item_free(t->item);
}

void
content_thread(void *arg)
{
	struct export *x = arg;
	struct content *c = NULL;
	struct error err;
	struct task *t;
	bool ok = content_new(x, &c, &err) == 0;

	if (!ok)
		job_fail(x->job, &err);
	while ((t = queue_pop(x->work)) != NULL) {
		if (!ok) {
			content_abandon(t);
		} else if (!content_task(c, t, &err)) {
			ok = false;
			job_fail(x->job, &err);
			content_abandon(t);
		}
		free(t);
	}
	if (ok && content_flush(c, &err) < 0)
		job_fail(x->job, &err);
	content_free(c);
	queue_close(x->done);
}
