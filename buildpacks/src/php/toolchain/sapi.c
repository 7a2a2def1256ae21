/*
 * PHP's server interface for Virga: virga_http.h on one side, PHP on the other. The engine starts when the platform is made
 * (the state after that is kept in the module), and begins and ends one PHP request for each request, as PHP-FPM does:
 * nothing of a page outlives its answer but what lies in /tmp.
 */
#include <virga_http.h>

#include "main/php.h"
#include "main/SAPI.h"
#include "main/php_ini.h"
#include "main/php_main.h"
#include "main/php_variables.h"
#include "ext/standard/basic_functions.h"
#include "Zend/zend_fibers.h"

#include <errno.h>
#include <fcntl.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sapi.h"

void __wasilibc_initialize_environ(void);
void __wasilibc_reset_preopens(void);

static const char settings[] =
    "display_errors=0\nlog_errors=1\nhtml_errors=0\nerror_reporting=32767\nexpose_php=0\n"
    "variables_order=EGPCS\nregister_argc_argv=0\nauto_globals_jit=1\n"
    "output_buffering=4096\nimplicit_flush=0\nmax_execution_time=0\nmax_input_time=-1\nmemory_limit=128M\n"
    "post_max_size=32M\nupload_max_filesize=32M\nupload_tmp_dir=/tmp\nsys_temp_dir=/tmp\nsession.save_path=/tmp\n"
    "date.timezone=UTC\nzend.exception_ignore_args=1\nrealpath_cache_ttl=86400\nuser_ini.filename=\n";

/* The request that is being answered; NULL while a command runs. */
static virga_request *request;
static virga_response *response;
static page current_page;

static size_t write_body(const char *bytes, size_t length) {
    if (!request) return fwrite(bytes, 1, length, stdout);
    if (virga_write(response, bytes, length)) php_handle_aborted_connection();
    return length;
}

static void flush_body(void *context) {
    (void)context;
    if (!request) {
        fflush(stdout);
        return;
    }
    sapi_send_headers();
    if (virga_flush(response)) php_handle_aborted_connection();
}

/* One line of PHP's, "Name: value". */
static void send_line(const char *line, size_t length) {
    const char *colon = memchr(line, ':', length);
    if (!colon) return;
    const char *value = colon + 1, *end = line + length;
    while (value < end && (*value == ' ' || *value == '\t')) value++;
    if (virga_add_header(response, line, (size_t)(colon - line), value, (size_t)(end - value)))
        fprintf(stderr, "PHP Warning:  the header \"%.*s\" cannot be sent\n", (int)(colon - line), line);
}

static int send_headers(sapi_headers_struct *headers) {
    if (!request) return SAPI_HEADER_SENT_SUCCESSFULLY;
    virga_set_status(response, headers->http_response_code ? (unsigned)headers->http_response_code : 200);
    zend_llist_position at;
    for (sapi_header_struct *one = zend_llist_get_first_ex(&headers->headers, &at); one; one = zend_llist_get_next_ex(&headers->headers, &at))
        if (one->header_len) send_line(one->header, one->header_len);
    if (SG(sapi_headers).send_default_content_type) {
        char *type = sapi_get_default_content_type();
        virga_add_header(response, "content-type", strlen("content-type"), type, strlen(type));
        efree(type);
    }
    return SAPI_HEADER_SENT_SUCCESSFULLY;
}

static size_t read_post(char *into, size_t most) {
    size_t have = 0;
    while (request && have < most) {
        ssize_t got = virga_read(request, into + have, most - have);
        if (got <= 0) break;
        have += (size_t)got;
    }
    return have;
}

static char *read_cookies(void) {
    return request ? (char *)virga_header_of(request, "cookie") : NULL;
}

static void set(const char *name, const char *value, zval *into) {
    php_register_variable((char *)name, (char *)value, into);
}

/* HTTP_ variables as CGI names them. Proxy is left out: HTTP_PROXY would be taken for the platform's own setting. */
static void set_headers(zval *into) {
    char name[256];
    for (size_t i = 0; i < request->header_count; i++) {
        const virga_header *header = &request->headers[i];
        int is_bare = !strcmp(header->name, "content-type") || !strcmp(header->name, "content-length");
        int length = snprintf(name, sizeof name, "%s%s", is_bare ? "" : "HTTP_", header->name);
        if (length < 0 || (size_t)length >= sizeof name || !strcmp(header->name, "proxy")) continue;
        for (char *c = name; *c; c++) *c = *c == '-' ? '_' : (char)toupper((unsigned char)*c);
        php_register_variable_safe(name, header->value, header->value_length, into);
    }
}

