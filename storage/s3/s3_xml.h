#ifndef S3_XML_H_
#define S3_XML_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf;
struct error;

/*
 * What S3 servers answer in XML, read by expat from a whole body.  Unknown elements are passed over; document types,
 * more than 16 levels, texts above 4 KiB and more than S3_XML_ITEMS_MAX items are ERR_CORRUPT.
 */
enum { S3_XML_ITEMS_MAX = 100000 };

/* <Error>.  Texts are "" when they are absent, cut when they are too long. */
struct s3_xml_error {
	char code[64]; /* "NoSuchKey" */
	char message[200];
	char region[64];
	char endpoint[256];
};
/* False when the body is no <Error>: servers and proxies answer in HTML, too, or not at all.  A body that begins like
 * one and is cut counts. */
bool s3_xml_error(const void *body, size_t len, struct s3_xml_error *out);

/* <ListBucketResult>, of both versions. */
struct s3_xml_object {
	size_t key; /* offset of its NUL-terminated text in texts */
	uint64_t size;
	int64_t modified_s;
};
struct s3_xml_list {
	struct s3_xml_object *objects;
	size_t count, capacity;
	char *texts;
	size_t texts_len, texts_size;
	char *token; /* NextContinuationToken, or NULL */
	bool truncated;
	bool url_encoded; /* keys are percent-encoded */
};
/* ERR_CORRUPT when it is no list, or an object lacks its key, size or time.  Keys come out decoded.  Wipe in any
 * case. */
int s3_xml_list(const void *body, size_t len, struct s3_xml_list *out, struct error *);
void s3_xml_list_wipe(struct s3_xml_list *);

/* <DeleteResult>: every <Error> in it is passed on, until fn gives something else than 0, which is returned. */
typedef int s3_xml_failed_fn(void *arg, const char *key, const char *code, struct error *);
int s3_xml_deleted(const void *body, size_t len, s3_xml_failed_fn *fn, void *arg, struct error *);

/* Append text with & < > " and control bytes escaped. */
void s3_xml_escape(struct buf *out, const char *text);

#endif
