/* The cryptography against published vectors, and what it must refuse. */
#include "crypto.h"

#include <pthread.h>
#include <unistd.h>

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>

#include "hpke_internal.h"
#include "check.h"
#include "cleanup.h"
#include "wire.h"

/* Bytes from hexadecimal of any length up to the size of out. */
static size_t
unhex(void *out, size_t size, const char *hex)
{
	size_t len = strlen(hex) / 2;

	CHECK(len <= size);
	CHECK(hex_decode(out, len, hex));
	return len;
}

/* Threads whose first call falls together: each sets up what it needs, and all get the same answers. */
static void *
first_calls(void *arg)
{
	static const uint8_t key[KEY_LEN] = {1};
	uint8_t *out = arg, sealed[KEY_LEN + TAG_LEN];
	struct error err;

	CHECK_OK(crypto_derive(key, "label", NULL, 0, out, &err), &err);
	CHECK_OK(aead_seal_once(out, NULL, 0, out, KEY_LEN, sealed, &err), &err);
	CHECK_OK(crypto_sha256(sealed, sizeof(sealed), out, &err), &err);
	return NULL;
}

static void
test_threads(void)
{
	uint8_t out[4][KEY_LEN];
	pthread_t threads[COUNT_OF(out)];

	for (size_t i = 0; i < COUNT_OF(out); i++)
		CHECK_INT(pthread_create(&threads[i], NULL, first_calls, out[i]), 0);
	for (size_t i = 0; i < COUNT_OF(out); i++) {
		CHECK_INT(pthread_join(threads[i], NULL), 0);
		CHECK_MEM(out[i], out[0], KEY_LEN);
	}
}

static void
test_random_and_compare(void)
{
	uint8_t a[100] = {0}, b[100] = {0};
	struct error err;

	CHECK_OK(crypto_random(a, sizeof(a), &err), &err);
	CHECK_OK(crypto_random(b, sizeof(b), &err), &err);
	CHECK(memcmp(a, b, sizeof(a)) != 0);
	CHECK(!crypto_equal(a, b, sizeof(a)));
	memcpy(b, a, sizeof(a));
	CHECK(crypto_equal(a, b, sizeof(a)));
	b[99] ^= 1;
	CHECK(!crypto_equal(a, b, sizeof(a)));
	CHECK(crypto_equal(a, b, 99));
	crypto_wipe(a, sizeof(a));
	for (size_t i = 0; i < sizeof(a); i++)
		CHECK_INT(a[i], 0);
}

