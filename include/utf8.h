#ifndef UTF8_H_
#define UTF8_H_

#include <stddef.h>

/*
 * Length of the UTF-8 sequence (RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF) that begins at
 * bytes, of which `left` are there; 0 when there is none.
 */
size_t utf8_length(const void *bytes, size_t left);

#endif
