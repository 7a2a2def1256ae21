/*
 * HTTP for programs in C and C++: write one function, virga_handle, and the platform calls it once per request.
 *
 *     #include <virga_http.h>
 *
 *     void virga_handle(virga_request *request, virga_response *response) {
 *         virga_set_header(response, "content-type", "text/plain");
 *         virga_print(response, "Hello\n");
 *     }
 *
 * One instance of the program answers many requests, one after the other: what it keeps in memory is there in the next one.
 * A program may have a main beside it; workers and tasks run that.
 */
#ifndef VIRGA_HTTP_H
#define VIRGA_HTTP_H

#include <stddef.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* One header field of a request; the name is in lower case. Both texts end with a zero byte. */
typedef struct {
    const char *name;
    const char *value;
    size_t value_length;
} virga_header;

/* A request. All texts live until virga_handle returns. */
typedef struct {
    const char *method;
    /* Path with query, as sent: "/a%20b?x=1". */
    const char *target;
    /* The part before the question mark, still with its escapes. */
    const char *path;
    /* The part after it; empty without one. */
    const char *query;
    /* "http" or "https". */
    const char *scheme;
    /* Host name, with the port where one was given. */
    const char *authority;
    const virga_header *headers;
    size_t header_count;
} virga_request;

typedef struct virga_response virga_response;

/* To be written by the program. */
void virga_handle(virga_request *request, virga_response *response);

/* The value of the first header of that name, whatever its case; NULL without one. */
const char *virga_header_of(const virga_request *request, const char *name);

/* Reads some bytes of the body: how many, 0 at its end, -1 when the client went away. */
ssize_t virga_read(virga_request *request, void *into, size_t most);

/* The status is 200 until it is set; status and headers can be set until the first byte is written.
 * These give 0, or -1 when it was too late or the platform refused the name or value. */
int virga_set_status(virga_response *response, unsigned status);
int virga_set_header(virga_response *response, const char *name, const char *value);
int virga_add_header(virga_response *response, const char *name, size_t name_length, const char *value, size_t value_length);

/* Writes to the body; small pieces are gathered until there are 16 KiB of them, or virga_flush, or the end.
 * These give 0, or -1 when the client went away. */
int virga_write(virga_response *response, const void *bytes, size_t length);
int virga_print(virga_response *response, const char *text);
int virga_printf(virga_response *response, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Sends what was gathered now. */
int virga_flush(virga_response *response);

#ifdef __cplusplus
}
#endif
#endif
