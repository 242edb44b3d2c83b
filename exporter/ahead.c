/*
 * Sealed frames, fetched ahead.
 */
#include "ahead.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "cleanup.h"
#include "error.h"
#include "frames.h"
#include "job.h"
#include "loader.h"
#include "queue.h"
#include "span.h"

enum {
	WINDOWS = 2, /* one is read, one is on its way */
	WINDOW_NEEDS = 1024, /* frames in one, at most */
};

/* A span, on its way or here: threads have it from the one queue to the other. */
struct fetch {
	struct frame_ref frame; /* in whose pack it lies */
	uint32_t offset, len;
	uint8_t *bytes; /* of the window */
	uint64_t number;
	bool sent;
	bool bad; /* what was to be fetched is not there */
};

/* A frame that will be asked for. */
struct need {
	struct frame_ref frame; /* first: span.h */
	size_t place; /* among those of the window */
	bool again; /* others need it too */
	struct fetch *fetch;
};

struct window {
	struct need needs[WINDOW_NEEDS]; /* in the order in which they come */
	size_t count, passed;
	struct fetch fetches[WINDOW_NEEDS];
	uint64_t sent; /* its fetches have smaller numbers */
	uint8_t *bytes; /* mapped: untouched pages cost nothing */
};

struct ahead {
	const struct loader *loader;
	unsigned connections;
	ahead_next_fn *next;
	void *arg;
	struct job *job;
	struct queue *todo, *fetched;
	struct window windows[WINDOWS]; /* number n is windows[n % WINDOWS] */
	uint64_t begun, done; /* windows */
	uint64_t sent, arrived; /* fetches */
	struct need sorted[WINDOW_NEEDS]; /* of the window in the making */
	struct frame_ref recent[FRAMES_KEPT]; /* that the reader will have, newest first */
	size_t nrecent;
	struct frame_ref put_off; /* for the next window */
	bool has_put_off;
	uint8_t *copy;
	size_t copy_size;
};

/* ---- fetching ---- */

static void
fetch_thread(void *arg)
{
	struct ahead *a = arg;
	struct error err;
	struct fetch *f;

	while ((f = queue_pop(a->todo)) != NULL) {
		int r = loader_fetch(a->loader, &f->frame, f->offset, f->bytes, f->len, &err);

		f->bad = r < 0;
		if (r < 0 && r != ERR_CORRUPT)
			job_fail(a->job, &err);
		(void)queue_push_at(a->fetched, f->number, f);
	}
	queue_close(a->fetched);
}

/* ---- planning ---- */

/* Bytes of one window: a span for each connection, and one more for what lies between frames. */
static size_t
window_len(const struct ahead *a)
{
	return (size_t)(a->connections + 1) * AHEAD_SPAN;
}

/* The same, or the longest frame. */
static size_t
window_size(const struct ahead *a)
{
	return MAX(window_len(a), frame_bound(FRAME_PLAIN_MAX));
}

/* The reader keeps the last few frames: whether it will have this one.  It is the newest from now on. */
static bool
recently(struct ahead *a, const struct frame_ref *frame)
{
	size_t i = 0;
	bool known;

	while (i < a->nrecent && !frame_ref_equal(&a->recent[i], frame))
		i++;
	known = i < a->nrecent;
	if (!known && a->nrecent < FRAMES_KEPT)
		a->nrecent++;
	i = MIN(i, (size_t)FRAMES_KEPT - 1);
	memmove(&a->recent[1], &a->recent[0], i * sizeof a->recent[0]);
	a->recent[0] = *frame;
	return known;
}

/* The next frame that the reader will not have. */
static bool
next_frame(struct ahead *a, struct frame_ref *out)
{
	if (a->has_put_off) {
		*out = a->put_off;
		a->has_put_off = false;
		return true;
	}
	while (a->next(a->arg, out))
		if (!recently(a, out) && frame_ref_valid(out))
			return true;
	return false;
}

/* What the next window is to hold; how many there are. */
static size_t
collect(struct ahead *a)
{
	size_t count = 0, len = 0;
	struct frame_ref frame;

	while (count < WINDOW_NEEDS && next_frame(a, &frame)) {
		if (count > 0 && len + frame.clen > window_len(a) - AHEAD_SPAN) {
			a->put_off = frame;
			a->has_put_off = true;
			break;
		}
		len += frame.clen;
		a->sorted[count] = (struct need){.frame = frame, .place = count};
		count++;
	}
	qsort(a->sorted, count, sizeof a->sorted[0], span_compare);
	return count;
}

/* What lies between frames is fetched as well, as long as there is room for it. */
static const struct span_bounds *
choose_bounds(const struct ahead *a, size_t count)
{
	static const struct span_bounds with_gaps = {AHEAD_SPAN, AHEAD_GAP}, without = {AHEAD_SPAN, 0};
	size_t total = 0;

	for (size_t done = 0; done < count;) {
		uint32_t len;

		done += span_cut(&a->sorted[done], count - done, sizeof a->sorted[0], &with_gaps, &len);
		total += len;
	}
	return total <= window_len(a) ? &with_gaps : &without;
}

/* Sorted needs [from, from + n) are served by one fetch. */
static void
assign(struct ahead *a, struct window *w, struct fetch *f, size_t from, size_t n)
{
	struct need *s = &a->sorted[from];

	for (size_t i = 0; i < n; i++) {
		s[i].fetch = f;
		s[i].again = (i > 0 && s[i].frame.offset == s[i - 1].frame.offset) ||
			     (i + 1 < n && s[i].frame.offset == s[i + 1].frame.offset);
		w->needs[s[i].place] = s[i];
	}
}

