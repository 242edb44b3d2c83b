#ifndef HEAP_H_
#define HEAP_H_

#include <stddef.h>

/*
 * How much memory a piece of code allocates at most.
 *
 * Programs that use this are linked with
 * -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc,--wrap=free: what the libraries allocate on their own is not counted.
 */

/* Begin: what is allocated now counts as nothing. */
void heap_begin(void);
/* The largest sum since then. */
size_t heap_peak(void);

#endif
