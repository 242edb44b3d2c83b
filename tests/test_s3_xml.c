/* What servers answer in XML: what AWS, Ceph and Swift send is understood. */
#include "s3_xml.h"

#include <unistd.h>

#include "buf.h"
#include "check.h"
#include "cleanup.h"

enum { BODY_MAX = 100000 };

#define DECLARATION "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
#define AWS_NS      " xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\""
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

/* ---- errors ---- */

static void
test_error(void)
{
	static const struct {
		const char *body, *code, *message, *region, *endpoint;
	} cases[] = {
	    {DECLARATION "<Error><Code>AuthorizationHeaderMalformed</Code><Message>The authorization header is "
			 "malformed; the region 'us-east-1' is wrong; expecting 'eu-west-1'</Message>"
			 "<Region>eu-west-1</Region><RequestId>A1</RequestId><HostId>x=</HostId></Error>",
		"AuthorizationHeaderMalformed",
		"The authorization header is malformed; the region 'us-east-1' is wrong; expecting 'eu-west-1'",
		"eu-west-1", ""},
	    {DECLARATION "<Error><Code>PermanentRedirect</Code><Message>Elsewhere</Message>"
			 "<Endpoint>b.s3.eu-west-1.amazonaws.com</Endpoint><Bucket>b</Bucket></Error>",
		"PermanentRedirect", "Elsewhere", "", "b.s3.eu-west-1.amazonaws.com"},
	    /* Ceph: no message. */
	    {DECLARATION "<Error><Code>NoSuchKey</Code><BucketName>b</BucketName><RequestId>tx0-1-default</RequestId>"
			 "<HostId>1023-default-default</HostId></Error>",
		"NoSuchKey", "", "", ""},
	    /* Swift: single quotes in the declaration. */
	    {"<?xml version='1.0' encoding='UTF-8'?>\n<Error><Code>SignatureDoesNotMatch</Code><Message>The request "
	     "signature we calculated does not match</Message><RequestId>tx1</RequestId></Error>",
		"SignatureDoesNotMatch", "The request signature we calculated does not match", "", ""},
	    {"<s3:Error xmlns:s3=\"x\"><s3:Code>SlowDown</s3:Code></s3:Error>", "SlowDown", "", "", ""},
	    /* Kept alive with white space, even before the declaration. */
	    {"  \r\n\t" DECLARATION "\n\n  <Error>\n <Code>InternalError</Code>\n</Error>\n", "InternalError", "", "",
		""},
	    /* Cut on its way, or broken behind what counts. */
	    {"<Error><Code>SlowDown</Code><Mess", "SlowDown", "", "", ""},
	    {"<Error><Code>SlowDown</Code><Message>a</Message></Fehler>", "SlowDown", "a", "", ""},
	    {"<Error><Code>A&amp;B</Code><Message>&lt;&#10;&#xE9;\"</Message></Error>", "A&B", "<\\x0a\xC3\xA9\\x22",
		"", ""},
	    {"<Error><Code>A</Code><Code>B</Code></Error>", "B", "", "", ""},
	};

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct s3_xml_error e;

		CHECK(parse_error(cases[i].body, strlen(cases[i].body), &e));
		CHECK_STR(e.code, cases[i].code);
		CHECK_STR(e.message, cases[i].message);
		CHECK_STR(e.region, cases[i].region);
		CHECK_STR(e.endpoint, cases[i].endpoint);
	}
}

static void
test_no_error(void)
{
	static const char *const bodies[] = {"", " ", "x", "<", "<Error", "<Error>", "<Error><Code>", "<Error/>",
	    "<Error><Code>Slow", "<Error><Code/></Error>", "<html><body>503 Service Unavailable</body></html>",
	    "<!DOCTYPE html><html>", "{\"error\": \"no\"}", "<Fault><Error><Code>A</Code></Error></Fault>",
	    "<Error><Sub><Code>A</Code></Sub></Error>", "<!DOCTYPE Error><Error><Code>A</Code></Error>",
	    "<ListBucketResult><Code>A</Code></ListBucketResult>", "\xFF\xFE<", "\xEF\xBB\xBF"};
	struct s3_xml_error e;

	for (size_t i = 0; i < COUNT_OF(bodies); i++)
		CHECK(!parse_error(bodies[i], strlen(bodies[i]), &e));
	CHECK(!s3_xml_error(NULL, 0, &e));
	CHECK(!parse_error("<Error><Code>A\0B</Code></Error>", 32, &e));
	CHECK(!parse_error("\0<Error><Code>A</Code></Error>", 31, &e));
}

