/* A CGI program, as it would run under any web server that speaks CGI: one process for each request. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void head(const char *status, const char *type) {
    printf("Status: %s\r\nContent-Type: %s\r\n\r\n", status, type);
}

static void echo(void) {
    static char piece[16 << 10];
    const char *type = getenv("CONTENT_TYPE");
    head("200 OK", type && *type ? type : "application/octet-stream");
    size_t got;
    while ((got = fread(piece, 1, sizeof piece, stdin)) > 0) fwrite(piece, 1, got, stdout);
}

static void random_digits(void) {
    unsigned char bytes[16];
    if (getentropy(bytes, sizeof bytes)) abort();
    head("200 OK", "text/plain");
    for (size_t i = 0; i < sizeof bytes; i++) printf("%02x", bytes[i]);
    puts("");
}

int main(int count, char **words) {
    const char *method = getenv("REQUEST_METHOD"), *path = getenv("PATH_INFO");
    if (!method) {
        printf("task done");
        for (int i = 1; i < count; i++) printf(" %s", words[i]);
        puts("");
        return 0;
    }
    path = path && *path ? path : "/";
    fprintf(stderr, "%s %s\n", method, path);
    if (!strcmp(path, "/")) {
        head("200 OK", "text/plain");
        puts("Hello from CGI on Virga");
    } else if (!strncmp(path, "/env/", 5)) {
        const char *value = getenv(path + 5);
        head(value ? "200 OK" : "404 Not Found", "text/plain");
        printf("%s", value ? value : "no such variable\n");
    } else if (!strcmp(path, "/echo") && !strcmp(method, "POST")) {
        echo();
    } else if (!strcmp(path, "/stream")) {
        head("200 OK", "text/plain");
        for (int i = 1; i <= 5; i++) {
            printf("chunk %d\n", i);
            fflush(stdout);
        }
    } else if (!strcmp(path, "/random")) {
        random_digits();
    } else if (!strcmp(path, "/count")) {
        /* Each request is a process of its own. */
        head("200 OK", "text/plain");
        puts("1");
    } else {
        head("404 Not Found", "text/plain");
        printf("404: nothing at %s\n", path);
    }
    return 0;
}
