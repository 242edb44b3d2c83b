/*
 * Intents: what a session announces so that garbage collection leaves alone what it builds on, and what tells the next
 * session about a dead one.
 *
 * The newest intent of a session has the highest number.  A refreshment is written before its predecessor is removed,
 * so that a listing always sees one.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "array.h"
#include "cleanup.h"
#include "session_internal.h"
#include "survey.h"
#include "wire.h"

enum {
	NAME_LEN = 112,
	INTENT_SIZE_MAX = 256 * 1024,
	OTHERS_MAX = 1024, /* more than that are not looked at */
	REMOVED_MAX = 4096, /* of one session */
};

static void
intent_name(const struct session *s, const uint8_t session[SESSION_ID_LEN], uint32_t n, char out[NAME_LEN])
{
	char hex[2 * SESSION_ID_LEN + 1];

	hex_encode(hex, session, SESSION_ID_LEN);
	(void)snprintf(out, NAME_LEN, "v/%s/i/%s/%08x.json", s->volume->id_hex, hex, (unsigned)n);
}

static void
intent_prefix(const struct session *s, char out[NAME_LEN])
{
	(void)snprintf(out, NAME_LEN, "v/%s/i/", s->volume->id_hex);
}

/* "<session>/<n>.json" behind the prefix. */
static bool
parse_name(const char *rest, uint8_t session[SESSION_ID_LEN], uint32_t *out_n)
{
	char hex[2 * SESSION_ID_LEN + 1], digits[9];
	uint8_t n[4];

	if (strlen(rest) != 2 * SESSION_ID_LEN + 1 + 8 + 5 || rest[2 * SESSION_ID_LEN] != '/' ||
	    strcmp(rest + 2 * SESSION_ID_LEN + 9, ".json") != 0)
		return false;
	memcpy(hex, rest, 2 * SESSION_ID_LEN);
	hex[2 * SESSION_ID_LEN] = '\0';
	memcpy(digits, rest + 2 * SESSION_ID_LEN + 1, 8);
	digits[8] = '\0';
	if (!hex_decode(session, SESSION_ID_LEN, hex) || !hex_decode(n, sizeof(n), digits))
		return false;
	*out_n = (uint32_t)n[0] << 24 | (uint32_t)n[1] << 16 | (uint32_t)n[2] << 8 | n[3];
	return true;
}

/* ---- those of other sessions ---- */

struct found {
	uint8_t session[SESSION_ID_LEN];
	uint32_t last;
};

struct listing {
	size_t prefix_len;
	struct found *found;
	size_t count, cap;
};

static int
note_found(void *arg, const struct store_object *object, struct error *err)
{
	struct listing *l = arg;
	struct found f;
	int r;

	if (!parse_name(object->key + l->prefix_len, f.session, &f.last))
		return 0;
	if (l->count > 0 && memcmp(l->found[l->count - 1].session, f.session, SESSION_ID_LEN) == 0) {
		l->found[l->count - 1].last = f.last;
		return 0;
	}
	if (l->count == OTHERS_MAX)
		return 1;
	r = array_reserve(&l->found, &l->cap, l->count + 1, sizeof(l->found[0]), err);
	if (r == 0)
		l->found[l->count++] = f;
	return r;
}

static int
list_intents(struct session *s, const char *prefix, struct listing *l, struct error *err)
{
	char all[NAME_LEN];
	int r;

	intent_prefix(s, all);
	l->prefix_len = strlen(all);
	r = survey_list(s->options.survey, s->store, prefix, note_found, l, err);
	return r < 0 ? r : 0;
}

static int
time_compare(const struct manifest_time *a, const struct manifest_time *b)
{
	if (a->s != b->s)
		return a->s < b->s ? -1 : 1;
	return (a->ns > b->ns) - (a->ns < b->ns);
}

static bool
is_merged(const struct session *s, const uint8_t session[SESSION_ID_LEN])
{
	return s->base != NULL && (memcmp(session, s->base->manifest.session, SESSION_ID_LEN) == 0 ||
				      packlist_session(s->base->packlist, session) != NULL);
}

