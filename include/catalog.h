#ifndef CATALOG_H_
#define CATALOG_H_

/* A catalog is made of these; docs/format.md sections 5, 6 and 8. */
#include "block.h"
#include "checkpoint.h"
#include "entry.h"
#include "root.h"
#include "segment.h"

#endif
