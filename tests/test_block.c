/* Catalog blocks: random entries of all types there and back, entries that do not fit or are not valid, hostile bytes.
 */

#include "block.h"
#include "catalog_random.h"

#define ENTRIES 400

/* Entries that own what they point to. */
struct list {
	struct entry v[ENTRIES];
	size_t n;
};

static void
list_free(struct list *l)
{
	for (size_t i = 0; i < l->n; i++) {
		free((void *)(uintptr_t)l->v[i].path);
		free((void *)(uintptr_t)l->v[i].link);
		free((void *)(uintptr_t)l->v[i].xattrs);
		free((void *)(uintptr_t)l->v[i].extents);
		free((void *)(uintptr_t)l->v[i].segments);
	}
	l->n = 0;
}

static void *
copy_of(const void *bytes, size_t len)
{
	void *p = malloc(len > 0 ? len : 1);

	CHECK(p != NULL);
	if (len > 0)
		memcpy(p, bytes, len);
	return p;
}

static void
random_content(uint64_t *state, struct entry *e)
{
	static const size_t counts[] = {1, 1, 1, 1, 2, 7, 300};
	size_t n = counts[random_below(state, 7)];
	struct frame_ref *segments;
	struct extent *x;

	if (random_below(state, 5) == 0)
		return; /* empty */
	if (random_below(state, 15) == 0) {
		e->flags = ENTRY_UNREADABLE;
		e->size = check_random(state) & ENTRY_SIZE_MAX;
		return;
	}
	if (random_below(state, 10) == 0) {
		e->size = 1 + random_below(state, 5 * SEGMENT_SIZE);
		e->nsegments = (size_t)((e->size - 1) / SEGMENT_SIZE + 1);
		e->segments = segments = copy_of(NULL, 0);
		e->segments = segments = realloc(segments, e->nsegments * sizeof(*segments));
		for (size_t i = 0; i < e->nsegments; i++)
			segments[i] = random_frame(random_below(state, 40), FRAME_SEGMENT);
		return;
	}
	x = calloc(n, sizeof(*x));
	for (size_t i = 0; i < n; i++) {
		x[i] = random_extent(state, UINT64_MAX);
		e->size += x[i].len;
	}
	e->extents = x;
	e->nextents = n;
	for (size_t i = 0; entry_in_bundle(e) && i < sizeof(e->file_id); i++)
		e->file_id[i] = (uint8_t)check_random(state);
}

static void
random_rest(uint64_t *state, struct entry *e)
{
	struct buf set = BUF_INIT(1 << 20);
	char link[64];

	e->mode = (uint32_t)random_below(state, 3) ? 0644 : (uint32_t)random_below(state, 010000);
	e->uid = random_below(state, 4) ? 1000 : (uint32_t)check_random(state);
	e->gid = random_below(state, 4) ? 1000 : (uint32_t)check_random(state);
	e->ino = random_below(state, 9) ? random_below(state, 100000) : check_random(state);
	e->mtime_s = random_below(state, 9) ? (int64_t)random_below(state, 2000000000) : (int64_t)check_random(state);
	e->ctime_s = random_below(state, 9) ? e->mtime_s : (int64_t)check_random(state);
	e->mtime_ns = (uint32_t)random_below(state, 1000000000);
	e->ctime_ns = (uint32_t)random_below(state, 1000000000);
	e->nlink = random_below(state, 4) ? 1 : 1 + (uint32_t)random_below(state, UINT32_MAX);
	e->flags = random_below(state, 6) ? 0 : ENTRY_CHANGED | ENTRY_MOUNT_POINT;
	if (random_below(state, 4) == 0) {
		random_xattrs(&set, 1 + (unsigned)random_below(state, 4), random_below(state, 5));
		e->xattrs = copy_of(set.data, set.len);
		e->xattrs_len = set.len;
		buf_free(&set);
	}
	if (e->type == ENTRY_FILE || e->type == ENTRY_VOLUME)
		random_content(state, e);
	if (e->type == ENTRY_SYMLINK) {
		e->link_len = (size_t)snprintf(link, sizeof(link), "../%llu", (unsigned long long)check_random(state));
		e->link = copy_of(link, e->link_len);
	}
	if (e->type == ENTRY_CHAR_DEVICE || e->type == ENTRY_BLOCK_DEVICE) {
		e->dev_major = (uint32_t)check_random(state);
		e->dev_minor = (uint32_t)random_below(state, 256);
	}
}

