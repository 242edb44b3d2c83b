/*
 * What an answer means, and whether to try again.
 *
 * Sources: docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html, and what Ceph RGW and Swift answer.
 */
#include <string.h>

#include "cleanup.h"
#include "s3_internal.h"

struct rule {
	const char *code;
	struct s3_verdict verdict;
};

/* Words decide before numbers: servers agree more on them. */
static const struct rule rules[] = {
    {"AccessDenied", {S3_FAIL, ERR_DENIED, S3_MEND_NOTHING}},
    {"AuthorizationHeaderMalformed", {S3_FAIL, ERR_DENIED, S3_MEND_REGION}},
    {"BadDigest", {S3_RETRY, ERR_UNAVAILABLE, S3_MEND_NOTHING}},
    {"ConditionalRequestConflict", {S3_RETRY, ERR_UNAVAILABLE, S3_MEND_NOTHING}},
    {"ExpiredToken", {S3_FAIL, ERR_DENIED, S3_MEND_CREDENTIALS}},
    {"ExpiredTokenException", {S3_FAIL, ERR_DENIED, S3_MEND_CREDENTIALS}},
    {"IncompleteBody", {S3_RETRY, ERR_UNAVAILABLE, S3_MEND_NOTHING}},
    {"InsufficientCapacity", {S3_FAIL, ERR_SYSTEM, S3_MEND_NOTHING}},
    {"InternalError", {S3_RETRY, ERR_UNAVAILABLE, S3_MEND_NOTHING}},
    {"InvalidObjectState", {S3_FAIL, ERR_UNSUPPORTED, S3_MEND_NOTHING}},
    {"NoSuchBucket", {S3_FAIL, ERR_NO_REPOSITORY, S3_MEND_NOTHING}},
    {"NoSuchKey", {S3_FAIL, ERR_NOT_FOUND, S3_MEND_NOTHING}},
    {"OperationAborted", {S3_RETRY, ERR_UNAVAILABLE, S3_MEND_NOTHING}},
    {"PermanentRedirect", {S3_FAIL, ERR_UNSUPPORTED, S3_MEND_REGION}},
    {"QuotaExceeded", {S3_FAIL, ERR_SYSTEM, S3_MEND_NOTHING}},
    {"RequestExpired", {S3_FAIL, ERR_DENIED, S3_MEND_CLOCK}},
    {"RequestTimeTooSkewed", {S3_FAIL, ERR_DENIED, S3_MEND_CLOCK}},
    {"RequestTimeout", {S3_RETRY, ERR_UNAVAILABLE, S3_MEND_NOTHING}},
    {"ServiceUnavailable", {S3_RETRY_SLOWER, ERR_UNAVAILABLE, S3_MEND_NOTHING}},
    {"SignatureDoesNotMatch", {S3_FAIL, ERR_DENIED, S3_MEND_AGAIN}},
    {"SlowDown", {S3_RETRY_SLOWER, ERR_UNAVAILABLE, S3_MEND_NOTHING}},
    {"TemporaryRedirect", {S3_RETRY, ERR_UNSUPPORTED, S3_MEND_REGION}},
    {"Throttling", {S3_RETRY_SLOWER, ERR_UNAVAILABLE, S3_MEND_NOTHING}},
    {"ThrottlingException", {S3_RETRY_SLOWER, ERR_UNAVAILABLE, S3_MEND_NOTHING}},
    {"TokenRefreshRequired", {S3_FAIL, ERR_DENIED, S3_MEND_CREDENTIALS}},
    {"TooManyRequests", {S3_RETRY_SLOWER, ERR_UNAVAILABLE, S3_MEND_NOTHING}},
    {"XAmzContentSHA256Mismatch", {S3_RETRY, ERR_UNAVAILABLE, S3_MEND_NOTHING}},
};

static struct s3_verdict
by_status(int status, bool of_object)
{
	switch (status) {
	case 401:
	case 403:
		return (struct s3_verdict){S3_FAIL, ERR_DENIED, S3_MEND_NOTHING};
	case 404:
		return (struct s3_verdict){S3_FAIL, of_object ? ERR_NOT_FOUND : ERR_NO_REPOSITORY, S3_MEND_NOTHING};
	case 408:
	case 409:
	case 425:
	case 500:
	case 502:
	case 504:
		return (struct s3_verdict){S3_RETRY, ERR_UNAVAILABLE, S3_MEND_NOTHING};
	case 429:
	case 503:
	case 509:
		return (struct s3_verdict){S3_RETRY_SLOWER, ERR_UNAVAILABLE, S3_MEND_NOTHING};
	case 412:
		return (struct s3_verdict){S3_FAIL, ERR_EXISTS, S3_MEND_NOTHING};
	case 416:
		return (struct s3_verdict){S3_FAIL, ERR_CORRUPT, S3_MEND_NOTHING};
	case 507:
		return (struct s3_verdict){S3_FAIL, ERR_SYSTEM, S3_MEND_NOTHING};
	default:
		if (status >= 300 && status < 400)
			return (struct s3_verdict){S3_FAIL, ERR_UNSUPPORTED, S3_MEND_REGION};
		return (struct s3_verdict){S3_FAIL, ERR_UNSUPPORTED, S3_MEND_NOTHING};
	}
}

struct s3_verdict
s3_verdict(int status, const char *code, bool of_object)
{
	/* 200 with an error inside is an error of the server: the request was understood. */
	if (status >= 200 && status < 300)
		return (struct s3_verdict){code[0] == '\0' ? S3_DONE : S3_RETRY, ERR_UNAVAILABLE, S3_MEND_NOTHING};
	for (size_t i = 0; i < COUNT_OF(rules); i++)
		if (strcmp(rules[i].code, code) == 0)
			return rules[i].verdict;
	return by_status(status, of_object);
}

unsigned
s3_pause_ms(unsigned n, bool slower, uint32_t random)
{
	unsigned most = 100u << MIN(n > 0 ? n - 1 : 0, 8u);

	if (slower)
		most *= 5;
	most = MIN(most, 20000u);
	return (unsigned)(((uint64_t)most * random) >> 32);
}

unsigned
s3_retry_after_ms(const char *value, int64_t now_s)
{
	int64_t s = 0;

	if (*value == '\0')
		return 0;
	if (strspn(value, "0123456789") == strlen(value)) {
		for (const char *p = value; *p != '\0' && s <= 60; p++)
			s = s * 10 + (*p - '0');
	} else {
		s = http_date_parse(value);
		s = s < 0 ? 0 : s - now_s;
	}
	return s <= 0 ? 0 : (unsigned)MIN(s, (int64_t)60) * 1000;
}
