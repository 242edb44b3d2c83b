/* Strict JSON: what is read, what is refused, and that hostile input stays cheap. */
#include "json.h"

#include <unistd.h>

#include <json-c/json.h>

#include "buf.h"
#include "check.h"
#include "cleanup.h"

static int
read_text(const char *text, struct json_object **out, struct error *err)
{
	return json_read(text, strlen(text), out, err);
}

static void
test_read(void)
{
	static const struct {
		const char *text;
		int code;
	} cases[] = {
	    {"{}", 0},
	    {" \r\n\t{ \"a\" : [1, null, true, \"\\u00e4\"] } \n", 0},
	    {"", ERR_CORRUPT},
	    {" ", ERR_CORRUPT},
	    {"{", ERR_CORRUPT},
	    {"}", ERR_CORRUPT},
	    {"{}{}", ERR_CORRUPT},
	    {"{}x", ERR_CORRUPT},
	    {"{} \v", ERR_CORRUPT},
	    {"[]", ERR_CORRUPT},
	    {"1", ERR_CORRUPT},
	    {"null", ERR_CORRUPT},
	    {"\"text\"", ERR_CORRUPT},
	    {"{\"a\":1,}", ERR_CORRUPT},
	    {"{'a':1}", ERR_CORRUPT},
	    {"{a:1}", ERR_CORRUPT},
	    {"{\"a\":'b'}", ERR_CORRUPT},
	    {"{\"a\":NaN}", ERR_CORRUPT},
	    {"{\"a\":Infinity}", ERR_CORRUPT},
	    {"{\"a\":TRUE}", ERR_CORRUPT},
	    {"{\"a\":\"b\nc\"}", ERR_CORRUPT},
	    {"{\"a\":\"it's /* fine */ \\\" {\"}", 0},
	    {"{\"a\":1} // x", ERR_CORRUPT},
	    {"/* x */ {\"a\":1}", ERR_CORRUPT},
	    {"{\"a\":\"\xff\"}", ERR_CORRUPT},
	    {"{\"a\":\"\xc3\"}", ERR_CORRUPT},
	    {"{\"\xf8\":1}", ERR_CORRUPT},
	    {"{\"a\":\"\\q\"}", ERR_CORRUPT},
	    {"{\"a\":\"", ERR_CORRUPT},
	    {"{\"a\":\"\\", ERR_CORRUPT},
	};
	struct json_object *o;
	struct error err;

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		int r = read_text(cases[i].text, &o, &err);

		if (r != cases[i].code)
			fprintf(stderr, "case: %s\n", cases[i].text);
		CHECK_INT(r, cases[i].code);
		if (r == 0)
			json_object_put(o);
	}
	CHECK_INT(json_read("{}\0", 3, &o, &err), ERR_CORRUPT);
	CHECK_INT(json_read("{\0}", 3, &o, &err), ERR_CORRUPT);
	CHECK_INT(json_read("{\"a\":\"\\\0\"}", 10, &o, &err), ERR_CORRUPT);
	CHECK_INT(json_read("{\"a\":\"\0\"}", 9, &o, &err), ERR_CORRUPT);
	/* No byte behind len is looked at. */
	CHECK_OK(json_read("{}x", 2, &o, &err), &err);
	json_object_put(o);
	CHECK_INT(json_read(NULL, 0, &o, &err), ERR_CORRUPT);
}

/* open and close repeated around, or what is repeated count times in an array. */
static int
read_repeated(const char *start, const char *repeat, size_t count, const char *end)
{
	struct buf text = BUF_INIT(4 * JSON_MAX);
	struct json_object *o;
	struct error err;
	int r;

	buf_put(&text, start, strlen(start));
	for (size_t i = 0; i < count; i++)
		buf_put(&text, repeat, strlen(repeat));
	buf_put(&text, end, strlen(end));
	CHECK_OK(buf_check(&text, "text", &err), &err);
	r = json_read(text.data, text.len, &o, &err);
	if (r == 0)
		json_object_put(o);
	buf_free(&text);
	return r;
}