static int
by_path(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	return entry_path_compare(x->path, x->path_len, y->path, y->path_len);
}

/* A tree: every new entry goes into a folder that is there already; then sorted, equal names thrown away. */
static void
random_list(uint64_t *state, struct list *l, size_t n)
{
	char path[2048];
	size_t kept = 1;

	memset(l, 0, sizeof(*l));
	l->v[0] = (struct entry){.path = copy_of("", 0), .type = ENTRY_FOLDER};
	for (l->n = 1; l->n < n; l->n++) {
		struct entry *e = &l->v[l->n], *parent;
		int len;

		do
			parent = &l->v[random_below(state, l->n)];
		while (parent->type != ENTRY_FOLDER || parent->path_len > 1500);
		len = snprintf(path, sizeof(path), "%.*s%s%.*s%u", (int)parent->path_len, parent->path,
		    parent->path_len > 0 ? "/" : "", (int)random_below(state, 30),
		    "xxxxxxxxx!xxxxxxxx.xxxxxxxxxxxxxxxx", (unsigned)random_below(state, 1000));
		*e = (struct entry){.path = copy_of(path, (size_t)len), .path_len = (size_t)len};
		e->type = (uint8_t)(random_below(state, 2) ? ENTRY_FILE : 1 + random_below(state, 7));
	}
	qsort(l->v, n, sizeof(l->v[0]), by_path);
	for (size_t i = 1; i < n; i++) {
		if (by_path(&l->v[kept - 1], &l->v[i]) == 0) {
			/* The folder of the two has children. */
			if (l->v[i].type == ENTRY_FOLDER)
				l->v[kept - 1].type = ENTRY_FOLDER;
			free((void *)(uintptr_t)l->v[i].path);
		} else {
			l->v[kept++] = l->v[i];
		}
	}
	l->n = kept;
	for (size_t i = 0; i < kept; i++)
		random_rest(state, &l->v[i]);
}

static void
encode(struct block_encoder *enc, const struct list *l, struct buf *out)
{
	struct error err = {0};
	size_t before = out->len, size;

	for (size_t i = 0; i < l->n; i++)
		CHECK_OK(block_encoder_add(enc, &l->v[i], &err), &err);
	CHECK_INT(block_encoder_entries(enc), l->n);
	size = block_encoder_size(enc);
	CHECK_OK(block_encoder_finish(enc, out, &err), &err);
	CHECK_INT(out->len - before, size);
	CHECK_INT(block_encoder_entries(enc), 0);
}

static void
check_decodes(struct block_decoder *dec, const struct buf *bytes, const struct list *l)
{
	const struct frame_ref *frames;
	struct error err = {0};
	struct entry e;

	CHECK_OK(block_decoder_set(dec, bytes->data, bytes->len, &err), &err);
	CHECK_INT(block_decoder_entries(dec), l->n);
	(void)block_decoder_frames(dec, &frames);
	for (size_t i = 0; i < l->n; i++) {
		CHECK_OK(block_decoder_next(dec, &e, &err), &err);
		check_entry(&l->v[i], &e);
	}
	CHECK_INT(block_decoder_next(dec, &e, &err), 0);
	CHECK_INT(block_decoder_next(dec, &e, &err), 0);
}

static struct block_decoder *hostile_decoder;

static int
try_block(const uint8_t *bytes, size_t len, struct error *err)
{
	struct entry e;
	int r;

	r = block_decoder_set(hostile_decoder, bytes, len, err);
	while (r == 0 && (r = block_decoder_next(hostile_decoder, &e, err)) > 0)
		r = 0;
	return r;
}

static void
test_round_trips(void)
{
	struct block_encoder *enc;
	struct block_decoder *dec;
	struct error err = {0};
	uint64_t state = 42;
	static struct list l;

	CHECK_OK(block_encoder_new(&enc, &err), &err);
	CHECK_OK(block_decoder_new(&dec, &err), &err);
	hostile_decoder = dec;
	for (int i = 0; i < 60; i++) {
		struct buf one = BUF_INIT(FRAME_PLAIN_MAX), two = BUF_INIT(FRAME_PLAIN_MAX);

		random_list(&state, &l, 1 + random_below(&state, i < 50 ? 40 : ENTRIES));
		encode(enc, &l, &one);
		encode(enc, &l, &two);
		CHECK_INT(one.len, two.len);
		CHECK_MEM(one.data, two.data, one.len);
		check_decodes(dec, &one, &l);
		if (i < 5)
			check_hostile(one.data, one.len, 3000, try_block);
		list_free(&l);
		buf_free(&one);
		buf_free(&two);
	}
	block_encoder_free(enc);
	block_decoder_free(dec);
}

