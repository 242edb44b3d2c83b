/*
 * The S3 server in memory: listings, and removing many objects.
 */
#include "buf.h"
#include "check.h"
#include "cleanup.h"
#include "s3_server_internal.h"
#include "s3_xml.h"
#include "timetext.h"
#include "uri.h"
#include "wire.h"

enum { TEXT_SIZE = 4096 };

/* ---- listings ---- */

static void
put_key(struct buf *out, const char *key, bool encoded)
{
	if (encoded)
		uri_encode(out, key, false);
	else
		s3_xml_escape(out, key);
}

static void
put_object(struct buf *out, const struct s3_server_object *o, bool encoded)
{
	char modified[TIME_TEXT_LEN];

	time_format(o->modified_s, 0, modified);
	buf_printf(out, "<Contents><Key>");
	put_key(out, o->key, encoded);
	buf_printf(out,
	    "</Key><LastModified>%.19s.000Z</LastModified><ETag>&quot;%zx&quot;</ETag><Size>%zu</Size>"
	    "<StorageClass>STANDARD</StorageClass></Contents>",
	    modified, o->len, o->len);
}

/* Behind which key the page begins: a token is that key in hexadecimal, so that it is not taken for one. */
static void
find_after(const struct s3_server_request *q, bool second, char after[TEXT_SIZE])
{
	char token[2 * TEXT_SIZE];
	size_t n;

	(void)s3_server_query(q, second ? "start-after" : "marker", after, TEXT_SIZE);
	if (!second || *s3_server_query(q, "continuation-token", token, sizeof(token)) == '\0')
		return;
	n = strlen(token) / 2;
	CHECK(n < TEXT_SIZE && hex_decode(after, n, token));
	after[n] = '\0';
}

static void
put_token(struct buf *out, const char *last)
{
	buf_printf(out, "<NextContinuationToken>");
	buf_hex(out, last, strlen(last));
	buf_printf(out, "</NextContinuationToken>");
}

static size_t
page_size(const struct s3_server_rules *rules, const struct s3_server_request *q)
{
	size_t page = rules->page != 0 ? rules->page : 1000;
	char text[32];

	if (rules->ignores_max_keys || *s3_server_query(q, "max-keys", text, sizeof(text)) == '\0')
		return page;
	return MIN(page, (size_t)strtoul(text, NULL, 10));
}

void
s3_server_list(
    struct s3_server *s, const struct s3_server_rules *rules, const struct s3_server_request *q, struct buf *out)
{
	char prefix[TEXT_SIZE], after[TEXT_SIZE], text[TEXT_SIZE];
	bool second = !rules->old_list && *s3_server_query(q, "list-type", text, sizeof(text)) == '2';
	bool encoded = strcmp(s3_server_query(q, "encoding-type", text, sizeof(text)), "url") == 0;
	size_t page = page_size(rules, q), n = 0, last = 0;

	(void)s3_server_query(q, "prefix", prefix, sizeof(prefix));
	find_after(q, second, after);
	buf_printf(out,
	    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<ListBucketResult "
	    "xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Name>" S3_SERVER_BUCKET "</Name>%s",
	    encoded ? "<EncodingType>url</EncodingType>" : "");
	for (size_t i = 0; i < s->count && n <= page; i++) {
		const char *key = s->objects[i].key;

		if (strncmp(key, prefix, strlen(prefix)) != 0 || strcmp(key, after) <= 0)
			continue;
		if (n++ == page)
			break;
		put_object(out, &s->objects[i], encoded);
		last = i;
	}
	buf_printf(out, "<IsTruncated>%s</IsTruncated>", n > page ? "true" : "false");
	if (n > page && second)
		put_token(out, s->objects[last].key);
	buf_printf(out, "</ListBucketResult>");
}

/* ---- removing many ---- */

/* Undo s3_xml_escape(). */
static void
unescape(const char *text, size_t len, char out[TEXT_SIZE])
{
	size_t n = 0;

	for (size_t i = 0; i < len && n + 1 < TEXT_SIZE;) {
		if (strncmp(text + i, "&#", 2) == 0) {
			out[n++] = (char)strtoul(text + i + 2, NULL, 10);
			i += strcspn(text + i, ";") + 1;
		} else {
			out[n++] = text[i++];
		}
	}
	out[n] = '\0';
}

void
s3_server_delete(struct s3_server *s, const struct s3_server_request *q, struct buf *out)
{
	CLEANUP_FREE char *body = strndup((const char *)q->http->body, q->http->body_len);
	char key[TEXT_SIZE];
	size_t count = 0, at;

	CHECK(body != NULL && strstr(body, "<Quiet>true</Quiet>") != NULL);
	for (char *p = strstr(body, "<Key>"); p != NULL; p = strstr(p, "<Key>")) {
		char *end = strstr(p, "</Key>");

		CHECK(end != NULL && ++count <= 1000);
		unescape(p + 5, (size_t)(end - p) - 5, key);
		if (s3_server_find(s, key, &at))
			s3_server_drop(s, at);
		p = end;
	}
	buf_printf(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?><DeleteResult></DeleteResult>");
}
