/*
 * The allocator that fails.
 */
#include "malloc_fault.h"

#include <curl/curl.h>
#include <errno.h>
#include <expat.h>
#include <json-c/json.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <zstd.h>

static atomic_ulong calls; /* since the last plan */
static atomic_ulong fail_at; /* 0: never */
static atomic_bool fail_later;
static atomic_bool counting; /* in all threads */
static _Thread_local bool counting_here;

static bool
fails(void)
{
	unsigned long n, at;

	if (!atomic_load(&counting) && !counting_here)
		return false;
	n = atomic_fetch_add(&calls, 1) + 1;
	at = atomic_load(&fail_at);
	return at != 0 && (n == at || (n > at && atomic_load(&fail_later)));
}

void
malloc_fault_plan(unsigned long nth, bool and_later)
{
	atomic_store(&calls, 0);
	atomic_store(&fail_at, nth);
	atomic_store(&fail_later, and_later);
}

void
malloc_fault_begin(bool only_here)
{
	if (only_here)
		counting_here = true;
	else
		atomic_store(&counting, true);
}

void
malloc_fault_end(void)
{
	counting_here = false;
	atomic_store(&counting, false);
}

unsigned long
malloc_fault_calls(void)
{
	return atomic_load(&calls);
}

/* A function of the given type, name and parameters that fails when it is its turn. */
#define WRAP(type, name, failure, params, args) \
	type __real_##name params; \
	type __wrap_##name params; \
	type __wrap_##name params \
	{ \
		if (fails()) { \
			errno = ENOMEM; \
			return failure; \
		} \
		return __real_##name args; \
	}

WRAP(void *, malloc, NULL, (size_t len), (len))
WRAP(void *, calloc, NULL, (size_t n, size_t len), (n, len))
WRAP(void *, realloc, NULL, (void *p, size_t len), (p, len))
WRAP(void *, reallocarray, NULL, (void *p, size_t n, size_t len), (p, n, len))
WRAP(void *, aligned_alloc, NULL, (size_t alignment, size_t len), (alignment, len))
WRAP(char *, strdup, NULL, (const char *text), (text))
WRAP(char *, strndup, NULL, (const char *text, size_t len), (text, len))
WRAP(void *, mmap, MAP_FAILED, (void *at, size_t len, int prot, int flags, int fd, off_t offset),
    (at, len, prot, flags, fd, offset))
WRAP(int, pthread_create, EAGAIN, (pthread_t * t, const pthread_attr_t *attr, void *(*fn)(void *), void *arg),
    (t, attr, fn, arg))
WRAP(EVP_CIPHER_CTX *, EVP_CIPHER_CTX_new, NULL, (void), ())
WRAP(EVP_MD_CTX *, EVP_MD_CTX_new, NULL, (void), ())
WRAP(EVP_MAC_CTX *, EVP_MAC_CTX_new, NULL, (EVP_MAC * mac), (mac))
WRAP(EVP_KDF_CTX *, EVP_KDF_CTX_new, NULL, (EVP_KDF * kdf), (kdf))
WRAP(EVP_PKEY *, EVP_PKEY_new_raw_private_key_ex, NULL,
    (OSSL_LIB_CTX * lib, const char *type, const char *query, const unsigned char *key, size_t len),
    (lib, type, query, key, len))
WRAP(EVP_PKEY *, EVP_PKEY_new_raw_public_key_ex, NULL,
    (OSSL_LIB_CTX * lib, const char *type, const char *query, const unsigned char *key, size_t len),
    (lib, type, query, key, len))
WRAP(EVP_PKEY_CTX *, EVP_PKEY_CTX_new_from_pkey, NULL, (OSSL_LIB_CTX * lib, EVP_PKEY *key, const char *query),
    (lib, key, query))
WRAP(ZSTD_CCtx *, ZSTD_createCCtx, NULL, (void), ())
WRAP(ZSTD_DCtx *, ZSTD_createDCtx, NULL, (void), ())
WRAP(struct json_object *, json_object_new_object, NULL, (void), ())
WRAP(struct json_object *, json_object_new_array, NULL, (void), ())
WRAP(struct json_tokener *, json_tokener_new_ex, NULL, (int depth), (depth))
WRAP(CURL *, curl_easy_init, NULL, (void), ())
WRAP(CURLSH *, curl_share_init, NULL, (void), ())
WRAP(struct curl_slist *, curl_slist_append, NULL, (struct curl_slist * list, const char *text), (list, text))
WRAP(XML_Parser, XML_ParserCreate, NULL, (const XML_Char *encoding), (encoding))
