/* XML that no honest server sends is refused, and costs a bounded amount of memory. */
#include "s3_xml.h"

#include <sys/resource.h>
#include <unistd.h>

#include "buf.h"
#include "check.h"
#include "cleanup.h"

/* Sanitizers need memory of their own. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif

enum { BODY_MAX = 64 * 1024 * 1024 };

#define DECLARATION "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
#define OBJECT(key) \
	"<Contents><Key>" key "</Key><LastModified>2026-11-24T13:00:00.000Z</LastModified><Size>7</Size></Contents>"
#define LIST(inside) "<ListBucketResult>" inside "</ListBucketResult>"

/* A copy of exactly the body's length, so that reading past its end is seen. */
static void *
exact(const char *text, size_t len)
{
	void *copy = malloc(len > 0 ? len : 1);

	CHECK(copy != NULL);
	if (len > 0)
		memcpy(copy, text, len);
	return copy;
}

static int
parse_list(const char *text, size_t len, struct s3_xml_list *out, struct error *err)
{
	void *body = exact(text, len);
	int r;

	*err = (struct error){.msg = ""};
	r = s3_xml_list(body, len, out, err);
	free(body);
	CHECK(r == 0 || (r == err->code && err->msg[0] != '\0'));
	return r;
}

static int
list_text(const char *text, struct s3_xml_list *out, struct error *err)
{
	return parse_list(text, strlen(text), out, err);
}

static bool
parse_error(const char *text, size_t len, struct s3_xml_error *out)
{
	void *body = exact(text, len);
	bool is = s3_xml_error(body, len, out);

	free(body);
	return is;
}

/* A Size of one object does not count for the next. */
#define WITHOUT_SIZE "<Contents><Key>k</Key><LastModified>2026-11-24T13:00:00.000Z</LastModified></Contents>"

static void
test_list_refused(void)
{
	static const char *const bodies[] = {
	    "",
	    " ",
	    "x",
	    "<",
	    "<ListBucketResult>",
	    "<ListBucketResult></Liste>",
	    "<html/>",
	    "<Error><Code>NoSuchBucket</Code></Error>",
	    "<a><ListBucketResult/></a>",
	    "<ListBucketResult/><ListBucketResult/>",
	    /* Incomplete objects. */
	    LIST("<Contents/>"),
	    LIST(OBJECT("a") WITHOUT_SIZE),
	    LIST("<Contents><Size>1</Size><LastModified>2026-01-01T00:00:00Z</LastModified></Contents>"),
	    LIST("<Contents><Key>k</Key><Size>1</Size></Contents>"),
	    LIST("<Contents><Key>k</Key><Size>1</Size><LastModified>2026-01-01T00:00:00Z</LastModified>"),
	    /* Their values. */
	    LIST("<Contents><Size>-1</Size></Contents>"),
	    LIST("<Contents><Size></Size></Contents>"),
	    LIST("<Contents><Size>1e3</Size></Contents>"),
	    LIST("<Contents><Size> 1</Size></Contents>"),
	    LIST("<Contents><Size>1000000000000000000</Size></Contents>"),
	    LIST("<Contents><LastModified>yesterday</LastModified></Contents>"),
	    LIST("<Contents><LastModified>2026-02-30T00:00:00Z</LastModified></Contents>"),
	    /* What XML forbids: undeclared entities, control characters, bytes that are no UTF-8. */
	    LIST(OBJECT("&nbsp;")),
	    LIST(OBJECT("&#0;")),
	    LIST(OBJECT("&#1;")),
	    LIST(OBJECT("\x01")),
	    LIST(OBJECT("\xFF")),
	    LIST(OBJECT("\xC3")),
	    LIST(OBJECT("\xED\xA0\x80")),
	    "<?xml version=\"1.0\" encoding=\"klingon\"?><ListBucketResult/>",
	    /* Document types: entities that grow, or that fetch. */
	    "<!DOCTYPE ListBucketResult><ListBucketResult/>",
	    "<!DOCTYPE x [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;&a;&a;&a;&a;&a;\">]>" LIST(OBJECT("&b;")),
	    "<!DOCTYPE x SYSTEM \"file:///etc/passwd\">" LIST(OBJECT("k")),
	    "<!DOCTYPE x [<!ENTITY a SYSTEM \"file:///etc/passwd\">]>" LIST(OBJECT("&a;")),
	};
	struct s3_xml_list l;
	struct error err;

	for (size_t i = 0; i < COUNT_OF(bodies); i++) {
		CHECK_INT(list_text(bodies[i], &l, &err), ERR_CORRUPT);
		s3_xml_list_wipe(&l);
	}
	CHECK_INT(parse_list("<ListBucketResult>\0</ListBucketResult>", 38, &l, &err), ERR_CORRUPT);
	s3_xml_list_wipe(&l);
	CHECK_INT(s3_xml_list(NULL, 0, &l, &err), ERR_CORRUPT);
	s3_xml_list_wipe(&l);
}

