#ifndef PATHSTEP_H_
#define PATHSTEP_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The step from one path of a block to the next.  What the two share was checked with the first one, so that a step
 * costs what is new in it, however long the paths are.
 */
struct pathstep {
	bool first; /* of the block: there is none before */
	uint8_t before_type;
	size_t before_len;
	size_t common; /* leading bytes that both paths share, all of them */
	int before_byte; /* the one before's byte behind those, -1 when it ends there */
};

/* NULL when path of this type may follow, or what is wrong with it. */
const char *pathstep_fault(const struct pathstep *, const char *path, size_t len, uint8_t type);

#endif