static void
test_limits(void)
{
	CHECK_INT(read_repeated("{\"a\":\"", "x", 1000000, "\"}"), 0);
	CHECK_INT(read_repeated("{\"a\":\"", "x", JSON_MAX - 8, "\"}"), 0);
	CHECK_INT(read_repeated("{\"a\":\"", "x", JSON_MAX - 7, "\"}"), ERR_CORRUPT);
	CHECK_INT(read_repeated("{\"a\":", "[", 14, "1]]]]]]]]]]]]]]}"), 0);
	CHECK_INT(read_repeated("{\"a\":", "[", 17, "]]]]]]]]]]]]]]]]]}"), ERR_CORRUPT);
	CHECK_INT(read_repeated("", "{\"a\":", 200000, "1}"), ERR_CORRUPT);
	CHECK_INT(read_repeated("", "[", JSON_MAX, ""), ERR_CORRUPT);
	/* Containers are dear, and only those outside of strings are counted. */
	CHECK_INT(read_repeated("{\"a\":[", "{},", JSON_CONTAINERS_MAX - 3, "{}]}"), 0);
	CHECK_INT(read_repeated("{\"a\":[", "{},", JSON_CONTAINERS_MAX - 2, "{}]}"), ERR_CORRUPT);
	CHECK_INT(read_repeated("{\"a\":[", "[],", JSON_CONTAINERS_MAX - 2, "1]}"), 0);
	CHECK_INT(read_repeated("{\"a\":[", "[],", JSON_CONTAINERS_MAX - 1, "1]}"), ERR_CORRUPT);
	CHECK_INT(read_repeated("{'\"':[", "{},", JSON_CONTAINERS_MAX, "{}]}"), ERR_CORRUPT);
	CHECK_INT(read_repeated("{\"a\":\"\\\"", "[{\\\\", 2 * JSON_CONTAINERS_MAX, "\"}"), 0);
}

static void
test_strings(void)
{
	struct json_object *o, *member;
	const char *text;
	uint8_t bytes[4];
	struct error err;

	CHECK_OK(
	    read_text(
		"{\"s\":\"text\", \"e\":\"\", \"z\":\"a\\u0000b\", \"n\":null, \"i\":1, \"o\":{}, \"h\":\"00ffa0b1\","
		"\"H\":\"00FFa0b1\", \"a\":[1, 2]}",
		&o, &err),
	    &err);
	CHECK_OK(json_get_string(o, "s", &text, &err), &err);
	CHECK_STR(text, "text");
	CHECK_OK(json_get_string(o, "e", &text, &err), &err);
	CHECK_STR(text, "");
	CHECK_INT(json_get_string(o, "z", &text, &err), ERR_CORRUPT);
	CHECK(strstr(err.msg, "\"z\"") != NULL);
	CHECK_INT(json_get_string(o, "n", &text, &err), ERR_CORRUPT);
	CHECK_INT(json_get_string(o, "i", &text, &err), ERR_CORRUPT);
	CHECK_INT(json_get_string(o, "o", &text, &err), ERR_CORRUPT);
	CHECK_INT(json_get_string(o, "missing", &text, &err), ERR_CORRUPT);
	CHECK(strstr(err.msg, "\"missing\"") != NULL);

	CHECK_OK(json_get_hex(o, "h", bytes, 4, &err), &err);
	CHECK_MEM(bytes, "\x00\xff\xa0\xb1", 4);
	CHECK_INT(json_get_hex(o, "h", bytes, 3, &err), ERR_CORRUPT);
	CHECK_INT(json_get_hex(o, "s", bytes, 2, &err), ERR_CORRUPT);
	CHECK_INT(json_get_hex(o, "H", bytes, 4, &err), ERR_CORRUPT);
	CHECK_INT(json_get_hex(o, "e", bytes, 1, &err), ERR_CORRUPT);
	CHECK_INT(json_get_hex(o, "i", bytes, 1, &err), ERR_CORRUPT);

	CHECK_OK(json_get_object(o, "o", &member, &err), &err);
	CHECK_INT(json_get_object(o, "a", &member, &err), ERR_CORRUPT);
	CHECK_INT(json_get_object(o, "n", &member, &err), ERR_CORRUPT);
	json_object_put(o);
}

