#ifndef REPO_INTERNAL_H_
#define REPO_INTERNAL_H_

#include "keys.h"

struct repo;

/* For the other files of this folder: the key from which those of volumes follow. */
const struct root_key *repo_root_key(const struct repo *);

#endif
