/* Which page or file a request asks for. */
#ifndef VIRGA_SAPI_H
#define VIRGA_SAPI_H
#include <virga_http.h>
#include <limits.h>

typedef struct {
    /* The folder that requests see, "/public". */
    char root[PATH_MAX];
    /* The file to run or to send. */
    char file[PATH_MAX];
    /* SCRIPT_NAME, PATH_INFO and PHP_SELF. */
    char script[PATH_MAX], info[PATH_MAX], self[PATH_MAX];
    int status;
} page;

enum found { PAGE_SCRIPT, PAGE_FILE, PAGE_FOLDER, PAGE_NONE };

enum found find_page(const virga_request *request, page *page);
void send_file(const virga_request *request, virga_response *response, const page *page);
void send_to_folder(const virga_request *request, virga_response *response);
void send_not_found(virga_response *response, const page *page);
#endif
