/*
 * What credential services and processes say.  Input: the first byte chooses the kind (JSON of a process, a service or
 * an instance, XML of STS, a command to be split), the rest is read as that.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "credentials_internal.h"
#include "error.h"

#define NOW INT64_C(1800000000)

static void
must(bool truth)
{
	if (!truth)
		abort();
}

/* What may be put into headers, and is valid now. */
static void
check_credentials(struct credentials *c)
{
	must(*c->access_key != '\0' && *c->secret_key != '\0' && (c->token == NULL || *c->token != '\0'));
	must(strpbrk(c->access_key, "\r\n") == NULL && (c->token == NULL || strpbrk(c->token, "\r\n") == NULL));
	must(c->expires_s > NOW);
	credentials_wipe(c);
}

static void
fuzz_sts(const uint8_t *data, size_t size)
{
	char code[CREDENTIALS_STS_TEXT], message[CREDENTIALS_STS_TEXT];
	struct credentials c;
	struct error err;

	if (credentials_parse_sts(data, size, "AssumeRole", NOW, &c, &err) == 0)
		check_credentials(&c);
	if (credentials_parse_sts_error(data, size, code, message))
		must(strlen(code) < sizeof(code) && strlen(message) < sizeof(message) && strchr(message, '\n') == NULL);
}

static void
fuzz_command(const uint8_t *data, size_t size)
{
	char *command = strndup((const char *)data, size), **words;
	struct error err;
	size_t len = 0;

	must(command != NULL);
	if (credentials_process_split(command, &words, &err) == 0) {
		must(words[0] != NULL);
		for (char **w = words; *w != NULL; w++)
			len += strlen(*w);
		must(len <= strlen(command));
		free(words);
	}
	free(command);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct credentials c;
	struct error err;
	unsigned kind;

	if (size == 0)
		return 0;
	kind = data[0] % 5u;
	if (kind == 3)
		fuzz_sts(data + 1, size - 1);
	else if (kind == 4)
		fuzz_command(data + 1, size - 1);
	else if (credentials_parse_json(data + 1, size - 1, (enum credentials_json)kind, NOW, &c, &err) == 0)
		check_credentials(&c);
	return 0;
}
