#ifndef HOSTILE_H_
#define HOSTILE_H_

#include "flow.h"
#include "forge.h"

/*
 * Hostile repositories: whoever holds the keys can sign and seal what he wants.  An import of it, and everything else
 * that reads it, ends with a clear error or does something harmless; nothing outside of the target is touched, and
 * memory is bounded.
 *
 * Environment: HOSTILE_FULL (as many as there can be, however long that takes), HOSTILE_VERBOSE (what each case gives).
 */

/* What an import gives, where that depends on the file system. */
enum { HOSTILE_FAILS = 1, HOSTILE_ANY };

struct hostile_case {
	const char *name;
	int want; /* of the import */
	void (*build)(struct forge *);
	void (*after)(void);
	size_t capacity; /* of a pack, if more than usual */
	bool sound; /* an import that is as it should be means that verify finds no damage */
};

extern struct flow hostile_flow;
extern uint8_t hostile_content[65536];
extern struct frame_ref hostile_bundle; /* of its first 4096 bytes, in every forged snapshot */
extern struct frame_ref hostile_chunk; /* of all */

/* many: of files, more than is good for a disk. */
void hostile_start(bool many);
/* Run those whose name contains the text; NULL: all. */
void hostile_run(const struct hostile_case *, size_t count, const char *only);
/* Exit status. */
int hostile_end(void);
/* All of it, for a program that has nothing but cases. */
int hostile_main(int argc, char **argv, const struct hostile_case *, size_t count, bool many);

/* A snapshot with the two frames; its end is forge_commit() and forge_end(). */
void hostile_begin(struct forge *, size_t capacity);
void hostile_check_canary(void);
void hostile_clear_target(void);
/* How many, as long as time does not matter; a twentieth of it otherwise. */
unsigned hostile_scaled(unsigned n);

struct entry hostile_entry(uint8_t type, const char *path);
struct extent hostile_part(const struct frame_ref *, uint32_t offset, uint64_t len);
void hostile_root(struct forge *);
void hostile_folder(struct forge *, const char *path);
void hostile_symlink(struct forge *, const char *path, const char *to);
/* A file of these extents; what is left zero in *like is filled in. */
void hostile_extents(struct forge *, const char *path, const struct entry *like, const struct extent *, size_t count);
void hostile_small(struct forge *, const char *path);

/* For hostile.c alone: verify, tar and diff must survive it, too. */
void hostile_look_around(const char *name, const char *snapshot, bool good);
/* The peak of memory is that from here on; 0 where it cannot be measured. */
size_t hostile_memory_start(void);
void hostile_memory_check(const char *name, const char *doing, size_t before);
/* How many checks have failed. */
unsigned hostile_memory_end(void);

#endif