/* FIPS 180-2, appendix B. */
static void
test_sha256(void)
{
	static const struct {
		const char *text, *digest;
	} cases[] = {
	    {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
	    {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
	    {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
		"248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
	};
	uint8_t got[32], want[32];
	struct error err;

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		(void)unhex(want, sizeof(want), cases[i].digest);
		CHECK_OK(crypto_sha256(cases[i].text, strlen(cases[i].text), got, &err), &err);
		CHECK_MEM(got, want, sizeof(want));
	}
}

/* RFC 4231, the cases whose key fits: HMAC fills up shorter keys with zeros. */
static const struct {
	const char *key, *data, *mac;
} mac_cases[] = {
    {"0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "4869205468657265",
	"b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
    {"4a656665", "7768617420646f2079612077616e7420666f72206e6f7468696e673f",
	"5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
    {"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
	"dddddddddddddddddddddddddddddddddddddddddddddddddd"
	"dddddddddddddddddddddddddddddddddddddddddddddddddd",
	"773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"},
    {"0102030405060708090a0b0c0d0e0f10111213141516171819",
	"cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd"
	"cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd",
	"82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b"},
};

static void
test_mac(void)
{
	uint8_t data[64], got[ID_LEN], want[ID_LEN];
	struct error err;

	for (size_t i = 0; i < COUNT_OF(mac_cases); i++) {
		uint8_t key[KEY_LEN] = {0};
		size_t len = unhex(data, sizeof(data), mac_cases[i].data);
		struct mac *m;

		(void)unhex(key, sizeof(key), mac_cases[i].key);
		(void)unhex(want, sizeof(want), mac_cases[i].mac);
		CHECK_OK(mac_new(key, &m, &err), &err);
		/* Every cut between prefix and bytes, again and again with one context. */
		for (size_t cut = 0; cut <= len; cut++) {
			CHECK_OK(mac_compute(m, data, cut, data + cut, len - cut, got, &err), &err);
			CHECK_MEM(got, want, sizeof(want));
		}
		CHECK_OK(mac_compute(m, NULL, 0, data, len, got, &err), &err);
		CHECK_MEM(got, want, sizeof(want));
		mac_free(m);
	}
	mac_free(NULL);
}

/* K(key, label, context) by OpenSSL's own HKDF. */
static void
derive_by_kdf(const uint8_t key[KEY_LEN], const char *label, const void *context, size_t len, uint8_t out[KEY_LEN])
{
	EVP_KDF *kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
	EVP_KDF_CTX *ctx = EVP_KDF_CTX_new(kdf);
	char digest[] = "SHA256";
	uint8_t info[512];
	size_t n = (size_t)snprintf((char *)info, sizeof(info), "snapferry/1/%s", label) + 1;
	OSSL_PARAM params[4];

	memcpy(info + n, context, len);
	params[0] = OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0);
	params[1] = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, (void *)(uintptr_t)key, KEY_LEN);
	params[2] = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, info, n + len);
	params[3] = OSSL_PARAM_construct_end();
	CHECK_INT(EVP_KDF_derive(ctx, out, KEY_LEN, params), 1);
	EVP_KDF_CTX_free(ctx);
	EVP_KDF_free(kdf);
}

static void
test_derive(void)
{
	uint8_t key[KEY_LEN], context[64], got[KEY_LEN], want[KEY_LEN];
	struct error err;

	CHECK_OK(crypto_random(key, sizeof(key), &err), &err);
	CHECK_OK(crypto_random(context, sizeof(context), &err), &err);
	for (size_t len = 0; len <= sizeof(context); len++) {
		CHECK_OK(crypto_derive(key, "label", context, len, got, &err), &err);
		derive_by_kdf(key, "label", context, len, want);
		CHECK_MEM(got, want, sizeof(want));
	}
	/* The NUL keeps label and context apart. */
	CHECK_OK(crypto_derive(key, "ab", "c", 1, got, &err), &err);
	CHECK_OK(crypto_derive(key, "a", "bc", 2, want, &err), &err);
	CHECK(memcmp(got, want, sizeof(want)) != 0);
}

/* Any scrypt by OpenSSL: 0 if it refuses. */
static int
scrypt_by_kdf(
    const char *pass, const void *salt, size_t salt_len, uint64_t n, uint32_t r, uint32_t p, uint8_t *out, size_t len)
{
	EVP_KDF *kdf = EVP_KDF_fetch(NULL, "SCRYPT", NULL);
	EVP_KDF_CTX *ctx = EVP_KDF_CTX_new(kdf);
	OSSL_PARAM params[6];
	int ok;

	params[0] = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_PASSWORD, (void *)(uintptr_t)pass, strlen(pass));
	params[1] = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT, (void *)(uintptr_t)salt, salt_len);
	params[2] = OSSL_PARAM_construct_uint64(OSSL_KDF_PARAM_SCRYPT_N, &n);
	params[3] = OSSL_PARAM_construct_uint32(OSSL_KDF_PARAM_SCRYPT_R, &r);
	params[4] = OSSL_PARAM_construct_uint32(OSSL_KDF_PARAM_SCRYPT_P, &p);
	params[5] = OSSL_PARAM_construct_end();
	ok = EVP_KDF_derive(ctx, out, len, params);
	EVP_KDF_CTX_free(ctx);
	EVP_KDF_free(kdf);
	return ok;
}

