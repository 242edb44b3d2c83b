#ifndef TAR_H_
#define TAR_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "entry.h"
#include "report.h"

struct archive_entry;
struct error;
struct frames;
struct loader;
struct selection;
struct snapshot;
struct tar_member;

/*
 * A pax archive, written to a descriptor as a stream: times in nanoseconds, attributes as SCHILY.xattr.*, POSIX ACLs as
 * SCHILY.acl.*, sparse files in GNU's format 1.0, hard links, devices.  Names are bytes; those that are no UTF-8, or
 * would be normalised by readers, are marked with hdrcharset=BINARY. Memory is bounded: a file with very many holes
 * keeps only the largest ones.
 */
struct tar;

/* Everything is borrowed.  bytes of progress move with the content. */
int tar_new(int fd, struct frames *, struct report *, struct progress *, struct tar **out, struct error *);
/*
 * Add an entry: its header and content, or a link to a member that came before.  What an archive cannot hold (sockets),
 * and files without content, are left out with a note or warning. After a failure, ERR_CORRUPT when the content is
 * damaged, there is nothing left but tar_free().
 */
int tar_add(struct tar *, const struct tar_member *, struct error *);
/* The mark at the end of the archive. */
int tar_finish(struct tar *, struct error *);
/* The reader of the archive has gone away. */
bool tar_pipe_closed(const struct tar *);
/* Without tar_finish() the archive is left cut off in a way that every reader notices.  Accepts NULL. */
void tar_free(struct tar *);

/* ---- tar_members.c: what is added ---- */

struct tar_member {
	struct entry entry;
	const char *first; /* NULL, or the first member of which this is a further name */
	size_t first_len;
};
/*
 * The entries of a snapshot that an archive gets, in order.  They are read some way ahead of the archive, so that it is
 * known which frames it will need: as many as take 2 * TAR_MEMBERS_LEN bytes.  Beyond TAR_LINKS_MAX open groups of hard
 * links further groups become separate files.
 */
#define TAR_MEMBERS_LEN (2u * 1024 * 1024)
struct tar_members;
/* path: only this and what is below it ("" for all); the selection says what of that.  All is borrowed; the loader is
 * for segments.  The entries of progress move with the members. */
int tar_members_new(const struct snapshot *, const char *path, size_t len, const struct selection *, struct loader *,
    struct report *, struct progress *, struct tar_members **out, struct error *);
/* 1 and the next one (valid until the next call), 0 at the end.  ERR_NOT_FOUND when there is no such path. */
int tar_members_next(struct tar_members *, const struct tar_member **out, struct error *);
/* The frames that tar_add() will read, one after the other: for ahead.h, in the same thread. */
bool tar_members_frame(void *members, struct frame_ref *out);
/* Accepts NULL. */
void tar_members_free(struct tar_members *);

/* ---- tar_header.c ---- */

/* Everything of a header but size, sparse map and link: names, type, mode, owner, times, device; attributes and ACLs
 * unless the member is a hard link. */
int tar_header(struct archive_entry *, const struct entry *, bool with_attributes, struct error *);
/* The name of a member: "." for the root. */
int tar_set_path(struct archive_entry *, const char *path, size_t len, struct error *);
int tar_set_hardlink(struct archive_entry *, const char *path, size_t len, struct error *);
/* Well-formed UTF-8 (RFC 3629) that no reader normalises to other bytes. */
bool tar_is_text(const char *bytes, size_t len);
/*
 * Add the entries of a POSIX ACL as the kernel gives it (system.posix_acl_access, or _default).
 * False, and nothing is added, when it is none.
 */
bool tar_acl(struct archive_entry *, const uint8_t *value, size_t len, bool is_default);

/* ---- tar_sparse.c ---- */

/* The stretches of a file that hold data. */
#define TAR_RUNS_MAX 65536
struct tar_runs {
	struct tar_run {
		uint64_t offset, len;
	} * runs; /* malloc'ed */
	size_t count, cap;
	uint64_t min_gap; /* smaller gaps are written as data */
};
/* Runs come in order. */
int tar_runs_add(struct tar_runs *, uint64_t offset, uint64_t len, struct error *);
void tar_runs_wipe(struct tar_runs *);

/* ---- tar_links.c ---- */

#define TAR_LINKS_MAX   65536
#define TAR_LINKS_BYTES (16u * 1024 * 1024)
struct tar_links;
int tar_links_new(struct tar_links **out, struct error *);
/*
 * For an entry with nlink > 1: 1 and the path of the group's first member (valid until the next call), or 0: the entry
 * is the first one, and is remembered if there is room; *full is set when there is none.
 */
int tar_links_find(
    struct tar_links *, const struct entry *, const char **path, size_t *len, bool *full, struct error *);
void tar_links_free(struct tar_links *);

#endif
