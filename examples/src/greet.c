#include "greet.h"
#include "text.h"
#include <stdio.h>

size_t greet(char *out, size_t size, const char *name) {
    char line[128];
    snprintf(line, sizeof line, "Hello, %s!", name);
    return text_frame(out, size, line);
}
