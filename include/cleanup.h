#ifndef CLEANUP_H_
#define CLEANUP_H_

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Scope-exit clean-up for locals: a function returns where it fails, and leaks nothing. */

static inline void
cleanup_free_p(void *p)
{
	free(*(void **)p);
}
static inline void
cleanup_close_p(int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
}
static inline void
cleanup_fclose_p(FILE **f)
{
	if (*f != NULL)
		(void)fclose(*f);
}

#define CLEANUP(fn)    __attribute__((cleanup(fn)))
#define CLEANUP_FREE   CLEANUP(cleanup_free_p)
#define CLEANUP_CLOSE  CLEANUP(cleanup_close_p)
#define CLEANUP_FCLOSE CLEANUP(cleanup_fclose_p)

/* Give a local away: its value, leaving NULL (or -1) behind. */
#define STEAL(p) \
	__extension__({ \
		__typeof__(p) steal_ = (p); \
		(p) = NULL; \
		steal_; \
	})
#define STEAL_FD(fd) \
	__extension__({ \
		int steal_ = (fd); \
		(fd) = -1; \
		steal_; \
	})

#define COUNT_OF(a) (sizeof(a) / sizeof((a)[0]))
#define MIN(a, b) \
	__extension__({ \
		__typeof__(a) a_ = (a); \
		__typeof__(b) b_ = (b); \
		a_ < b_ ? a_ : b_; \
	})
#define MAX(a, b) \
	__extension__({ \
		__typeof__(a) a_ = (a); \
		__typeof__(b) b_ = (b); \
		a_ > b_ ? a_ : b_; \
	})

#endif
