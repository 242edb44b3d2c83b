/*
 * First members of groups of hard links, until the last member of the group has come.
 */
#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "tar.h"

#define HEADS 16384

struct group {
	struct group *next;
	uint64_t ino;
	uint32_t left; /* members to come */
	uint8_t type;
	size_t len;
	char path[];
};

struct tar_links {
	struct group *heads[HEADS];
	struct group *last; /* was complete with the last answer */
	size_t count, bytes;
};

int
tar_links_new(struct tar_links **out, struct error *err)
{
	*out = calloc(1, sizeof **out);
	return *out == NULL ? error_nomem(err) : 0;
}

static struct group **
links_place(struct tar_links *l, const struct entry *e)
{
	struct group **at = &l->heads[(e->ino * UINT64_C(0x9E3779B97F4A7C15)) >> 50];

	while (*at != NULL && ((*at)->ino != e->ino || (*at)->type != e->type))
		at = &(*at)->next;
	return at;
}

static int
links_add(struct tar_links *l, struct group **at, const struct entry *e, struct error *err)
{
	struct group *g = malloc(sizeof *g + e->path_len);

	if (g == NULL)
		return error_nomem(err);
	g->next = NULL;
	g->ino = e->ino;
	g->left = e->nlink - 1;
	g->type = e->type;
	g->len = e->path_len;
	memcpy(g->path, e->path, e->path_len);
	*at = g;
	l->count++;
	l->bytes += g->len;
	return 0;
}

int
tar_links_find(
    struct tar_links *l, const struct entry *e, const char **path, size_t *len, bool *full, struct error *err)
{
	struct group **at = links_place(l, e), *g = *at;

	free(l->last);
	l->last = NULL;
	*full = false;
	if (g == NULL) {
		*full = l->count >= TAR_LINKS_MAX || l->bytes + e->path_len > TAR_LINKS_BYTES;
		return *full ? 0 : links_add(l, at, e, err);
	}
	*path = g->path;
	*len = g->len;
	if (--g->left == 0) {
		*at = g->next;
		l->last = g;
		l->count--;
		l->bytes -= g->len;
	}
	return 1;
}

void
tar_links_free(struct tar_links *l)
{
	if (l == NULL)
		return;
	for (size_t i = 0; i < HEADS; i++)
		while (l->heads[i] != NULL) {
			struct group *g = l->heads[i];

			l->heads[i] = g->next;
			free(g);
		}
	free(l->last);
	free(l);
}
