/* Answers of S3 servers in XML, read as each of the three kinds.  What is taken is what the header promises. */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "error.h"
#include "s3_xml.h"

static void
must(bool truth)
{
	if (!truth)
		abort();
}

static bool
ends(const char *text, size_t size)
{
	return memchr(text, '\0', size) != NULL;
}

static void
check_error(const uint8_t *data, size_t size)
{
	struct s3_xml_error e;
	bool is = s3_xml_error(data, size, &e);

	must(is == (e.code[0] != '\0'));
	must(ends(e.code, sizeof(e.code)) && ends(e.message, sizeof(e.message)) && ends(e.region, sizeof(e.region)) &&
	     ends(e.endpoint, sizeof(e.endpoint)));
	/* It is shown to people. */
	for (const char *p = e.message; *p != '\0'; p++)
		must((unsigned char)*p >= 0x20 && *p != 0x7F);
}

static void
check_code(int r, const struct error *err)
{
	must(r == 0 || r == ERR_CORRUPT);
	must(r == 0 || (err->code == ERR_CORRUPT && err->msg[0] != '\0'));
}

static void
check_list(const uint8_t *data, size_t size)
{
	CLEANUP(s3_xml_list_wipe) struct s3_xml_list l;
	struct error err = {.msg = ""};
	int r = s3_xml_list(data, size, &l, &err);

	check_code(r, &err);
	must(l.count <= S3_XML_ITEMS_MAX && l.count <= size && l.texts_len <= size + 1);
	for (size_t i = 0; i < l.count; i++) {
		must(l.objects[i].key < l.texts_len);
		must(ends(l.texts + l.objects[i].key, l.texts_len - l.objects[i].key));
	}
	must(l.token == NULL || (l.token[0] != '\0' && strlen(l.token) <= size));
}

/* Each key is passed on with its code; every third one ends it. */
static int
count_failed(void *arg, const char *key, const char *code, struct error *err)
{
	size_t *calls = arg;

	(void)err;
	must(strlen(key) < 4096 && strlen(code) < 64);
	return ++*calls % 3 == 0;
}

static void
check_deleted(const uint8_t *data, size_t size)
{
	struct error err = {.msg = ""};
	size_t calls = 0;
	int r = s3_xml_deleted(data, size, count_failed, &calls, &err);

	must((r == 1) == (calls == 3));
	check_code(r == 1 ? 0 : r, &err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	check_error(data, size);
	check_list(data, size);
	check_deleted(data, size);
	return 0;
}
