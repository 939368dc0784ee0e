#include <stddef.h>

/* Number of characters of a UTF-8 string. */
size_t text_length(const char *text);

/* Writes `text` in a frame of three lines; returns the bytes that this takes, without the closing NUL. At most `size`
   bytes are written. */
size_t text_frame(char *out, size_t size, const char *text);
