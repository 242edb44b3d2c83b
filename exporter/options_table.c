/*
 * The table of options, and the help that is made from it.
 */
#include <stddef.h>
#include <stdio.h>

#include "cleanup.h"
#include "options_internal.h"

#define BIT(c)  (1u << (c))
#define ALL     (BIT(CMD_COUNT) - 1)
#define READING (BIT(CMD_IMPORT) | BIT(CMD_SHOW) | BIT(CMD_LS) | BIT(CMD_TAR) | BIT(CMD_VERIFY) | BIT(CMD_DIFF))
#define MOVING  (BIT(CMD_EXPORT) | BIT(CMD_IMPORT) | BIT(CMD_VERIFY))

const struct option_spec option_specs[] = {
#define IN(member) offsetof(struct options, member)
    {'r', "repository", "REPO", K_TEXT, IN(repository), ALL,
	"a path, file:///path or s3://bucket/prefix [$SNAPFERRY_REPOSITORY]", 0, 0},
    {'V', "volume", "NAME", K_TEXT, IN(volume), ALL & ~(BIT(CMD_INIT) | BIT(CMD_DOCTOR)),
	"the volume's name in the repository", 0, 0},
    {'s', "snapshot", "SNAPSHOT", K_TEXT, IN(snapshot), READING & ~BIT(CMD_DIFF),
	"an id, a unique prefix of one, latest, or a time", 0, 0},
    {0, "block", NULL, K_FLAG, IN(block), BIT(CMD_EXPORT) | BIT(CMD_IMPORT),
	"a device or image file instead of a folder", 0, 0},
    {0, "tag", "K=V", K_TAG, 0, BIT(CMD_EXPORT), "keep this with the snapshot (repeatable)", 0, 0},
    {0, "include", "GLOB", K_LIST, IN(includes), BIT(CMD_IMPORT) | BIT(CMD_TAR),
	"only what matches, and all below it (repeatable)", 0, 0},
    {0, "exclude", "GLOB", K_LIST, IN(excludes), BIT(CMD_EXPORT) | BIT(CMD_IMPORT) | BIT(CMD_TAR),
	"leave out what matches, and all below it (repeatable)", 0, 0},
    {0, "overwrite", NULL, K_FLAG, IN(overwrite), BIT(CMD_IMPORT), "the target may hold data, which is replaced", 0, 0},
    {0, "no-devices", NULL, K_FLAG, IN(no_devices), BIT(CMD_IMPORT), "do not create device nodes", 0, 0},
    {0, "cross-file-systems", NULL, K_FLAG, IN(cross_file_systems), BIT(CMD_EXPORT),
	"also what is mounted below SOURCE", 0, 0},
    {0, "ignore-inode", NULL, K_FLAG, IN(ignore_inode), BIT(CMD_EXPORT),
	"inode numbers are not stable: do not compare them", 0, 0},
    {0, "full", NULL, K_FLAG, IN(full), BIT(CMD_EXPORT), "read every file, changed or not", 0, 0},
    {'l', "long", NULL, K_FLAG, IN(long_listing), BIT(CMD_LS) | BIT(CMD_LIST), "with details", 0, 0},
    {'R', "recursive", NULL, K_FLAG, IN(recursive), BIT(CMD_LS), "also everything below", 0, 0},
    {0, "quick", NULL, K_FLAG, IN(quick), BIT(CMD_DIFF), "compare sizes and times, do not read files", 0, 0},
    {0, "level", "0-4", K_NUMBER, IN(level), BIT(CMD_VERIFY), "how deep (default 2)", 0, 4},
    {0, "sample", "PERCENT", K_PERCENT, IN(sample), BIT(CMD_VERIFY), "of the packs, at levels 3 and 4 (default 100)", 0,
	0},
    {0, "new-key-file", "FILE", K_TEXT, IN(new_key_file), BIT(CMD_INIT), "make a random key and write it to FILE", 0,
	0},
    {0, "label", "TEXT", K_TEXT, IN(label), BIT(CMD_INIT), "a name for the key slot", 0, 0},
    {0, "compression", "LEVEL", K_COMPRESSION, 0, BIT(CMD_EXPORT), "zstd level -7 to 19, or none (default 1)", 0, 0},
    {0, "threads", "N", K_NUMBER, IN(threads), MOVING, "threads that compute (default: one a core)", 1, 256},
    {0, "connections", "N", K_NUMBER, IN(connections), MOVING | BIT(CMD_TAR) | BIT(CMD_LIST),
	"transfers at the same time", 1, 256},
    {0, "max-memory", "SIZE", K_SIZE, IN(max_memory), MOVING, "ceiling of memory, as 128M", 0, 0},
    {0, "limit-upload", "RATE", K_SIZE, IN(limit_upload), BIT(CMD_EXPORT), "bytes a second, as 50M", 0, 0},
    {0, "limit-download", "RATE", K_SIZE, IN(limit_download), READING, "bytes a second, as 50M", 0, 0},
    {'n', "dry-run", NULL, K_FLAG, IN(dry_run), BIT(CMD_EXPORT) | BIT(CMD_IMPORT),
	"tell what would be done, write nothing", 0, 0},
    {0, "password-file", "FILE", K_TEXT, IN(password_file), ALL & ~BIT(CMD_DOCTOR),
	"the passphrase is its first line [$SNAPFERRY_PASSWORD_FILE]", 0, 0},
    {0, "key-file", "FILE", K_TEXT, IN(key_file), ALL & ~BIT(CMD_DOCTOR),
	"a raw key instead of a passphrase [$SNAPFERRY_KEY_FILE]", 0, 0},
    {0, "json", NULL, K_FLAG, IN(json), ALL, "JSON Lines on standard output", 0, 0},
    {'q', "quiet", NULL, K_FLAG, IN(quiet), ALL, "no progress and no notes", 0, 0},
    {'v', "verbose", NULL, K_FLAG, IN(verbose), ALL, "every warning and note", 0, 0},
    {'h', "help", NULL, K_FLAG, IN(help), ALL, "this text", 0, 0},
    /* For buckets: told apart in the help. */
    {0, "endpoint", "URL", K_TEXT, IN(s3.endpoint), ALL, "the server [$AWS_ENDPOINT_URL_S3, $AWS_ENDPOINT_URL]", 0, 0},
    {0, "region", "NAME", K_TEXT, IN(s3.region), ALL, "[$AWS_REGION]", 0, 0},
    {0, "profile", "NAME", K_TEXT, IN(s3.profile), ALL, "of the AWS configuration files [$AWS_PROFILE]", 0, 0},
    {0, "addressing", "STYLE", K_TEXT, IN(s3.addressing), ALL, "auto, path or virtual: where the bucket's name goes", 0,
	0},
    {0, "ca-file", "FILE", K_TEXT, IN(s3.ca_file), ALL, "trust these certificates [$AWS_CA_BUNDLE]", 0, 0},
    {0, "client-cert", "FILE", K_TEXT, IN(s3.client_cert), ALL, "show this certificate to the server", 0, 0},
    {0, "client-key", "FILE", K_TEXT, IN(s3.client_key), ALL, "its private key", 0, 0},
    {0, "insecure-tls", NULL, K_FLAG, IN(s3.insecure_tls), ALL, "trust any server: anybody may listen", 0, 0},
    {0, "requester-pays", NULL, K_FLAG, IN(s3.requester_pays), ALL, "the bucket's owner has us pay", 0, 0},
    {0, "customer-key-file", "FILE", K_TEXT, IN(s3.sse_customer_key_file), ALL,
	"also encrypted by the server with this key (SSE-C)", 0, 0},
    {0, "storage-class", "CLASS", K_TEXT, IN(s3.storage_class), BIT(CMD_EXPORT), "of data packs, as STANDARD_IA", 0, 0},
    {0, "sse", "KIND", K_TEXT, IN(s3.sse), BIT(CMD_INIT) | BIT(CMD_EXPORT) | BIT(CMD_DOCTOR),
	"also encrypted by the server: AES256, aws:kms or aws:kms:dsse", 0, 0},
    {0, "sse-kms-key", "ID", K_TEXT, IN(s3.sse_kms_key), BIT(CMD_INIT) | BIT(CMD_EXPORT) | BIT(CMD_DOCTOR),
	"with this key of the server's KMS", 0, 0},
    {0, "object-tag", "K=V", K_LIST, IN(object_tags), BIT(CMD_INIT) | BIT(CMD_EXPORT) | BIT(CMD_DOCTOR),
	"put on every object (repeatable)", 0, 0},
    {0, "checksum", "KIND", K_TEXT, IN(s3.checksum), BIT(CMD_INIT) | BIT(CMD_EXPORT) | BIT(CMD_DOCTOR),
	"of uploads: auto, sha256, md5 or crc32c", 0, 0},
    {0, "retry-time", "SECONDS", K_NUMBER, IN(s3.retry_s), ALL, "how long a request is tried again (default 300)", 1,
	86400},
    {0, "stall-time", "SECONDS", K_NUMBER, IN(s3.stall_s), ALL,
	"a transfer that stands still for so long is begun again (default 60)", 1, 3600},
#undef IN
};

