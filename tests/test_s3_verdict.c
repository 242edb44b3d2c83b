/* What an answer means: each word and each status that servers are known to use, and how long to wait. */
#include <unistd.h>

#include "check.h"
#include "cleanup.h"
#include "s3_internal.h"

static void
check_verdict(int status, const char *code, bool of_object, enum s3_action action, enum error_code error, unsigned mend)
{
	struct s3_verdict v = s3_verdict(status, code, of_object);

	if (v.action != action || v.code != error || v.mend != mend)
		fprintf(stderr, "at: %d %s\n", status, code);
	CHECK_INT(v.action, action);
	CHECK_INT(v.code, error);
	CHECK_INT(v.mend, mend);
}

static void
test_done(void)
{
	check_verdict(200, "", true, S3_DONE, ERR_UNAVAILABLE, S3_MEND_NOTHING);
	check_verdict(204, "", false, S3_DONE, ERR_UNAVAILABLE, S3_MEND_NOTHING);
	check_verdict(206, "", true, S3_DONE, ERR_UNAVAILABLE, S3_MEND_NOTHING);
	/* An error inside of a success. */
	check_verdict(200, "InternalError", true, S3_RETRY, ERR_UNAVAILABLE, S3_MEND_NOTHING);
	check_verdict(200, "NeverHeardOf", false, S3_RETRY, ERR_UNAVAILABLE, S3_MEND_NOTHING);
}

static void
test_words(void)
{
	static const struct {
		int status;
		const char *code;
		enum s3_action action;
		enum error_code error;
		unsigned mend;
	} cases[] = {
	    {403, "AccessDenied", S3_FAIL, ERR_DENIED, S3_MEND_NOTHING},
	    {403, "InvalidAccessKeyId", S3_FAIL, ERR_DENIED, S3_MEND_NOTHING},
	    {403, "UserSuspended", S3_FAIL, ERR_DENIED, S3_MEND_NOTHING},
	    {403, "SignatureDoesNotMatch", S3_FAIL, ERR_DENIED, S3_MEND_AGAIN},
	    {400, "AuthorizationHeaderMalformed", S3_FAIL, ERR_DENIED, S3_MEND_REGION},
	    {301, "PermanentRedirect", S3_FAIL, ERR_UNSUPPORTED, S3_MEND_REGION},
	    {307, "TemporaryRedirect", S3_RETRY, ERR_UNSUPPORTED, S3_MEND_REGION},
	    {403, "RequestTimeTooSkewed", S3_FAIL, ERR_DENIED, S3_MEND_CLOCK},
	    {400, "ExpiredToken", S3_FAIL, ERR_DENIED, S3_MEND_CREDENTIALS},
	    {400, "TokenRefreshRequired", S3_FAIL, ERR_DENIED, S3_MEND_CREDENTIALS},
	    {400, "BadDigest", S3_RETRY, ERR_UNAVAILABLE, S3_MEND_NOTHING},
	    {400, "XAmzContentSHA256Mismatch", S3_RETRY, ERR_UNAVAILABLE, S3_MEND_NOTHING},
	    {400, "IncompleteBody", S3_RETRY, ERR_UNAVAILABLE, S3_MEND_NOTHING},
	    {400, "RequestTimeout", S3_RETRY, ERR_UNAVAILABLE, S3_MEND_NOTHING},
	    {409, "ConditionalRequestConflict", S3_RETRY, ERR_UNAVAILABLE, S3_MEND_NOTHING},
	    {409, "OperationAborted", S3_RETRY, ERR_UNAVAILABLE, S3_MEND_NOTHING},
	    {500, "InternalError", S3_RETRY, ERR_UNAVAILABLE, S3_MEND_NOTHING},
	    {503, "ServiceUnavailable", S3_RETRY_SLOWER, ERR_UNAVAILABLE, S3_MEND_NOTHING},
	    {503, "SlowDown", S3_RETRY_SLOWER, ERR_UNAVAILABLE, S3_MEND_NOTHING},
	    {400, "ThrottlingException", S3_RETRY_SLOWER, ERR_UNAVAILABLE, S3_MEND_NOTHING},
	    {404, "NoSuchKey", S3_FAIL, ERR_NOT_FOUND, S3_MEND_NOTHING},
	    {404, "NoSuchBucket", S3_FAIL, ERR_NO_REPOSITORY, S3_MEND_NOTHING},
	    {403, "QuotaExceeded", S3_FAIL, ERR_SYSTEM, S3_MEND_NOTHING},
	    {503, "InsufficientCapacity", S3_FAIL, ERR_SYSTEM, S3_MEND_NOTHING},
	    {403, "InvalidObjectState", S3_FAIL, ERR_UNSUPPORTED, S3_MEND_NOTHING},
	    {412, "PreconditionFailed", S3_FAIL, ERR_EXISTS, S3_MEND_NOTHING},
	    {416, "InvalidRange", S3_FAIL, ERR_CORRUPT, S3_MEND_NOTHING},
	    {501, "NotImplemented", S3_FAIL, ERR_UNSUPPORTED, S3_MEND_NOTHING},
	    {405, "MethodNotAllowed", S3_FAIL, ERR_UNSUPPORTED, S3_MEND_NOTHING},
	    {400, "InvalidStorageClass", S3_FAIL, ERR_UNSUPPORTED, S3_MEND_NOTHING},
	    /* A word that nobody knows: the number decides. */
	    {503, "Aiee", S3_RETRY_SLOWER, ERR_UNAVAILABLE, S3_MEND_NOTHING},
	};

	for (size_t i = 0; i < COUNT_OF(cases); i++)
		check_verdict(cases[i].status, cases[i].code, true, cases[i].action, cases[i].error, cases[i].mend);
}

