/*
 * Packs on their way to the store: a fixed set of buffers, which go round from packer to upload thread and back.
 *
 * A packer that wants a buffer waits until an upload has ended: that is the only brake, and it is enough.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "array.h"
#include "cleanup.h"
#include "session_internal.h"

enum { COMPARE_SIZE = 4 * 1024 * 1024 };

static int
compare_stored(struct session *s, const char *key, const uint8_t *bytes, size_t len, struct error *err)
{
	CLEANUP_FREE uint8_t *there = malloc(MIN(len, (size_t)COMPARE_SIZE) + 1);
	uint64_t size = 0;
	int r;

	if (there == NULL)
		return error_nomem(err);
	r = store_size(s->store, key, &size, err);
	if (r < 0)
		return r;
	for (size_t pos = 0, n; size == len && pos < len; pos += n) {
		n = MIN(len - pos, (size_t)COMPARE_SIZE);
		r = store_get(s->store, key, pos, there, n, err);
		if (r < 0)
			return r;
		if (memcmp(there, bytes + pos, n) != 0)
			size = UINT64_MAX;
	}
	if (size != len)
		return error_set(err, ERR_CORRUPT, "%s exists with another content, although its name is our own", key);
	return 0;
}

int
uploads_put(struct session *s, const char *key, const void *bytes, size_t len, struct error *err)
{
	int r = store_put(s->store, key, bytes, len, err);

	return r == ERR_EXISTS ? compare_stored(s, key, bytes, len, err) : r;
}

/* Metadata packs are read by every command, data packs only when something is restored. */
static int
put_pack(struct session *s, const char *key, const struct pack *pack, uint8_t kind, struct error *err)
{
	int r;

	if (kind == 'm')
		return uploads_put(s, key, pack_bytes(pack), pack_len(pack), err);
	r = store_put_bulk(s->store, key, pack_bytes(pack), pack_len(pack), err);
	return r == ERR_EXISTS ? compare_stored(s, key, pack_bytes(pack), pack_len(pack), err) : r;
}

static size_t
kind_index(uint8_t kind)
{
	return kind == 'm';
}

static int
note_len(struct session *s, size_t kind, uint32_t seq, size_t len, struct error *err)
{
	size_t old = s->lens_cap[kind];
	int r;

	r = array_reserve(&s->lens[kind], &s->lens_cap[kind], (size_t)seq + 1, sizeof(s->lens[kind][0]), err);
	if (r < 0)
		return r;
	memset(s->lens[kind] + old, 0, (s->lens_cap[kind] - old) * sizeof(s->lens[kind][0]));
	s->lens[kind][seq] = (uint32_t)len;
	while (s->meta_stored < s->lens_cap[1] && s->lens[1][s->meta_stored] != 0)
		s->meta_stored++;
	return 0;
}

int
uploads_store(struct session *s, const struct pack *pack, struct error *err)
{
	const struct pack_header *header = pack_header(pack);
	char name[PACK_NAME_LEN];
	int r;

	r = intents_ensure(s, err);
	if (r < 0)
		return r;
	pack_name(s->keys->volume, header->kind, s->key.session, header->seq, name);
	r = put_pack(s, name, pack, header->kind, err);
	if (r < 0)
		return r;
	(void)pthread_mutex_lock(&s->lock);
	r = note_len(s, kind_index(header->kind), header->seq, pack_len(pack), err);
	s->totals.objects++;
	s->totals.bytes += pack_len(pack);
	if (header->kind == 'p')
		checkpoints_note(s, pack);
	(void)pthread_mutex_unlock(&s->lock);
	return r;
}

static int
upload(struct session *s, struct pack *pack, struct error *err)
{
	int r;

	r = pack_finish(pack, err);
	if (r < 0)
		return r;
	r = uploads_store(s, pack, err);
	if (r < 0)
		return r;
	if (s->on_stored != NULL)
		s->on_stored(s->on_stored_arg, pack);
	return 0;
}

static void
fail(struct session *s, const struct error *err)
{
	job_fail(s->job, err);
	(void)pthread_mutex_lock(&s->lock);
	s->failed = true;
	(void)pthread_mutex_unlock(&s->lock);
}

static size_t
meta_size(const struct session *s)
{
	return s->options.meta_pack_size > 0 ? s->options.meta_pack_size : s->options.pack_size;
}

static bool
has_spare(const struct session *s, uint8_t kind)
{
	return kind == 'm' ? s->spare_meta != NULL : s->nspare > 0;
}

static void
put_spare(struct session *s, struct pack *pack)
{
	if (pack == s->meta)
		s->spare_meta = pack;
	else
		s->spare[s->nspare++] = pack;
}

