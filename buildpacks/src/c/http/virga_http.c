/*
 * What virga_http.h promises, over wasi:http 0.2: imports and exports in the component model's canonical ABI, in which a
 * result lies in memory of the caller, its tag in the first byte and its payload at its own alignment after it.
 */
#include "virga_http.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define TYPES "wasi:http/types@0.2.10"
#define STREAMS "wasi:io/streams@0.2.10"
#define POLL "wasi:io/poll@0.2.10"
#define ERROR "wasi:io/error@0.2.10"
#define IMPORT(module, name) __attribute__((import_module(module), import_name(name)))

IMPORT(TYPES, "[method]incoming-request.method") void request_method(int32_t request, void *out);
IMPORT(TYPES, "[method]incoming-request.path-with-query") void request_target(int32_t request, void *out);
IMPORT(TYPES, "[method]incoming-request.scheme") void request_scheme(int32_t request, void *out);
IMPORT(TYPES, "[method]incoming-request.authority") void request_authority(int32_t request, void *out);
IMPORT(TYPES, "[method]incoming-request.headers") int32_t request_headers(int32_t request);
IMPORT(TYPES, "[method]incoming-request.consume") void request_consume(int32_t request, void *out);
IMPORT(TYPES, "[resource-drop]incoming-request") void request_drop(int32_t request);
IMPORT(TYPES, "[method]incoming-body.stream") void incoming_body_stream(int32_t body, void *out);
IMPORT(TYPES, "[resource-drop]incoming-body") void incoming_body_drop(int32_t body);
IMPORT(TYPES, "[constructor]fields") int32_t fields_new(void);
IMPORT(TYPES, "[method]fields.entries") void fields_entries(int32_t fields, void *out);
IMPORT(TYPES, "[method]fields.append")
void fields_append(int32_t fields, const char *name, size_t name_length, const char *value, size_t value_length, void *out);
IMPORT(TYPES, "[method]fields.delete") void fields_delete(int32_t fields, const char *name, size_t name_length, void *out);
IMPORT(TYPES, "[resource-drop]fields") void fields_drop(int32_t fields);
IMPORT(TYPES, "[constructor]outgoing-response") int32_t response_new(int32_t fields);
IMPORT(TYPES, "[method]outgoing-response.set-status-code") int32_t response_set_status(int32_t response, int32_t status);
IMPORT(TYPES, "[method]outgoing-response.body") void response_body(int32_t response, void *out);
IMPORT(TYPES, "[static]response-outparam.set")
void response_out_set(int32_t out, int32_t is_error, int32_t response, int32_t e1, int64_t e2, int32_t e3, int32_t e4, int32_t e5, int32_t e6);
IMPORT(TYPES, "[method]outgoing-body.write") void outgoing_body_write(int32_t body, void *out);
IMPORT(TYPES, "[static]outgoing-body.finish")
void outgoing_body_finish(int32_t body, int32_t has_trailers, int32_t trailers, void *out);
IMPORT(TYPES, "[resource-drop]outgoing-body") void outgoing_body_drop(int32_t body);
IMPORT(STREAMS, "[method]input-stream.blocking-read") void input_read(int32_t stream, int64_t most, void *out);
IMPORT(STREAMS, "[resource-drop]input-stream") void input_drop(int32_t stream);
IMPORT(STREAMS, "[method]output-stream.check-write") void output_check(int32_t stream, void *out);
IMPORT(STREAMS, "[method]output-stream.write") void output_write(int32_t stream, const void *bytes, size_t length, void *out);
IMPORT(STREAMS, "[method]output-stream.flush") void output_flush(int32_t stream, void *out);
IMPORT(STREAMS, "[method]output-stream.subscribe") int32_t output_subscribe(int32_t stream);
IMPORT(STREAMS, "[resource-drop]output-stream") void output_drop(int32_t stream);
IMPORT(POLL, "[method]pollable.block") void pollable_block(int32_t pollable);
IMPORT(POLL, "[resource-drop]pollable") void pollable_drop(int32_t pollable);
IMPORT(ERROR, "[resource-drop]error") void error_drop(int32_t error);

