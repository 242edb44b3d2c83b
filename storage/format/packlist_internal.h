#ifndef PACKLIST_INTERNAL_H_
#define PACKLIST_INTERNAL_H_

#include <stddef.h>
#include <stdint.h>

#include "packlist.h"

/* The list itself, for packlist.c and packlist_codec.c. */

/* The largest sum of references to one pack. */
#define PACKLIST_LIVE_MAX ((UINT64_C(1) << 62) - 1)

struct packlist_record {
	uint32_t seq;
	uint32_t object_len; /* 0: not known yet */
	uint64_t live;
};

/* The packs of one kind of one session, sorted. */
struct packlist_kind {
	struct packlist_record *v;
	size_t n, capacity;
	size_t last; /* the one asked for last */
};

struct packlist_packs {
	struct packlist_kind kinds[2];
};

struct packlist {
	struct packlist_session *sessions; /* sorted by id */
	size_t nsessions, sessions_capacity;
	struct packlist_packs *packs; /* of the session with the same number */
	size_t packs_capacity;
	size_t last_session;
	size_t nlive; /* packs with live bytes */
};

/* Data packs come first. */
static inline size_t
packlist_kind_index(uint8_t kind)
{
	return kind == 'p' ? 0 : 1;
}

#endif