/* The next finished pack; NULL at the end. */
static struct pack *
next_finished(struct session *s)
{
	struct pack *pack = NULL;

	(void)pthread_mutex_lock(&s->lock);
	if (job_failed(s->job))
		s->failed = true;
	while (!s->ending && !s->failed && s->ring_len == 0)
		(void)session_wait(s);
	if (!s->ending && !s->failed) {
		pack = s->ring[s->ring_head];
		s->ring_head = (s->ring_head + 1) % (s->nbuffers + 1);
		s->ring_len--;
		s->busy++;
	}
	(void)pthread_mutex_unlock(&s->lock);
	return pack;
}

static void
upload_thread(void *arg)
{
	struct session *s = arg;
	struct pack *pack;
	struct error err;

	while ((pack = next_finished(s)) != NULL) {
		if (upload(s, pack, &err) < 0)
			fail(s, &err);
		(void)pthread_mutex_lock(&s->lock);
		put_spare(s, pack);
		s->busy--;
		(void)pthread_cond_broadcast(&s->changed);
		(void)pthread_mutex_unlock(&s->lock);
	}
	(void)pthread_mutex_lock(&s->lock);
	s->running--;
	(void)pthread_cond_broadcast(&s->changed);
	(void)pthread_mutex_unlock(&s->lock);
}

int
uploads_begin(struct session *s, struct error *err)
{
	size_t n = (size_t)s->options.packers + s->options.uploads;
	int r;

	/* The ring has room for that of metadata, too. */
	s->buffers = calloc(n * 3 + 1, sizeof(s->buffers[0]));
	if (s->buffers == NULL)
		return error_nomem(err);
	s->spare = s->buffers + n;
	s->ring = s->spare + n;
	for (; s->nbuffers < n; s->nbuffers++) {
		r = pack_new(s->options.pack_size, &s->buffers[s->nbuffers], err);
		if (r < 0)
			return r;
		s->spare[s->nspare++] = s->buffers[s->nbuffers];
	}
	r = pack_new(meta_size(s), &s->meta, err);
	if (r < 0)
		return r;
	s->spare_meta = s->meta;
	for (unsigned i = 0; i < s->options.uploads; i++) {
		(void)pthread_mutex_lock(&s->lock);
		s->running++;
		(void)pthread_mutex_unlock(&s->lock);
		r = job_spawn(s->job, "upload", upload_thread, s, err);
		if (r < 0) {
			(void)pthread_mutex_lock(&s->lock);
			s->running--;
			(void)pthread_mutex_unlock(&s->lock);
			return r;
		}
	}
	return 0;
}

void
uploads_free(struct session *s)
{
	for (size_t i = 0; i < s->nbuffers; i++)
		pack_free(s->buffers[i]);
	pack_free(s->meta);
	free(s->buffers);
	free(s->lens[0]);
	free(s->lens[1]);
}

uint32_t
uploads_seq(struct session *s, uint8_t kind)
{
	uint32_t seq;

	(void)pthread_mutex_lock(&s->lock);
	seq = s->next_seq[kind_index(kind)]++;
	(void)pthread_mutex_unlock(&s->lock);
	return seq;
}

int
uploads_take(struct session *s, uint8_t kind, struct pack **out, uint32_t *out_seq, struct error *err)
{
	struct pack *pack = NULL;

	(void)pthread_mutex_lock(&s->lock);
	if (job_failed(s->job))
		s->failed = true;
	while (!s->ending && !s->failed && !has_spare(s, kind))
		(void)session_wait(s);
	if (!s->ending && !s->failed) {
		pack = kind == 'm' ? STEAL(s->spare_meta) : s->spare[--s->nspare];
		*out_seq = s->next_seq[kind_index(kind)]++;
	}
	(void)pthread_mutex_unlock(&s->lock);
	if (pack == NULL)
		return error_set(err, ERR_CANCELLED, "the export has failed elsewhere");
	*out = pack;
	return 0;
}

void
uploads_give_back(struct session *s, struct pack *pack)
{
	(void)pthread_mutex_lock(&s->lock);
	put_spare(s, pack);
	(void)pthread_cond_broadcast(&s->changed);
	(void)pthread_mutex_unlock(&s->lock);
}

int
uploads_push(struct session *s, struct pack *pack, struct error *err)
{
	bool gone;

	(void)pthread_mutex_lock(&s->lock);
	if (job_failed(s->job))
		s->failed = true;
	gone = s->ending || s->failed;
	if (gone)
		put_spare(s, pack);
	else
		s->ring[(s->ring_head + s->ring_len++) % (s->nbuffers + 1)] = pack;
	(void)pthread_cond_broadcast(&s->changed);
	(void)pthread_mutex_unlock(&s->lock);
	return gone ? error_set(err, ERR_CANCELLED, "the export has failed elsewhere") : 0;
}

uint32_t
uploads_meta_stored(struct session *s)
{
	uint32_t below;

	(void)pthread_mutex_lock(&s->lock);
	below = s->meta_stored;
	(void)pthread_mutex_unlock(&s->lock);
	return below;
}