/* Where results land; the longest is that of outgoing-body.finish, with 40 bytes. */
typedef struct {
    _Alignas(8) uint8_t bytes[64];
} landing;

static uint32_t word(const landing *from, size_t at) {
    uint32_t value;
    memcpy(&value, from->bytes + at, sizeof value);
    return value;
}

#define GATHERED (16 << 10)
#define READ_AT_ONCE (64 << 10)

typedef struct {
    virga_request public;
    int32_t handle, body, stream;
    int has_body, at_end, is_broken;
    /* What was read and not asked for yet. */
    uint8_t *held;
    size_t held_length, held_at;
    /* All texts of the request, to be given back. */
    void **owned;
    size_t owned_count;
} request_state;

struct virga_response {
    int32_t out, fields, body, stream;
    unsigned status;
    int has_begun, is_broken;
    size_t gathered_length;
    uint8_t gathered[GATHERED];
};

/* The one request that is being answered: they come one after the other. */
static request_state current_request;
static virga_response current_response;

__attribute__((export_name("cabi_realloc"))) void *cabi_realloc(void *old, size_t old_size, size_t alignment, size_t size) {
    (void)old_size;
    if (size == 0) return (void *)alignment;
    void *memory = realloc(old, size);
    if (!memory) abort();
    return memory;
}

static void own(request_state *state, void *memory) {
    void **owned = realloc(state->owned, (state->owned_count + 1) * sizeof *owned);
    if (!owned) abort();
    state->owned = owned;
    owned[state->owned_count++] = memory;
}

/* A text of the host's, with the zero byte that C wants. */
static char *text(request_state *state, uint32_t at, uint32_t length) {
    char *copy = malloc(length + 1);
    if (!copy) abort();
    if (length) {
        memcpy(copy, (const void *)(uintptr_t)at, length);
        free((void *)(uintptr_t)at);
    }
    copy[length] = 0;
    own(state, copy);
    return copy;
}

static const char *method(request_state *state) {
    static const char *const known[] = {"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"};
    landing out;
    request_method(state->handle, &out);
    uint8_t tag = out.bytes[0];
    return tag < sizeof known / sizeof *known ? known[tag] : text(state, word(&out, 4), word(&out, 8));
}

static void read_head(request_state *state) {
    virga_request *request = &state->public;
    landing out;
    request->method = method(state);
    request_target(state->handle, &out);
    request->target = out.bytes[0] ? text(state, word(&out, 4), word(&out, 8)) : "/";
    size_t path_length = strcspn(request->target, "?");
    char *path = strndup(request->target, path_length);
    if (!path) abort();
    own(state, path);
    request->path = path;
    request->query = request->target[path_length] ? request->target + path_length + 1 : "";
    request_scheme(state->handle, &out);
    if (out.bytes[0] && out.bytes[4] == 2) text(state, word(&out, 8), word(&out, 12));
    request->scheme = out.bytes[0] && out.bytes[4] == 1 ? "https" : "http";
    request_authority(state->handle, &out);
    request->authority = out.bytes[0] ? text(state, word(&out, 4), word(&out, 8)) : "";
}

static void read_headers(request_state *state) {
    landing out;
    int32_t fields = request_headers(state->handle);
    fields_entries(fields, &out);
    fields_drop(fields);
    const uint32_t *entries = (const uint32_t *)(uintptr_t)word(&out, 0);
    size_t count = word(&out, 4);
    virga_header *headers = malloc((count + 1) * sizeof *headers);
    if (!headers) abort();
    own(state, headers);
    for (size_t i = 0; i < count; i++) {
        char *name = text(state, entries[4 * i], entries[4 * i + 1]);
        for (char *c = name; *c; c++) *c = *c >= 'A' && *c <= 'Z' ? *c + 32 : *c;
        headers[i].name = name;
        headers[i].value_length = entries[4 * i + 3];
        headers[i].value = text(state, entries[4 * i + 2], entries[4 * i + 3]);
    }
    if (count) free((void *)entries);
    state->public.headers = headers;
    state->public.header_count = count;
}