static void
test_scrypt(void)
{
	static const struct {
		unsigned log_n, r, p;
	} cases[] = {{1, 1, 1}, {4, 1, 1}, {10, 8, 1}, {10, 8, 4}, {12, 3, 2}};
	static const struct {
		unsigned log_n, r, p;
		int code;
	} refused[] = {
	    {0, 8, 1, ERR_USAGE},
	    {10, 0, 1, ERR_USAGE},
	    {10, 8, 0, ERR_USAGE},
	    {16, 1, 1, ERR_USAGE},
	    {64, 8, 1, ERR_USAGE},
	    {UINT32_MAX, 8, 1, ERR_USAGE},
	    {10, UINT32_MAX, 1, ERR_USAGE},
	    {10, 8, UINT32_MAX, ERR_USAGE},
	    {20, 9, 1, ERR_NOMEM},
	    {21, 8, 1, ERR_NOMEM},
	    {40, 1024, 1, ERR_NOMEM},
	};
	uint8_t salt[32], got[64], want[64];
	struct error err;

	/* RFC 7914 section 12: its salts have other lengths than ours, so this vector only proves the yardstick. */
	CHECK_INT(scrypt_by_kdf("", "", 0, 16, 1, 1, got, 64), 1);
	(void)unhex(want, sizeof(want),
	    "77d6576238657b203b19ca42c18a0497f16b4844e3074ae8dfdffa3fede21442"
	    "fcd0069ded0948f8326a753a0fc81f17e8d3e0fb2e0d3628cf35e20c38d18906");
	CHECK_MEM(got, want, 64);

	for (size_t i = 0; i < sizeof(salt); i++)
		salt[i] = (uint8_t)i;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		CHECK_INT(scrypt_by_kdf("Passwort", salt, 32, UINT64_C(1) << cases[i].log_n, cases[i].r, cases[i].p,
			      want, KEY_LEN),
		    1);
		CHECK_OK(crypto_scrypt("Passwort", 8, salt, cases[i].log_n, cases[i].r, cases[i].p, got, &err), &err);
		CHECK_MEM(got, want, KEY_LEN);
	}
	CHECK_OK(crypto_scrypt("correct horse", 13, salt, 10, 8, 2, got, &err), &err);
	(void)unhex(want, sizeof(want), "205bcd6aacb4a49cb4def396564238bd203657c81a40a73714b2a52aa81c3858");
	CHECK_MEM(got, want, KEY_LEN);
	for (size_t i = 0; i < COUNT_OF(refused); i++)
		CHECK_INT(crypto_scrypt("x", 1, salt, refused[i].log_n, refused[i].r, refused[i].p, got, &err),
		    refused[i].code);
}

/* RFC 8032 section 7.1. */
static void
test_sign(void)
{
	static const struct {
		const char *seed, *public_key, *message, *signature;
	} cases[] = {
	    {"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
		"d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
		"e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555"
		"fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"},
	    {"4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
		"3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
		"92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da0"
		"85ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"},
	    {"c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
		"fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
		"6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac1"
		"8ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"},
	};
	uint8_t seed[KEY_LEN], key[KEY_LEN], want_key[KEY_LEN], message[2];
	uint8_t signature[SIGNATURE_LEN], want[SIGNATURE_LEN];
	struct error err;

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		size_t len = unhex(message, sizeof(message), cases[i].message);

		(void)unhex(seed, sizeof(seed), cases[i].seed);
		(void)unhex(want_key, sizeof(want_key), cases[i].public_key);
		(void)unhex(want, sizeof(want), cases[i].signature);
		CHECK_OK(crypto_sign_public(seed, key, &err), &err);
		CHECK_MEM(key, want_key, KEY_LEN);
		CHECK_OK(crypto_sign(seed, message, len, signature, &err), &err);
		CHECK_MEM(signature, want, SIGNATURE_LEN);
		CHECK_OK(crypto_verify(key, message, len, signature, &err), &err);

		for (size_t j = 0; j < SIGNATURE_LEN; j++) {
			signature[j] ^= 1;
			CHECK_INT(crypto_verify(key, message, len, signature, &err), ERR_CORRUPT);
			signature[j] ^= 1;
		}
		for (size_t j = 0; j < KEY_LEN; j++) {
			key[j] ^= 1;
			CHECK_INT(crypto_verify(key, message, len, signature, &err), ERR_CORRUPT);
			key[j] ^= 1;
		}
		CHECK_INT(crypto_verify(key, "other", 5, signature, &err), ERR_CORRUPT);
	}
}

