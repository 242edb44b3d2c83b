/*
 * Percent encoding, and http URLs taken apart (RFC 3986).
 *
 * Refuses what two readers could understand differently: whoever signs a request, whoever resolves the host and whoever
 * writes the Host header must see the same one.  Messages never quote the URL, since there may be a password in it.
 */
#include "uri.h"

#include <arpa/inet.h>
#include <string.h>
#include <strings.h>

#include "buf.h"
#include "cleanup.h"
#include "error.h"

enum { PORT_HTTP = 80, PORT_HTTPS = 443, PORT_MAX = 65535 };

/* Without the C library's classes, which depend on the locale. */
static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool
is_hex_digit(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static bool
is_alnum(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool
is_unreserved(char c)
{
	return is_alnum(c) || (c != '\0' && strchr("-._~", c) != NULL);
}

void
uri_encode(struct buf *out, const char *text, bool keep_slash)
{
	static const char digits[] = "0123456789ABCDEF";

	for (const char *p = text; *p != '\0'; p++) {
		unsigned char c = (unsigned char)*p;
		const char escaped[3] = {'%', digits[c >> 4], digits[c & 15]};

		if (is_unreserved(*p) || (*p == '/' && keep_slash))
			buf_put(out, p, 1);
		else
			buf_put(out, escaped, sizeof(escaped));
	}
}

/* Skip a scheme, which is known in any case. */
static const char *
skip_scheme(const char *text, struct uri *out)
{
	static const struct {
		const char *prefix;
		bool https;
	} schemes[] = {{"http://", false}, {"https://", true}};

	for (size_t i = 0; i < COUNT_OF(schemes); i++) {
		size_t len = strlen(schemes[i].prefix);

		if (strncasecmp(text, schemes[i].prefix, len) == 0) {
			out->https = schemes[i].https;
			return text + len;
		}
	}
	return NULL;
}

/* An IPv6 address in the one form of RFC 5952, in which it is also sent.  Zones (%eth0) are none. */
static bool
parse_ipv6(const char *text, size_t len, char out[URI_HOST_MAX])
{
	char address[INET6_ADDRSTRLEN];
	struct in6_addr bits;

	if (len < 2 || text[len - 1] != ']' || len - 2 >= sizeof(address))
		return false;
	memcpy(address, text + 1, len - 2);
	address[len - 2] = '\0';
	if (inet_pton(AF_INET6, address, &bits) != 1 || inet_ntop(AF_INET6, &bits, address, sizeof(address)) == NULL)
		return false;
	len = strlen(address);
	out[0] = '[';
	memcpy(out + 1, address, len);
	memcpy(out + 1 + len, "]", 2);
	return true;
}

/* A name whose last label is a number is an IPv4 address, and then only the usual four numbers: not 127.1, 0x7f.1. */
static bool
is_name_or_ipv4(const char *host)
{
	const char *label = strrchr(host, '.');
	struct in_addr bits;

	label = label == NULL ? host : label + 1;
	if (label[0] == '0' && (label[1] == 'x' || label[1] == 'X'))
		return false;
	if (label[0] == '\0' || label[strspn(label, "0123456789")] != '\0')
		return true;
	return inet_pton(AF_INET, host, &bits) == 1;
}

static bool
parse_name(const char *text, size_t len, char out[URI_HOST_MAX])
{
	for (size_t i = 0; i < len; i++) {
		char c = text[i];

		if (!is_alnum(c) && c != '-' && c != '_' && c != '.')
			return false;
		/* No empty label but the root's. */
		if (c == '.' && (i == 0 || text[i - 1] == '.'))
			return false;
		out[i] = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
	}
	out[len] = '\0';
	return is_name_or_ipv4(out);
}

/* Decimal digits, at least one and at most five. */
static bool
parse_port(const char *text, size_t len, unsigned *out)
{
	unsigned port = 0;

	if (len == 0 || len > 5)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (!is_digit(text[i]))
			return false;
		port = port * 10 + (unsigned)(text[i] - '0');
	}
	*out = port;
	return port >= 1 && port <= PORT_MAX;
}

static int
parse_authority(const char *text, size_t len, struct uri *out, struct error *err)
{
	const char *bracket = memchr(text, ']', len);
	size_t skip = bracket == NULL ? 0 : (size_t)(bracket - text);
	const char *colon = memchr(text + skip, ':', len - skip);
	size_t host_len = colon == NULL ? len : (size_t)(colon - text);
	bool good;

	if (memchr(text, '@', len) != NULL)
		return error_set(err, ERR_USAGE, "a URL must not have a user name in it");
	if (host_len == 0)
		return error_set(err, ERR_USAGE, "the URL has no host");
	if (host_len >= URI_HOST_MAX)
		return error_set(err, ERR_USAGE, "the URL's host is too long");
	good = text[0] == '[' ? parse_ipv6(text, host_len, out->host) : parse_name(text, host_len, out->host);
	if (!good)
		return error_set(err, ERR_USAGE, "the URL's host is no name or address");
	out->port = out->https ? PORT_HTTPS : PORT_HTTP;
	if (colon != NULL && !parse_port(colon + 1, len - host_len - 1, &out->port))
		return error_set(err, ERR_USAGE, "the URL's port is no number from 1 to 65535");
	return 0;
}

/* The bytes that RFC 3986 allows in a path. */
static bool
is_path(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		char c = text[i];

		if (c == '%' && len - i > 2 && is_hex_digit(text[i + 1]) && is_hex_digit(text[i + 2]))
			i += 2;
		else if (!is_unreserved(c) && (c == '\0' || strchr("/:@!$&'()*+,;=", c) == NULL))
			return false;
	}
	return true;
}

int
uri_parse(const char *text, struct uri *out, struct error *err)
{
	const char *authority, *path;
	size_t len;

	memset(out, 0, sizeof(*out));
	authority = skip_scheme(text, out);
	if (authority == NULL)
		return error_set(err, ERR_USAGE, "a URL begins with http:// or https://");
	if (strpbrk(authority, "?#") != NULL)
		return error_set(err, ERR_USAGE, "the URL must not have a query or a fragment");
	path = authority + strcspn(authority, "/");
	if (parse_authority(authority, (size_t)(path - authority), out, err) < 0)
		return err->code;
	len = strlen(path);
	while (len > 0 && path[len - 1] == '/')
		len--;
	if (len >= URI_PATH_MAX)
		return error_set(err, ERR_USAGE, "the URL's path is too long");
	if (!is_path(path, len))
		return error_set(err, ERR_USAGE, "the URL's path has bytes in it that must be written as %%XX");
	memcpy(out->path, path, len);
	return 0;
}

void
uri_host(const struct uri *u, struct buf *out)
{
	buf_put(out, u->host, strlen(u->host));
	if (u->port != (u->https ? PORT_HTTPS : PORT_HTTP))
		buf_printf(out, ":%u", u->port);
}

void
uri_origin(const struct uri *u, struct buf *out)
{
	const char *scheme = u->https ? "https://" : "http://";

	buf_put(out, scheme, strlen(scheme));
	uri_host(u, out);
}