static void begin_request(request_state *state, int32_t handle) {
    memset(state, 0, sizeof *state);
    state->handle = handle;
    read_head(state);
    read_headers(state);
}

static void end_request(request_state *state) {
    free(state->held);
    if (state->has_body) {
        input_drop(state->stream);
        incoming_body_drop(state->body);
    }
    request_drop(state->handle);
    for (size_t i = 0; i < state->owned_count; i++) free(state->owned[i]);
    free(state->owned);
    memset(state, 0, sizeof *state);
}

static int open_body(request_state *state) {
    if (state->has_body) return 0;
    landing out;
    request_consume(state->handle, &out);
    if (out.bytes[0]) return -1;
    state->body = (int32_t)word(&out, 4);
    incoming_body_stream(state->body, &out);
    if (out.bytes[0]) {
        incoming_body_drop(state->body);
        return -1;
    }
    state->stream = (int32_t)word(&out, 4);
    state->has_body = 1;
    return 0;
}

/* Asks the host for more of the body; an end or a break is remembered. */
static void fetch(request_state *state) {
    free(state->held);
    state->held = NULL;
    state->held_length = state->held_at = 0;
    landing out;
    input_read(state->stream, READ_AT_ONCE, &out);
    if (!out.bytes[0]) {
        state->held_length = word(&out, 8);
        state->held = state->held_length ? (uint8_t *)(uintptr_t)word(&out, 4) : NULL;
    } else if (out.bytes[4]) {
        state->at_end = 1;
    } else {
        error_drop((int32_t)word(&out, 8));
        state->is_broken = 1;
    }
}

ssize_t virga_read(virga_request *request, void *into, size_t most) {
    request_state *state = (request_state *)request;
    if (!state->handle && !state->has_body && state->public.method == NULL) return -1;
    if (state->is_broken) return -1;
    if (most == 0 || state->at_end) return 0;
    if (open_body(state)) return -1;
    while (state->held_at == state->held_length && !state->at_end && !state->is_broken) fetch(state);
    if (state->is_broken) return -1;
    size_t left = state->held_length - state->held_at;
    size_t taken = most < left ? most : left;
    if (taken) memcpy(into, state->held + state->held_at, taken);
    state->held_at += taken;
    return (ssize_t)taken;
}

const char *virga_header_of(const virga_request *request, const char *name) {
    for (size_t i = 0; i < request->header_count; i++)
        if (!strcasecmp(request->headers[i].name, name)) return request->headers[i].value;
    return NULL;
}

int virga_set_status(virga_response *response, unsigned status) {
    if (response->has_begun || status < 100 || status > 999) return -1;
    response->status = status;
    return 0;
}

int virga_add_header(virga_response *response, const char *name, size_t name_length, const char *value, size_t value_length) {
    if (response->has_begun) return -1;
    landing out;
    fields_append(response->fields, name, name_length, value, value_length, &out);
    return out.bytes[0] ? -1 : 0;
}

int virga_set_header(virga_response *response, const char *name, const char *value) {
    if (response->has_begun) return -1;
    landing out;
    fields_delete(response->fields, name, strlen(name), &out);
    return virga_add_header(response, name, strlen(name), value, strlen(value));
}

/* Sends status and headers; from here on the body can be written. */
static void begin_response(virga_response *response) {
    landing out;
    response->has_begun = 1;
    int32_t handle = response_new(response->fields);
    response_set_status(handle, (int32_t)response->status);
    response_body(handle, &out);
    response->body = (int32_t)word(&out, 4);
    response_out_set(response->out, 0, handle, 0, 0, 0, 0, 0, 0);
    outgoing_body_write(response->body, &out);
    response->stream = (int32_t)word(&out, 4);
}

