#ifndef PROXY_RULES_H_
#define PROXY_RULES_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What is to go wrong: the lines of the rules file, which README.md describes. */

enum fault_kind {
	FAULT_NONE,
	FAULT_REFUSE,
	FAULT_RESET,
	FAULT_CLOSE,
	FAULT_STALL,
	FAULT_FLIP,
	FAULT_DOUBLE,
	FAULT_REPLY,
	FAULT_REPLY_AFTER,
	FAULT_REPEAT,
	FAULT_DELAY,
	FAULT_RATE
};

enum fault_from { FROM_START, FROM_BODY, FROM_END };

struct fault {
	enum fault_kind kind;
	bool down; /* in the reply */
	enum fault_from from;
	int64_t at; /* bytes from there */
	double seconds; /* of a stall; 0: for ever */
	int64_t amount; /* milliseconds, or bytes a second */
	int status; /* of a reply */
	char code[64];
	char headers[512];
	int64_t clock; /* seconds that its Date is ahead */
};

/* Everything that holds for one request. */
struct faults {
	int64_t delay_ms;
	int64_t rate_up, rate_down; /* bytes a second; 0: no limit */
	struct fault fault; /* the first rule that matched */
};

void rules_use(const char *path); /* NULL: no rules, ever */
/* Whether the next connection is to be reset at once. */
bool rules_refuse(void);
void rules_for(const char *method, const char *path, struct faults *);
const char *fault_name(enum fault_kind);
/* The position of a fault in a message of this form. */
int64_t fault_position(const struct fault *, size_t head, int64_t body);

#endif