/* RFC 7748 section 5.2, with the iteration that it defines. */
static void
test_exchange(void)
{
	static const struct {
		const char *scalar, *u, *out;
	} cases[] = {
	    {"a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4",
		"e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c",
		"c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552"},
	    {"4b66e9d4d1b4673c5ad22691957d6af5c11b6421e0ea01d42ca4169e7918ba0d",
		"e5210f12786811d3f4b7959d0538ae2c31dbe7106fc03c3efc4cd549c715a493",
		"95cbde9476e8907d7aade45cb4b873f88b595a68799fa152e6f8f7647aac7957"},
	};
	static const uint8_t zero[KEY_LEN], one[KEY_LEN] = {1};
	uint8_t k[KEY_LEN] = {9}, u[KEY_LEN] = {9}, out[KEY_LEN], want[KEY_LEN];
	struct error err;

	for (size_t i = 0; i < 100; i++) {
		CHECK_OK(crypto_exchange(k, u, out, &err), &err);
		memcpy(u, k, KEY_LEN);
		memcpy(k, out, KEY_LEN);
		if (i == 0) {
			(void)unhex(want, KEY_LEN, "422c8e7a6227d7bca1350b3e2bb7279f7897b87bb6854b783c60e80311ae3079");
			CHECK_MEM(out, want, KEY_LEN);
		}
	}
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		(void)unhex(k, KEY_LEN, cases[i].scalar);
		(void)unhex(u, KEY_LEN, cases[i].u);
		(void)unhex(want, KEY_LEN, cases[i].out);
		CHECK_OK(crypto_exchange(k, u, out, &err), &err);
		CHECK_MEM(out, want, KEY_LEN);
	}
	/* Points of low order would give everybody the same secret. */
	CHECK_INT(crypto_exchange(k, zero, out, &err), ERR_CORRUPT);
	CHECK_INT(crypto_exchange(k, one, out, &err), ERR_CORRUPT);
}

/* "The Galois/Counter Mode of Operation", McGrew and Viega, test cases 13 to 16. */
static const char gcm_plain[] = "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
				"1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b391aafd255";
static const char gcm_key[] = "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308";

static const struct {
	const char *key, *nonce, *aad;
	size_t len;
	const char *sealed;
} gcm_cases[] = {
    {NULL, "000000000000000000000000", "", 0, "530f8afbc74536b9a963b4f1c4cb738b"},
    {gcm_key, "cafebabefacedbaddecaf888", "", 64,
	"522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838"
	"c5f61e6393ba7a0abcc9f662898015adb094dac5d93471bdec1a502270e3cc6c"},
    {gcm_key, "cafebabefacedbaddecaf888", "feedfacedeadbeeffeedfacedeadbeefabaddad2", 60,
	"522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838"
	"c5f61e6393ba7a0abcc9f66276fc6ece0f4e1768cddf8853bb2d551b"},
};

static void
test_gcm_vectors(void)
{
	static const uint8_t zero[KEY_LEN];
	uint8_t plain[64], aad[20], nonce[AEAD_NONCE_LEN], want[80], got[80], back[80];
	struct aead *a;
	struct error err;

	CHECK_OK(aead_new(&a, &err), &err);
	(void)unhex(plain, sizeof(plain), gcm_plain);
	for (size_t i = 0; i < COUNT_OF(gcm_cases); i++) {
		uint8_t key[KEY_LEN] = {0};
		size_t len = gcm_cases[i].len, aad_len = unhex(aad, sizeof(aad), gcm_cases[i].aad);

		if (gcm_cases[i].key != NULL)
			(void)unhex(key, sizeof(key), gcm_cases[i].key);
		(void)unhex(nonce, sizeof(nonce), gcm_cases[i].nonce);
		CHECK_INT(unhex(want, sizeof(want), gcm_cases[i].sealed), len + TAG_LEN);
		CHECK_OK(aead_set_key(a, key, &err), &err);
		CHECK_OK(aead_seal_nonce(a, nonce, aad, aad_len, plain, len, got, &err), &err);
		CHECK_MEM(got, want, len + TAG_LEN);
		CHECK_OK(aead_open_nonce(a, nonce, aad, aad_len, got, len + TAG_LEN, back, &err), &err);
		CHECK_MEM(back, plain, len);
	}
	/* Case 14, through the calls that everybody uses. */
	memset(plain, 0, sizeof(plain));
	(void)unhex(want, sizeof(want), "cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919");
	CHECK_OK(aead_seal_once(zero, NULL, 0, plain, 16, got, &err), &err);
	CHECK_MEM(got, want, 32);
	CHECK_OK(aead_open_once(zero, NULL, 0, got, 32, back, &err), &err);
	CHECK_MEM(back, plain, 16);
	aead_free(a);
	aead_free(NULL);
}