/* Whether a write went wrong; the client is gone then, and nothing more is written. */
static int failed(virga_response *response, const landing *out, size_t payload) {
    if (!out->bytes[0]) return 0;
    if (!out->bytes[payload]) error_drop((int32_t)word(out, payload + 4));
    response->is_broken = 1;
    return 1;
}

static int send_bytes(virga_response *response, const uint8_t *bytes, size_t length) {
    if (!response->has_begun) begin_response(response);
    landing out;
    while (length && !response->is_broken) {
        output_check(response->stream, &out);
        if (failed(response, &out, 8)) break;
        uint64_t room;
        memcpy(&room, out.bytes + 8, sizeof room);
        if (!room) {
            int32_t ready = output_subscribe(response->stream);
            pollable_block(ready);
            pollable_drop(ready);
            continue;
        }
        size_t piece = length < room ? length : (size_t)room;
        output_write(response->stream, bytes, piece, &out);
        if (failed(response, &out, 4)) break;
        bytes += piece;
        length -= piece;
    }
    return response->is_broken ? -1 : 0;
}

static int send_gathered(virga_response *response) {
    size_t length = response->gathered_length;
    response->gathered_length = 0;
    return send_bytes(response, response->gathered, length);
}

int virga_write(virga_response *response, const void *bytes, size_t length) {
    if (response->is_broken) return -1;
    if (length > GATHERED - response->gathered_length && send_gathered(response)) return -1;
    if (length > GATHERED) return send_bytes(response, bytes, length);
    memcpy(response->gathered + response->gathered_length, bytes, length);
    response->gathered_length += length;
    return 0;
}

int virga_print(virga_response *response, const char *words) {
    return virga_write(response, words, strlen(words));
}

int virga_printf(virga_response *response, const char *format, ...) {
    va_list arguments;
    char *words = NULL;
    va_start(arguments, format);
    int length = vasprintf(&words, format, arguments);
    va_end(arguments);
    if (length < 0) return -1;
    int result = virga_write(response, words, (size_t)length);
    free(words);
    return result;
}

int virga_flush(virga_response *response) {
    if (send_gathered(response)) return -1;
    landing out;
    output_flush(response->stream, &out);
    return failed(response, &out, 4) ? -1 : 0;
}

static void end_response(virga_response *response) {
    if (send_gathered(response) == 0 || response->has_begun) {
        landing out;
        output_drop(response->stream);
        if (response->is_broken) outgoing_body_drop(response->body);
        else outgoing_body_finish(response->body, 0, 0, &out);
    }
}

void __wasm_call_ctors(void);

/* Constructors run once. A program whose linker made a reactor of it has an _initialize for that, which the platform calls. */
static void begin(void) {
#ifndef VIRGA_REACTOR
    static int has_begun;
    if (has_begun) return;
    has_begun = 1;
    __wasm_call_ctors();
#endif
}

__attribute__((export_name("wasi:http/incoming-handler@0.2.10#handle"))) void virga_incoming(int32_t request, int32_t out) {
    begin();
    begin_request(&current_request, request);
    memset(&current_response, 0, offsetof(virga_response, gathered));
    current_response.out = out;
    current_response.status = 200;
    current_response.fields = fields_new();
    virga_handle(&current_request.public, &current_response);
    end_response(&current_response);
    end_request(&current_request);
    fflush(stdout);
}

/* For programs without a main of their own. */
__attribute__((weak)) int main(int count, char **words) {
    (void)count;
    fprintf(stderr, "%s: this app only answers requests; it has no main to run\n", words[0]);
    return 1;
}

int __main_void(void);

/* Commands: workers and tasks. The result is only read where the program did not exit by itself. */
__attribute__((export_name("wasi:cli/run@0.2.10#run"))) int32_t virga_run(void) {
    begin();
    exit(__main_void());
}