/* What the encoder must refuse; each case is a small change of a good entry behind the root and a folder "d". */
static void
test_refusals(void)
{
	struct block_encoder *enc;
	struct extent x = {.kind = EXTENT_DATA, .frame = random_frame(1, FRAME_DATA)};
	struct frame_ref segment = random_frame(1, FRAME_SEGMENT);
	struct entry good = {
	    .path = "d/f", .path_len = 3, .type = ENTRY_FILE, .nlink = 1, .extents = &x, .nextents = 1};
	struct entry folder = {.path = "d", .path_len = 1, .type = ENTRY_FOLDER, .nlink = 2};
	struct entry root = {.path = "", .path_len = 0, .type = ENTRY_FOLDER, .nlink = 2}, e;
	struct buf one = BUF_INIT(FRAME_PLAIN_MAX), two = BUF_INIT(FRAME_PLAIN_MAX);
	struct error err = {0};

	x.len = good.size = x.frame.plen;
	CHECK_OK(block_encoder_new(&enc, &err), &err);
	for (int turn = 0; turn < 2; turn++) {
		CHECK_OK(block_encoder_add(enc, &root, &err), &err);
		CHECK_OK(block_encoder_add(enc, &folder, &err), &err);
#define REFUSED(change) \
	do { \
		struct extent saved = x; \
		size_t size = block_encoder_size(enc); \
		if (turn == 1) \
			break; \
		e = good; \
		change; \
		CHECK_INT(block_encoder_add(enc, &e, &err), ERR_USAGE); \
		CHECK_INT(block_encoder_size(enc), size); \
		x = saved; \
	} while (0)
		REFUSED(e.path = "d"; e.path_len = 1);
		REFUSED(e.path = "c"; e.path_len = 1);
		REFUSED(e.path = ""; e.path_len = 0);
		REFUSED(e.path = "d/f/"; e.path_len = 4);
		REFUSED(e.path = "d/"; e.path_len = 2);
		REFUSED(e.path = "d/.."; e.path_len = 4);
		REFUSED(e.path = "d/f/g"; e.path_len = 5);
		REFUSED(e.path = "e/g"; e.path_len = 3);
		REFUSED(e.path = "dd/g"; e.path_len = 4);
		REFUSED(e.path = "d/\0x"; e.path_len = 4);
		REFUSED(e.type = 0);
		REFUSED(e.type = 9);
		REFUSED(e.type = ENTRY_VOLUME);
		REFUSED(e.mode = 010000);
		REFUSED(e.flags = 8);
		REFUSED(e.nlink = 0);
		REFUSED(e.mtime_ns = 1000000000);
		REFUSED(e.ctime_ns = 1000000000);
		REFUSED(e.size++);
		REFUSED(e.size = UINT64_C(1) << 62);
		REFUSED(e.size = 0);
		REFUSED(e.nextents = 0);
		REFUSED(e.nextents = 0; e.segments = &segment; e.nsegments = 1; e.size = SEGMENT_SIZE + 1);
		REFUSED(e.segments = &segment; e.nsegments = 1);
		REFUSED(e.nextents = 0; e.segments = &x.frame; e.nsegments = 1);
		REFUSED(e.nextents = ENTRY_EXTENTS_MAX + 1);
		REFUSED(x.len = 0; e.size = 0);
		REFUSED(x.frame_offset = 1);
		REFUSED(x.kind = 1);
		REFUSED(x.frame.type = FRAME_CATALOG);
		REFUSED(x.frame.clen = 3);
		REFUSED(e.xattrs = (const uint8_t *)"\2\1a\0"; e.xattrs_len = 4);
		REFUSED(e.type = ENTRY_SYMLINK; e.link_len = 0);
		REFUSED(e.type = ENTRY_SYMLINK; e.link = "a\0b"; e.link_len = 3);
		CHECK_OK(block_encoder_add(enc, &good, &err), &err);
		CHECK_OK(block_encoder_finish(enc, turn == 0 ? &one : &two, &err), &err);
	}
	/* The refused ones left no trace. */
	CHECK_INT(one.len, two.len);
	CHECK_MEM(one.data, two.data, one.len);
	buf_free(&one);
	buf_free(&two);
	block_encoder_free(enc);
}

