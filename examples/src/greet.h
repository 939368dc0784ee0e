#include <stddef.h>

/* Writes a framed greeting of `name` to `out`, at most `size` bytes; returns the bytes that it takes, without the closing
   NUL. The environment's GREETING takes the place of "Hello". */
size_t greet(char *out, size_t size, const char *name);
