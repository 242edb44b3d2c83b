/*
 * Catalog blocks on their way from the store to a reader.
 *
 * The fetching half (struct fetcher) belongs to the thread if there is one, to the reader otherwise.  A block that
 * cannot be had travels to the reader in its place in the order, as an item with an error, and is the last one.
 */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "block_stream.h"
#include "catalog_reader.h"
#include "cleanup.h"
#include "error.h"
#include "job.h"
#include "loader.h"
#include "queue.h"
#include "snapshot.h"

enum {
	RUN_FIRST = 256 * 1024, /* fetched together after a seek */
	RUN_MAX = 4 * 1024 * 1024,
	GAP_MAX = 128 * 1024, /* fetched and thrown away rather than asked for twice */
	FAR = 1024 * 1024, /* a reader that leaves out so much will not want the neighbours either */
};

/* A block in memory, or why it is not. */
struct item {
	uint8_t *plain;
	size_t size, len;
	int code;
	struct error err;
};

struct fetcher {
	const struct root *root;
	struct loader *loader;
	size_t next; /* block to be given next */
	size_t run_end; /* blocks next .. run_end - 1 lie in run */
	uint64_t run_offset; /* of run in the pack */
	size_t run_first; /* bytes to be fetched together after a seek */
	size_t run_max; /* and at most */
	size_t run_aim; /* and next time */
	uint8_t *run;
	size_t run_size;
};

struct block_stream {
	struct fetcher fetcher;
	unsigned readahead;
	struct item *items; /* readahead + 1 */
	struct item *current; /* in the reader's hands */
	struct job *job; /* NULL while no thread runs */
	struct queue *ready, *spare;
};

/* ---- fetching ---- */

static const struct frame_ref *
frame_of(const struct fetcher *f, size_t block)
{
	return &f->root->blocks[block].frame;
}

static bool
follows(const struct frame_ref *a, const struct frame_ref *b)
{
	uint64_t end = (uint64_t)a->offset + a->clen;

	return a->type == b->type && a->seq == b->seq && memcmp(a->session, b->session, SESSION_ID_LEN) == 0 &&
	       b->offset >= end && b->offset - end <= GAP_MAX;
}

/* Which blocks to fetch together with the next one. */
static size_t
find_run(const struct fetcher *f)
{
	const struct frame_ref *first = frame_of(f, f->next), *last = first;
	size_t end = f->next + 1;

	while (end < f->root->nblocks && follows(last, frame_of(f, end)) &&
	       (uint64_t)frame_of(f, end)->offset + frame_of(f, end)->clen - first->offset <= f->run_aim) {
		last = frame_of(f, end);
		end++;
	}
	return end;
}

static int
reserve(uint8_t **bytes, size_t *size, size_t need, struct error *err)
{
	if (*size >= need)
		return 0;
	free(*bytes);
	*size = 0;
	/* With some room to spare, since the next one may be a little longer. */
	*bytes = malloc(need + need / 4);
	if (*bytes == NULL)
		return error_nomem(err);
	*size = need + need / 4;
	return 0;
}

static int
fetch_blocks(struct fetcher *f, size_t end, struct error *err)
{
	const struct frame_ref *first = frame_of(f, f->next), *last = frame_of(f, end - 1);
	size_t len = (size_t)((uint64_t)last->offset + last->clen - first->offset);
	int r = reserve(&f->run, &f->run_size, len, err);

	if (r == 0)
		r = loader_fetch(f->loader, first, first->offset, f->run, len, err);
	if (r < 0)
		return r;
	f->run_offset = first->offset;
	f->run_end = end;
	return 0;
}

static int
fetch_run(struct fetcher *f, struct error *err)
{
	size_t end = find_run(f);
	int r = fetch_blocks(f, end, err);

	/* A pack that was cut short still has its first blocks. */
	if (r == ERR_CORRUPT && end > f->next + 1)
		r = fetch_blocks(f, f->next + 1, err);
	f->run_aim = MIN(2 * f->run_aim, f->run_max);
	return r;
}

static int
fetch_block(struct fetcher *f, struct item *item, struct error *err)
{
	const struct frame_ref *ref = frame_of(f, f->next);
	int r = 0;

	if (!frame_ref_valid(ref) || ref->type != FRAME_CATALOG)
		return error_set(err, ERR_CORRUPT, "its frame is no catalog block");
	if (f->next >= f->run_end)
		r = fetch_run(f, err);
	if (r == 0)
		r = reserve(&item->plain, &item->size, ref->plen, err);
	if (r == 0)
		r = loader_open(f->loader, ref, f->run + (ref->offset - f->run_offset), item->plain, err);
	if (r < 0)
		return r;
	item->len = ref->plen;
	f->next++;
	return 0;
}

/* The next block into the item, or the error. */
static void
fill(struct fetcher *f, struct item *item)
{
	item->code = fetch_block(f, item, &item->err);
	if (item->code < 0)
		item->code = error_prefix(&item->err, "catalog block %zu", f->next);
}

/* ---- the thread ---- */

