#ifndef STORE_DIR_H_
#define STORE_DIR_H_

#include "store.h"

struct beneath;

/* The listing of a folder store; name is the printable path of its root, for messages.  As store_list() otherwise. */
int store_dir_list(
    const struct beneath *root, const char *name, const char *prefix, store_list_fn *fn, void *arg, struct error *err);

#endif