static void set_server(zval *into) {
    const char *authority = request->authority[0] ? request->authority : virga_header_of(request, "host");
    const char *scheme = virga_header_of(request, "x-forwarded-proto");
    const char *from = virga_header_of(request, "x-forwarded-for");
    char host[256], port[16], address[64];
    scheme = scheme ? scheme : request->scheme;
    int is_secure = !strcmp(scheme, "https");
    snprintf(host, sizeof host, "%s", authority ? authority : "localhost");
    char *colon = strrchr(host, ':');
    if (colon && !strchr(colon, ']')) {
        *colon = 0;
        snprintf(port, sizeof port, "%s", colon + 1);
    } else {
        snprintf(port, sizeof port, "%s", is_secure ? "443" : "80");
    }
    snprintf(address, sizeof address, "%.*s", from ? (int)strcspn(from, ", ") : 9, from ? from : "127.0.0.1");
    set("SERVER_SOFTWARE", "Virga", into);
    set("SERVER_PROTOCOL", "HTTP/1.1", into);
    set("GATEWAY_INTERFACE", "CGI/1.1", into);
    set("REQUEST_METHOD", request->method, into);
    set("REQUEST_URI", request->target, into);
    set("QUERY_STRING", request->query, into);
    set("REQUEST_SCHEME", is_secure ? "https" : "http", into);
    if (is_secure) set("HTTPS", "on", into);
    set("SERVER_NAME", host, into);
    set("SERVER_PORT", port, into);
    set("REMOTE_ADDR", address, into);
    set("DOCUMENT_ROOT", current_page.root, into);
    set("SCRIPT_FILENAME", current_page.file, into);
    set("SCRIPT_NAME", current_page.script, into);
    set("PHP_SELF", current_page.self, into);
    if (current_page.info[0]) set("PATH_INFO", current_page.info, into);
}

static void register_variables(zval *into) {
    php_import_environment_variables(into);
    if (request) {
        set_headers(into);
        set_server(into);
    } else {
        set("PHP_SELF", SG(request_info).path_translated, into);
        set("SCRIPT_NAME", SG(request_info).path_translated, into);
        set("SCRIPT_FILENAME", SG(request_info).path_translated, into);
        set("DOCUMENT_ROOT", "", into);
    }
}

static void log_message(const char *message, int level) {
    (void)level;
    fprintf(stderr, "%s\n", message);
}

static int start_module(sapi_module_struct *module) {
    return php_module_startup(module, NULL);
}

static sapi_module_struct server = {
    .name = "fpm-fcgi",
    .pretty_name = "Virga",
    .startup = start_module,
    .shutdown = php_module_shutdown_wrapper,
    .ub_write = write_body,
    .flush = flush_body,
    .sapi_error = php_error,
    .send_headers = send_headers,
    .read_post = read_post,
    .read_cookies = read_cookies,
    .register_server_variables = register_variables,
    .log_message = log_message,
    .php_ini_ignore = 1,
};

/* Switching stacks is not in WebAssembly yet. */
static ZEND_NAMED_FUNCTION(refuse_fiber) {
    (void)execute_data, (void)return_value;
    zend_throw_error(NULL, "Fibers are not available on this platform: WebAssembly cannot switch stacks");
}

static int is_prepared;

/* Runs when the platform is made; the memory it leaves is the engine's. */
__attribute__((export_name("wizer-initialize"))) void virga_prepare(void) {
    sapi_startup(&server);
    server.ini_entries = (char *)settings;
    if (server.startup(&server) == FAILURE) abort();
    zend_function *start = zend_hash_str_find_ptr(&zend_ce_fiber->function_table, "start", strlen("start"));
    if (start) start->internal_function.handler = refuse_fiber;
    is_prepared = 1;
}

/* What an instance must learn anew, whatever the kept memory says. */
static void wake(void) {
    static int is_awake;
    if (is_awake) return;
    is_awake = 1;
    __wasilibc_reset_preopens();
    __wasilibc_initialize_environ();
    if (!is_prepared) virga_prepare();
}

/* The working folder is the script's, as under PHP-FPM; moving there costs calls, so only when it changes. */
static void enter_folder_of(const char *file) {
    char folder[MAXPATHLEN], now[MAXPATHLEN];
    const char *slash = strrchr(file, '/');
    size_t length = slash && slash != file ? (size_t)(slash - file) : 1;
    if (length >= sizeof folder) return;
    memcpy(folder, file, length);
    folder[length] = 0;
    if (!getcwd(now, sizeof now) || strcmp(now, folder)) VCWD_CHDIR(folder);
}

static int execute(const char *file) {
    zend_file_handle script;
    zend_stream_init_filename(&script, file);
    script.primary_script = 1;
    CG(skip_shebang) = 1;
    php_execute_script(&script);
    zend_destroy_file_handle(&script);
    return EG(exit_status);
}

