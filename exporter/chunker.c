/*
 * Where files are cut into chunks.
 *
 * FastCDC: a gear hash h = 2h + gear[byte] has in its upper bits a function of the last 64 bytes only, so a cut depends
 * on nothing but the 64 bytes before it (and on the distance from the last cut).  A stricter mask before the average
 * and a laxer one behind it pull the lengths towards the average.
 */
#include "chunker.h"

#include <string.h>

#include "cleanup.h"
#include "error.h"

static void
free_mac(struct mac **mac)
{
	mac_free(*mac);
}

/* Bytes that the upper bits of the hash depend on. */
#define WINDOW 64u

/* 22 bits below the average, 18 above: two bits more and two less than the 20 that would give chunks of 1 MiB. */
#define MASK_STRICT (~UINT64_C(0) << 42)
#define MASK_LAX    (~UINT64_C(0) << 46)

int
chunker_init(struct chunker *c, const uint8_t gear_key[KEY_LEN], struct error *err)
{
	CLEANUP(free_mac) struct mac *mac = NULL;
	int r = mac_new(gear_key, &mac, err);

	for (unsigned block = 0; r == 0 && block < COUNT_OF(c->gear) / 4; block++) {
		const uint8_t counter[4] = {(uint8_t)block};
		uint8_t out[ID_LEN];

		r = mac_compute(mac, "chunker", sizeof "chunker", counter, sizeof counter, out, err);
		for (unsigned i = 0; r == 0 && i < ID_LEN; i++) {
			uint64_t *g = &c->gear[block * 4 + i / 8];

			*g = i % 8 == 0 ? out[i] : *g | (uint64_t)out[i] << (i % 8 * 8);
		}
	}
	return r;
}

/*
 * Hash bytes[from..to) and stop behind the first one where the masked bits are all zero.  *hash goes in and out;
 * returns the place behind the byte, or 0. Eight steps a round: the chain of one shift-and-add per byte is then all
 * that limits the speed.
 */
static size_t
scan(const struct chunker *c, const uint8_t *bytes, size_t from, size_t to, uint64_t mask, uint64_t *hash)
{
	const uint64_t *gear = c->gear;
	uint64_t h = *hash;
	size_t i = from;

#define STEP(n) \
	do { \
		h = (h << 1) + gear[bytes[i + (n)]]; \
		if ((h & mask) == 0) \
			return i + (n) + 1; \
	} while (0)
	for (; to - i >= 8; i += 8) {
		STEP(0);
		STEP(1);
		STEP(2);
		STEP(3);
		STEP(4);
		STEP(5);
		STEP(6);
		STEP(7);
	}
	for (; i < to; i++)
		STEP(0);
#undef STEP
	*hash = h;
	return 0;
}

size_t
chunker_cut(const struct chunker *c, const uint8_t *bytes, size_t len)
{
	uint64_t h = 0;
	size_t cut;

	if (len <= CHUNK_MIN)
		return len;
	if (len > CHUNK_MAX)
		len = CHUNK_MAX;
	/* The first length to be tested is CHUNK_MIN; the hash must have seen a whole window by then. */
	for (size_t i = CHUNK_MIN - WINDOW; i < CHUNK_MIN - 1; i++)
		h = (h << 1) + c->gear[bytes[i]];
	cut = scan(c, bytes, CHUNK_MIN - 1, MIN(len, (size_t)CHUNK_AVG - 1), MASK_STRICT, &h);
	if (cut == 0 && len >= CHUNK_AVG)
		cut = scan(c, bytes, CHUNK_AVG - 1, len, MASK_LAX, &h);
	return cut != 0 ? cut : len;
}

bool
chunker_is_zero(const void *bytes, size_t len)
{
	const uint8_t *p = bytes;
	size_t head = MIN(len, (size_t)16);

	for (size_t i = 0; i < head; i++) {
		if (p[i] != 0)
			return false;
	}
	/* Each byte equals the one 16 places before it, down to the zeros just seen.  memcmp() is the widest loop that
	 * the machine has. */
	return memcmp(p + head, p, len - head) == 0;
}

