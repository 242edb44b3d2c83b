#ifndef LISTING_H_
#define LISTING_H_

/*
 * A canonical listing of a tree on standard output, one line an entry, sorted, for comparison with a stored one:
 *
 *     "path" type mode uid gid mtime.nanoseconds [size hash] [major,minor] [-> "target"] [= "first path of the
 * hard-link group"] [name=value...]
 *
 * The hash is FNV-1a with 64 bits over every 64 KiB block that is not all zero: its offset as eight little-endian
 * bytes, then its bytes.  (So holes cost nothing and do not show.)
 */
void listing_print(int root);

#endif
