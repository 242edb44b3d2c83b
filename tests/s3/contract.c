/*
 * The contract of stores, against a real server: contract s3://bucket/prefix.  Nothing may be there, and nothing is
 * afterwards.  Endpoint and credentials come from the environment.
 */
#include "check.h"
#include "store.h"
#include "store_contract.h"

int
main(int argc, char **argv)
{
	struct store *s;
	struct error err;

	if (argc != 2) {
		(void)fprintf(stderr, "usage: contract s3://bucket/prefix\n");
		return 2;
	}
	CHECK_OK(store_open(argv[1], false, NULL, &s, &err), &err);
	store_contract(s);
	store_contract_many(s);
	store_free(s);
	return 0;
}
