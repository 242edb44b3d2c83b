/* Manifests and entries as people and programs see them. */
#include "view.h"

#include <json-c/json.h>
#include <time.h>
#include <unistd.h>

#include "check.h"
#include "cleanup.h"

static void
test_modes(void)
{
	static const struct {
		uint8_t type;
		uint32_t mode;
		const char *text, *word;
	} cases[] = {
	    {ENTRY_FILE, 0644, "-rw-r--r--", "file"},
	    {ENTRY_FILE, 0, "----------", "file"},
	    {ENTRY_FILE, 0777, "-rwxrwxrwx", "file"},
	    {ENTRY_FILE, 04755, "-rwsr-xr-x", "file"},
	    {ENTRY_FILE, 04644, "-rwSr--r--", "file"},
	    {ENTRY_FILE, 02755, "-rwxr-sr-x", "file"},
	    {ENTRY_FILE, 02644, "-rw-r-Sr--", "file"},
	    {ENTRY_FOLDER, 01777, "drwxrwxrwt", "folder"},
	    {ENTRY_FOLDER, 01776, "drwxrwxrwT", "folder"},
	    {ENTRY_FOLDER, 07000, "d--S--S--T", "folder"},
	    {ENTRY_SYMLINK, 0777, "lrwxrwxrwx", "symlink"},
	    {ENTRY_CHAR_DEVICE, 0600, "crw-------", "character device"},
	    {ENTRY_BLOCK_DEVICE, 0660, "brw-rw----", "block device"},
	    {ENTRY_FIFO, 0600, "prw-------", "fifo"},
	    {ENTRY_SOCKET, 0755, "srwxr-xr-x", "socket"},
	    {ENTRY_VOLUME, 0, "----------", "device content"},
	    {0, 0, "?---------", "unknown"},
	    {9, 0, "?---------", "unknown"},
	    {255, 0, "?---------", "unknown"},
	};

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct entry e = {.type = cases[i].type, .mode = cases[i].mode};
		char out[VIEW_MODE];

		CHECK_STR(view_mode(&e, out), cases[i].text);
		CHECK_STR(view_type(&e), cases[i].word);
	}
}

static void
test_times(void)
{
	static const struct {
		const char *zone;
		int64_t s;
		const char *text;
	} cases[] = {
	    {"UTC", 0, "1970-01-01 00:00:00"},
	    {"UTC", -1, "1969-12-31 23:59:59"},
	    {"UTC", 951782400, "2000-02-29 00:00:00"},
	    {"UTC", 253402300799, "9999-12-31 23:59:59"},
	    {"UTC", 253402300800, "10000-01-01 00:00:00"},
	    {"XXX-5", 0, "1970-01-01 05:00:00"},
	    {"UTC", INT64_MAX, "9223372036854775807"},
	    {"UTC", INT64_MIN, "-9223372036854775808"},
	};

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct manifest_time t = {cases[i].s, 999999999};
		char out[VIEW_TIME];

		(void)setenv("TZ", cases[i].zone, 1);
		tzset();
		CHECK_STR(view_time(&t, out), cases[i].text);
	}
}

static const char *
text_of(struct json_object *o, const char *key)
{
	struct json_object *v;

	CHECK(json_object_object_get_ex(o, key, &v));
	return v == NULL ? "(null)" : json_object_get_string(v);
}

static struct manifest
example(void)
{
	static struct manifest_tag tags[] = {
	    {(char *)(uintptr_t) "a", (char *)(uintptr_t) "1"}, {(char *)(uintptr_t) "b", (char *)(uintptr_t) ""}};
	static char *excludes[] = {(char *)(uintptr_t) "*.tmp"};
	struct manifest m = {.snapshot = "01a2077c-96af-7d4a-be18-d362973d77bc",
	    .sequence = 7,
	    .mode = MODE_FILE,
	    .started = {1700000000, 5},
	    .finished = {1700000001, 0},
	    .name = (char *)(uintptr_t) "ns/claim",
	    .source = (char *)(uintptr_t) "/data",
	    .host = (char *)(uintptr_t) "host",
	    .tool = (char *)(uintptr_t) "snapferry",
	    .tags = tags,
	    .ntags = 2,
	    .excludes = excludes,
	    .nexcludes = 1,
	    .statistics = {.entries = 1,
		.files = 2,
		.bytes = UINT64_MAX,
		.unchanged = 4,
		.changed = 5,
		.added = 6,
		.deleted = 7,
		.new_bytes = 8,
		.stored_bytes = 9,
		.warnings = 10,
		.milliseconds = 1500}};

	memset(m.volume, 0xAB, sizeof(m.volume));
	return m;
}

static void
test_manifest(void)
{
	static const struct {
		const char *key, *value;
	} numbers[] = {
	    {"entries", "1"},
	    {"files", "2"},
	    {"bytes", "18446744073709551615"},
	    {"unchanged", "4"},
	    {"changed", "5"},
	    {"new", "6"},
	    {"deleted", "7"},
	    {"new_bytes", "8"},
	    {"stored_bytes", "9"},
	    {"warnings", "10"},
	    {"seconds", "1.5"},
	};
	struct manifest m = example();
	struct json_object *o = view_manifest(&m), *part;

	CHECK_STR(text_of(o, "snapshot"), m.snapshot);
	CHECK_STR(text_of(o, "volume"), "ns/claim");
	CHECK_STR(text_of(o, "volume_id"), "abababababababababababababababab");
	CHECK_STR(text_of(o, "sequence"), "7");
	CHECK_STR(text_of(o, "parent"), "(null)");
	CHECK_STR(text_of(o, "mode"), "file");
	CHECK(strncmp(text_of(o, "started"), "2023-11-14T22:13:20", 19) == 0);
	CHECK(strncmp(text_of(o, "finished"), "2023-11-14T22:13:21", 19) == 0);
	CHECK_STR(text_of(o, "source"), "/data");
	CHECK_STR(text_of(o, "host"), "host");
	CHECK_STR(text_of(o, "tool"), "snapferry");
	CHECK(!json_object_object_get_ex(o, "size", &part));
	CHECK(json_object_object_get_ex(o, "tags", &part));
	CHECK_INT(json_object_object_length(part), 2);
	CHECK_STR(text_of(part, "a"), "1");
	CHECK_STR(text_of(part, "b"), "");
	CHECK(json_object_object_get_ex(o, "excludes", &part));
	CHECK_INT(json_object_array_length(part), 1);
	CHECK(json_object_object_get_ex(o, "statistics", &part));
	CHECK_INT(json_object_object_length(part), COUNT_OF(numbers));
	for (size_t i = 0; i < COUNT_OF(numbers); i++)
		CHECK_STR(text_of(part, numbers[i].key), numbers[i].value);
	json_object_put(o);
}

static void
test_block_manifest(void)
{
	struct manifest m = {.mode = MODE_BLOCK, .size = 4096, .parent = "01a2077c-bec4-7830-a2b4-79459a49af5d"};
	struct json_object *o = view_manifest(&m);

	CHECK_STR(text_of(o, "mode"), "block");
	CHECK_STR(text_of(o, "size"), "4096");
	CHECK_STR(text_of(o, "parent"), m.parent);
	/* Texts that are not there are empty. */
	CHECK_STR(text_of(o, "volume"), "");
	CHECK_STR(text_of(o, "host"), "");
	json_object_put(o);
}

int
main(void)
{
	(void)alarm(60);
	test_modes();
	test_times();
	test_manifest();
	test_block_manifest();
	return 0;
}