/* Texts that are too long are cut, and end in "..." */
static void
test_long_error(void)
{
	CLEANUP(buf_free) struct buf b = BUF_INIT(BODY_MAX);
	struct s3_xml_error e;

	buf_printf(&b, "<Error><Code>%0100d</Code><Message>%01000d</Message><Region>%0100d</Region></Error>", 1, 2, 3);
	CHECK(parse_error((char *)b.data, b.len, &e));
	CHECK(strlen(e.code) < sizeof(e.code) && strstr(e.code, "...") != NULL);
	CHECK(strlen(e.message) < sizeof(e.message) && strstr(e.message, "...") != NULL);
	CHECK(strlen(e.region) < sizeof(e.region));
}

/* ---- lists ---- */

static const char aws_list[] =
    DECLARATION "<ListBucketResult" AWS_NS "><Name>bucket</Name><Prefix>p/</Prefix><NextContinuationToken>"
		"1ueGcxLPRx1Tr/XYExHnhbYLgveDs2J/wm36Hy4vbOwM=</NextContinuationToken>"
		"<KeyCount>2</KeyCount><MaxKeys>1000</MaxKeys>"
		"<IsTruncated>true</IsTruncated><Contents><Key>p/a&amp;b</Key>"
		"<LastModified>2009-10-12T17:50:30.000Z</LastModified>"
		"<ETag>&quot;fba9dede5f27731c9771645a39863328&quot;</ETag>"
		"<ChecksumAlgorithm>CRC64NVME</ChecksumAlgorithm><Size>434234</Size>"
		"<StorageClass>STANDARD</StorageClass></Contents><Contents>"
		"<Key>p/c</Key><LastModified>2026-01-01T00:00:00Z</LastModified>"
		"<Size>0</Size><Owner><ID>x</ID><DisplayName>Key</DisplayName></Owner>"
		"</Contents><CommonPrefixes><Prefix>p/d/</Prefix></CommonPrefixes>"
		"</ListBucketResult>";
static const char ceph_list[] =
    DECLARATION "<ListBucketResult" AWS_NS "><Name>b</Name><Prefix></Prefix><Marker></Marker><MaxKeys>1000</MaxKeys>"
		"<IsTruncated>false</IsTruncated><EncodingType>url</EncodingType><Contents><Key>pg%2Fk%2B%205</Key>"
		"<LastModified>2026-11-24T13:12:01.123Z</LastModified><ETag>&quot;d41d8cd9&quot;</ETag><Size>12</Size>"
		"<StorageClass>STANDARD</StorageClass><Owner><ID>test</ID><DisplayName>test</DisplayName></Owner>"
		"<Type>Normal</Type></Contents></ListBucketResult>";
static const char swift_list[] =
    "<?xml version='1.0' encoding='UTF-8'?>\n<ListBucketResult" AWS_NS
    "><Name>b</Name><Prefix/><StartAfter/><KeyCount>1</KeyCount><MaxKeys>1000</MaxKeys>"
    "<IsTruncated>false</IsTruncated><Contents><Key>v/\xC3\xA4</Key>"
    "<LastModified>2026-11-24T13:12:01.000Z</LastModified><ETag>\"9a\"</ETag><Size>999999999999999999</Size>"
    "<StorageClass>STANDARD</StorageClass></Contents></ListBucketResult>";

static void
check_object(const struct s3_xml_list *l, size_t i, const char *key, uint64_t size, int64_t modified_s)
{
	CHECK(i < l->count);
	CHECK_STR(l->texts + l->objects[i].key, key);
	CHECK_INT(l->objects[i].size, size);
	CHECK_INT(l->objects[i].modified_s, modified_s);
}

static void
test_list(void)
{
	struct s3_xml_list l;
	struct error err;

	CHECK_OK(list_text(aws_list, &l, &err), &err);
	CHECK_INT(l.count, 2);
	check_object(&l, 0, "p/a&b", 434234, 1255369830);
	check_object(&l, 1, "p/c", 0, 1767225600);
	CHECK(l.truncated && !l.url_encoded);
	CHECK_STR(l.token, "1ueGcxLPRx1Tr/XYExHnhbYLgveDs2J/wm36Hy4vbOwM=");
	s3_xml_list_wipe(&l);
	CHECK(l.objects == NULL && l.count == 0);

	CHECK_OK(list_text(ceph_list, &l, &err), &err);
	CHECK_INT(l.count, 1);
	check_object(&l, 0, "pg/k+ 5", 12, 1795525921);
	CHECK(!l.truncated && l.url_encoded && l.token == NULL);
	s3_xml_list_wipe(&l);

	CHECK_OK(list_text(swift_list, &l, &err), &err);
	check_object(&l, 0, "v/\xC3\xA4", 999999999999999999, 1795525921);
	s3_xml_list_wipe(&l);

	CHECK_OK(list_text("<ListBucketResult/>", &l, &err), &err);
	CHECK_INT(l.count, 0);
	s3_xml_list_wipe(&l);
}