static void
cut(struct ahead *a, struct window *w, size_t count)
{
	const struct span_bounds *bounds = choose_bounds(a, count);
	struct fetch *f = w->fetches;
	uint8_t *bytes = w->bytes;
	size_t n;

	for (size_t done = 0; done < count; done += n, f++) {
		*f = (struct fetch){.frame = a->sorted[done].frame, .bytes = bytes};
		f->offset = f->frame.offset;
		n = span_cut(&a->sorted[done], count - done, sizeof a->sorted[0], bounds, &f->len);
		bytes += f->len;
		assign(a, w, f, done, n);
	}
	w->count = count;
	w->passed = 0;
}

/* What is needed first is fetched first. */
static int
hand_out(struct ahead *a, struct window *w, struct error *err)
{
	for (size_t i = 0; i < w->count; i++) {
		struct fetch *f = w->needs[i].fetch;

		if (f->sent)
			continue;
		f->sent = true;
		f->number = a->sent++;
		if (!queue_push(a->todo, f))
			return job_error(a->job, err);
	}
	w->sent = a->sent;
	return 0;
}

static int
plan(struct ahead *a, struct error *err)
{
	size_t count;
	int r = 0;

	while (r == 0 && a->begun - a->done < WINDOWS && (count = collect(a)) > 0) {
		struct window *w = &a->windows[a->begun++ % WINDOWS];

		cut(a, w, count);
		r = hand_out(a, w, err);
	}
	return r;
}

/* ---- the reader ---- */

/* Fetches arrive in the order of their numbers: wait until there are so many. */
static int
await(struct ahead *a, uint64_t count, struct error *err)
{
	for (; a->arrived < count; a->arrived++)
		if (queue_pop(a->fetched) == NULL)
			return job_error(a->job, err);
	return 0;
}

/* Let go of windows that nothing is needed of any more. */
static int
let_go(struct ahead *a, struct error *err)
{
	int r = 0;

	while (r == 0 && a->done < a->begun) {
		const struct window *w = &a->windows[a->done % WINDOWS];

		if (w->passed < w->count)
			break;
		r = await(a, w->sent, err);
		a->done += r == 0;
	}
	return r;
}

/* A frame that was foreseen.  What should have come before it does not come any more. */
static const struct need *
find(struct ahead *a, const struct frame_ref *frame)
{
	for (uint64_t n = a->done; n < a->begun; n++) {
		struct window *w = &a->windows[n % WINDOWS];

		for (size_t i = w->passed; i < w->count; i++) {
			if (!frame_ref_equal(&w->needs[i].frame, frame))
				continue;
			for (uint64_t before = a->done; before < n; before++)
				a->windows[before % WINDOWS].passed = a->windows[before % WINDOWS].count;
			w->passed = i + 1;
			return &w->needs[i];
		}
	}
	return NULL;
}

/* Opening overwrites the bytes, which others need too. */
static int
copy_out(struct ahead *a, uint8_t **bytes, size_t len, struct error *err)
{
	if (a->copy_size < len) {
		free(a->copy);
		a->copy = malloc(len);
		a->copy_size = a->copy == NULL ? 0 : len;
		if (a->copy == NULL)
			return error_nomem(err);
	}
	memcpy(a->copy, *bytes, len);
	*bytes = a->copy;
	return 0;
}

int
ahead_take(struct ahead *a, const struct frame_ref *frame, uint8_t **out, struct error *err)
{
	const struct need *n;
	int r;

	if ((r = let_go(a, err)) < 0 || (r = plan(a, err)) < 0 || (n = find(a, frame)) == NULL)
		return r;
	if ((r = await(a, n->fetch->number + 1, err)) < 0 || n->fetch->bad)
		return r;
	*out = n->fetch->bytes + (frame->offset - n->fetch->offset);
	if (n->again)
		r = copy_out(a, out, frame->clen, err);
	return r < 0 ? r : 1;
}

/* ---- beginning and end ---- */

static int
map_windows(struct ahead *a, struct error *err)
{
	for (size_t i = 0; i < WINDOWS; i++) {
		void *p = mmap(
		    NULL, window_size(a), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

		if (p == MAP_FAILED)
			return error_nomem(err);
		a->windows[i].bytes = p;
	}
	return 0;
}

static int
start(struct ahead *a, struct error *err)
{
	const size_t places = WINDOWS * WINDOW_NEEDS; /* for all fetches that there can be: no push waits */
	int r;

	if ((r = map_windows(a, err)) < 0 || (r = job_new(&a->job, err)) < 0 ||
	    (r = queue_new(places, 1, &a->todo, err)) < 0 ||
	    (r = queue_new(places, a->connections, &a->fetched, err)) < 0 ||
	    (r = job_attach(a->job, a->todo, err)) < 0 || (r = job_attach(a->job, a->fetched, err)) < 0)
		return r;
	for (unsigned i = 0; r == 0 && i < a->connections; i++)
		r = job_spawn(a->job, "ahead", fetch_thread, a, err);
	return r;
}

int
ahead_new(const struct loader *loader, unsigned connections, ahead_next_fn *next, void *arg, struct ahead **out,
    struct error *err)
{
	struct ahead *a = calloc(1, sizeof *a);
	int r;

	if (a == NULL)
		return error_nomem(err);
	a->loader = loader;
	a->connections = connections;
	a->next = next;
	a->arg = arg;
	if ((r = start(a, err)) < 0) {
		ahead_free(a);
		return r;
	}
	*out = a;
	return 0;
}

void
ahead_free(struct ahead *a)
{
	if (a == NULL)
		return;
	job_free(a->job);
	queue_free(a->todo, NULL);
	queue_free(a->fetched, NULL);
	for (size_t i = 0; i < WINDOWS; i++)
		if (a->windows[i].bytes != NULL)
			(void)munmap(a->windows[i].bytes, window_size(a));
	free(a->copy);
	free(a);
}
