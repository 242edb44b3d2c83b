#ifndef NAMES_INTERNAL_H_
#define NAMES_INTERNAL_H_

#include <stdbool.h>
#include <string.h>

#include "names.h"

/*
 * A level in memory and a run on disk look the same: records behind each other, each
 *
 *     type u8 | length u16 | name
 */
#define RECORD_HEAD 3u
#define RECORD_MAX  (RECORD_HEAD + NAMES_LEN_MAX)

struct level {
	bool spilled;
	uint64_t pos, end; /* what is left: offsets in the arena, or in the file when spilled */
	size_t arena_base; /* where the arena ends when the level is gone, */
	uint64_t file_base; /* and the used part of the file */
};

/* A sorted stretch of the file. */
struct run {
	uint64_t at, len;
};

/* The level that is being read. */
struct gather {
	size_t base; /* of its records in the arena */
	size_t last; /* the newest of them */
	size_t count;
	size_t common; /* bytes with which all names begin */
	bool sorted; /* so far */
	size_t room; /* bytes that records and sorting may take before they become a run */
	struct run *runs;
	size_t nruns, runs_cap;
};

struct names {
	size_t limit;
	uint8_t *arena;
	size_t len, cap;
	uint8_t *scratch; /* for sorting */
	size_t scratch_cap;
	uint8_t *dirents; /* what the kernel lists */
	struct level *levels;
	size_t depth, levels_cap;

	int file; /* -1: not needed yet */
	uint64_t file_end;
	uint8_t *window; /* a stretch of the file that was read */
	uint64_t window_at;
	size_t window_len;
};

static inline size_t
record_name_len(const uint8_t *record)
{
	return record[1] | (size_t)record[2] << 8;
}

static inline size_t
record_len(const uint8_t *record)
{
	return RECORD_HEAD + record_name_len(record);
}

static inline int
record_compare(const uint8_t *a, const uint8_t *b)
{
	size_t a_len = record_name_len(a), b_len = record_name_len(b);
	int r = memcmp(a + RECORD_HEAD, b + RECORD_HEAD, a_len < b_len ? a_len : b_len);

	if (r != 0)
		return r;
	return a_len < b_len ? -1 : a_len > b_len;
}

/* Bytes for sorting that many records of that many bytes. */
size_t names_sort_room(size_t count, size_t len);
/* Sort what was gathered and drop repetitions.  *out is in the scratch memory, or in the arena when there was nothing
 * to do. */
int names_sort(struct names *, const struct gather *, const uint8_t **out, size_t *out_len, struct error *);

/* Sort what was gathered and append it to the file as a run; the arena is empty above the base again. */
int names_spill(struct names *, struct gather *, struct error *);
/* Make the runs one, and the level one on disk. */
int names_merge(struct names *, struct gather *, struct level *, struct error *);
/* The record at pos, whole, in the window. */
int names_spilled_record(struct names *, uint64_t pos, uint64_t end, const uint8_t **out, struct error *);
/* Cut the file. */
void names_spill_drop(struct names *, uint64_t end);

#endif