/* --- which files are changed in place --- */

struct word {
	const char *text;
	size_t len;
};

static bool
begins(struct word w, const char *with)
{
	return w.len >= strlen(with) && memcmp(w.text, with, strlen(with)) == 0;
}

static bool
ends(struct word w, const char *with)
{
	size_t n = strlen(with);

	return w.len > n && memcmp(w.text + w.len - n, with, n) == 0;
}

static bool
equals(struct word w, const char *text)
{
	return w.len == strlen(text) && memcmp(w.text, text, w.len) == 0;
}

/* Take the last component off a path. */
static struct word
last_component(struct word *path)
{
	size_t start = path->len;
	struct word last;

	while (start > 0 && path->text[start - 1] != '/')
		start--;
	last = (struct word){path->text + start, path->len - start};
	path->len = start > 0 ? start - 1 : 0;
	return last;
}

/* Take digits off the front; false when there are none. */
static bool
skip_number(struct word *w)
{
	size_t n = 0;

	while (n < w->len && w->text[n] >= '0' && w->text[n] <= '9')
		n++;
	w->text += n;
	w->len -= n;
	return n > 0;
}

/* N, N_fsm, N_vm or N_init, each with .N behind it from the second gigabyte on. */
static bool
is_relation(struct word name)
{
	static const char *const forks[] = {"_fsm", "_vm", "_init"};

	if (!skip_number(&name))
		return false;
	for (size_t i = 0; i < COUNT_OF(forks); i++) {
		if (begins(name, forks[i])) {
			name.text += strlen(forks[i]);
			name.len -= strlen(forks[i]);
			break;
		}
	}
	if (name.len > 0 && name.text[0] == '.') {
		name.text++;
		name.len--;
		return skip_number(&name) && name.len == 0;
	}
	return name.len == 0;
}

/* PostgreSQL: global/N, base/N/N, and PG_version/N/N in a tablespace. */
static bool
is_postgresql(struct word path)
{
	struct word name = last_component(&path), folder = last_component(&path), above = last_component(&path);

	if (!is_relation(name))
		return false;
	if (equals(folder, "global"))
		return true;
	return skip_number(&folder) && folder.len == 0 && (equals(above, "base") || begins(above, "PG_"));
}

/* What stands at a fixed place near the beginning of formats that are rewritten in place. */
static bool
has_magic(const uint8_t *head, size_t len)
{
	static const struct {
		const char *bytes;
		size_t len, offset;
	} magics[] = {
	    {"SQLite format 3\0", 16, 0}, {"\xde\xc0\xef\xbe", 4, 16}, /* LMDB, little-endian hosts */
	    {"\xbe\xef\xc0\xde", 4, 16}, /* and big-endian ones */
	    {"QFI\xfb", 4, 0}, /* qcow2 */
	    {"KDMV", 4, 0}, /* vmdk, sparse */
	    {"\x7f\x10\xda\xbe", 4, 64}, /* vdi */
	};

	for (size_t i = 0; i < COUNT_OF(magics); i++) {
		if (len >= magics[i].offset + magics[i].len &&
		    memcmp(head + magics[i].offset, magics[i].bytes, magics[i].len) == 0)
			return true;
	}
	return false;
}

enum chunk_method
chunker_choose(const char *path, size_t path_len, uint64_t size, const uint8_t *head, size_t head_len)
{
	static const char *const images[] = {".img", ".vmdk", ".vdi", ".qcow2"};
	struct word above = {path, path_len}, name = last_component(&above);

	if (ends(name, ".ibd") || begins(name, "ibdata") || is_postgresql((struct word){path, path_len}))
		return CHUNK_BY_POSITION;
	for (size_t i = 0; i < COUNT_OF(images); i++) {
		if (size >= UINT64_C(1) << 20 && ends(name, images[i]))
			return CHUNK_BY_POSITION;
	}
	return has_magic(head, head_len) ? CHUNK_BY_POSITION : CHUNK_BY_CONTENT;
}