static void
check_key(const char *body, const char *key)
{
	struct s3_xml_list l;
	struct error err;

	CHECK_OK(list_text(body, &l, &err), &err);
	CHECK_INT(l.count, 1);
	CHECK_STR(l.texts + l.objects[0].key, key);
	s3_xml_list_wipe(&l);
}

/* Entities, CDATA, comments in the midst; and percent encoding only where the server says so, wherever it does. */
static void
test_keys(void)
{
	check_key(LIST(OBJECT("a&amp;&lt;&gt;&quot;&apos;&#x41;&#66;")), "a&<>\"'AB");
	check_key(LIST(OBJECT("a<![CDATA[<&]]>b<!-- no -->c<?no?>")), "a<&bc");
	check_key(LIST(OBJECT("a%2Fb+c")), "a%2Fb+c");
	check_key(LIST("<EncodingType>url</EncodingType>" OBJECT("a%2fb+c%25%zz%4")), "a/b c%%zz%4");
	check_key(LIST(OBJECT("%61%C3%A4") "<EncodingType>url</EncodingType>"), "a\xC3\xA4");
	check_key(LIST("<EncodingType>none</EncodingType>" OBJECT("%61")), "%61");
	check_key(LIST("<EncodingType>url</EncodingType>" OBJECT("a%00b")), "a");
	check_key("<x:ListBucketResult xmlns:x=\"y\"><x:Contents><x:Key>k</x:Key><x:Size>1</x:Size>"
		  "<x:LastModified>2026-01-01T00:00:00Z</x:LastModified></x:Contents></x:ListBucketResult>",
	    "k");
	/* Of two, the last. */
	check_key(LIST("<Contents><Key>a</Key><Key>b</Key><Size>1</Size>"
		       "<LastModified>2026-01-01T00:00:00Z</LastModified></Contents>"),
	    "b");
	check_key("\n \t" DECLARATION "\n" LIST(OBJECT("k")), "k");
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
refuse_second(void *arg, const char *key, const char *code, struct error *err)
{
	unsigned *calls = arg;

	(void)code;
	return ++*calls == 2 ? error_set(err, ERR_DIFFERENT, "%s", key) : 0;
}

static int
enough(void *arg, const char *key, const char *code, struct error *err)
{
	unsigned *calls = arg;

	(void)key;
	(void)code;
	(void)err;
	++*calls;
	return 1;
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

static const char aws_deleted[] = DECLARATION
    "<DeleteResult" AWS_NS "><Deleted><Key>a</Key></Deleted><Error><Key>b&amp;c</Key><Code>AccessDenied</Code>"
    "<Message>Access Denied</Message></Error><Error><Code>InternalError</Code><Key>d</Key><VersionId>1</VersionId>"
    "</Error><Error><Key>e</Key></Error><Error><Code>X</Code></Error></DeleteResult>";

static void
test_deleted(void)
{
	CLEANUP(buf_free) struct buf b = BUF_INIT(1000);
	unsigned calls = 0;
	struct error err;

	CHECK_OK(parse_deleted(aws_deleted, note_failed, &b, &err), &err);
	buf_u8(&b, 0);
	CHECK_STR((char *)b.data, "b&c=AccessDenied d=InternalError e= =X ");
	buf_reset(&b);
	CHECK_OK(parse_deleted("<DeleteResult/>", note_failed, &b, &err), &err);
	CHECK_INT(b.len, 0);
	CHECK_INT(parse_deleted(aws_deleted, refuse_second, &calls, &err), ERR_DIFFERENT);
	CHECK_STR(err.msg, "d");
	CHECK_INT(calls, 2);
	calls = 0;
	CHECK_INT(parse_deleted(aws_deleted, enough, &calls, &err), 1);
	CHECK_INT(calls, 1);
}

/* What is escaped comes back the same. */
static void
test_escape(void)
{
	static const char *const texts[] = {"", "a/b", "<&>\"'", "]]>", "&amp;", "\xC3\xA4", "a\tb\nc\rd"};

	for (size_t i = 0; i < COUNT_OF(texts); i++) {
		CLEANUP(buf_free) struct buf b = BUF_INIT(1000), keys = BUF_INIT(1000);
		char want[64];
		struct error err;

		buf_printf(&b, "<DeleteResult><Error><Key>");
		s3_xml_escape(&b, texts[i]);
		buf_printf(&b, "</Key></Error></DeleteResult>%c", 0);
		CHECK_OK(parse_deleted((char *)b.data, note_failed, &keys, &err), &err);
		buf_u8(&keys, 0);
		(void)snprintf(want, sizeof(want), "%s= ", texts[i]);
		CHECK_STR((char *)keys.data, want);
	}
}

int
main(void)
{
	(void)alarm(60);
	test_error();
	test_no_error();
	test_long_error();
	test_list();
	test_keys();
	test_deleted();
	test_escape();
	return 0;
}
