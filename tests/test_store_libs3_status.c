/* What libs3's statuses mean: each that servers and lines are known to cause. */
#include <libs3.h>

#include "check.h"
#include "cleanup.h"
#include "store_libs3_internal.h"

static void
check_verdict(int status, bool of_object, enum s3_action action, enum error_code error, unsigned mend)
{
	struct s3_verdict v = store_libs3_status_verdict(status, of_object);

	if (v.action != action || v.code != error || v.mend != mend)
		fprintf(stderr, "at: %s\n", store_libs3_status_name(status));
	CHECK_INT(v.action, action);
	CHECK_INT(v.code, error);
	CHECK_INT(v.mend, mend);
}

static void
test_verdicts(void)
{
	static const struct {
		int status;
		enum s3_action action;
		enum error_code error;
		unsigned mend;
	} cases[] = {
	    {S3StatusOK, S3_DONE, ERR_UNAVAILABLE, S3_MEND_NOTHING},
	    /* This side and the line. */
	    {S3StatusInternalError, S3_RETRY, ERR_UNAVAILABLE, S3_MEND_NOTHING},
	    {S3StatusXmlParseFailure, S3_RETRY, ERR_UNAVAILABLE, S3_MEND_NOTHING},
	    {S3StatusNameLookupError, S3_RETRY, ERR_UNAVAILABLE, S3_MEND_NOTHING},
	    {S3StatusFailedToConnect, S3_RETRY, ERR_UNAVAILABLE, S3_MEND_NOTHING},
	    {S3StatusConnectionFailed, S3_RETRY, ERR_UNAVAILABLE, S3_MEND_NOTHING},
	    {S3StatusOutOfMemory, S3_FAIL, ERR_NOMEM, S3_MEND_NOTHING},
	    {S3StatusFailedToInitializeRequest, S3_FAIL, ERR_SYSTEM, S3_MEND_NOTHING},
	    {S3StatusAbortedByCallback, S3_FAIL, ERR_CANCELLED, S3_MEND_NOTHING},
	    {S3StatusInterrupted, S3_FAIL, ERR_CANCELLED, S3_MEND_NOTHING},
	    {S3StatusServerFailedVerification, S3_FAIL, ERR_DENIED, S3_MEND_NOTHING},
	    {S3StatusInvalidBucketNameCharacter, S3_FAIL, ERR_USAGE, S3_MEND_NOTHING},
	    {S3StatusUriTooLong, S3_FAIL, ERR_USAGE, S3_MEND_NOTHING},
	    /* Words of the server. */
	    {S3StatusErrorAccessDenied, S3_FAIL, ERR_DENIED, S3_MEND_NOTHING},
	    {S3StatusErrorInvalidAccessKeyId, S3_FAIL, ERR_DENIED, S3_MEND_NOTHING},
	    {S3StatusErrorSignatureDoesNotMatch, S3_FAIL, ERR_DENIED, S3_MEND_AGAIN},
	    {S3StatusErrorRequestTimeTooSkewed, S3_FAIL, ERR_DENIED, S3_MEND_AGAIN},
	    {S3StatusErrorExpiredToken, S3_FAIL, ERR_DENIED, S3_MEND_CREDENTIALS},
	    {S3StatusErrorBadDigest, S3_RETRY, ERR_UNAVAILABLE, S3_MEND_NOTHING},
	    {S3StatusErrorIncompleteBody, S3_RETRY, ERR_UNAVAILABLE, S3_MEND_NOTHING},
	    {S3StatusErrorInternalError, S3_RETRY, ERR_UNAVAILABLE, S3_MEND_NOTHING},
	    {S3StatusErrorOperationAborted, S3_RETRY, ERR_UNAVAILABLE, S3_MEND_NOTHING},
	    {S3StatusErrorRequestTimeout, S3_RETRY, ERR_UNAVAILABLE, S3_MEND_NOTHING},
	    {S3StatusErrorSlowDown, S3_RETRY_SLOWER, ERR_UNAVAILABLE, S3_MEND_NOTHING},
	    {S3StatusErrorPermanentRedirect, S3_FAIL, ERR_UNSUPPORTED, S3_MEND_NOTHING},
	    {S3StatusErrorNoSuchBucket, S3_FAIL, ERR_NO_REPOSITORY, S3_MEND_NOTHING},
	    {S3StatusErrorNoSuchKey, S3_FAIL, ERR_NOT_FOUND, S3_MEND_NOTHING},
	    {S3StatusErrorInvalidRange, S3_FAIL, ERR_CORRUPT, S3_MEND_NOTHING},
	    {S3StatusErrorPreconditionFailed, S3_FAIL, ERR_EXISTS, S3_MEND_NOTHING},
	    {S3StatusErrorMethodNotAllowed, S3_FAIL, ERR_UNSUPPORTED, S3_MEND_NOTHING},
	    {S3StatusErrorNotImplemented, S3_FAIL, ERR_UNSUPPORTED, S3_MEND_NOTHING},
	    {S3StatusErrorUnknown, S3_RETRY, ERR_UNAVAILABLE, S3_MEND_NOTHING},
	    /* Numbers without a word. */
	    {S3StatusHttpErrorForbidden, S3_FAIL, ERR_DENIED, S3_MEND_NOTHING},
	    {S3StatusHttpErrorNotFound, S3_FAIL, ERR_NOT_FOUND, S3_MEND_NOTHING},
	    {S3StatusHttpErrorConflict, S3_RETRY, ERR_UNAVAILABLE, S3_MEND_NOTHING},
	    {S3StatusHttpErrorBadRequest, S3_FAIL, ERR_UNSUPPORTED, S3_MEND_NOTHING},
	    {S3StatusHttpErrorUnknown, S3_RETRY, ERR_UNAVAILABLE, S3_MEND_NOTHING},
	};

	for (size_t i = 0; i < COUNT_OF(cases); i++)
		check_verdict(cases[i].status, true, cases[i].action, cases[i].error, cases[i].mend);
	check_verdict(S3StatusHttpErrorNotFound, false, S3_FAIL, ERR_NO_REPOSITORY, S3_MEND_NOTHING);
}

static void
test_questions(void)
{
	CHECK(store_libs3_status_ok(S3StatusOK) && !store_libs3_status_ok(S3StatusErrorSlowDown));
	CHECK(store_libs3_status_missing(S3StatusHttpErrorNotFound));
	CHECK(store_libs3_status_missing(S3StatusErrorNoSuchKey));
	CHECK(!store_libs3_status_missing(S3StatusErrorNoSuchBucket));
	CHECK(!store_libs3_status_missing(S3StatusOK));
	CHECK(store_libs3_status_answered(S3StatusOK) && store_libs3_status_answered(S3StatusHttpErrorUnknown));
	CHECK(!store_libs3_status_answered(S3StatusAbortedByCallback));
	CHECK_STR(store_libs3_status_name(S3StatusErrorSlowDown), "SlowDown");
	CHECK_STR(store_libs3_status_name(S3StatusFailedToConnect), "FailedToConnect");
	CHECK_STR(store_libs3_status_name(S3StatusHttpErrorNotFound), "HttpErrorNotFound");
	check_verdict(store_libs3_status_broken(), true, S3_RETRY, ERR_UNAVAILABLE, S3_MEND_NOTHING);
}

int
main(void)
{
	test_verdicts();
	test_questions();
	return 0;
}
