#ifndef PLACES_H_
#define PLACES_H_

#include <stdbool.h>
#include <stddef.h>

struct error;
struct job;

/*
 * The memory of the items of an export that are on their way, counted in places.
 *
 * An ordinary batch or stretch takes one place; one with long lists (of extents, of references to segments) takes as
 * many as they need.  The scan takes the places before it fills them and waits until they are free; the recorder frees
 * them.  What needs more than there are gets them all, and travels alone.
 */
#define PLACE_BYTES (640u * 1024)
#define PLACES      24

struct places;

/* The job is told to wake whoever waits; it must be freed or waited for before the places are. */
int places_new(struct job *, struct places **out, struct error *);
/* How many places an item takes whose lists have so many bytes. */
size_t places_for(size_t bytes);
/* Wait for them.  One thread; false when the job failed. */
bool places_take(struct places *, size_t count);
void places_give_back(struct places *, size_t count);
/* Accepts NULL. */
void places_free(struct places *);

#endif
