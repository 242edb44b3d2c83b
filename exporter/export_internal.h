#ifndef EXPORT_INTERNAL_H_
#define EXPORT_INTERNAL_H_

#include <pthread.h>

#include "catalog_writer.h"
#include "chunker.h"
#include "dedup.h"
#include "export.h"
#include "item.h"
#include "places.h"
#include "queue.h"
#include "session.h"
#include "survey.h"

/*
 * What the stages of one export share.  Everything but the queues and the counters is read-only while threads run.
 */
struct export
{
	const struct export_options *options;
	struct report *report;
	struct progress *progress;
	struct repo *repo;
	struct volume *volume;
	const struct volume_keys *keys;
	struct survey *survey; /* of the volume, when it was opened at a glance; else NULL */
	struct snapshot *base; /* NULL: first export of the volume */
	bool without_base; /* the one that there is turned out to be damaged */
	struct manifest_time started;
	int64_t trusted_s; /* entries of the base changed at or after this second may have changed again unseen */
	struct chunker chunker;
	struct session *session;
	struct dedup *dedup;
	struct job *job;
	struct queue *work; /* tasks, scan -> content */
	struct queue *done; /* items by seq, -> record */
	struct places *places; /* that all of them take together */
	struct device *device; /* block mode */
	dev_t root_dev; /* of the source folder; set by the scan before its first task */
	struct manifest_statistics statistics; /* unchanged... by the scan, entries... by the recorder */
	_Atomic uint64_t new_bytes;
	pthread_mutex_t walker_lock;
	struct walker *walker; /* while the scan walks: to be cancelled when the job fails */
};

/* Volume, keys and base. */
int export_open(struct export *, struct error *);
/*
 * Before the commit of an export that has stored something: both objects of each of the volume's keys are there, or are
 * made good.  Without changes there is nothing new that could be lost with a key, and the next export that has some
 * looks.
 */
int export_check_keys(struct export *, bool stored, struct error *);

void export_set_walker(struct export *, struct walker *);

/* Everything of the manifest but the catalog and the numbers, as of now. */
int export_manifest_describe(struct export *, struct manifest *, struct error *);
void export_manifest_statistics(struct export *, struct manifest *);

/* The scan's thread (arg: struct export). */
void scan_files(void *arg);
void scan_device(void *arg);

/* A content thread (arg: struct export). */
void content_thread(void *arg);

/* Consume items until the scan is through; everything is in the catalog then. */
int record_all(struct export *, struct catalog_writer *, struct error *);

#endif
