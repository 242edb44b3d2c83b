/*
 * libcurl's errors as ours: what the caller can do about it.
 */
#include <curl/curl.h>
#include <string.h>

#include "cleanup.h"
#include "error.h"
#include "http_internal.h"

/* What is not here is the network's or the server's fault, and may be over when it is tried again. */
static const struct {
	CURLcode rc;
	enum error_code code;
} codes[] = {
    /* Before 8.6 also a line of a head that is longer than libcurl takes. */
    {CURLE_OUT_OF_MEMORY, ERR_NOMEM},
#if LIBCURL_VERSION_NUM >= 0x080600
    {CURLE_TOO_LARGE, ERR_CORRUPT},
#endif
    {CURLE_ABORTED_BY_CALLBACK, ERR_CANCELLED},
    {CURLE_PEER_FAILED_VERIFICATION, ERR_DENIED},
    {CURLE_SSL_ISSUER_ERROR, ERR_DENIED},
    {CURLE_SSL_CLIENTCERT, ERR_DENIED},
    {CURLE_SSL_CACERT_BADFILE, ERR_USAGE},
    {CURLE_SSL_CERTPROBLEM, ERR_USAGE},
    {CURLE_URL_MALFORMAT, ERR_USAGE},
    {CURLE_LOGIN_DENIED, ERR_USAGE},
    {CURLE_BAD_FUNCTION_ARGUMENT, ERR_USAGE},
};

/* The server's word that it does not like our certificate, or that there is none.  With TLS 1.3 it comes when the
 * connection already stands, and libcurl knows only that reading failed. */
static bool
is_refused_certificate(const char *text)
{
	static const char *const reasons[] = {"certificate", "unknown ca", "access denied"};

	if (strstr(text, " alert ") == NULL)
		return false;
	for (size_t i = 0; i < COUNT_OF(reasons); i++) {
		if (strstr(text, reasons[i]) != NULL)
			return true;
	}
	return false;
}

static enum error_code
code_of(const struct http_handle *h, CURLcode rc)
{
	if (h->broken != ERR_OK)
		return h->broken;
	if (is_refused_certificate(h->text))
		return ERR_DENIED;
	for (size_t i = 0; i < COUNT_OF(codes); i++) {
		if (codes[i].rc == rc)
			return codes[i].code;
	}
	return ERR_UNAVAILABLE;
}

int
http_fail(const struct http_handle *h, CURLcode rc, struct error *err)
{
	const char *text = h->text[0] != '\0' ? h->text : curl_easy_strerror(rc);
	enum error_code code = code_of(h, rc);
	char quoted[300];

	if (code == ERR_NOMEM)
		return error_set(err, code, "%s: out of memory, or a line of the reply's head without end", h->origin);
	if (code == ERR_CANCELLED)
		return error_set(err, code, "%s: cancelled", h->origin);
	if (code == ERR_CORRUPT)
		return error_set(err, code, "%s: the reply is too long", h->origin);
	return error_set(err, code, "%s: %s", h->origin, error_quote(quoted, sizeof(quoted), text, strlen(text)));
}