/* Fill a block to the brim: the entry that does not fit changes nothing, and the block decodes. */
static void
test_full(void)
{
	enum { MANY = 40000 };
	struct extent *x = calloc(MANY, sizeof(*x));
	struct buf bytes = BUF_INIT(FRAME_PLAIN_MAX);
	struct block_encoder *enc;
	struct block_decoder *dec;
	struct error err = {0};
	struct entry e = {0}, got;
	size_t n = 0, size;
	char path[16];
	int r;

	CHECK_OK(block_encoder_new(&enc, &err), &err);
	CHECK_OK(block_decoder_new(&dec, &err), &err);
	do {
		e = (struct entry){.path = path, .path_len = (size_t)snprintf(path, sizeof(path), "f%08zu", n)};
		e.type = ENTRY_FILE;
		e.nlink = 1;
		e.extents = x;
		e.nextents = MANY;
		for (size_t i = 0; i < MANY; i++) {
			x[i] = (struct extent){.kind = EXTENT_DATA, .len = 1000, .frame = random_frame(1, FRAME_DATA)};
			x[i].frame.plen = 1000;
			x[i].frame.clen = 500;
			x[i].frame.seq = (uint32_t)n;
			x[i].frame.ordinal = (uint32_t)i;
			e.size += x[i].len;
		}
		size = block_encoder_size(enc);
		r = block_encoder_add(enc, &e, &err);
		n += r == 0;
	} while (r == 0);
	CHECK_INT(r, ERR_NOMEM);
	CHECK_INT(block_encoder_size(enc), size);
	CHECK_INT(block_encoder_entries(enc), n);
	CHECK(n >= 4);

	/* A smaller one still fits, whose frame must not be mixed up with one that was taken back. */
	e.nextents = 1;
	e.size = x[0].len;
	CHECK_OK(block_encoder_add(enc, &e, &err), &err);
	CHECK_OK(block_encoder_finish(enc, &bytes, &err), &err);
	CHECK_OK(block_decoder_set(dec, bytes.data, bytes.len, &err), &err);
	for (size_t i = 0; i < n; i++) {
		CHECK_INT(block_decoder_next(dec, &got, &err), 1);
		CHECK_INT(got.nextents, MANY);
		CHECK_INT(got.extents[MANY - 1].frame.seq, i);
		CHECK_INT(got.extents[MANY - 1].frame.ordinal, MANY - 1);
	}
	CHECK_INT(block_decoder_next(dec, &got, &err), 1);
	check_entry(&e, &got);
	CHECK_INT(block_decoder_next(dec, &got, &err), 0);
	buf_free(&bytes);
	block_encoder_free(enc);
	block_decoder_free(dec);
	free(x);
}

static void
put_front(struct buf *out, uint8_t head, const char *path, size_t shared, size_t further)
{
	buf_u8(out, head);
	buf_varint(out, shared);
	buf_varint(out, further);
	buf_put(out, path, further);
	buf_put(out, "\0\0\0\0\0", 5); /* times and inode as before */
}

/* Blocks written by hand: paths. */
static void
test_paths(void)
{
	static const struct {
		uint8_t type;
		const char *before;
		size_t shared;
		const char *further;
		int want;
	} cases[] = {
	    {2, "a", 1, "/b", 1}, /* a child */
	    {2, "a", 0, "a/b", 1}, /* says less than what is shared */
	    {2, "a", 0, "b", 1},
	    {2, "a", 2, "b", ERR_CORRUPT},
	    {2, "a", 1, "", ERR_CORRUPT}, /* the same again */
	    {2, "b", 0, "a", ERR_CORRUPT},
	    {2, "b", 0, "", ERR_CORRUPT},
	    {2, "a", 1, "/", ERR_CORRUPT},
	    {2, "a", 1, "//b", ERR_CORRUPT},
	    {2, "a", 1, "/.", ERR_CORRUPT},
	    {2, "a", 1, "/..", ERR_CORRUPT},
	    {2, ".a", 1, ".", ERR_CORRUPT},
	    {2, "a.", 2, ".", 1},
	    {2, "ab", 1, "", ERR_CORRUPT},
	    {6, "a", 1, "/b", ERR_CORRUPT}, /* below a FIFO */
	    {6, "a", 1, "b", 1},
	    {2, "a", 1, "b/c", ERR_CORRUPT}, /* without a parent */
	    {2, "a/b", 2, "c", 1},
	    {2, "a/b", 1, "b", 1},
	    {2, "a/b", 1, "b/c", ERR_CORRUPT},
	    {2, "a!", 1, "/b", ERR_CORRUPT}, /* '/' is below '!' */
	    {2, "a/b/c/d", 3, "c", 1},
	    {2, "a/b/c/d", 4, "c/e", 1},
	    {2, "a/b/c/d", 4, "d", 1},
	    {2, "a/b/c/d", 4, "d/e", ERR_CORRUPT},
	};
	struct block_decoder *dec;
	struct error err = {0};
	struct entry e;

	CHECK_OK(block_decoder_new(&dec, &err), &err);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct buf b = BUF_INIT(1000);

		buf_put(&b, "C\1\0\0\0\0\2", 7);
		put_front(&b, 0x80 | cases[i].type, cases[i].before, 0, strlen(cases[i].before));
		put_front(&b, 0x82, cases[i].further, cases[i].shared, strlen(cases[i].further));
		CHECK_OK(block_decoder_set(dec, b.data, b.len, &err), &err);
		CHECK_INT(block_decoder_next(dec, &e, &err), 1);
		CHECK_INT(e.path_len, strlen(cases[i].before));
		CHECK_INT(block_decoder_next(dec, &e, &err), cases[i].want);
		CHECK_INT(block_decoder_next(dec, &e, &err), cases[i].want == 1 ? 0 : ERR_CORRUPT);
		buf_free(&b);
	}
	block_decoder_free(dec);
}