static void
read_ahead(void *arg)
{
	struct block_stream *s = arg;
	struct item *item;

	while (s->fetcher.next < s->fetcher.root->nblocks && (item = queue_pop(s->spare)) != NULL) {
		int code;

		fill(&s->fetcher, item);
		code = item->code;
		if (!queue_push(s->ready, item) || code < 0)
			break;
	}
	queue_close(s->ready);
}

static void
stop(struct block_stream *s)
{
	struct error ignored;

	if (s->ready != NULL)
		queue_abort(s->ready);
	if (s->spare != NULL)
		queue_abort(s->spare);
	if (s->job != NULL)
		(void)job_wait(s->job, &ignored);
	job_free(s->job);
	/* Items are the stream's, wherever they are. */
	queue_free(s->ready, NULL);
	queue_free(s->spare, NULL);
	s->job = NULL;
	s->ready = s->spare = NULL;
	s->current = NULL;
}

static int
start(struct block_stream *s, struct error *err)
{
	size_t count = (size_t)s->readahead + 1;
	int r = job_new(&s->job, err);

	if (r == 0)
		r = queue_new(count, 1, &s->ready, err);
	if (r == 0)
		r = queue_new(count, 1, &s->spare, err);
	if (r == 0)
		r = job_attach(s->job, s->ready, err);
	if (r == 0)
		r = job_attach(s->job, s->spare, err);
	for (size_t i = 0; r == 0 && i < count; i++)
		(void)queue_push(s->spare, &s->items[i]);
	return r < 0 ? r : job_spawn(s->job, "catalog", read_ahead, s, err);
}

/* ---- the reader's side ---- */

int
block_stream_new(const struct snapshot *snapshot, unsigned readahead, struct block_stream **out, struct error *err)
{
	struct block_stream *s = calloc(1, sizeof(*s));
	int r;

	if (s == NULL)
		return error_nomem(err);
	s->readahead = MIN(readahead, (unsigned)CATALOG_READAHEAD_MAX);
	s->fetcher.root = &snapshot->root;
	s->fetcher.run_first = s->fetcher.run_aim = RUN_FIRST;
	s->fetcher.run_max = RUN_MAX;
	s->items = calloc((size_t)s->readahead + 1, sizeof(s->items[0]));
	r = s->items == NULL ? error_nomem(err)
			     : loader_new(snapshot->volume, snapshot->keyring, &s->fetcher.loader, err);
	if (r < 0) {
		block_stream_free(s);
		return r;
	}
	*out = s;
	return 0;
}

void
block_stream_free(struct block_stream *s)
{
	if (s == NULL)
		return;
	stop(s);
	for (size_t i = 0; s->items != NULL && i <= s->readahead; i++)
		free(s->items[i].plain);
	free(s->items);
	loader_free(s->fetcher.loader);
	free(s->fetcher.run);
	free(s);
}

void
block_stream_whole(struct block_stream *s)
{
	s->fetcher.run_first = s->fetcher.run_max = s->fetcher.run_aim = CATALOG_WHOLE_RUN;
}

int
block_stream_seek(struct block_stream *s, size_t block, struct error *err)
{
	if (block > s->fetcher.root->nblocks)
		return error_set(err, ERR_USAGE, "there is no catalog block %zu", block);
	stop(s);
	s->fetcher.next = block;
	s->fetcher.run_end = 0;
	s->fetcher.run_aim = s->fetcher.run_first;
	return 0;
}

/* Much lies between what is in memory and this block. */
static bool
is_far(const struct fetcher *f, size_t block)
{
	uint64_t between = 0;

	for (size_t i = MAX(f->next, f->run_end); i < block && between <= FAR; i++)
		between += frame_of(f, i)->clen;
	return between > FAR;
}

int
block_stream_skip(struct block_stream *s, size_t block, struct error *err)
{
	struct fetcher *f = &s->fetcher;

	if (s->readahead > 0 || block < f->next || block > f->root->nblocks)
		return block_stream_seek(s, block, err);
	if (is_far(f, block))
		f->run_aim = RUN_FIRST;
	f->next = block;
	return 0;
}

static int
next_ahead(struct block_stream *s, struct item **out, struct error *err)
{
	int r = 0;

	if (s->job == NULL) {
		r = start(s, err);
		if (r < 0) {
			stop(s);
			return r;
		}
	}
	if (s->current != NULL)
		(void)queue_push(s->spare, STEAL(s->current));
	*out = queue_pop(s->ready);
	if (*out == NULL) {
		r = job_error(s->job, err);
		return r < 0 ? r : error_set(err, ERR_USAGE, "there is no further catalog block");
	}
	s->current = *out;
	return 0;
}

int
block_stream_next(struct block_stream *s, const uint8_t **out, size_t *out_len, struct error *err)
{
	struct item *item = &s->items[0];
	int r = 0;

	if (s->readahead > 0)
		r = next_ahead(s, &item, err);
	else if (s->fetcher.next >= s->fetcher.root->nblocks)
		r = error_set(err, ERR_USAGE, "there is no further catalog block");
	else
		fill(&s->fetcher, item);
	if (r < 0)
		return r;
	if (item->code < 0) {
		*err = item->err;
		return item->code;
	}
	*out = item->plain;
	*out_len = item->len;
	return 0;
}
