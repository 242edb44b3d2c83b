/*
 * The contract of stores, against a real server: contract s3://bucket/prefix, or libs3+http://host:port/bucket/prefix.
 * Nothing may be there, and nothing is afterwards.  Endpoint and credentials come from the environment.
 */
#include <signal.h>

#include "check.h"
#include "store.h"
#include "store_contract.h"

int
main(int argc, char **argv)
{
	struct store *s;
	struct error err;

	if (argc != 2) {
		(void)fprintf(stderr, "usage: contract s3://bucket/prefix | libs3+http://host:port/bucket/prefix\n");
		return 2;
	}
	(void)signal(SIGPIPE, SIG_IGN);
	CHECK_OK(store_open(argv[1], false, NULL, &s, &err), &err);
	/* Through libs3 puts have no condition. */
	if (strncmp(argv[1], "libs3", 5) == 0)
		store_contract_without_races(s);
	else
		store_contract(s);
	store_contract_many(s);
	store_free(s);
	return 0;
}