_Static_assert(COUNT_OF(option_specs) <= OPTIONS_TABLE_MAX, "the parser has room for all options");
const size_t option_count = COUNT_OF(option_specs);

static void
help_option(const struct option_spec *s)
{
	char left[64];

	(void)snprintf(left, sizeof left, "%s%c%s--%s%s%s", s->letter == 0 ? "  " : "-",
	    s->letter == 0 ? ' ' : s->letter, s->letter == 0 ? " " : ", ", s->name, s->argument == NULL ? "" : " ",
	    s->argument == NULL ? "" : s->argument);
	(void)printf("  %-28s %s\n", left, s->help);
}

static bool
is_for_buckets(const struct option_spec *s)
{
	return (s->offset >= offsetof(struct options, s3) &&
		   s->offset < offsetof(struct options, s3) + sizeof(struct s3_settings)) ||
	       s->offset == offsetof(struct options, object_tags);
}

void
options_help(const struct command *c)
{
	(void)printf("Usage: snapferry %s [options]%s%s\n\n%s\n", c->name, *c->arguments == '\0' ? "" : " ",
	    c->arguments, c->description);
	for (int buckets = 0; buckets < 2; buckets++) {
		(void)printf("\n%s:\n", buckets ? "Options for repositories in a bucket" : "Options");
		for (size_t i = 0; i < option_count; i++)
			if (option_is_of(&option_specs[i], c) && is_for_buckets(&option_specs[i]) == (buckets == 1))
				help_option(&option_specs[i]);
	}
}
