/* The edge of the component: what the cell calls (a request, a command), and what Java calls to answer it. One request at a time;
   every resource is dropped here, child before parent. */
#include "compat.h"
#include <errno.h>
#include <pwd.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>
#include <wasi/api.h>

#define FROM(module, name) __attribute__((import_module(module), import_name(name)))
#define HTTP "wasi:http/types@0.2.10"
#define STREAMS "wasi:io/streams@0.2.10"
/* Bytes asked of the request's body at once. */
#define PIECE 65536

/* Where a lowered function leaves a result that is no single number. */
typedef struct { _Alignas(8) uint32_t word[16]; } Result;
typedef struct { char *at; uint32_t size; } Text;

FROM(HTTP, "[method]incoming-request.method") void request_method(int32_t, Result *);
FROM(HTTP, "[method]incoming-request.path-with-query") void request_path(int32_t, Result *);
FROM(HTTP, "[method]incoming-request.authority") void request_authority(int32_t, Result *);
FROM(HTTP, "[method]incoming-request.headers") int32_t request_headers(int32_t);
FROM(HTTP, "[method]incoming-request.consume") void request_consume(int32_t, Result *);
FROM(HTTP, "[method]incoming-body.stream") void body_stream(int32_t, Result *);
FROM(HTTP, "[method]fields.entries") void fields_entries(int32_t, Result *);
FROM(HTTP, "[static]fields.from-list") void fields_from_list(void *, uint32_t, Result *);
FROM(HTTP, "[constructor]outgoing-response") int32_t response_new(int32_t);
FROM(HTTP, "[method]outgoing-response.set-status-code") int32_t response_set_status(int32_t, int32_t);
FROM(HTTP, "[method]outgoing-response.body") void response_body(int32_t, Result *);
FROM(HTTP, "[static]response-outparam.set")
void outparam_set(int32_t, int32_t, int32_t, int32_t, int64_t, int32_t, int32_t, int32_t, int32_t);
FROM(HTTP, "[method]outgoing-body.write") void outgoing_stream(int32_t, Result *);
FROM(HTTP, "[static]outgoing-body.finish") void outgoing_finish(int32_t, int32_t, int32_t, Result *);
FROM(HTTP, "[resource-drop]incoming-request") void drop_request(int32_t);
FROM(HTTP, "[resource-drop]incoming-body") void drop_incoming_body(int32_t);
FROM(HTTP, "[resource-drop]outgoing-body") void drop_outgoing_body(int32_t);
FROM(HTTP, "[resource-drop]fields") void drop_fields(int32_t);
FROM(STREAMS, "[method]input-stream.blocking-read") void stream_read(int32_t, int64_t, Result *);
FROM(STREAMS, "[method]output-stream.check-write") void stream_check(int32_t, Result *);
FROM(STREAMS, "[method]output-stream.write") void stream_write(int32_t, void *, uint32_t, Result *);
FROM(STREAMS, "[method]output-stream.subscribe") int32_t stream_subscribe(int32_t);
FROM(STREAMS, "[resource-drop]input-stream") void drop_input(int32_t);
FROM(STREAMS, "[resource-drop]output-stream") void drop_output(int32_t);
FROM("wasi:io/poll@0.2.10", "[method]pollable.block") void pollable_block(int32_t);
FROM("wasi:io/poll@0.2.10", "[resource-drop]pollable") void drop_pollable(int32_t);
FROM("wasi:io/error@0.2.10", "[resource-drop]error") void drop_error(int32_t);

int teavm_main(int argc, char **argv);
void virga_java_serve(void);
int32_t virga_java_run(void);

/* Memory that the cell writes results to; freed here once they are read. */
__attribute__((export_name("cabi_realloc"))) void *cabi_realloc(void *old, size_t old_size, size_t align, size_t size) {
    (void) old_size;
    (void) align;
    if (size == 0) {
        return (void *) align;
    }
    void *made = realloc(old, size);
    if (made == NULL) {
        abort();
    }
    return made;
}

static void release(void *memory, uint32_t size) {
    if (size > 0) {
        free(memory);
    }
}

/* Bytes in a row, growing. */
typedef struct { char *at; size_t size, room; } Bytes;

static Bytes head, environment, arguments;

static void add(Bytes *bytes, const void *from, size_t size) {
    if (bytes->size + size > bytes->room) {
        bytes->room = (bytes->size + size) * 2;
        bytes->at = realloc(bytes->at, bytes->room);
        if (bytes->at == NULL) {
            abort();
        }
    }
    memcpy(bytes->at + bytes->size, from, size);
    bytes->size += size;
}

static void add_text(Bytes *bytes, const char *text, size_t size) {
    add(bytes, text, size);
    add(bytes, "", 1);
}

