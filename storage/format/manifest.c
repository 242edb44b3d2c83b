/*
 * Manifests: what makes a snapshot.  This file writes them and knows what a good one looks like.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "cleanup.h"
#include "envelope.h"
#include "error.h"
#include "manifest_internal.h"
#include "statement.h"

void
manifest_wipe(struct manifest *m)
{
	for (size_t i = 0; i < m->ntags; i++) {
		free(m->tags[i].key);
		free(m->tags[i].value);
	}
	for (size_t i = 0; i < m->nexcludes; i++)
		free(m->excludes[i]);
	free(m->tags);
	free(m->excludes);
	free(m->sessions);
	free(m->tool);
	free(m->name);
	free(m->source);
	free(m->host);
	memset(m, 0, sizeof(*m));
}

static bool
has_session(const struct manifest *m, const uint8_t session[SESSION_ID_LEN])
{
	for (size_t i = 0; i < m->nsessions; i++) {
		if (memcmp(m->sessions[i].session, session, SESSION_ID_LEN) == 0)
			return true;
	}
	return false;
}

static const char *
frames_flaw(const struct manifest *m, const struct frame_ref *frames, size_t count, uint8_t type)
{
	if (count == 0 || count > MANIFEST_FRAMES_MAX)
		return "the number of its frames is out of range";
	for (size_t i = 0; i < count; i++) {
		if (frames[i].type != type || !frame_ref_valid(&frames[i]))
			return "a frame's reference makes no sense";
		if (!has_session(m, frames[i].session))
			return "a frame's session is not among its sessions";
	}
	return NULL;
}

static const char *
sessions_flaw(const struct manifest *m)
{
	if (m->nsessions > MANIFEST_SESSIONS_MAX)
		return "it names too many sessions";
	for (size_t i = 1; i < m->nsessions; i++) {
		for (size_t j = 0; j < i; j++) {
			if (memcmp(m->sessions[i].session, m->sessions[j].session, SESSION_ID_LEN) == 0)
				return "it names a session twice";
		}
	}
	return NULL;
}

static bool
numbers_fit(const struct manifest *m)
{
	const struct manifest_statistics *s = &m->statistics;
	const uint64_t numbers[] = {m->sequence, m->size, s->entries, s->files, s->bytes, s->unchanged, s->changed,
	    s->added, s->deleted, s->new_bytes, s->stored_bytes, s->warnings};

	for (size_t i = 0; i < COUNT_OF(numbers); i++) {
		if (numbers[i] > INT64_MAX)
			return false;
	}
	return s->milliseconds <= MANIFEST_MILLISECONDS_MAX;
}

const char *
manifest_flaw(const struct manifest *m)
{
	const char *flaw;

	if (!snapshot_id_valid(m->snapshot))
		return "its id is no snapshot id";
	if (m->parent[0] != '\0' && !snapshot_id_valid(m->parent))
		return "its parent is no snapshot id";
	if (m->mode != MODE_FILE && m->mode != MODE_BLOCK)
		return "its mode is unknown";
	if (!statement_time_valid(&m->started) || !statement_time_valid(&m->finished))
		return "a time is out of range";
	if (!numbers_fit(m))
		return "a number is out of range";
	flaw = sessions_flaw(m);
	if (flaw == NULL)
		flaw = frames_flaw(m, m->root, m->nroot, FRAME_ROOT);
	if (flaw == NULL)
		flaw = frames_flaw(m, m->packlist, m->npacklist, FRAME_PACKLIST);
	return flaw;
}

static const char *
private_flaw(const struct manifest *m)
{
	if (m->ntags > MANIFEST_TAGS_MAX)
		return "it has too many tags";
	if (m->nexcludes > MANIFEST_EXCLUDES_MAX)
		return "it has too many exclude patterns";
	for (size_t i = 0; i < m->ntags; i++) {
		const struct manifest_tag *t = &m->tags[i];

		if (t->key[0] == '\0' || !statement_text_valid(t->key) || !statement_text_valid(t->value))
			return "a tag has no key, or is not valid UTF-8";
		for (size_t j = 0; j < i; j++) {
			if (strcmp(t->key, m->tags[j].key) == 0)
				return "a tag is given twice";
		}
	}
	return NULL;
}

static int
check_writable(const struct manifest *m, const struct volume_keys *keys, struct error *err)
{
	const char *flaw = manifest_flaw(m);

	if (flaw == NULL)
		flaw = private_flaw(m);
	if (flaw == NULL && (memcmp(m->volume, keys->volume, VOLUME_ID_LEN) != 0 || m->epoch != keys->epoch ||
				memcmp(m->keyid, keys->keyid, KEY_ID_LEN) != 0))
		flaw = "it names other keys than those that sign it";
	if (flaw == NULL && m->name != NULL && strcmp(m->name, keys->name) != 0)
		flaw = "it names another volume";
	return flaw == NULL ? 0 : error_set(err, ERR_USAGE, "the manifest cannot be written: %s", flaw);
}

int
manifest_private_key(const struct manifest *m, const struct volume_keys *keys, uint8_t out_key[KEY_LEN],
    uint8_t out_snapshot[SNAPSHOT_ID_BYTES], struct error *err)
{
	if (!snapshot_id_bytes(m->snapshot, out_snapshot))
		return error_set(err, ERR_CORRUPT, "its id is no snapshot id");
	return crypto_derive(keys->manifest, "private", out_snapshot, SNAPSHOT_ID_BYTES, out_key, err);
}

static void
put_private_json(struct buf *b, const struct manifest *m, const struct volume_keys *keys)
{
	buf_printf(b, "{\"name\":");
	statement_put_text(b, keys->name);
	buf_printf(b, ",\"source\":");
	statement_put_text(b, m->source);
	buf_printf(b, ",\"host\":");
	statement_put_text(b, m->host);
	buf_printf(b, ",\"tags\":{");
	for (size_t i = 0; i < m->ntags; i++) {
		buf_printf(b, i == 0 ? "" : ",");
		statement_put_text(b, m->tags[i].key);
		buf_printf(b, ":");
		statement_put_text(b, m->tags[i].value);
	}
	buf_printf(b, "},\"excludes\":[");
	for (size_t i = 0; i < m->nexcludes; i++) {
		buf_printf(b, i == 0 ? "" : ",");
		statement_put_text(b, m->excludes[i]);
	}
	buf_printf(b, "],\"size\":%" PRIu64 "}", m->size);
}

static int
put_private(struct buf *b, const struct manifest *m, const struct volume_keys *keys, struct error *err)
{
	CLEANUP(buf_wipe) struct buf plain = BUF_INIT(STATEMENT_PAYLOAD_MAX / 2);
	CLEANUP(buf_free) struct buf sealed = BUF_INIT(STATEMENT_PAYLOAD_MAX / 2 + TAG_LEN);
	uint8_t key[KEY_LEN], snapshot[SNAPSHOT_ID_BYTES], *at;
	int r;

	put_private_json(&plain, m, keys);
	/* Texts come in small pieces: far from the ceiling it was memory that ran out. */
	if (plain.failed && plain.len < plain.limit / 2)
		return error_nomem(err);
	if (plain.failed)
		return error_set(
		    err, ERR_USAGE, "the manifest cannot be written: tags and exclude patterns are too long");
	at = buf_extend(&sealed, plain.len + TAG_LEN);
	if (at == NULL)
		return buf_check(&sealed, "private part of the manifest", err);
	r = manifest_private_key(m, keys, key, snapshot, err);
	if (r == 0)
		r = aead_seal_once(key, snapshot, sizeof(snapshot), plain.data, plain.len, at, err);
	crypto_wipe(key, sizeof(key));
	if (r < 0)
		return r;
	statement_put_hex(b, sealed.data, sealed.len);
	return 0;
}

