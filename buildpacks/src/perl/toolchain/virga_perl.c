/*
 * Perl in a component: one interpreter for the life of the instance. Requests go through bridge.pl to the app in VIRGA_PERL_APP;
 * `perl FILE words`, as a worker's or task's command, is the interpreter's own main.
 *
 * The interpreter is another module in the same memory; see install.py. Texts go between it and us as address and length, since
 * values of its interface are texts of characters, and bodies are bytes.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "virga_http.h"

#define PERL(name) __attribute__((import_module("env"), import_name(name)))
PERL("malloc") void *perl_malloc(size_t size);
PERL("free") void perl_free(void *memory);
PERL("zeroperl_init") int perl_init(void);
PERL("zeroperl_init_with_args") int perl_init_with_args(int count, char **words);
PERL("zeroperl_eval") int perl_eval(const char *code, int context, int count, void **values);
PERL("zeroperl_last_error") const char *perl_last_error(void);
PERL("zeroperl_register_function") void perl_register(int id, const char *name);
PERL("zeroperl_call") void *perl_call(const char *name, int context, int count, void **values);
PERL("zeroperl_result_free") void perl_result_free(void *result);
PERL("zeroperl_new_int") void *perl_new_int(int value);
PERL("zeroperl_to_int") int perl_to_int(void *value, int *into);
PERL("zeroperl_value_free") void perl_value_free(void *value);
PERL("zeroperl_flush") int perl_flush(void);
PERL("zeroperl_free_interpreter") void perl_free_interpreter(void);

static const char BRIDGE[] = {
#embed "bridge.pl"
    , 0};

#define SCALAR 1
#define FAILED -1

/* The C library's allocator would take pages of its own: all memory is the interpreter's. The size stands before each piece. */
#define BEFORE 16

void *malloc(size_t size) {
    if (size > SIZE_MAX - BEFORE) return NULL;
    size_t *piece = perl_malloc(size + BEFORE);
    if (piece == NULL) return NULL;
    *piece = size;
    return (char *)piece + BEFORE;
}

void free(void *memory) {
    if (memory != NULL) perl_free((char *)memory - BEFORE);
}

void *calloc(size_t count, size_t size) {
    size_t whole;
    if (__builtin_mul_overflow(count, size, &whole)) return NULL;
    void *memory = malloc(whole);
    if (memory != NULL) memset(memory, 0, whole);
    return memory;
}

void *realloc(void *old, size_t size) {
    void *memory = malloc(size);
    if (memory == NULL || old == NULL) return memory;
    size_t before = *(size_t *)((char *)old - BEFORE);
    memcpy(memory, old, before < size ? before : size);
    free(old);
    return memory;
}

/* The linker puts our stack at the beginning of the memory, which is the interpreter's. Ours is at the end of the pages that install.py
 * adds, and grows downwards. Called before anything else (stack.wat); it has no frame itself. */
__attribute__((export_name("virga_begin_stack"), noinline)) void virga_begin_stack(void) {
    __asm__ volatile(".globaltype __stack_pointer, i32\n\ti32.const 37748736\n\tglobal.set __stack_pointer");
}

static virga_request *now_asked;
static virga_response *now_answered;
static int has_written;
static char piece[64 << 10];

enum { READ = 1, PIECE, STATUS, HEADER, WRITE, FLUSH };

static int answer(int asked, const int *given) {
    if (asked == PIECE) return (int)(intptr_t)piece;
    if (now_asked == NULL) return FAILED;
    switch (asked) {
        case READ: return (int)virga_read(now_asked, piece, sizeof piece);
        case STATUS: return virga_set_status(now_answered, (unsigned)given[0]);
        case HEADER:
            return virga_add_header(now_answered, (const char *)given[0], (size_t)given[1], (const char *)given[2], (size_t)given[3]);
        case WRITE:
            has_written = 1;
            return virga_write(now_answered, (const void *)given[0], (size_t)given[1]);
        case FLUSH:
            has_written = 1;
            return virga_flush(now_answered);
        default: return FAILED;
    }
}