/* The open resources of the request at hand; -1 where there is none. */
static struct {
    int32_t request, out, body, input, response_body, output;
    bool input_ended, broken;
} now;

static void take_option(Result *result) {
    bool is_some = (result->word[0] & 0xFF) != 0;
    char *text = (char *) (uintptr_t) result->word[1];
    add_text(&head, is_some ? text : "", is_some ? result->word[2] : 0);
    if (is_some) {
        release(text, result->word[2]);
    }
}

static void read_head(int32_t request) {
    static const char *const METHODS[] = { "GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH" };
    Result result;
    head.size = 0;
    request_method(request, &result);
    uint32_t method = result.word[0] & 0xFF;
    if (method < sizeof METHODS / sizeof *METHODS) {
        add_text(&head, METHODS[method], strlen(METHODS[method]));
    } else {
        add_text(&head, (char *) (uintptr_t) result.word[1], result.word[2]);
        release((char *) (uintptr_t) result.word[1], result.word[2]);
    }
    request_path(request, &result);
    take_option(&result);
    request_authority(request, &result);
    take_option(&result);
    int32_t headers = request_headers(request);
    fields_entries(headers, &result);
    Text *texts = (Text *) (uintptr_t) result.word[0];
    for (uint32_t i = 0; i < result.word[1] * 2; i++) {
        add_text(&head, texts[i].at, texts[i].size);
        release(texts[i].at, texts[i].size);
    }
    release(texts, result.word[1]);
    drop_fields(headers);
}

char *virga_request_head(void) { return head.at; }
int32_t virga_request_head_size(void) { return (int32_t) head.size; }

static void close_input(void) {
    now.input_ended = true;
    if (now.input >= 0) drop_input(now.input);
    if (now.body >= 0) drop_incoming_body(now.body);
    if (now.request >= 0) drop_request(now.request);
    now.input = now.body = now.request = -1;
}

/* A failed call on a stream: closed, or an error to let go of. */
static void let_go_of_error(Result *result) {
    if ((result->word[1] & 0xFF) == 0) {
        drop_error((int32_t) result->word[2]);
    }
}

/* The next bytes of the request's body; 0 at its end, -1 when the client broke off. */
int32_t virga_request_read(void *into, int32_t size) {
    Result result;
    if (now.input_ended || size <= 0) {
        return 0;
    }
    if (now.body < 0) {
        request_consume(now.request, &result);
        now.body = (int32_t) result.word[1];
        body_stream(now.body, &result);
        now.input = (int32_t) result.word[1];
    }
    stream_read(now.input, size < PIECE ? size : PIECE, &result);
    if ((result.word[0] & 0xFF) != 0) {
        bool closed = (result.word[1] & 0xFF) != 0;
        let_go_of_error(&result);
        close_input();
        return closed ? 0 : -1;
    }
    int32_t got = (int32_t) result.word[2];
    memcpy(into, (void *) (uintptr_t) result.word[1], (size_t) got);
    release((void *) (uintptr_t) result.word[1], (uint32_t) got);
    return got;
}

/* Begins the answer. `headers` is names and values in turn, each ended by a zero. Gives 0, or 1 where a header is not allowed. */
int32_t virga_respond(int32_t status, void *headers, int32_t size) {
    Result result;
    char *at = headers, *end = at + size;
    uint32_t count = 0;
    for (char *c = at; c < end; c++) count += *c == 0;
    Text *texts = malloc(sizeof(Text) * (count + 1));
    if (texts == NULL) abort();
    for (uint32_t i = 0; i < count; i++) {
        texts[i] = (Text) { .at = at, .size = (uint32_t) strlen(at) };
        at += texts[i].size + 1;
    }
    fields_from_list(texts, count / 2, &result);
    free(texts);
    if ((result.word[0] & 0xFF) != 0) {
        return 1;
    }
    int32_t response = response_new((int32_t) result.word[1]);
    if (response_set_status(response, status) != 0) {
        response_set_status(response, 500);
    }
    response_body(response, &result);
    now.response_body = (int32_t) result.word[1];
    outparam_set(now.out, 0, response, 0, 0, 0, 0, 0, 0);
    outgoing_stream(now.response_body, &result);
    now.output = (int32_t) result.word[1];
    return 0;
}

/* Sends a piece of the answer; -1 when the client is gone. */
int32_t virga_response_write(void *from, int32_t size) {
    Result result;
    char *at = from;
    while (size > 0 && !now.broken) {
        stream_check(now.output, &result);
        if ((result.word[0] & 0xFF) != 0) {
            let_go_of_error(&result);
            now.broken = true;
            break;
        }
        uint64_t room;
        memcpy(&room, &result.word[2], sizeof room);
        if (room == 0) {
            int32_t pollable = stream_subscribe(now.output);
            pollable_block(pollable);
            drop_pollable(pollable);
            continue;
        }
        uint32_t piece = room < (uint64_t) size ? (uint32_t) room : (uint32_t) size;
        stream_write(now.output, at, piece, &result);
        if ((result.word[0] & 0xFF) != 0) {
            let_go_of_error(&result);
            now.broken = true;
            break;
        }
        at += piece;
        size -= (int32_t) piece;
    }
    return now.broken ? -1 : 0;
}

