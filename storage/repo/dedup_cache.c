/*
 * The decoded contents of the sources that were asked last: a few, and at most a few megabytes (but always one).
 */
#include <string.h>

#include "dedup_internal.h"

static void
drop(struct dedup_cache *c, struct dedup_cached *p)
{
	c->bytes -= p->bytes;
	dedup_content_wipe(&p->content);
	p->full = false;
	p->bytes = 0;
}

static struct dedup_cached *
oldest(struct dedup_cache *c)
{
	struct dedup_cached *found = NULL;

	for (size_t i = 0; i < DEDUP_CACHED; i++)
		if (c->places[i].full && (found == NULL || c->places[i].used < found->used))
			found = &c->places[i];
	return found;
}

static struct dedup_cached *
make_room(struct dedup_cache *c, size_t bytes)
{
	struct dedup_cached *p;

	while (c->bytes > 0 && c->bytes + bytes > DEDUP_CACHE_BYTES)
		drop(c, oldest(c));
	for (size_t i = 0; i < DEDUP_CACHED; i++)
		if (!c->places[i].full)
			return &c->places[i];
	p = oldest(c);
	drop(c, p);
	return p;
}

const struct dedup_content *
dedup_cache_get(struct dedup_cache *c, uint32_t source)
{
	for (size_t i = 0; i < DEDUP_CACHED; i++)
		if (c->places[i].full && c->places[i].source == source) {
			c->places[i].used = ++c->tick;
			return &c->places[i].content;
		}
	return NULL;
}

const struct dedup_content *
dedup_cache_put(struct dedup_cache *c, uint32_t source, struct dedup_content *content)
{
	size_t bytes = dedup_content_bytes(content);
	struct dedup_cached *p = make_room(c, bytes);

	p->content = *content;
	p->bytes = bytes;
	p->used = ++c->tick;
	p->source = source;
	p->full = true;
	c->bytes += bytes;
	return &p->content;
}

void
dedup_cache_wipe(struct dedup_cache *c)
{
	for (size_t i = 0; i < DEDUP_CACHED; i++)
		dedup_content_wipe(&c->places[i].content);
	memset(c, 0, sizeof(*c));
}
