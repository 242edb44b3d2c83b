/*
 * AWS's INI files.  Input: the credentials file, a NUL byte, and the config file; what is written with a NUL in it is
 * refused anyway.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "profile.h"

static void
must(bool truth)
{
	if (!truth)
		abort();
}

/* Values are trimmed, in one line, and not empty. */
static void
check_value(const char *value)
{
	if (value == NULL)
		return;
	must(*value != '\0' && strchr(value, '\n') == NULL);
	must(strchr(" \t\r", value[0]) == NULL && strchr(" \t\r", value[strlen(value) - 1]) == NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const keys[] = {"aws_access_key_id", "aws_secret_access_key", "region", "s3", "services"};
	const uint8_t *end = size == 0 ? NULL : memchr(data, '\0', size);
	size_t first = end == NULL ? size : (size_t)(end - data);
	size_t second = end == NULL ? 0 : size - first - 1;
	struct profiles *p;
	struct error err;
	int r = profiles_parse(data, first, end == NULL ? NULL : end + 1, second, &p, &err);

	if (r < 0) {
		must(r == ERR_USAGE && err.code == ERR_USAGE && err.msg[0] != '\0');
		return 0;
	}
	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++) {
		const char *value = profiles_get(p, "default", keys[i]);

		check_value(value);
		must(value == NULL || profiles_has(p, "default"));
		check_value(profiles_get(p, "x", keys[i]));
		check_value(profiles_get_nested(p, "default", "s3", keys[i]));
	}
	check_value(profiles_s3_endpoint(p, "default"));
	profiles_free(p);
	return 0;
}