static void
test_numbers(void)
{
	static const struct {
		int status;
		enum s3_action action;
		enum error_code error;
		unsigned mend;
	} cases[] = {
	    {300, S3_FAIL, ERR_UNSUPPORTED, S3_MEND_REGION},
	    {301, S3_FAIL, ERR_UNSUPPORTED, S3_MEND_REGION},
	    {307, S3_FAIL, ERR_UNSUPPORTED, S3_MEND_REGION},
	    {399, S3_FAIL, ERR_UNSUPPORTED, S3_MEND_REGION},
	    {400, S3_FAIL, ERR_UNSUPPORTED, S3_MEND_NOTHING},
	    {401, S3_FAIL, ERR_DENIED, S3_MEND_NOTHING},
	    {403, S3_FAIL, ERR_DENIED, S3_MEND_NOTHING},
	    {405, S3_FAIL, ERR_UNSUPPORTED, S3_MEND_NOTHING},
	    {408, S3_RETRY, ERR_UNAVAILABLE, S3_MEND_NOTHING},
	    {409, S3_RETRY, ERR_UNAVAILABLE, S3_MEND_NOTHING},
	    {411, S3_FAIL, ERR_UNSUPPORTED, S3_MEND_NOTHING},
	    {412, S3_FAIL, ERR_EXISTS, S3_MEND_NOTHING},
	    {416, S3_FAIL, ERR_CORRUPT, S3_MEND_NOTHING},
	    {425, S3_RETRY, ERR_UNAVAILABLE, S3_MEND_NOTHING},
	    {429, S3_RETRY_SLOWER, ERR_UNAVAILABLE, S3_MEND_NOTHING},
	    {500, S3_RETRY, ERR_UNAVAILABLE, S3_MEND_NOTHING},
	    {501, S3_FAIL, ERR_UNSUPPORTED, S3_MEND_NOTHING},
	    {502, S3_RETRY, ERR_UNAVAILABLE, S3_MEND_NOTHING},
	    {503, S3_RETRY_SLOWER, ERR_UNAVAILABLE, S3_MEND_NOTHING},
	    {504, S3_RETRY, ERR_UNAVAILABLE, S3_MEND_NOTHING},
	    {505, S3_FAIL, ERR_UNSUPPORTED, S3_MEND_NOTHING},
	    {507, S3_FAIL, ERR_SYSTEM, S3_MEND_NOTHING},
	    {509, S3_RETRY_SLOWER, ERR_UNAVAILABLE, S3_MEND_NOTHING},
	    {999, S3_FAIL, ERR_UNSUPPORTED, S3_MEND_NOTHING},
	};

	for (size_t i = 0; i < COUNT_OF(cases); i++)
		check_verdict(cases[i].status, "", true, cases[i].action, cases[i].error, cases[i].mend);
	check_verdict(404, "", true, S3_FAIL, ERR_NOT_FOUND, S3_MEND_NOTHING);
	check_verdict(404, "", false, S3_FAIL, ERR_NO_REPOSITORY, S3_MEND_NOTHING);
}

/* The longest pause before each try: doubled up to 20 s. */
static void
test_pause(void)
{
	static const unsigned most[] = {100, 100, 200, 400, 800, 1600, 3200, 6400, 12800, 20000, 20000, 20000};
	static const unsigned slower[] = {500, 500, 1000, 2000, 4000, 8000, 16000, 20000, 20000, 20000, 20000, 20000};

	for (unsigned n = 0; n < COUNT_OF(most); n++) {
		CHECK_INT(s3_pause_ms(n, false, UINT32_MAX), most[n] - 1);
		CHECK_INT(s3_pause_ms(n, true, UINT32_MAX), slower[n] - 1);
		CHECK_INT(s3_pause_ms(n, false, UINT32_C(1) << 31), most[n] / 2);
		CHECK_INT(s3_pause_ms(n, true, 0), 0);
	}
	CHECK_INT(s3_pause_ms(UINT32_MAX, true, UINT32_MAX), 19999);
}

static void
test_retry_after(void)
{
	static const struct {
		const char *value;
		unsigned want_ms;
	} cases[] = {
	    {"", 0},
	    {"0", 0},
	    {"1", 1000},
	    {"007", 7000},
	    {"60", 60000},
	    {"61", 60000},
	    {"3600", 60000},
	    {"99999999999999999999999999999999", 60000},
	    {"-1", 0},
	    {"1.5", 0},
	    {"soon", 0},
	    {" ", 0},
	    /* now_s is five seconds before this. */
	    {"Sun, 06 Nov 1994 08:49:37 GMT", 5000},
	    {"Sunday, 06-Nov-94 08:49:37 GMT", 5000},
	    {"Sun Nov  6 08:49:37 1994", 5000},
	    {"Sun, 06 Nov 1994 08:49:32 GMT", 0},
	    {"Sun, 06 Nov 1994 08:49:31 GMT", 0},
	    {"Thu, 01 Jan 1970 00:00:00 GMT", 0},
	    {"Sun, 06 Nov 1994 09:49:37 GMT", 60000},
	    {"Fri, 31 Dec 9999 23:59:59 GMT", 60000},
	    {"Sun, 06 Nov 1994 08:49:37 CET", 0},
	};

	for (size_t i = 0; i < COUNT_OF(cases); i++)
		CHECK_INT(s3_retry_after_ms(cases[i].value, 784111777 - 5), cases[i].want_ms);
}

int
main(void)
{
	(void)alarm(60);
	test_done();
	test_words();
	test_numbers();
	test_pause();
	test_retry_after();
	return 0;
}
