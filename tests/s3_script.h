#ifndef S3_SCRIPT_H_
#define S3_SCRIPT_H_

#include <pthread.h>

#include "error.h"
#include "s3_server.h"

/*
 * The S3 store against a server that follows a script: the steps are taken one after the other, each by the next
 * request that begins like it; all other requests get the server's own answer.
 */
enum s3_step_kind {
	STEP_ERROR, /* status and code */
	STEP_RAW, /* these bytes, then the end of the connection */
	STEP_RESET, /* the connection breaks, nothing was done */
	STEP_STALL, /* nothing comes, until the server ends */
	STEP_DONE_RESET, /* the server does what it was told, and the connection breaks */
	STEP_DONE_ERROR /* the server does what it was told, and says that it failed */
};

struct s3_step {
	const char *beginning; /* "PUT /bucket-1/p/k"; "" for all */
	enum s3_step_kind kind;
	int status;
	const char *code; /* NULL: no body */
	const char *inside; /* more XML, or NULL */
	const char *headers; /* more lines, or NULL */
	const char *raw;
};

/* Steps to be written: SAYS("GET ", 503, "SlowDown", .headers = "...") and DOES("GET ", STEP_RESET). */
#define SAYS(beginning_, status_, ...) \
	{ \
		.beginning = (beginning_), .status = (status_), .code = __VA_ARGS__ \
	}
#define DOES(beginning_, ...) \
	{ \
		.beginning = (beginning_), .kind = __VA_ARGS__ \
	}

struct s3_script {
	struct s3_server *server;
	struct store *s; /* s3://bucket-1/p */
	struct s3_server_rules rules;
	pthread_mutex_t lock; /* guards what follows */
	const struct s3_step *steps;
	size_t count, next;
};

/* rules and settings: NULL for the usual. */
void s3_script_begin(struct s3_script *, const struct s3_server_rules *, const struct s3_settings *);
/* The steps from now on; those before must have been taken. */
void s3_script_set(struct s3_script *, const struct s3_step *steps, size_t count);
#define S3_STEPS(script, ...) \
	do { \
		static const struct s3_step steps_[] = {__VA_ARGS__}; \
		s3_script_set((script), steps_, COUNT_OF(steps_)); \
	} while (0)
/* Forget the steps that are left; how many were taken. */
size_t s3_script_drop(struct s3_script *);
/* All steps have been taken, and every signature was good. */
void s3_script_end(struct s3_script *);

/* A call failed with this code and a message of which each text, up to a NULL, is a part, and no secret. */
void s3_script_failed(int r, const struct error *, enum error_code want, ...) __attribute__((sentinel));

/* Milliseconds of a steady clock. */
int64_t s3_script_clock(void);

#endif
