#include "text.h"
#include <stdio.h>
#include <string.h>

size_t text_length(const char *text) {
    size_t length = 0;
    for (; *text != '\0'; text++)
        length += ((unsigned char)*text & 0xc0) != 0x80;
    return length;
}

size_t text_frame(char *out, size_t size, const char *text) {
    char line[128];
    size_t length = text_length(text) + 2;
    if (length >= sizeof line)
        length = sizeof line - 1;
    memset(line, '-', length);
    line[length] = '\0';
    return (size_t)snprintf(out, size, "+%s+\n| %s |\n+%s+", line, text, line);
}