static void
put_frames(struct buf *b, const char *member, const struct frame_ref *frames, size_t count)
{
	buf_printf(b, ",\"%s\":[", member);
	for (size_t i = 0; i < count; i++) {
		const struct frame_ref *f = &frames[i];

		buf_printf(b, "%s{\"session\":", i == 0 ? "" : ",");
		statement_put_hex(b, f->session, sizeof(f->session));
		buf_printf(b, ",\"seq\":%u,\"ordinal\":%u,\"offset\":%u,\"clen\":%u,\"plen\":%u,\"id\":", f->seq,
		    f->ordinal, f->offset, f->clen, f->plen);
		statement_put_hex(b, f->id, sizeof(f->id));
		buf_printf(b, "}");
	}
	buf_printf(b, "]");
}

static void
put_sessions(struct buf *b, const struct manifest *m)
{
	buf_printf(b, ",\"sessions\":[");
	for (size_t i = 0; i < m->nsessions; i++) {
		const struct packlist_session *s = &m->sessions[i];

		buf_printf(b, "%s{\"session\":", i == 0 ? "" : ",");
		statement_put_hex(b, s->session, sizeof(s->session));
		buf_printf(b, ",\"epoch\":%u,\"key\":", s->epoch);
		statement_put_hex(b, s->keyid, sizeof(s->keyid));
		buf_printf(b, ",\"sealed\":");
		statement_put_hex(b, s->sealed, sizeof(s->sealed));
		buf_printf(b, ",\"commitment\":");
		statement_put_hex(b, s->commitment, sizeof(s->commitment));
		buf_printf(b, "}");
	}
	buf_printf(b, "]");
}