/* What the functions are that the bridge calls: each of them has a number and takes and gives numbers. */
__attribute__((export_name("call_host_function"))) void *on_call(int asked, int count, void **values) {
    int given[4] = {0};
    for (int at = 0; at < count && at < 4; at++) perl_to_int(values[at], &given[at]);
    return perl_new_int(answer(asked, given));
}

/* All that the bridge must know of the request, each text with a zero byte behind it. */
static char *describe(const virga_request *request, size_t *length) {
    const char *texts[] = {request->method, request->target, request->path, request->query, request->scheme, request->authority};
    size_t whole = 0, count = sizeof texts / sizeof *texts;
    for (size_t at = 0; at < count; at++) whole += strlen(texts[at]) + 1;
    for (size_t at = 0; at < request->header_count; at++)
        whole += strlen(request->headers[at].name) + strlen(request->headers[at].value) + 2;
    char *all = malloc(whole), *to = all;
    if (all == NULL) abort();
    for (size_t at = 0; at < count; at++) to = stpcpy(to, texts[at]) + 1;
    for (size_t at = 0; at < request->header_count; at++) {
        to = stpcpy(to, request->headers[at].name) + 1;
        to = stpcpy(to, request->headers[at].value) + 1;
    }
    *length = whole;
    return all;
}

static int begin(void) {
    static const char *const names[] = {"Virga::read", "Virga::piece", "Virga::status", "Virga::header", "Virga::write", "Virga::flush"};
    if (perl_init() != 0) {
        fputs("Perl could not be started\n", stderr);
        return 0;
    }
    for (int at = 0; at < (int)(sizeof names / sizeof *names); at++) perl_register(at + 1, names[at]);
    if (perl_eval(BRIDGE, SCALAR, 0, NULL) != 0) {
        fprintf(stderr, "%s\n", perl_last_error());
        return 0;
    }
    return 1;
}

static int handle(void) {
    size_t length;
    char *described = describe(now_asked, &length);
    void *values[] = {perl_new_int((int)(intptr_t)described), perl_new_int((int)length)};
    void *result = perl_call("Virga::handle", SCALAR, 2, values);
    if (result == NULL) fprintf(stderr, "%s\n", perl_last_error());
    else perl_result_free(result);
    perl_value_free(values[0]);
    perl_value_free(values[1]);
    free(described);
    perl_flush();
    return result != NULL;
}

void virga_handle(virga_request *request, virga_response *response) {
    static int has_begun;
    now_asked = request;
    now_answered = response;
    has_written = 0;
    if (!has_begun) has_begun = begin();
    if (!(has_begun && handle()) && !has_written) {
        virga_set_status(response, 500);
        virga_set_header(response, "content-type", "text/plain; charset=utf-8");
        virga_print(response, "Internal Server Error\n");
    }
    now_asked = NULL;
    now_answered = NULL;
}

static int is_perl(const char *word) {
    const char *name = strrchr(word, '/');
    name = name != NULL ? name + 1 : word;
    return strcmp(name, "perl") == 0 || strcmp(name, "perl5") == 0;
}

static int is_script(const char *word) {
    const char *end = strrchr(word, '.');
    return end != NULL && (strcmp(end, ".pl") == 0 || strcmp(end, ".cgi") == 0);
}

int main(int count, char **words) {
    if (count < 1 || (is_perl(words[0]) ? count < 2 : !is_script(words[0]))) {
        fputs("the command is neither perl with a file or -e CODE, nor a *.pl file; write for example: perl work.pl\n", stderr);
        return 1;
    }
    static char *const folders[] = {"perl", "-I/lib", "-I/local/lib/perl5", "-I/.virga/lib"};
    int own = sizeof folders / sizeof *folders, from = is_perl(words[0]) ? 1 : 0;
    char **all = calloc((size_t)(own + count - from) + 1, sizeof *all);
    if (all == NULL) abort();
    memcpy(all, folders, sizeof folders);
    memcpy(all + own, words + from, (size_t)(count - from) * sizeof *all);
    int status = perl_init_with_args(own + count - from, all);
    perl_flush();
    /* Runs END and writes what is buffered, which a script that calls exit has left. */
    perl_free_interpreter();
    return status;
}
