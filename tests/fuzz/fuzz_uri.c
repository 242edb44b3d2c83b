/* URLs.  What is taken can be written and taken again with the same parts; encoding gives only bytes that need none. */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "cleanup.h"
#include "error.h"
#include "uri.h"

static void
must(bool truth)
{
	if (!truth)
		abort();
}

static void
check_parts(const struct uri *u)
{
	CLEANUP(buf_free) struct buf text = BUF_INIT(4096);
	size_t path_len = strlen(u->path);
	struct error err;
	struct uri again;

	must(u->host[0] != '\0' && strlen(u->host) < URI_HOST_MAX && u->port >= 1 && u->port <= 65535);
	must(path_len == 0 || (u->path[0] == '/' && u->path[path_len - 1] != '/'));
	uri_origin(u, &text);
	buf_put(&text, u->path, path_len + 1);
	must(buf_check(&text, "text", &err) == 0);
	for (size_t i = 0; i + 1 < text.len; i++)
		must(text.data[i] > 0x20 && text.data[i] < 0x7F);
	must(uri_parse((char *)text.data, &again, &err) == 0);
	must(memcmp(u, &again, sizeof(again)) == 0);
}

static void
check_encoding(const char *text, bool keep_slash)
{
	CLEANUP(buf_free) struct buf out = BUF_INIT((size_t)1 << 26);
	static const char kept[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~%/";
	struct error err;

	uri_encode(&out, text, keep_slash);
	must(buf_check(&out, "text", &err) == 0);
	must(out.len >= strlen(text));
	for (size_t i = 0; i < out.len; i++)
		must(memchr(kept, out.data[i], sizeof(kept) - 2 + keep_slash) != NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);
	struct error err = {.msg = ""};
	struct uri u;
	int r;

	if (text == NULL)
		return 0;
	if (size > 0)
		memcpy(text, data, size);
	text[size] = '\0';
	r = uri_parse(text, &u, &err);
	must(r == 0 || (r == ERR_USAGE && err.code == ERR_USAGE && err.msg[0] != '\0'));
	if (r == 0)
		check_parts(&u);
	check_encoding(text, false);
	check_encoding(text, true);
	free(text);
	return 0;
}
