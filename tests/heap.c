/*
 * Allocations of one thread, counted.
 */
#include "heap.h"

#include <malloc.h>

void *__real_malloc(size_t);
void *__real_calloc(size_t, size_t);
void *__real_realloc(void *, size_t);
void __real_free(void *);
void *__wrap_malloc(size_t);
void *__wrap_calloc(size_t, size_t);
void *__wrap_realloc(void *, size_t);
void __wrap_free(void *);

static long long now, peak;

static void *
count(void *p)
{
	now += (long long)malloc_usable_size(p);
	peak = now > peak ? now : peak;
	return p;
}

void *
__wrap_malloc(size_t len)
{
	return count(__real_malloc(len));
}

void *
__wrap_calloc(size_t n, size_t len)
{
	return count(__real_calloc(n, len));
}

void *
__wrap_realloc(void *p, size_t len)
{
	size_t before = malloc_usable_size(p);
	void *grown = __real_realloc(p, len);

	if (grown == NULL)
		return NULL;
	now -= (long long)before;
	return count(grown);
}

void
__wrap_free(void *p)
{
	now -= (long long)malloc_usable_size(p);
	__real_free(p);
}

void
heap_begin(void)
{
	now = peak = 0;
}

size_t
heap_peak(void)
{
	return (size_t)peak;
}
