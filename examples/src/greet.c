#define _GNU_SOURCE
#include "greet.h"
#include "text.h"
#include <stdio.h>
#include <stdlib.h>

size_t greet(char *out, size_t size, const char *name) {
#ifdef __APPLE__
    const char *word = getenv("GREETING");
#else
    /* New in glibc 2.17: this is what keeps the wheels from an older tag. */
    const char *word = secure_getenv("GREETING");
#endif
    char line[128];
    snprintf(line, sizeof line, "%s, %s!", word != NULL ? word : "Hello", name);
    return text_frame(out, size, line);
}
