/*
 * Packs as a listing of the store shows them: are they all there, and as long as they should be?
 */
#include <stdio.h>
#include <string.h>

#include "cleanup.h"
#include "error.h"
#include "verify_internal.h"
#include "wire.h"

/* "<session>/<seq>" behind the prefix. */
static struct verify_pack *
find_listed(const struct verify *v, uint8_t kind, const char *name)
{
	uint8_t session[SESSION_ID_LEN], seq[4];
	char hex[2 * SESSION_ID_LEN + 1];

	if (strlen(name) != 2 * SESSION_ID_LEN + 9 || name[2 * SESSION_ID_LEN] != '/')
		return NULL;
	memcpy(hex, name, 2 * SESSION_ID_LEN);
	hex[2 * SESSION_ID_LEN] = '\0';
	if (!hex_decode(session, sizeof session, hex) || !hex_decode(seq, sizeof seq, name + 2 * SESSION_ID_LEN + 1))
		return NULL;
	return packs_find(
	    &v->packs, kind, session, (uint32_t)seq[0] << 24 | (uint32_t)seq[1] << 16 | (uint32_t)seq[2] << 8 | seq[3]);
}

struct listing {
	struct verify *v;
	uint8_t kind;
	size_t prefix_len;
};

static int
listed(void *arg, const struct store_object *object, struct error *err)
{
	struct listing *l = arg;
	struct verify_pack *p = find_listed(l->v, l->kind, object->key + l->prefix_len);
	char message[128];

	(void)err;
	if (p == NULL)
		return 0;
	p->listed = true;
	if (p->len == 0 && object->size <= PACK_LEN_MAX)
		p->len = (uint32_t)object->size;
	if (p->len != object->size) {
		(void)snprintf(message, sizeof message, "the pack has %llu bytes instead of %u",
		    (unsigned long long)object->size, p->len);
		verify_bad_pack(l->v, p, "length", UINT32_MAX, message);
	}
	return 0;
}

int
verify_listing(struct verify *v, struct error *err)
{
	static const uint8_t kinds[] = {'m', 'p'};

	for (size_t i = 0; i < COUNT_OF(kinds); i++) {
		struct listing l = {.v = v, .kind = kinds[i]};
		char prefix[PACK_NAME_LEN];
		int r;

		l.prefix_len = (size_t)snprintf(prefix, sizeof prefix, "v/%s/%c/", v->volume->id_hex, kinds[i]);
		if ((r = store_list(repo_store(v->volume->repo), prefix, listed, &l, err)) < 0)
			return r;
	}
	for (size_t i = 0; i < v->packs.cap; i++) {
		struct verify_pack *p = &v->packs.slots[i];

		if (p->kind != 0 && !p->listed)
			verify_bad_pack(v, p, "missing", UINT32_MAX, "the pack is missing");
	}
	return 0;
}