/* Ends the answer; -1 when less was written than its content-length says. */
int32_t virga_response_end(void) {
    Result result;
    if (now.response_body < 0) {
        return 0;
    }
    drop_output(now.output);
    now.output = -1;
    outgoing_finish(now.response_body, 0, 0, &result);
    now.response_body = -1;
    return now.broken || (result.word[0] & 0xFF) == 0 ? 0 : -1;
}

/* Lets the client see that the answer is not whole. */
void virga_response_abort(void) {
    if (now.output >= 0) drop_output(now.output);
    if (now.response_body >= 0) drop_outgoing_body(now.response_body);
    now.output = now.response_body = -1;
}

extern char **environ;

char *virga_environment(void) {
    environment.size = 0;
    if (environ == NULL) {
        getenv("PATH");
    }
    for (char **entry = environ; entry != NULL && *entry != NULL; entry++) {
        add_text(&environment, *entry, strlen(*entry));
    }
    return environment.at;
}
int32_t virga_environment_size(void) { return (int32_t) environment.size; }

char *virga_arguments(void) {
    size_t count = 0, size = 0;
    arguments.size = 0;
    if (__wasi_args_sizes_get(&count, &size) != 0 || count == 0) {
        return arguments.at;
    }
    uint8_t **list = malloc(sizeof(uint8_t *) * (count + 1));
    uint8_t *texts = malloc(size + 1);
    if (list == NULL || texts == NULL) abort();
    if (__wasi_args_get(list, texts) == 0) {
        add(&arguments, texts, size);
    }
    free(list);
    free(texts);
    return arguments.at;
}
int32_t virga_arguments_size(void) { return (int32_t) arguments.size; }

void virga_random_bytes(void *into, int32_t size) {
    char *at = into;
    while (size > 0) {
        int32_t piece = size < 256 ? size : 256;
        if (getentropy(at, (size_t) piece) != 0) abort();
        at += piece;
        size -= piece;
    }
}

int32_t virga_random31(void) {
    static uint32_t pool[64];
    static size_t left = 0;
    if (left == 0) {
        virga_random_bytes(pool, sizeof pool);
        left = sizeof pool / sizeof *pool;
    }
    return (int32_t) (pool[--left] >> 1);
}

/* Output goes out line by line, so that lines of the log stay whole. */
static Bytes lines[2];

static void write_out(int32_t descriptor) {
    Bytes *line = &lines[descriptor == 2];
    char *at = line->at;
    size_t left = line->size;
    while (left > 0) {
        ssize_t wrote = write(descriptor, at, left);
        if (wrote <= 0) break;
        at += wrote;
        left -= (size_t) wrote;
    }
    line->size = 0;
}

void virga_output(int32_t descriptor, void *from, int32_t size) {
    add(&lines[descriptor == 2], from, (size_t) size);
    if (memchr(from, '\n', (size_t) size) != NULL || lines[descriptor == 2].size > 8192) {
        write_out(descriptor);
    }
}

static void write_out_all(void) {
    write_out(1);
    write_out(2);
}

void virga_sleep(int64_t milliseconds) {
    struct timespec time = { .tv_sec = milliseconds / 1000, .tv_nsec = (long) (milliseconds % 1000) * 1000000 };
    write_out_all();
    while (nanosleep(&time, &time) != 0 && errno == EINTR) {}
}

void virga_exit(int32_t status) {
    write_out_all();
    _Exit(status);
}

static void start_java(void) {
    static bool started = false;
    if (!started) {
        started = true;
        char *argv[] = { "java", NULL };
        teavm_main(1, argv);
    }
}

__attribute__((export_name("wasi:http/incoming-handler@0.2.10#handle"))) void handle(int32_t request, int32_t out) {
    now.request = request;
    now.out = out;
    now.body = now.input = now.response_body = now.output = -1;
    now.input_ended = now.broken = false;
    read_head(request);
    start_java();
    virga_java_serve();
    close_input();
    virga_response_abort();
    write_out_all();
}

__attribute__((export_name("wasi:cli/run@0.2.10#run"))) int32_t run(void) {
    start_java();
    int32_t status = virga_java_run();
    write_out_all();
    if (status > 1) {
        _Exit(status);
    }
    return status;
}

/* There are no users: the home of whoever asks is the root. */
struct passwd *getpwuid(uid_t id) {
    static char home[] = "/";
    static struct passwd user = { .pw_dir = home };
    (void) id;
    return &user;
}
