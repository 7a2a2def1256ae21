/* What the runtime itself prints: the last words of an exception that nothing catches. */
#include "log.h"
#include "compat.h"
#include <stdio.h>
#include <string.h>

static void put_code_point(int32_t c) {
    char bytes[4];
    int size = 0;
    if (c < 0x80) {
        bytes[size++] = (char) c;
    } else if (c < 0x800) {
        bytes[size++] = (char) (0xC0 | c >> 6);
        bytes[size++] = (char) (0x80 | (c & 0x3F));
    } else {
        bytes[size++] = (char) (0xE0 | (c >> 12 & 0xF));
        bytes[size++] = (char) (0x80 | (c >> 6 & 0x3F));
        bytes[size++] = (char) (0x80 | (c & 0x3F));
    }
    virga_output(2, bytes, size);
}

void teavm_printString(char16_t *s) {
    while (*s != 0) {
        put_code_point(*s++);
    }
}

void teavm_printWString(wchar_t *s) {
    while (*s != 0) {
        put_code_point((int32_t) *s++);
    }
}

void teavm_printInt(int32_t number) {
    char text[16];
    virga_output(2, text, snprintf(text, sizeof text, "%d", (int) number));
}

void teavm_logCodePoint(int32_t c) { put_code_point(c); }

void teavm_logchar(int32_t byte) {
    char c = (char) byte;
    virga_output(1, &c, 1);
}
