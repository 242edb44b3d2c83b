/*
 * Names of snapshots: UUIDs of version 7 (RFC 9562), whose first 48 bits are a time.
 */
#include <string.h>

#include "manifest.h"
#include "wire.h"

enum { UUID_LEN = 16 };

static bool
is_dash_place(size_t i)
{
	return i == 8 || i == 13 || i == 18 || i == 23;
}

void
snapshot_id_make(int64_t ms, const uint8_t random[10], char out[SNAPSHOT_ID_LEN + 1])
{
	uint8_t uuid[UUID_LEN];
	char hex[2 * UUID_LEN + 1];
	size_t n = 0;

	for (size_t i = 0; i < 6; i++)
		uuid[i] = (uint8_t)((uint64_t)ms >> (40 - 8 * i));
	memcpy(uuid + 6, random, 10);
	uuid[6] = (uint8_t)(0x70 | (uuid[6] & 0x0F)); /* version */
	uuid[8] = (uint8_t)(0x80 | (uuid[8] & 0x3F)); /* variant */
	hex_encode(hex, uuid, sizeof(uuid));
	for (size_t i = 0; i < SNAPSHOT_ID_LEN; i++)
		out[i] = is_dash_place(i) ? '-' : hex[n++];
	out[SNAPSHOT_ID_LEN] = '\0';
}

bool
snapshot_id_bytes(const char *id, uint8_t out[SNAPSHOT_ID_BYTES])
{
	char hex[2 * UUID_LEN + 1];
	size_t n = 0;

	if (strnlen(id, SNAPSHOT_ID_LEN + 1) != SNAPSHOT_ID_LEN)
		return false;
	for (size_t i = 0; i < SNAPSHOT_ID_LEN; i++) {
		if (!is_dash_place(i))
			hex[n++] = id[i];
		else if (id[i] != '-')
			return false;
	}
	hex[n] = '\0';
	return hex_decode(out, UUID_LEN, hex);
}

bool
snapshot_id_valid(const char *id)
{
	uint8_t uuid[UUID_LEN];

	return snapshot_id_bytes(id, uuid);
}

bool
snapshot_id_time(const char *id, int64_t *out_ms)
{
	uint8_t uuid[UUID_LEN];
	uint64_t ms = 0;

	if (!snapshot_id_bytes(id, uuid) || uuid[6] >> 4 != 7)
		return false;
	for (size_t i = 0; i < 6; i++)
		ms = ms << 8 | uuid[i];
	*out_ms = (int64_t)ms;
	return true;
}
