#ifndef FOLDER_H_
#define FOLDER_H_

#include <stdbool.h>

struct error;
struct folder;

/*
 * The folders that one walk has opened and somebody still holds.  Private to the walker; folder_ref() and its like are
 * in walker.h.
 *
 * One thread makes folders, any thread gives them back.  The pool lives until its owner and the last folder have let go
 * of it.
 */
struct folder_pool;

struct folder_pool *folder_pool_new(unsigned max);
void folder_pool_free(struct folder_pool *);
/* As many folders are alive as there may be. */
bool folder_pool_full(struct folder_pool *);
/* Wait until it is not full, or ERR_CANCELLED. */
int folder_pool_wait(struct folder_pool *, struct error *);
void folder_pool_cancel(struct folder_pool *);

/* Takes the descriptor, which is closed when memory runs out (NULL) as well. */
struct folder *folder_new(struct folder_pool *, int fd);

#endif