/* ---- too much of something ---- */

static void
repeat(struct buf *b, const char *text, size_t times)
{
	for (size_t i = 0; i < times; i++)
		buf_put(b, text, strlen(text));
}

static int
list_of(struct buf *b)
{
	struct s3_xml_list l;
	struct error err;
	int r;

	CHECK_OK(buf_check(b, "body", &err), &err);
	r = parse_list((char *)b->data, b->len, &l, &err);
	s3_xml_list_wipe(&l);
	return r;
}

static void
test_deep(void)
{
	CLEANUP(buf_free) struct buf b = BUF_INIT(BODY_MAX);

	repeat(&b, "<a>", 15);
	repeat(&b, "</a>", 15);
	CHECK_INT(list_of(&b), ERR_CORRUPT); /* no list, though not too deep */
	buf_reset(&b);
	buf_printf(&b, "<ListBucketResult>");
	repeat(&b, "<a>", 15);
	repeat(&b, "</a>", 15);
	buf_printf(&b, "</ListBucketResult>");
	CHECK_INT(list_of(&b), 0);
	buf_reset(&b);
	buf_printf(&b, "<ListBucketResult>");
	repeat(&b, "<a>", 16);
	repeat(&b, "</a>", 16);
	buf_printf(&b, "</ListBucketResult>");
	CHECK_INT(list_of(&b), ERR_CORRUPT);
	buf_reset(&b);
	repeat(&b, "<a>", 1000000);
	CHECK_INT(list_of(&b), ERR_CORRUPT);
}

/* Names so long that the path has no room for them, of elements with and without an end of their own. */
static void
test_long_names(void)
{
	static const char *const forms[] = {"/>", "></%s>", " a=\"b\"/>"};
	CLEANUP(buf_free) struct buf b = BUF_INIT(BODY_MAX), name = BUF_INIT(BODY_MAX);
	struct s3_xml_error e;

	repeat(&name, "n", 600);
	buf_u8(&name, 0);
	for (size_t i = 0; i < COUNT_OF(forms); i++) {
		buf_reset(&b);
		buf_printf(&b, "<%s%s", (char *)name.data, i == 1 ? "></n>" : forms[i]);
		CHECK_INT(list_of(&b), ERR_CORRUPT);
		CHECK(!parse_error((char *)b.data, b.len, &e));
		buf_reset(&b);
		buf_printf(
		    &b, "<ListBucketResult><%s%s</ListBucketResult>", (char *)name.data, i == 1 ? "></n>" : forms[i]);
		CHECK_INT(list_of(&b), ERR_CORRUPT);
	}
	/* Attributes are of no interest, however many there are. */
	buf_reset(&b);
	buf_printf(&b, "<ListBucketResult");
	for (int i = 0; i < 2000; i++)
		buf_printf(&b, " a%d=\"%d\"", i, i);
	buf_printf(&b, "/>");
	CHECK_INT(list_of(&b), 0);
}

/* A text of the given length where a key is, or something unknown. */
static void
long_text(struct buf *b, bool is_key, size_t len)
{
	buf_reset(b);
	buf_printf(b, "<ListBucketResult>%s",
	    is_key ? "<Contents><Size>1</Size><LastModified>2026-01-01T00:00:00Z</LastModified><Key>" : "<Thing>");
	repeat(b, "t", len);
	buf_printf(b, "%s</ListBucketResult>", is_key ? "</Key></Contents>" : "</Thing>");
}

static void
test_long_texts(void)
{
	CLEANUP(buf_free) struct buf b = BUF_INIT(BODY_MAX);
	bool is_key = false;

	do {
		is_key = !is_key;
		long_text(&b, is_key, 4096);
		CHECK_INT(list_of(&b), 0);
		long_text(&b, is_key, 4097);
		CHECK_INT(list_of(&b), ERR_CORRUPT);
		long_text(&b, is_key, 5000000);
		CHECK_INT(list_of(&b), ERR_CORRUPT);
	} while (is_key);
}

/* How much memory the process has ever had, in KiB. */
static long
peak_kib(void)
{
	struct rusage usage;

	CHECK(getrusage(RUSAGE_SELF, &usage) == 0);
	return usage.ru_maxrss;
}

