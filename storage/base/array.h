#ifndef ARRAY_H_
#define ARRAY_H_

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"

/* A malloc'ed array of exactly count items, where there is none: for what was written by others, who may claim much. */
static inline int
array_new(void *array, size_t *capacity, size_t count, size_t item_size, struct error *err)
{
	void *p;

	if (count == 0)
		return 0;
	p = count > SIZE_MAX / item_size ? NULL : malloc(count * item_size);
	if (p == NULL)
		return error_nomem(err);
	memcpy(array, &p, sizeof(p));
	*capacity = count;
	return 0;
}

/* Make room for need items of a malloc'ed array; *array is a pointer to its first item. */
static inline int
array_reserve(void *array, size_t *capacity, size_t need, size_t item_size, struct error *err)
{
	size_t n = *capacity < 16 ? 16 : *capacity;
	void *old, *p;

	if (need <= *capacity)
		return 0;
	while (n < need)
		n += n / 2;
	if (n > SIZE_MAX / item_size)
		return error_nomem(err);
	memcpy(&old, array, sizeof(old));
	p = realloc(old, n * item_size);
	if (p == NULL)
		return error_nomem(err);
	memcpy(array, &p, sizeof(p));
	*capacity = n;
	return 0;
}

#endif
