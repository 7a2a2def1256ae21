/*
 * From the path of a request to a script or a file: a script that is there, a file that is there, a folder's index, and for
 * everything else the index.php of the document root, the front controller.
 */
#include "sapi.h"

#include <ctype.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const types[][2] = {
    {"html", "text/html; charset=utf-8"}, {"htm", "text/html; charset=utf-8"}, {"css", "text/css; charset=utf-8"},
    {"js", "text/javascript; charset=utf-8"}, {"mjs", "text/javascript; charset=utf-8"}, {"json", "application/json"},
    {"map", "application/json"}, {"txt", "text/plain; charset=utf-8"}, {"md", "text/markdown; charset=utf-8"},
    {"xml", "application/xml"}, {"svg", "image/svg+xml"}, {"png", "image/png"}, {"jpg", "image/jpeg"}, {"jpeg", "image/jpeg"},
    {"gif", "image/gif"}, {"webp", "image/webp"}, {"avif", "image/avif"}, {"ico", "image/vnd.microsoft.icon"},
    {"woff", "font/woff"}, {"woff2", "font/woff2"}, {"ttf", "font/ttf"}, {"otf", "font/otf"}, {"pdf", "application/pdf"},
    {"mp4", "video/mp4"}, {"webm", "video/webm"}, {"mp3", "audio/mpeg"}, {"wasm", "application/wasm"}, {"zip", "application/zip"},
    {"csv", "text/csv; charset=utf-8"}, {"webmanifest", "application/manifest+json"},
};

static int is_file(const char *path) {
    struct stat status;
    return !stat(path, &status) && S_ISREG(status.st_mode);
}

static int is_folder(const char *path) {
    struct stat status;
    return !stat(path, &status) && S_ISDIR(status.st_mode);
}

static int has_end(const char *text, const char *end) {
    size_t length = strlen(text), size = strlen(end);
    return length >= size && !strcmp(text + length - size, end);
}

static int digit(char c) {
    return isdigit((unsigned char)c) ? c - '0' : isxdigit((unsigned char)c) ? tolower((unsigned char)c) - 'a' + 10 : -1;
}

/* Takes the escapes out; refuses zero bytes, "..", and names that begin with a dot, which are nobody's business. */
static int decode(const char *from, char *into, size_t room) {
    size_t used = 0;
    for (; *from; from++) {
        char c = *from;
        if (c == '%' && digit(from[1]) >= 0 && digit(from[2]) >= 0) {
            c = (char)(digit(from[1]) * 16 + digit(from[2]));
            from += 2;
        }
        if (!c || used + 1 >= room) return -1;
        into[used++] = c;
    }
    into[used] = 0;
    return 0;
}

static int is_hidden(const char *path) {
    for (const char *at = path; (at = strstr(at, "/.")); at++)
        if (strncmp(at, "/.well-known/", 13)) return 1;
    return 0;
}

/* WEBDIR as set for the app, else by the buildpack: a folder of the app. */
static void find_root(char *root) {
    const char *set = getenv("WEBDIR");
    while (set && (*set == '/' || (*set == '.' && (!set[1] || set[1] == '/')))) set++;
    snprintf(root, PATH_MAX, "%s%s", set && *set ? "/" : "", set ? set : "");
    size_t length = strlen(root);
    while (length && root[length - 1] == '/') root[--length] = 0;
}

static int join(char *into, const char *first, const char *second) {
    return snprintf(into, PATH_MAX, "%s%s", first, second) >= PATH_MAX ? -1 : 0;
}

static enum found script(page *page, const char *path, size_t script_length) {
    snprintf(page->script, sizeof page->script, "%.*s", (int)script_length, path);
    snprintf(page->info, sizeof page->info, "%s", path + script_length);
    snprintf(page->self, sizeof page->self, "%s", path);
    return join(page->file, page->root, page->script) ? PAGE_NONE : PAGE_SCRIPT;
}

