/*
 * Certificates for tests, made with OpenSSL's own functions: P-256, valid for a day.
 */
#include "certs.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "check.h"
#include "cleanup.h"

enum { DAY_S = 86400 };

struct authority {
	X509 *cert;
	EVP_PKEY *key;
};

static void
set_name(X509 *x, const char *name)
{
	X509_NAME *subject = X509_get_subject_name(x);

	CHECK(X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1, 0) == 1);
}

static void
add_extension(X509 *x, int nid, const char *value)
{
	X509V3_CTX context;
	X509_EXTENSION *e;

	X509V3_set_ctx(&context, NULL, x, NULL, NULL, 0);
	e = X509V3_EXT_conf_nid(NULL, &context, nid, value);
	CHECK(e != NULL && X509_add_ext(x, e, -1) == 1);
	X509_EXTENSION_free(e);
}

/* A certificate for a new key, not signed yet. */
static X509 *
new_certificate(const char *name, long from_s, long to_s, EVP_PKEY **out_key)
{
	static long serial = 1;
	X509 *x = X509_new();

	*out_key = EVP_EC_gen("P-256");
	CHECK(x != NULL && *out_key != NULL);
	CHECK(X509_set_version(x, X509_VERSION_3) == 1);
	CHECK(ASN1_INTEGER_set(X509_get_serialNumber(x), serial++) == 1);
	CHECK(X509_gmtime_adj(X509_getm_notBefore(x), from_s) != NULL);
	CHECK(X509_gmtime_adj(X509_getm_notAfter(x), to_s) != NULL);
	CHECK(X509_set_pubkey(x, *out_key) == 1);
	set_name(x, name);
	return x;
}

static void
sign(X509 *x, const struct authority *by)
{
	CHECK(X509_set_issuer_name(x, X509_get_subject_name(by->cert)) == 1);
	CHECK(X509_sign(x, by->key, EVP_sha256()) > 0);
}

static FILE *
open_file(const char *folder, const char *name, const char *ending)
{
	char path[4096];
	FILE *f;

	(void)snprintf(path, sizeof(path), "%s/%s%s", folder, name, ending);
	f = fopen(path, "w");
	CHECK(f != NULL);
	return f;
}

static void
write_certificate(const char *folder, const char *name, X509 *x)
{
	CLEANUP_FCLOSE FILE *f = open_file(folder, name, ".pem");

	CHECK(PEM_write_X509(f, x) == 1);
}

static void
write_key(const char *folder, const char *name, EVP_PKEY *key)
{
	CLEANUP_FCLOSE FILE *f = open_file(folder, name, ".key");

	CHECK(PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL) == 1);
}

static struct authority
make_authority(const char *folder, const char *name)
{
	struct authority a;

	a.cert = new_certificate(name, -DAY_S, DAY_S, &a.key);
	add_extension(a.cert, NID_basic_constraints, "critical,CA:TRUE");
	add_extension(a.cert, NID_key_usage, "critical,keyCertSign,cRLSign");
	sign(a.cert, &a);
	write_certificate(folder, name, a.cert);
	return a;
}

static void
free_authority(struct authority *a)
{
	X509_free(a->cert);
	EVP_PKEY_free(a->key);
}

static void
make(const char *folder, const char *name, const char *alt_names, long to_s, const struct authority *by)
{
	EVP_PKEY *key;
	X509 *x = new_certificate(name, -2 * DAY_S, to_s, &key);

	if (alt_names != NULL)
		add_extension(x, NID_subject_alt_name, alt_names);
	sign(x, by);
	write_certificate(folder, name, x);
	write_key(folder, name, key);
	X509_free(x);
	EVP_PKEY_free(key);
}

void
certs_make(const char *folder)
{
	struct authority ca = make_authority(folder, "ca"), stranger = make_authority(folder, "stranger-ca");

	make(folder, "server", "DNS:localhost,IP:127.0.0.1,IP:::1", DAY_S, &ca);
	make(folder, "other", "DNS:other.example", DAY_S, &ca);
	make(folder, "expired", "DNS:localhost,IP:127.0.0.1,IP:::1", -DAY_S, &ca);
	make(folder, "client", NULL, DAY_S, &ca);
	make(folder, "stranger", NULL, DAY_S, &stranger);
	free_authority(&ca);
	free_authority(&stranger);
}
