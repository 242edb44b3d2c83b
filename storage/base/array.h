#ifndef ARRAY_H_
#define ARRAY_H_

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"

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