static void
put_statistics(struct buf *b, const struct manifest_statistics *s)
{
	buf_printf(b, ",\"statistics\":{\"entries\":%" PRIu64 ",\"files\":%" PRIu64 ",\"bytes\":%" PRIu64, s->entries,
	    s->files, s->bytes);
	buf_printf(b, ",\"new_bytes\":%" PRIu64 ",\"stored_bytes\":%" PRIu64, s->new_bytes, s->stored_bytes);
	buf_printf(b, ",\"unchanged\":%" PRIu64 ",\"changed\":%" PRIu64 ",\"new\":%" PRIu64 ",\"deleted\":%" PRIu64,
	    s->unchanged, s->changed, s->added, s->deleted);
	buf_printf(b, ",\"warnings\":%" PRIu64 ",\"seconds\":%" PRIu64 ".%03u}", s->warnings, s->milliseconds / 1000,
	    (unsigned)(s->milliseconds % 1000));
}

static void
put_public(struct buf *b, const struct manifest *m, const struct volume_keys *keys)
{
	statement_put_head(b, MANIFEST_FORMAT, keys);
	buf_printf(b, "\"snapshot\":\"%s\",\"sequence\":%" PRIu64 ",\"parent\":", m->snapshot, m->sequence);
	if (m->parent[0] == '\0') {
		buf_printf(b, "null");
	} else {
		buf_printf(b, "{\"snapshot\":\"%s\",\"sha256\":", m->parent);
		statement_put_hex(b, m->parent_sha256, sizeof(m->parent_sha256));
		buf_printf(b, "}");
	}
	buf_printf(b, ",\"mode\":\"%s\",\"started\":", m->mode == MODE_BLOCK ? "block" : "file");
	statement_put_time(b, &m->started);
	buf_printf(b, ",\"finished\":");
	statement_put_time(b, &m->finished);
	buf_printf(b, ",\"session\":");
	statement_put_hex(b, m->session, sizeof(m->session));
	buf_printf(b, ",\"shards\":1");
	put_frames(b, "root", m->root, m->nroot);
	put_frames(b, "packlist", m->packlist, m->npacklist);
	put_sessions(b, m);
	buf_printf(b, ",\"retain_until\":null");
	put_statistics(b, &m->statistics);
	buf_printf(b, ",\"tool\":");
	statement_put_text(b, m->tool);
}

int
manifest_encode(struct manifest *m, const struct volume_keys *keys, struct buf *out, struct error *err)
{
	CLEANUP(buf_free) struct buf payload = BUF_INIT(ENVELOPE_MAX);
	CLEANUP(buf_free) struct buf object = BUF_INIT(ENVELOPE_MAX);
	int r;

	r = check_writable(m, keys, err);
	if (r < 0)
		return r;
	put_public(&payload, m, keys);
	buf_printf(&payload, ",\"private\":");
	r = put_private(&payload, m, keys, err);
	if (r < 0)
		return r;
	buf_printf(&payload, "}");
	r = buf_check(&payload, "manifest", err);
	if (r == 0)
		r = statement_seal(MANIFEST_TYPE, &payload, keys, &object, err);
	if (r == 0)
		r = crypto_sha256(object.data, object.len, m->sha256, err);
	if (r < 0)
		return r;
	m->object_len = object.len;
	buf_put(out, object.data, object.len);
	return buf_check(out, "manifest", err);
}
