/*
 * Imports of snapshots whose catalogs, segments, roots and packlists are the input: everything is sealed and signed
 * with the real keys, so that what lies behind the seals is reached.  Nothing may appear outside of the target.
 *
 * Input: sections, each a letter, a length (u16) and so many bytes: 'C' a catalog block, 'S' a segment, 'R' the root
 * and 'L' the packlist instead of those that belong to the blocks, 'B' (without a length that counts) makes it a
 * snapshot of a device.  The session of the references is sixteen times the letter Z.  There are two frames to refer to
 * in data pack 0, a bundle and a chunk of DATA_LEN stored bytes each, and the segments are the first frames of metadata
 * pack 0.
 */

#include <dirent.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../flow.h"
#include "../forge.h"
#include "block.h"
#include "check.h"
#include "cleanup.h"
#include "verify.h"
#include "wire.h"

#define DATA_LEN  4096
#define FILE_MAX  (1u << 20) /* what a file may grow to: sizes come from the input */
#define INPUT_MAX 65536

static struct flow flow;
static struct error err;
static struct report *report;

/* Names in the folder around the target. */
static size_t
count_names(const char *path)
{
	DIR *d = opendir(path);
	size_t n = 0;

	CHECK(d != NULL);
	while (readdir(d) != NULL)
		n++;
	(void)closedir(d);
	return n - 2;
}

static void
finish(void)
{
	report_free(report);
	flow_end(&flow);
}

static void
start(void)
{
	const struct rlimit limit = {FILE_MAX, FILE_MAX};
	const struct report_options o = {.command = "fuzz", .json = true, .quiet = true};

	CHECK(signal(SIGXFSZ, SIG_IGN) != SIG_ERR && setrlimit(RLIMIT_FSIZE, &limit) == 0);
	flow_begin(&flow);
	CHECK(atexit(finish) == 0);
	CHECK_OK(report_new(&o, &report, &err), &err);
	CHECK(mkdir(flow_path(&flow, "canary"), 0700) == 0);
	flow_write(flow_path(&flow, "canary/keep"), 1, 5);
}

static int
remember_key(void *arg, const struct store_object *object, struct error *e)
{
	(void)e;
	/* Of a volume only its key stays: making a repository costs far more than an import. */
	if (strstr(object->key, "/k/") == NULL)
		buf_put(arg, object->key, strlen(object->key) + 1);
	return 0;
}

static void
clear_repo(void)
{
	CLEANUP(buf_free) struct buf keys = BUF_INIT(1u << 20);
	const char *key;

	CHECK_OK(store_list(flow.store, "v/", remember_key, &keys, &err), &err);
	for (size_t i = 0; i < keys.len; i += strlen(key) + 1) {
		key = (const char *)keys.data + i;
		CHECK_OK(store_remove(flow.store, key, &err), &err);
	}
}

static void
set_session(uint8_t *bytes, size_t len, const uint8_t session[SESSION_ID_LEN])
{
	static const uint8_t name[SESSION_ID_LEN + 1] = "ZZZZZZZZZZZZZZZZ";

	for (size_t i = 0; i + SESSION_ID_LEN <= len; i++)
		if (memcmp(bytes + i, name, SESSION_ID_LEN) == 0)
			memcpy(bytes + i, session, SESSION_ID_LEN);
}

/* Where a block begins, as well as that can be told, so that most inputs need no root. */
static void
add_block(struct forge *f, const uint8_t *bytes, size_t len)
{
	struct frame_ref ref = forge_frame(f, FRAME_CATALOG, bytes, len, false);
	struct block_decoder *d;
	struct error ignored;
	struct entry e = {.path = ""};
	uint64_t count = 1;

	CHECK_OK(block_decoder_new(&d, &err), &err);
	if (block_decoder_set(d, bytes, len, &ignored) == 0) {
		count = block_decoder_entries(d);
		if (block_decoder_next(d, &e, &ignored) <= 0)
			e = (struct entry){.path = ""};
	}
	forge_root_add(f, &ref, e.path, e.path_len, count);
	block_decoder_free(d);
}

static void
take_section(struct forge *f, uint8_t kind, uint8_t *bytes, size_t len)
{
	set_session(bytes, len, f->key.session);
	switch (kind) {
	case 'C':
		if (len > 0 && f->nblocks < 8)
			add_block(f, bytes, len);
		break;
	case 'S':
		if (len > 0)
			(void)forge_frame(f, FRAME_SEGMENT, bytes, len, false);
		break;
	case 'R':
		buf_put(&f->root, bytes, len);
		break;
	case 'L':
		buf_put(&f->packlist, bytes, len);
		break;
	case 'B':
		f->manifest.mode = MODE_BLOCK;
		f->manifest.size = len;
		break;
	default:
		break;
	}
}

static void
take_input(struct forge *f, uint8_t *bytes, size_t len)
{
	while (len >= 3) {
		size_t n = MIN((size_t)(bytes[1] | bytes[2] << 8), len - 3);

		take_section(f, bytes[0], bytes + 3, n);
		bytes += 3 + n;
		len -= 3 + n;
	}
}

static void
check_outside(void)
{
	struct stat st;

	CHECK(count_names(flow.base) <= 2);
	CHECK_INT(count_names(flow_path(&flow, "canary")), 1);
	CHECK(lstat(flow_path(&flow, "canary"), &st) == 0);
	CHECK_INT(st.st_mode, S_IFDIR | 0700);
	CHECK(lstat(flow_path(&flow, "canary/keep"), &st) == 0);
	CHECK_INT(st.st_size, 5);
	CHECK_INT(st.st_nlink, 1);
}

static void
try(struct forge *f)
{
	const struct import_options o = {.target = flow.target, .threads = 1, .connections = 1};
	const struct verify_options v = {.level = VERIFY_LEVEL_MAX, .sample = 100, .threads = 1};
	struct verify_result result = {0};
	struct progress progress = {0};
	struct error why;
	int r;

	r = flow_import_with(&flow, f->manifest.snapshot, &o, NULL, &why);
	CHECK(r <= 0 && r != ERR_USAGE);
	check_outside();
	/* What no reader takes is damage. */
	CHECK_OK(verify_volume(f->volume, &v, report, &progress, &result, &err), &err);
	scratch_remove(flow.target);
	check_outside();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static uint8_t content[DATA_LEN] = {1, 2, 3};
	CLEANUP_FREE uint8_t *copy = malloc(len + 1);
	struct forge f;

	if (flow.store == NULL)
		start();
	if (len > INPUT_MAX)
		return 0;
	CHECK(copy != NULL);
	if (len > 0)
		memcpy(copy, data, len);
	clear_repo();
	forge_begin(&f, flow.repo, FLOW_VOLUME, FRAME_NO_COMPRESSION, 1u << 20);
	(void)forge_frame(&f, FRAME_BUNDLE, content, sizeof content, false);
	(void)forge_frame(&f, FRAME_DATA, content, sizeof content, false);
	take_input(&f, copy, len);
	forge_commit(&f);
	try(&f);
	forge_end(&f);
	return 0;
}