static void
test_many_objects(void)
{
	CLEANUP(buf_free) struct buf b = BUF_INIT(BODY_MAX);

	buf_printf(&b, "<ListBucketResult>");
	repeat(&b, OBJECT("k"), S3_XML_ITEMS_MAX);
	buf_printf(&b, "</ListBucketResult>");
	CHECK_INT(list_of(&b), 0);
	b.len -= strlen("</ListBucketResult>");
	buf_printf(&b, OBJECT("k") "</ListBucketResult>");
	CHECK_INT(list_of(&b), ERR_CORRUPT);
}

/* What is given many times costs no more than the body that it came in: 32 MiB of it at most twice. */
static void
test_memory(void)
{
	static const char *const units[] = {"<Contents><Key>kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk</Key>",
	    "<NextContinuationToken>t</NextContinuationToken>", "<a/>", "t", "<Contents>"};
	long before = peak_kib();

	for (size_t i = 0; i < COUNT_OF(units); i++) {
		CLEANUP(buf_free) struct buf b = BUF_INIT(BODY_MAX);

		buf_printf(&b, "<ListBucketResult>");
		repeat(&b, units[i], (size_t)(8 * 1024 * 1024) / strlen(units[i]));
		(void)list_of(&b);
	}
#ifndef SANITIZED
	CHECK(peak_kib() - before < 64 * 1024);
#endif
	(void)before;
}

/* ---- deletions ---- */

/* Append "KEY=CODE " */
static int
note_failed(void *arg, const char *key, const char *code, struct error *err)
{
	(void)err;
	buf_printf(arg, "%s=%s ", key, code);
	return 0;
}

static int
parse_deleted(const char *text, s3_xml_failed_fn *fn, void *arg, struct error *err)
{
	size_t len = strlen(text);
	void *body = exact(text, len);
	int r = s3_xml_deleted(body, len, fn, arg, err);

	free(body);
	return r;
}

static void
test_deleted_refused(void)
{
	static const char *const bodies[] = {"", "x", "<DeleteResult>", "<Error><Key>a</Key><Code>b</Code></Error>",
	    "<a><DeleteResult/></a>", "<!DOCTYPE DeleteResult><DeleteResult/>", "<html/>", LIST("")};
	CLEANUP(buf_free) struct buf b = BUF_INIT(1000), many = BUF_INIT(BODY_MAX);
	struct error err;

	for (size_t i = 0; i < COUNT_OF(bodies); i++)
		CHECK_INT(parse_deleted(bodies[i], note_failed, &b, &err), ERR_CORRUPT);
	CHECK_INT(b.len, 0);
	buf_printf(&many, "<DeleteResult>");
	repeat(&many, "<Error><Key>a</Key></Error>", S3_XML_ITEMS_MAX + 1);
	buf_printf(&many, "</DeleteResult>%c", 0);
	CHECK_INT(parse_deleted((char *)many.data, note_failed, &b, &err), ERR_CORRUPT);
}

static const char good_list[] = DECLARATION LIST("<NextContinuationToken>t</NextContinuationToken>"
						 "<IsTruncated>true</IsTruncated>" OBJECT("p/a&amp;b"));
static const char good_deleted[] = DECLARATION "<DeleteResult><Deleted><Key>a</Key></Deleted><Error><Key>b&amp;c</Key>"
					       "<Code>AccessDenied</Code></Error></DeleteResult>";

/* Bodies that are cut anywhere, or have a bit turned, are refused or read; nothing else happens. */
static void
test_damage(void)
{
	static const char *const bodies[] = {good_list, good_deleted};
	uint64_t random = 1;

	for (size_t i = 0; i < COUNT_OF(bodies); i++) {
		size_t len = strlen(bodies[i]);

		for (size_t n = 0; n < len; n++) {
			CLEANUP(buf_free) struct buf b = BUF_INIT(10000), keys = BUF_INIT(10000);
			struct s3_xml_list l;
			struct s3_xml_error e;
			struct error err;

			CHECK_INT(parse_list(bodies[i], n, &l, &err), ERR_CORRUPT);
			s3_xml_list_wipe(&l);
			buf_put(&b, bodies[i], len);
			b.data[n] ^= (uint8_t)(1 << check_random(&random) % 8);
			(void)parse_list((char *)b.data, b.len, &l, &err);
			s3_xml_list_wipe(&l);
			(void)s3_xml_deleted(b.data, b.len, note_failed, &keys, &err);
			(void)parse_error((char *)b.data, b.len, &e);
		}
	}
}

int
main(void)
{
	(void)alarm(60);
	test_memory();
	test_list_refused();
	test_deep();
	test_long_names();
	test_long_texts();
	test_many_objects();
	test_deleted_refused();
	test_damage();
	return 0;
}
