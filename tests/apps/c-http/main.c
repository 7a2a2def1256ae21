#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <virga_http.h>

static void text(virga_response *response, unsigned status) {
    virga_set_status(response, status);
    virga_set_header(response, "content-type", "text/plain; charset=utf-8");
}

static void env(virga_response *response, const char *name) {
    const char *value = getenv(name);
    text(response, value ? 200 : 404);
    virga_print(response, value ? value : "no such variable\n");
}

static void echo(virga_request *request, virga_response *response) {
    static char piece[16 << 10];
    const char *type = virga_header_of(request, "content-type");
    virga_set_header(response, "content-type", type ? type : "application/octet-stream");
    ssize_t got;
    while ((got = virga_read(request, piece, sizeof piece)) > 0)
        if (virga_write(response, piece, (size_t)got)) return;
}

static void stream(virga_response *response) {
    text(response, 200);
    for (int i = 1; i <= 5; i++) {
        virga_printf(response, "chunk %d\n", i);
        virga_flush(response);
    }
}

static void random_digits(virga_response *response) {
    unsigned char bytes[16];
    if (getentropy(bytes, sizeof bytes)) {
        text(response, 500);
        return;
    }
    text(response, 200);
    for (size_t i = 0; i < sizeof bytes; i++) virga_printf(response, "%02x", bytes[i]);
    virga_print(response, "\n");
}

void virga_handle(virga_request *request, virga_response *response) {
    static unsigned count;
    const char *path = request->path;
    int is_post = !strcmp(request->method, "POST");
    printf("%s %s\n", request->method, request->target);
    if (!strcmp(path, "/")) {
        text(response, 200);
        virga_print(response, "Hello from C on Virga\n");
    } else if (!strncmp(path, "/env/", 5)) {
        env(response, path + 5);
    } else if (!strcmp(path, "/echo") && is_post) {
        echo(request, response);
    } else if (!strcmp(path, "/stream")) {
        stream(response);
    } else if (!strcmp(path, "/random")) {
        random_digits(response);
    } else if (!strcmp(path, "/count")) {
        text(response, 200);
        virga_printf(response, "%u\n", ++count);
    } else {
        text(response, 404);
        virga_printf(response, "404: nothing at %s\n", path);
    }
}

/* For workers and tasks. */
int main(int count, char **words) {
    printf("task done");
    for (int i = 1; i < count; i++) printf(" %s", words[i]);
    puts("");
    return 0;
}