static void
test_arrays(void)
{
	struct json_object *o, *array;
	struct error err;
	size_t count;

	CHECK_OK(read_text("{\"a\":[1, 2], \"e\":[], \"o\":{}}", &o, &err), &err);
	CHECK_OK(json_get_array(o, "a", 2, &array, &count, &err), &err);
	CHECK_INT(count, 2);
	CHECK_INT(json_get_array(o, "a", 1, &array, &count, &err), ERR_CORRUPT);
	CHECK_OK(json_get_array(o, "e", 0, &array, &count, &err), &err);
	CHECK_INT(count, 0);
	CHECK_INT(json_get_array(o, "o", 1, &array, &count, &err), ERR_CORRUPT);
	CHECK_INT(json_get_array(o, "x", 1, &array, &count, &err), ERR_CORRUPT);
	json_object_put(o);
}

static void
test_ints(void)
{
	static const struct {
		const char *text;
		int64_t min, max;
		int code;
		int64_t want;
	} cases[] = {
	    {"0", 0, 0, 0, 0},
	    {"-5", -5, 5, 0, -5},
	    {"6", -5, 5, ERR_CORRUPT, 0},
	    {"-6", -5, 5, ERR_CORRUPT, 0},
	    {"9223372036854775807", 0, INT64_MAX, 0, INT64_MAX},
	    {"9223372036854775808", 0, INT64_MAX, ERR_CORRUPT, 0},
	    {"18446744073709551615", 0, INT64_MAX, ERR_CORRUPT, 0},
	    {"99999999999999999999999", 0, INT64_MAX, ERR_CORRUPT, 0},
	    {"-9223372036854775807", INT64_MIN, 0, 0, -INT64_MAX},
	    {"-99999999999999999999999", INT64_MIN, 0, ERR_CORRUPT, 0},
	    {"1.0", 0, 5, ERR_CORRUPT, 0},
	    {"1e1", 0, 50, ERR_CORRUPT, 0},
	    {"\"1\"", 0, 5, ERR_CORRUPT, 0},
	    {"true", 0, 5, ERR_CORRUPT, 0},
	    {"null", 0, 5, ERR_CORRUPT, 0},
	    {"[1]", 0, 5, ERR_CORRUPT, 0},
	};
	struct json_object *o;
	struct error err;
	char text[64];
	int64_t n;

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		(void)snprintf(text, sizeof(text), "{\"n\": %s}", cases[i].text);
		/* Some versions of json-c refuse numbers that are too large when they read them. */
		int r = read_text(text, &o, &err);

		if (r == ERR_CORRUPT && cases[i].code == ERR_CORRUPT)
			continue;
		CHECK_INT(r, 0);
		CHECK_INT(json_get_int(o, "n", cases[i].min, cases[i].max, &n, &err), cases[i].code);
		if (cases[i].code == 0)
			CHECK_INT(n, cases[i].want);
		json_object_put(o);
	}
}

static void
test_format(void)
{
	static const struct {
		const char *text;
		int code;
	} cases[] = {
	    {"{\"format\": \"f\", \"version\": 1}", 0},
	    {"{\"format\": \"f\", \"version\": 2}", ERR_UNSUPPORTED},
	    {"{\"format\": \"f\", \"version\": 0}", ERR_CORRUPT},
	    {"{\"format\": \"f\", \"version\": \"1\"}", ERR_CORRUPT},
	    {"{\"format\": \"f\"}", ERR_CORRUPT},
	    {"{\"format\": \"g\", \"version\": 2}", ERR_CORRUPT},
	    {"{\"format\": 1, \"version\": 1}", ERR_CORRUPT},
	    {"{\"version\": 1}", ERR_CORRUPT},
	};
	struct json_object *o;
	struct error err;

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		CHECK_OK(read_text(cases[i].text, &o, &err), &err);
		CHECK_INT(json_check_format(o, "f", &err), cases[i].code);
		json_object_put(o);
	}
}

int
main(void)
{
	(void)alarm(60);
	test_read();
	test_limits();
	test_strings();
	test_arrays();
	test_ints();
	test_format();
	return 0;
}
