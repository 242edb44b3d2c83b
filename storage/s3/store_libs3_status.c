/*
 * What an S3Status means, and whether to try again.
 *
 * libs3 turns the server's word for an error into a status of the same name, and has no status for words that it does
 * not know.  So the rules are those of the S3 store, with the word made from the name.
 */
#include <libs3.h>
#include <string.h>

#include "store_libs3_internal.h"

#define SERVICE_PREFIX "Error"

static bool
is_local(S3Status status)
{
	return status < S3StatusErrorAccessDenied;
}

/* The HTTP status that goes with an answer: for words without a rule of their own, and when there is no word. */
static int
http_status(S3Status status)
{
	switch (status) {
	case S3StatusErrorAccountProblem:
	case S3StatusErrorCredentialsNotSupported:
	case S3StatusErrorInvalidAccessKeyId:
	case S3StatusErrorInvalidPayer:
	case S3StatusErrorInvalidSecurity:
	case S3StatusErrorInvalidToken:
	case S3StatusErrorNotSignedUp:
	case S3StatusHttpErrorForbidden:
		return 403;
	case S3StatusErrorNoSuchKey:
	case S3StatusHttpErrorNotFound:
		return 404;
	case S3StatusHttpErrorConflict:
		return 409;
	case S3StatusErrorPreconditionFailed:
		return 412;
	case S3StatusErrorInvalidRange:
		return 416;
	/* Something that libs3 does not know: 502 and 429 are among it. */
	case S3StatusErrorUnknown:
	case S3StatusHttpErrorUnknown:
		return 500;
	default:
		return 400;
	}
}

/* What has happened on this side, or on the way. */
static struct s3_verdict
local_verdict(S3Status status)
{
	enum error_code code = ERR_USAGE;

	switch (status) {
	/* Any error of libcurl's that libs3 does not expect, as a connection that was reset. */
	case S3StatusInternalError:
	/* A proxy's page, or an answer that was cut. */
	case S3StatusXmlParseFailure:
	case S3StatusNameLookupError:
	case S3StatusFailedToConnect:
	case S3StatusConnectionFailed:
		return (struct s3_verdict){S3_RETRY, ERR_UNAVAILABLE, S3_MEND_NOTHING};
	case S3StatusOutOfMemory:
		code = ERR_NOMEM;
		break;
	case S3StatusFailedToInitializeRequest:
		code = ERR_SYSTEM;
		break;
	case S3StatusInterrupted:
	case S3StatusAbortedByCallback:
		code = ERR_CANCELLED;
		break;
	case S3StatusServerFailedVerification:
		code = ERR_DENIED;
		break;
	default:
		break;
	}
	return (struct s3_verdict){S3_FAIL, code, S3_MEND_NOTHING};
}

struct s3_verdict
store_libs3_status_verdict(int status, bool of_object)
{
	struct s3_verdict v;

	if (status == S3StatusOK)
		return (struct s3_verdict){S3_DONE, ERR_UNAVAILABLE, S3_MEND_NOTHING};
	if (is_local((S3Status)status))
		return local_verdict((S3Status)status);
	v = s3_verdict(http_status((S3Status)status), store_libs3_status_name(status), of_object);
	if (v.action == S3_FAIL && S3_status_is_retryable((S3Status)status))
		v.action = S3_RETRY;
	if (v.mend == S3_MEND_REGION)
		v.mend = S3_MEND_NOTHING;
	/* The clock cannot be set, but libs3 2.0 takes the time with gmtime(), which threads may garble. */
	if (v.mend == S3_MEND_CLOCK)
		v.mend = S3_MEND_AGAIN;
	return v;
}

bool
store_libs3_status_ok(int status)
{
	return status == S3StatusOK;
}

bool
store_libs3_status_missing(int status)
{
	return status == S3StatusErrorNoSuchKey || status == S3StatusHttpErrorNotFound;
}

bool
store_libs3_status_answered(int status)
{
	return status == S3StatusOK || !is_local((S3Status)status);
}

const char *
store_libs3_status_name(int status)
{
	const char *name = S3_get_status_name((S3Status)status);

	return strncmp(name, SERVICE_PREFIX, strlen(SERVICE_PREFIX)) == 0 ? name + strlen(SERVICE_PREFIX) : name;
}

int
store_libs3_status_broken(void)
{
	return S3StatusConnectionFailed;
}