/* 1 when the intent counts, 0 when it is somebody else's, damaged, or has just gone. */
static int
load_intent(struct session *s, const struct found *f, struct other_session *out, struct error *err)
{
	CLEANUP(buf_free) struct buf object = BUF_INIT(INTENT_SIZE_MAX);
	CLEANUP(intent_wipe) struct intent intent = {0};
	char name[NAME_LEN];
	int r;

	intent_name(s, f->session, f->last, name);
	r = store_load(s->store, name, INTENT_SIZE_MAX, &object, err);
	if (r == 0)
		r = intent_parse(object.data, object.len, s->keys, &intent, err);
	if (r == ERR_NOT_FOUND || r == ERR_CORRUPT || r == ERR_WRONG_KEY || r == ERR_UNSUPPORTED || r == ERR_USAGE)
		return 0;
	if (r < 0)
		return r;
	if (memcmp(intent.session, f->session, SESSION_ID_LEN) != 0 ||
	    memcmp(intent.volume, s->keys->volume, VOLUME_ID_LEN) != 0 || intent.epoch != s->keys->epoch ||
	    memcmp(intent.keyid, s->keys->keyid, KEY_ID_LEN) != 0)
		return 0;
	memset(out, 0, sizeof(*out));
	memcpy(out->key.session, f->session, SESSION_ID_LEN);
	out->started = intent.started;
	out->refreshed = intent.refreshed;
	out->last = f->last;
	out->merged = is_merged(s, f->session);
	return 1;
}

/* To be adopted first, of these the newest first. */
static int
by_use(const void *a, const void *b)
{
	const struct other_session *x = a, *y = b;

	if (x->merged != y->merged)
		return x->merged ? 1 : -1;
	return -time_compare(&x->started, &y->started);
}

int
intents_find(struct session *s, struct error *err)
{
	struct listing l = {0};
	CLEANUP_FREE struct found *found = NULL;
	char prefix[NAME_LEN];
	size_t n = 0;
	int r;

	intent_prefix(s, prefix);
	r = list_intents(s, prefix, &l, err);
	found = l.found;
	if (r < 0 || l.count == 0)
		return r;
	s->others = calloc(l.count, sizeof(s->others[0]));
	if (s->others == NULL)
		return error_nomem(err);
	for (size_t i = 0; i < l.count; i++) {
		struct other_session *o = &s->others[s->nothers];

		r = load_intent(s, &found[i], o, err);
		if (r < 0)
			return r;
		if (r > 0 &&
		    (o->merged || s->base == NULL || time_compare(&o->started, &s->base->manifest.started) > 0))
			s->nothers++;
	}
	qsort(s->others, s->nothers, sizeof(s->others[0]), by_use);
	/* Those that are too many are left to garbage collection. */
	while (n < s->nothers && !s->others[n].merged)
		n++;
	if (n > SESSION_ADOPTED_MAX) {
		memmove(s->others + SESSION_ADOPTED_MAX, s->others + n, (s->nothers - n) * sizeof(s->others[0]));
		s->nothers -= n - SESSION_ADOPTED_MAX;
	}
	return 0;
}

/* ---- the own one ---- */

static int
encode_own(struct session *s, struct buf *out, struct error *err)
{
	uint8_t adopted[SESSION_ADOPTED_MAX][SESSION_ID_LEN];
	struct intent intent = {.epoch = s->keys->epoch, .adopted = adopted, .started = s->started};

	memcpy(intent.volume, s->keys->volume, VOLUME_ID_LEN);
	memcpy(intent.keyid, s->keys->keyid, KEY_ID_LEN);
	memcpy(intent.session, s->key.session, SESSION_ID_LEN);
	if (s->base != NULL)
		memcpy(intent.base, s->base->manifest.snapshot, sizeof(intent.base));
	for (size_t i = 0; i < s->nothers && !s->others[i].merged; i++)
		memcpy(adopted[intent.nadopted++], s->others[i].key.session, SESSION_ID_LEN);
	s->clock(&intent.refreshed.s, &intent.refreshed.ns);
	return intent_encode(&intent, s->keys, out, err);
}

/* The own ones below end; who may not remove one may not remove the others either. */
static void
remove_own(struct session *s, uint32_t end)
{
	char name[NAME_LEN];
	struct error ignored;

	for (; s->intent_first < end; s->intent_first++) {
		intent_name(s, s->key.session, s->intent_first, name);
		if (store_remove(s->store, name, &ignored) < 0)
			return;
	}
}