/* Decoded bytes have one meaning: what is left over, unused or out of order is damage. */
static void
test_tables(void)
{
	struct entry e = {.path = "", .type = ENTRY_VOLUME, .nlink = 1}, got;
	struct extent x = {.kind = EXTENT_DATA, .frame = random_frame(3, FRAME_DATA)};
	struct buf b = BUF_INIT(1000);
	struct block_encoder *enc;
	struct block_decoder *dec;
	const struct frame_ref *frames;
	struct error err = {0};

	e.extents = &x;
	e.nextents = 1;
	e.size = x.len = x.frame.plen;
	CHECK_OK(block_encoder_new(&enc, &err), &err);
	CHECK_OK(block_decoder_new(&dec, &err), &err);
	CHECK_OK(block_encoder_add(enc, &e, &err), &err);
	CHECK_INT(
	    block_encoder_add(enc, &(struct entry){.path = "a", .path_len = 1, .type = ENTRY_FIFO, .nlink = 1}, &err),
	    ERR_USAGE);
	CHECK_OK(block_encoder_finish(enc, &b, &err), &err);
	CHECK_OK(block_decoder_set(dec, b.data, b.len, &err), &err);
	CHECK_INT(block_decoder_frames(dec, &frames), 1);
	check_frame(&frames[0], &x.frame);
	CHECK_INT(block_decoder_next(dec, &got, &err), 1);
	check_entry(&e, &got);
	buf_u8(&b, 0);
	CHECK_OK(block_decoder_set(dec, b.data, b.len, &err), &err);
	CHECK_INT(block_decoder_next(dec, &got, &err), 1);
	CHECK_INT(block_decoder_next(dec, &got, &err), ERR_CORRUPT);
	b.data[b.len - 2]++; /* the extent's tag: another frame */
	CHECK_OK(block_decoder_set(dec, b.data, b.len - 1, &err), &err);
	CHECK_INT(block_decoder_next(dec, &got, &err), ERR_CORRUPT);
	CHECK_INT(block_decoder_set(dec, "C\2", 2, &err), ERR_CORRUPT);
	/* No entries, but a frame. */
	buf_reset(&b);
	buf_put(&b, "C\1\1................\1\0p\0\1\0\1\0\xB0\1\x12\1................\0\0", 49);
	CHECK_OK(block_decoder_set(dec, b.data, b.len, &err), &err);
	CHECK_INT(block_decoder_next(dec, &got, &err), ERR_CORRUPT);
	/* Neither. */
	CHECK_OK(block_decoder_set(dec, "C\1\0\0\0\0\0", 7, &err), &err);
	CHECK_INT(block_decoder_next(dec, &got, &err), 0);
	CHECK_INT(block_decoder_set(dec, "", 0, &err), ERR_CORRUPT);
	CHECK_INT(block_decoder_next(dec, &got, &err), ERR_CORRUPT);
	buf_free(&b);
	block_encoder_free(enc);
	block_decoder_free(dec);
}

int
main(void)
{
	alarm(60);
	test_round_trips();
	test_refusals();
	test_full();
	test_paths();
	test_tables();
	return 0;
}