/* The nonce's layout, checked with another implementation. */
static void
test_aead_ordinal(void)
{
	uint8_t key[KEY_LEN], want[64], got[64], back[64];
	struct aead *a;
	struct error err;

	for (size_t i = 0; i < KEY_LEN; i++)
		key[i] = (uint8_t)i;
	CHECK_OK(aead_new(&a, &err), &err);
	CHECK_INT(aead_seal(a, 0, NULL, 0, "x", 1, got, &err), ERR_USAGE);
	CHECK_OK(aead_set_key(a, key, &err), &err);
	CHECK_OK(aead_seal(a, UINT64_C(0x0102030405060708), "aad", 3, "frame", 5, got, &err), &err);
	(void)unhex(want, sizeof(want), "62230463b8911edbf83eaa0daf00d34340dc7ae4ff");
	CHECK_MEM(got, want, 21);
	CHECK_OK(aead_open(a, UINT64_C(0x0102030405060708), "aad", 3, got, 21, back, &err), &err);
	CHECK_MEM(back, "frame", 5);
	CHECK_INT(aead_open(a, UINT64_C(0x0102030405060709), "aad", 3, got, 21, back, &err), ERR_CORRUPT);
	/* A new key takes over in both directions. */
	key[0] ^= 1;
	CHECK_OK(aead_set_key(a, key, &err), &err);
	CHECK_INT(aead_open(a, UINT64_C(0x0102030405060708), "aad", 3, got, 21, back, &err), ERR_CORRUPT);
	CHECK_OK(aead_seal(a, UINT64_C(0x0102030405060708), "aad", 3, "frame", 5, got, &err), &err);
	CHECK(memcmp(got, want, 21) != 0);
	aead_free(a);
}

/* Every byte counts, damage leaves nothing behind, and all of it works in place. */
static void
test_aead_damage(void)
{
	static const char text[] = "frames follow each other without lengths, ids or gaps";
	static const uint8_t zero[sizeof(text)];
	uint8_t key[KEY_LEN] = {7}, sealed[sizeof(text) + TAG_LEN], out[sizeof(sealed)];
	char aad[] = "additional";
	struct aead *a;
	struct error err;

	CHECK_OK(aead_new(&a, &err), &err);
	CHECK_OK(aead_set_key(a, key, &err), &err);
	memcpy(sealed, text, sizeof(text));
	CHECK_OK(aead_seal(a, 3, aad, sizeof(aad), sealed, sizeof(text), sealed, &err), &err);
	for (size_t i = 0; i < sizeof(sealed); i++) {
		memcpy(out, sealed, sizeof(sealed));
		out[i] ^= 0x80;
		CHECK_INT(aead_open(a, 3, aad, sizeof(aad), out, sizeof(sealed), out, &err), ERR_CORRUPT);
		CHECK_MEM(out, zero, sizeof(text));
	}
	for (size_t i = 0; i < sizeof(aad); i++) {
		aad[i] ^= 1;
		CHECK_INT(aead_open(a, 3, aad, sizeof(aad), sealed, sizeof(sealed), out, &err), ERR_CORRUPT);
		aad[i] ^= 1;
	}
	for (size_t len = 0; len < sizeof(sealed); len++)
		CHECK_INT(aead_open(a, 3, aad, sizeof(aad), sealed, len, out, &err), ERR_CORRUPT);
	/* After all these failures the context still works. */
	CHECK_OK(aead_open(a, 3, aad, sizeof(aad), sealed, sizeof(sealed), sealed, &err), &err);
	CHECK_MEM(sealed, text, sizeof(text));
	CHECK_INT(aead_seal(a, 4, NULL, 0, text, (size_t)INT32_MAX + 1, out, &err), ERR_USAGE);
	aead_free(a);
}

