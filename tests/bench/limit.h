/*
 * What the measuring sticks have in common: limit.c measures files and holds main(), limit_content.c measures content,
 * limit_sample.c reads it.
 */
#ifndef LIMIT_H
#define LIMIT_H

#include <stddef.h>
#include <stdint.h>

/* Everything is done this often, and the median counts. */
#define LIMIT_ROUNDS 5

/* Content to be measured; the caller frees the bytes. */
struct limit_sample {
	uint8_t *bytes;
	size_t len;
};

/* Seconds of processor time of this process. */
double limit_cpu(void);

/* The median; sorts the values. */
double limit_median(double values[LIMIT_ROUNDS]);

/* These end the program with a message when they fail. */
void *limit_allocate(size_t len);
char *limit_join(const char *folder, const char *name);

/* The content of a file, or of all regular files below a folder one behind the other: what is longer than 512 MiB in
 * stretches at equal distances. */
struct limit_sample limit_sample_read(const char *path);

/* Each prints one line, which begins with MB per CPU second.  With upload also the hash of what would be sent; with ids
 * the ids once more. */
void limit_store(const char *path, int upload);
void limit_restore(const char *path, int ids);

#endif
