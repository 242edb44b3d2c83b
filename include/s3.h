#ifndef S3_H_
#define S3_H_

#include <stdbool.h>
#include <stddef.h>

struct error;
struct store;

/*
 * Repositories in S3-compatible storage: s3://bucket[/prefix].
 *
 * What is not set here comes from the environment and the files that AWS's own tools read (AWS_ENDPOINT_URL_S3,
 * AWS_ENDPOINT_URL, AWS_REGION, AWS_DEFAULT_REGION, AWS_PROFILE, AWS_CA_BUNDLE, AWS_SHARED_CREDENTIALS_FILE,
 * AWS_CONFIG_FILE), then from defaults.
 */
struct s3_settings {
	const char *endpoint; /* URL; NULL: environment, profile, then AWS in the region */
	const char *region; /* NULL: environment, profile, then what the endpoint says */
	const char *profile; /* NULL: environment, then "default" */
	const char *addressing; /* "auto" (NULL), "path" or "virtual" */
	const char *ca_file, *client_cert, *client_key; /* PEM */
	bool insecure_tls; /* accept any certificate */
	const char *storage_class; /* of data packs */
	const char *sse; /* "AES256", "aws:kms" or "aws:kms:dsse" */
	const char *sse_kms_key; /* key id or ARN; implies aws:kms */
	const char *sse_customer_key_file; /* 32 raw bytes, or their base64 */
	const char *const *tags; /* "KEY=VALUE", at most 10, put on every object */
	size_t ntags;
	bool requester_pays;
	const char *checksum; /* of uploads: "sha256", "md5" (that, too), "crc32c" (of packs, over TLS), or "auto"
			       * (NULL): crc32c where doctor has seen that the endpoint checks it, otherwise sha256 */
	unsigned retry_s; /* how long a call is tried again before ERR_UNAVAILABLE; 0: 300 s */
	unsigned first_answer_s; /* the same until the endpoint has answered once, which it may never do; 0: 20 s */
	unsigned stall_s; /* an exchange that stands still for so long is tried again; 0: 60 s */
};

/*
 * Open a bucket's prefix as a store.  Nothing is sent yet but what finding the region and credentials takes.  The
 * bucket must exist.  ERR_USAGE when the place or a setting is wrong, ERR_DENIED when there are no credentials.
 */
int s3_open(const char *place, const struct s3_settings *, struct store **out, struct error *);

/*
 * The same over libs3, for endpoints that speak Signature Version 2 alone: libs3+http://host:port/bucket[/prefix]. Only
 * in programs that were configured --with-libs3.  Credentials come from where they come for s3_open(), but with libs3
 * 2.0 must not have a session token, and libs3+https:// is not possible; of the settings region, profile and retry_s
 * are heeded.  ERR_UNSUPPORTED for all others.  There is no conditional put: of several who put the same key at the
 * same moment more than one may succeed.  store_end() waits for requests that stand still, for up to 15 s.
 */
int store_libs3_open(const char *place, const struct s3_settings *, struct store **out, struct error *);

#endif
