/*
 * A session's key: made, sealed to a volume's public key, and opened; and the keys of packs, which follow from it.
 */
#include <string.h>

#include "crypto.h"
#include "error.h"
#include "keys.h"
#include "le.h"
#include "wire.h"

#define SESSION_INFO        "snapferry/1/session"
#define SESSION_CONTEXT_LEN (VOLUME_ID_LEN + SESSION_ID_LEN)

/* volume || session: what a sealed session key is bound to. */
static void
session_context(const struct volume_keys *v, const struct session_key *s, uint8_t out[SESSION_CONTEXT_LEN])
{
	memcpy(out, v->volume, VOLUME_ID_LEN);
	memcpy(out + VOLUME_ID_LEN, s->session, SESSION_ID_LEN);
}

static int
session_commitment(const struct session_key *s, uint8_t out[32], struct error *err)
{
	uint8_t bytes[sizeof(SESSION_INFO) - 1 + SESSION_ID_LEN + KEY_LEN];
	uint8_t *p = bytes;
	int r;

	memcpy(p, SESSION_INFO, sizeof(SESSION_INFO) - 1);
	p += sizeof(SESSION_INFO) - 1;
	memcpy(p, s->session, SESSION_ID_LEN);
	memcpy(p + SESSION_ID_LEN, s->key, KEY_LEN);
	r = crypto_sha256(bytes, sizeof(bytes), out, err);
	crypto_wipe(bytes, sizeof(bytes));
	return r;
}

int
session_key_create(const struct volume_keys *v, struct session_key *out, struct error *err)
{
	uint8_t context[SESSION_CONTEXT_LEN];
	int r = crypto_random(out->session, SESSION_ID_LEN, err);

	if (r == 0)
		r = crypto_random(out->key, KEY_LEN, err);
	session_context(v, out, context);
	if (r == 0)
		r = hpke_seal(
		    v->seal_public, SESSION_INFO, context, sizeof(context), out->key, KEY_LEN, out->sealed, err);
	if (r == 0)
		r = session_commitment(out, out->commitment, err);
	if (r < 0)
		session_key_wipe(out);
	return r;
}

static int
open_session(const struct volume_keys *v, struct session_key *s, struct error *err)
{
	uint8_t context[SESSION_CONTEXT_LEN], commitment[32];
	int r;

	session_context(v, s, context);
	r = hpke_open(v->seal_private, SESSION_INFO, context, sizeof(context), s->sealed, SEALED_LEN, s->key, err);
	if (r == 0)
		r = session_commitment(s, commitment, err);
	if (r == 0 && !crypto_equal(commitment, s->commitment, sizeof(commitment)))
		return error_set(err, ERR_CORRUPT, "it is not the one that was committed to");
	return r;
}

int
session_key_open(const struct volume_keys *v, struct session_key *s, struct error *err)
{
	char session[2 * SESSION_ID_LEN + 1];
	int r = open_session(v, s, err);

	if (r == 0)
		return 0;
	crypto_wipe(s->key, KEY_LEN);
	hex_encode(session, s->session, SESSION_ID_LEN);
	return error_prefix(err, "key of session %s", session);
}

void
session_key_wipe(struct session_key *s)
{
	crypto_wipe(s, sizeof(*s));
}

int
session_key_pack(const struct session_key *s, const uint8_t volume[VOLUME_ID_LEN], uint8_t kind, uint32_t seq,
    uint8_t out[KEY_LEN], struct error *err)
{
	uint8_t context[VOLUME_ID_LEN + SESSION_ID_LEN + 1 + 4];

	memcpy(context, volume, VOLUME_ID_LEN);
	memcpy(context + VOLUME_ID_LEN, s->session, SESSION_ID_LEN);
	context[VOLUME_ID_LEN + SESSION_ID_LEN] = kind;
	le_put32(context + VOLUME_ID_LEN + SESSION_ID_LEN + 1, seq);
	return crypto_derive(s->key, "pack", context, sizeof(context), out, err);
}
