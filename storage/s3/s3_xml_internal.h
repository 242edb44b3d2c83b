#ifndef S3_XML_INTERNAL_H_
#define S3_XML_INTERNAL_H_

#include <expat.h>
#include <stddef.h>

#include "buf.h"

/*
 * One reader for all of S3's XML: it keeps the path of open elements as text ("/ListBucketResult/Contents/Key") and the
 * characters of the innermost one, and calls back at each end.  Which namespace an element is in does not matter.
 */
enum { S3_XML_DEPTH_MAX = 16, S3_XML_PATH_SIZE = 512, S3_XML_TEXT_MAX = 4096 };

struct s3_xml_reader {
	XML_Parser parser;
	char path[S3_XML_PATH_SIZE];
	size_t depth;
	struct buf text; /* of the innermost element, NUL-terminated at its end */
	void (*on_begin)(struct s3_xml_reader *); /* NULL: none */
	int (*on_end)(struct s3_xml_reader *, const char *text); /* something else than 0 ends the reading */
	void *arg;
	struct error *err;
	int code;
};

/* Set on_begin, on_end, arg and err, and leave everything else 0.  What on_end gave, or ERR_CORRUPT, ERR_NOMEM. */
int s3_xml_read(struct s3_xml_reader *, const char *body, size_t len);

#endif