static void run_page(void) {
    const char *length = virga_header_of(request, "content-length");
    SG(server_context) = &current_page;
    SG(options) |= SAPI_OPTION_NO_CHDIR;
    SG(request_info).request_method = request->method;
    SG(request_info).query_string = (char *)request->query;
    SG(request_info).request_uri = (char *)request->target;
    SG(request_info).path_translated = current_page.file;
    SG(request_info).content_type = virga_header_of(request, "content-type");
    SG(request_info).content_length = length ? strtoll(length, NULL, 10) : 0;
    SG(request_info).proto_num = 1001;
    SG(sapi_headers).http_response_code = current_page.status;
    php_handle_auth_data(virga_header_of(request, "authorization"));
    enter_folder_of(current_page.file);
    if (php_request_startup() == FAILURE) {
        fputs("PHP could not begin the request\n", stderr);
        virga_set_status(response, 500);
        php_request_shutdown(NULL);
        return;
    }
    execute(current_page.file);
    php_request_shutdown(NULL);
    SG(server_context) = NULL;
}

void virga_handle(virga_request *asked, virga_response *answer) {
    wake();
    request = asked;
    response = answer;
    switch (find_page(asked, &current_page)) {
    case PAGE_SCRIPT: run_page(); break;
    case PAGE_FILE: send_file(asked, answer, &current_page); break;
    case PAGE_FOLDER: send_to_folder(asked, answer); break;
    case PAGE_NONE: send_not_found(answer, &current_page); break;
    }
    request = NULL;
    response = NULL;
}

/* STDIN, STDOUT and STDERR, which only commands have. */
static void define_stream(const char *name, const char *path, const char *mode) {
    php_stream *stream = php_stream_open_wrapper((char *)path, (char *)mode, 0, NULL);
    if (!stream) return;
    stream->flags |= PHP_STREAM_FLAG_NO_RSCR_DTOR_CLOSE;
    zend_constant constant;
    php_stream_to_zval(stream, &constant.value);
    Z_CONSTANT_FLAGS(constant.value) = 0;
    constant.name = zend_string_init_interned(name, strlen(name), 0);
    zend_register_constant(&constant);
}

static void become_command_line(void) {
    sapi_module.name = "cli";
    sapi_module.phpinfo_as_text = 1;
    PG(register_argc_argv) = 1;
    PG(implicit_flush) = 1;
    PG(output_buffering) = 0;
    PG(html_errors) = 0;
    SG(options) |= SAPI_OPTION_NO_CHDIR;
    SG(headers_sent) = 1;
    SG(request_info).no_headers = 1;
}

static int run_command(const char *code, const char *file, int count, char **words) {
    SG(request_info).argc = count;
    SG(request_info).argv = words;
    SG(request_info).path_translated = (char *)file;
    become_command_line();
    if (php_request_startup() == FAILURE) return 1;
    SG(headers_sent) = 1;
    SG(request_info).no_headers = 1;
    zend_constant *name = zend_hash_str_find_ptr(EG(zend_constants), "PHP_SAPI", strlen("PHP_SAPI"));
    if (name) ZVAL_STR(&name->value, zend_string_init("cli", strlen("cli"), 1));
    define_stream("STDIN", "php://stdin", "rb");
    define_stream("STDOUT", "php://stdout", "wb");
    define_stream("STDERR", "php://stderr", "wb");
    int status = 0;
    if (code) {
        zend_first_try {
            zend_eval_string_ex((char *)code, NULL, "Command line code", 1);
        } zend_end_try();
        status = EG(exit_status);
    } else {
        status = execute(file);
    }
    php_request_shutdown(NULL);
    fflush(stdout);
    return status;
}

/* "php script.php words…", "script.php words…" or "php -r code words…". */
int main(int count, char **words) {
    wake();
    const char *name = count ? strrchr(words[0], '/') : NULL;
    int first = count && !strcmp(name ? name + 1 : words[0], "php") ? 1 : 0;
    if (first + 1 < count && !strcmp(words[first], "-r")) {
        const char *code = words[first + 1];
        words[first + 1] = "Standard input code";
        return run_command(code, words[first + 1], count - first - 1, words + first + 1);
    }
    if (first < count && !strcmp(words[first], "-f")) first++;
    if (first < count && words[first][0] == '-') {
        fprintf(stderr, "php: there is no option %s here; give a script and its arguments, or -r and code\n", words[first]);
        return 2;
    }
    if (first >= count) {
        fputs("php: which script? Name one, as in: php worker.php\n", stderr);
        return 2;
    }
    char file[MAXPATHLEN];
    snprintf(file, sizeof file, "%s%s", words[first][0] == '/' ? "" : "/", words[first]);
    if (access(file, R_OK)) {
        fprintf(stderr, "php: there is no script %s in this app\n", words[first]);
        return 1;
    }
    return run_command(NULL, file, count - first, words + first);
}