/* RFC 9180 appendix A.1.1 and A.2.1: the KEM of our suite, and the key schedule with the two AEADs that are printed. */
static const struct {
	uint16_t aead_id;
	const char *ephemeral, *private_key, *public_key, *enc, *shared, *key, *nonce;
} hpke_cases[] = {
    {HPKE_AES_128_GCM, "52c4a758a802cd8b936eceea314432798d5baf2d7e9235dc084ab1b9cfa2f736",
	"4612c550263fc8ad58375df3f557aac531d26850903e55a9f23f21d8534e8ac8",
	"3948cfe0ad1ddb695d780e59077195da6c56506b027329794ab02bca80815c4d",
	"37fda3567bdbd628e88668c3c8d7e97d1d1253b6d4ea6d44c150f741f1bf4431",
	"fe0e18c9f024ce43799ae393c7e8fe8fce9d218875e8227b0187c04e7d2ea1fc", "4531685d41d65f03dc48f6b8302c05b0",
	"56d890e5accaaf011cff4b7d"},
    {HPKE_CHACHA20_POLY1305, "f4ec9b33b792c372c1d2c2063507b684ef925b8c75a42dbcbf57d63ccd381600",
	"8057991eef8f1f1af18f4a9491d16a1ce333f695d4db8e38da75975c4478e0fb",
	"4310ee97d88cc1f088a5576c77ab0cf5c3ac797f3d95139c6c84b5429c59662a",
	"1afa08d3dec047a643885163f1180476fa7ddb54c6a8029ea33f95796bf2ac4a",
	"0bbe78490412b4bbea4812666f7916932b828bba79942424abb65244930d69a7",
	"ad2744de8e17f4ebba575b3f5f5a8fa1f69c2a07f6e7500bc60ca6e3e3ec1c91", "5c4d98150661b848853b547f"},
};

static void
test_hpke_vectors(void)
{
	static const char info[] = "Ode on a Grecian Urn";
	uint8_t ephemeral[KEY_LEN], private_key[KEY_LEN], public_key[KEY_LEN], got_public[KEY_LEN];
	uint8_t enc[KEY_LEN], shared[KEY_LEN], key[KEY_LEN], nonce[AEAD_NONCE_LEN], want[KEY_LEN];
	struct error err;

	for (size_t i = 0; i < COUNT_OF(hpke_cases); i++) {
		size_t key_len = strlen(hpke_cases[i].key) / 2;

		(void)unhex(ephemeral, KEY_LEN, hpke_cases[i].ephemeral);
		(void)unhex(private_key, KEY_LEN, hpke_cases[i].private_key);
		(void)unhex(public_key, KEY_LEN, hpke_cases[i].public_key);
		CHECK_OK(crypto_seal_public(private_key, got_public, &err), &err);
		CHECK_MEM(got_public, public_key, KEY_LEN);

		CHECK_OK(hpke_encap(ephemeral, public_key, enc, shared, &err), &err);
		(void)unhex(want, KEY_LEN, hpke_cases[i].enc);
		CHECK_MEM(enc, want, KEY_LEN);
		(void)unhex(want, KEY_LEN, hpke_cases[i].shared);
		CHECK_MEM(shared, want, KEY_LEN);
		memset(shared, 0, KEY_LEN);
		CHECK_OK(hpke_decap(private_key, enc, shared, &err), &err);
		CHECK_MEM(shared, want, KEY_LEN);

		CHECK_OK(
		    hpke_schedule(shared, hpke_cases[i].aead_id, info, strlen(info), key, key_len, nonce, &err), &err);
		(void)unhex(want, KEY_LEN, hpke_cases[i].key);
		CHECK_MEM(key, want, key_len);
		(void)unhex(want, KEY_LEN, hpke_cases[i].nonce);
		CHECK_MEM(nonce, want, AEAD_NONCE_LEN);
	}
	CHECK_INT(hpke_schedule(shared, HPKE_AES_256_GCM, "", 0, key, 33, nonce, &err), ERR_USAGE);
}