static int
put_next(struct session *s, struct error *err)
{
	CLEANUP(buf_free) struct buf object = BUF_INIT(INTENT_SIZE_MAX);
	char name[NAME_LEN];
	int64_t now_s = session_now(s);
	uint32_t n;
	int r;

	(void)pthread_mutex_lock(&s->lock);
	n = s->intent_next++;
	(void)pthread_mutex_unlock(&s->lock);
	r = encode_own(s, &object, err);
	if (r < 0)
		return r;
	intent_name(s, s->key.session, n, name);
	r = uploads_put(s, name, object.data, object.len, err);
	if (r < 0)
		return r;
	(void)pthread_mutex_lock(&s->lock);
	s->announced = true;
	s->intent_last = n;
	s->refreshed_s = now_s;
	(void)pthread_mutex_unlock(&s->lock);
	remove_own(s, n);
	return 0;
}

int
intents_put(struct session *s, struct error *err)
{
	int r;

	(void)pthread_mutex_lock(&s->intent_lock);
	r = put_next(s, err);
	(void)pthread_mutex_unlock(&s->intent_lock);
	return r;
}

static bool
is_announced(struct session *s)
{
	bool announced;

	(void)pthread_mutex_lock(&s->lock);
	announced = s->announced;
	(void)pthread_mutex_unlock(&s->lock);
	return announced;
}

int
intents_ensure(struct session *s, struct error *err)
{
	int r;

	if (is_announced(s))
		return 0;
	/* All threads that have something to store wait for the first of them. */
	(void)pthread_mutex_lock(&s->intent_lock);
	r = is_announced(s) ? 0 : put_next(s, err);
	(void)pthread_mutex_unlock(&s->intent_lock);
	return r;
}

int
intents_check(struct session *s, struct error *err)
{
	char name[NAME_LEN];
	uint64_t size;
	uint32_t seen, last;
	int r;

	if (!is_announced(s))
		return 0;
	(void)pthread_mutex_lock(&s->lock);
	last = s->intent_last;
	(void)pthread_mutex_unlock(&s->lock);
	/* The keeper may replace it at this moment: then its successor counts. */
	do {
		seen = last;
		intent_name(s, s->key.session, seen, name);
		r = store_size(s->store, name, &size, err);
		(void)pthread_mutex_lock(&s->lock);
		last = s->intent_last;
		(void)pthread_mutex_unlock(&s->lock);
	} while (r == ERR_NOT_FOUND && last != seen);
	if (r == ERR_NOT_FOUND)
		return error_set(err, ERR_UNAVAILABLE,
		    "%s has disappeared, so that packs of this export may have been removed: export again", name);
	return r;
}

/* The numbers of one session's intents. */
struct numbers {
	size_t prefix_len;
	uint32_t *n;
	size_t count, cap;
};

static int
note_number(void *arg, const struct store_object *object, struct error *err)
{
	struct numbers *l = arg;
	uint8_t session[SESSION_ID_LEN];
	uint32_t n;
	int r;

	if (!parse_name(object->key + l->prefix_len, session, &n))
		return 0;
	if (l->count == REMOVED_MAX)
		return 1;
	r = array_reserve(&l->n, &l->cap, l->count + 1, sizeof(l->n[0]), err);
	if (r == 0)
		l->n[l->count++] = n;
	return r;
}

/* Remove all intents of another session, or none if there is one above limit. */
static void
remove_of(struct session *s, const uint8_t session[SESSION_ID_LEN], uint32_t limit)
{
	CLEANUP_FREE uint32_t *n = NULL;
	struct numbers l = {0};
	char name[NAME_LEN], hex[2 * SESSION_ID_LEN + 1];
	struct error ignored;
	int r;

	hex_encode(hex, session, SESSION_ID_LEN);
	intent_prefix(s, name);
	l.prefix_len = strlen(name);
	(void)snprintf(name, sizeof(name), "v/%s/i/%s/", s->volume->id_hex, hex);
	r = store_list(s->store, name, note_number, &l, &ignored);
	n = l.n;
	if (r < 0 || l.count == 0 || n[l.count - 1] > limit)
		return;
	for (size_t i = 0; i < l.count; i++) {
		intent_name(s, session, n[i], name);
		(void)store_remove(s->store, name, &ignored);
	}
}

void
intents_remove(struct session *s)
{
	int64_t now_s = session_now(s);

	(void)pthread_mutex_lock(&s->intent_lock);
	remove_own(s, s->intent_next);
	(void)pthread_mutex_unlock(&s->intent_lock);
	for (size_t i = 0; i < s->nothers; i++) {
		const struct other_session *o = &s->others[i];

		/* A session that still refreshes its intent is not dead: another export of this volume runs. */
		if (now_s - o->refreshed.s >= 2 * (int64_t)s->options.refresh_s)
			remove_of(s, o->key.session, o->last);
	}
}
