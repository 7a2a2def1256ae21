/*
 * C++ exceptions: the C++ library of WASI is built without them. Code that throws compiles and links; a throw ends the program
 * with a line that says what was thrown, as an exception that nobody catches would.
 */
#include <stdio.h>
#include <stdlib.h>

/* A std::type_info: its table, and the name as the linker knows it. */
struct type {
    const void *table;
    const char *name;
};

void *__cxa_allocate_exception(size_t size) {
    void *memory = malloc(size);
    if (!memory) abort();
    return memory;
}

_Noreturn void __cxa_throw(void *thrown, const struct type *type, void (*destroy)(void *)) {
    (void)thrown, (void)destroy;
    fprintf(stderr, "a C++ exception of type %s was thrown; this platform's C++ has no exceptions, so the program ends\n", type->name);
    abort();
}