static void
test_hpke_message(void)
{
	static const uint8_t low_order[KEY_LEN];
	uint8_t private_key[KEY_LEN], public_key[KEY_LEN], plain[KEY_LEN], out[KEY_LEN];
	uint8_t sealed[KEY_LEN + HPKE_OVERHEAD], again[KEY_LEN + HPKE_OVERHEAD];
	struct error err;

	/* A message that another implementation made for the key of the first vector. */
	(void)unhex(private_key, KEY_LEN, hpke_cases[0].private_key);
	(void)unhex(public_key, KEY_LEN, hpke_cases[0].public_key);
	(void)unhex(sealed, sizeof(sealed),
	    "bd7867c96903c2c847f54970f8994e5701875dbf82ceeb4ee5d5b71d3862c67c8e64285a51c1ee75"
	    "d1357d7f98c94aac5fb1d04563aa52fe21420a97ab4f2e8556419853e8825a6420ba338f96a396a8");
	for (size_t i = 0; i < KEY_LEN; i++)
		plain[i] = (uint8_t)i;
	CHECK_OK(hpke_open(private_key, "snapferry/1/session", NULL, 0, sealed, sizeof(sealed), out, &err), &err);
	CHECK_MEM(out, plain, KEY_LEN);

	CHECK_OK(hpke_seal(public_key, "info", "aad", 3, plain, KEY_LEN, sealed, &err), &err);
	CHECK_OK(hpke_seal(public_key, "info", "aad", 3, plain, KEY_LEN, again, &err), &err);
	CHECK(memcmp(sealed, again, sizeof(sealed)) != 0);
	CHECK_OK(hpke_open(private_key, "info", "aad", 3, sealed, sizeof(sealed), out, &err), &err);
	CHECK_MEM(out, plain, KEY_LEN);
	CHECK_INT(hpke_open(private_key, "inf0", "aad", 3, sealed, sizeof(sealed), out, &err), ERR_CORRUPT);
	CHECK_INT(hpke_open(private_key, "info", "aae", 3, sealed, sizeof(sealed), out, &err), ERR_CORRUPT);
	CHECK_INT(hpke_open(private_key, "info", "aad", 2, sealed, sizeof(sealed), out, &err), ERR_CORRUPT);
	for (size_t i = 0; i < sizeof(sealed); i++) {
		sealed[i] ^= 1;
		CHECK_INT(hpke_open(private_key, "info", "aad", 3, sealed, sizeof(sealed), out, &err), ERR_CORRUPT);
		sealed[i] ^= 1;
	}
	for (size_t len = 0; len < sizeof(sealed); len++)
		CHECK_INT(hpke_open(private_key, "info", "aad", 3, sealed, len, out, &err), ERR_CORRUPT);
	private_key[5] ^= 1;
	CHECK_INT(hpke_open(private_key, "info", "aad", 3, sealed, sizeof(sealed), out, &err), ERR_CORRUPT);

	CHECK_INT(hpke_seal(low_order, "info", "aad", 3, plain, KEY_LEN, sealed, &err), ERR_CORRUPT);
	memset(sealed, 0, KEY_LEN);
	CHECK_INT(hpke_open(private_key, "info", "aad", 3, sealed, sizeof(sealed), out, &err), ERR_CORRUPT);
}

int
main(void)
{
	(void)alarm(60);
	test_threads();
	test_random_and_compare();
	test_sha256();
	test_mac();
	test_derive();
	test_scrypt();
	test_sign();
	test_exchange();
	test_gcm_vectors();
	test_aead_ordinal();
	test_aead_damage();
	test_hpke_vectors();
	test_hpke_message();
	return 0;
}