/* "/index.php/some/path": the script is the part up to ".php". */
static size_t script_length(const page *page, const char *path) {
    char candidate[PATH_MAX];
    for (const char *at = path; (at = strstr(at, ".php")); at += 4) {
        if (at[4] && at[4] != '/') continue;
        size_t length = (size_t)(at + 4 - path);
        if (snprintf(candidate, sizeof candidate, "%s%.*s", page->root, (int)length, path) < PATH_MAX && is_file(candidate)) return length;
    }
    return 0;
}

enum found find_page(const virga_request *request, page *page) {
    char path[PATH_MAX], index[PATH_MAX];
    memset(page, 0, sizeof *page);
    page->status = 200;
    find_root(page->root);
    if (decode(request->path, path, sizeof path - 16) || path[0] != '/') return PAGE_NONE;
    int is_public = !is_hidden(path);
    size_t length = is_public ? script_length(page, path) : 0;
    if (length) return script(page, path, length);
    if (is_public && !join(page->file, page->root, path)) {
        if (is_file(page->file) && !has_end(path, ".php") && path[strlen(path) - 1] != '/') return PAGE_FILE;
        if (is_folder(page->file)) {
            int has_slash = path[strlen(path) - 1] == '/';
            snprintf(index, sizeof index, "%s%sindex.php", page->file, has_slash ? "" : "/");
            int has_script = is_file(index);
            snprintf(index, sizeof index, "%s%sindex.html", page->file, has_slash ? "" : "/");
            int has_html = !has_script && is_file(index);
            if ((has_script || has_html) && !has_slash) return PAGE_FOLDER;
            if (has_script) {
                strcat(path, "index.php");
                return script(page, path, strlen(path));
            }
            if (has_html) {
                strcpy(page->file, index);
                return PAGE_FILE;
            }
        }
    }
    snprintf(index, sizeof index, "%s/index.php", page->root);
    if (!is_file(index)) return PAGE_NONE;
    script(page, "/index.php", strlen("/index.php"));
    /* As nginx with try_files: the script finds the path in REQUEST_URI. */
    return PAGE_SCRIPT;
}

static const char *type_of(const char *file) {
    const char *dot = strrchr(file, '.');
    for (size_t i = 0; dot && i < sizeof types / sizeof *types; i++)
        if (!strcasecmp(dot + 1, types[i][0])) return types[i][1];
    return "application/octet-stream";
}

void send_file(const virga_request *request, virga_response *response, const page *page) {
    static char piece[32 << 10];
    char length[32];
    struct stat status;
    int is_head = !strcmp(request->method, "HEAD");
    if (!is_head && strcmp(request->method, "GET")) {
        virga_set_status(response, 405);
        virga_set_header(response, "allow", "GET, HEAD");
        return;
    }
    int file = open(page->file, O_RDONLY);
    if (file < 0 || fstat(file, &status)) {
        if (file >= 0) close(file);
        virga_set_status(response, 404);
        return;
    }
    snprintf(length, sizeof length, "%lld", (long long)status.st_size);
    virga_set_header(response, "content-type", type_of(page->file));
    virga_set_header(response, "content-length", length);
    ssize_t got;
    while (!is_head && (got = read(file, piece, sizeof piece)) > 0)
        if (virga_write(response, piece, (size_t)got)) break;
    close(file);
}

void send_to_folder(const virga_request *request, virga_response *response) {
    char to[PATH_MAX];
    /* One slash in front: two would be another host. */
    const char *path = request->path + strspn(request->path, "/\\");
    snprintf(to, sizeof to, "/%s/%s%s", path, request->query[0] ? "?" : "", request->query);
    virga_set_status(response, 301);
    virga_set_header(response, "location", to);
}

void send_not_found(virga_response *response, const page *page) {
    virga_set_status(response, 404);
    virga_set_header(response, "content-type", "text/plain; charset=utf-8");
    virga_printf(response, "404: there is no such file, and no index.php in %s/ to ask\n", page->root);
}
