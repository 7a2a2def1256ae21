/* What PHP asks an operating system for and WASI has not: memory with an alignment is answered, the rest is refused with ENOSYS. */
#include "virga.h"

#include <errno.h>
#include <grp.h>
#include <netdb.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <ucontext.h>
#include <unistd.h>

#define PAGE ((size_t)64 << 10)
/* Zend's allocator wants its chunks aligned to their size, and maps more and again until they are. */
#define CHUNK ((size_t)2 << 20)

/* What is mapped. A mapping may be given back in pieces; its memory is free when the last one is. */
typedef struct mapping {
    struct mapping *next;
    char *begin;
    size_t size, left;
} mapping;

static mapping *mappings;

void *virga_mmap(void *address, size_t size, int protection, int flags, int file, off_t offset) {
    (void)protection;
    if ((address && (flags & MAP_FIXED)) || size > PTRDIFF_MAX - CHUNK) {
        errno = EINVAL;
        return MAP_FAILED;
    }
    mapping *made = malloc(sizeof *made);
    char *memory = made ? aligned_alloc(size >= CHUNK ? CHUNK : PAGE, (size + PAGE - 1) & ~(PAGE - 1)) : NULL;
    if (!memory) {
        free(made);
        errno = ENOMEM;
        return MAP_FAILED;
    }
    memset(memory, 0, size);
    if (file >= 0 && pread(file, memory, size, offset) < 0) {
        free(memory);
        free(made);
        return MAP_FAILED;
    }
    *made = (mapping){.next = mappings, .begin = memory, .size = size, .left = size};
    mappings = made;
    return memory;
}

int virga_munmap(void *address, size_t size) {
    for (mapping **at = &mappings; *at; at = &(*at)->next) {
        mapping *found = *at;
        if ((char *)address < found->begin || (char *)address >= found->begin + found->size) continue;
        found->left -= size < found->left ? size : found->left;
        if (!found->left) {
            *at = found->next;
            free(found->begin);
            free(found);
        }
        return 0;
    }
    errno = EINVAL;
    return -1;
}

int virga_madvise(void *address, size_t size, int advice) {
    (void)address, (void)size, (void)advice;
    return 0;
}

#define REFUSE(result) \
    {                  \
        errno = ENOSYS; \
        return result; \
    }
#pragma clang diagnostic ignored "-Wunused-parameter"

int socket(int family, int type, int protocol) REFUSE(-1)
int connect(int file, const struct sockaddr *address, socklen_t length) REFUSE(-1)
int bind(int file, const struct sockaddr *address, socklen_t length) REFUSE(-1)
int listen(int file, int waiting) REFUSE(-1)
int setsockopt(int file, int level, int name, const void *value, socklen_t length) REFUSE(-1)
int getpeername(int file, struct sockaddr *address, socklen_t *length) REFUSE(-1)
int getsockname(int file, struct sockaddr *address, socklen_t *length) REFUSE(-1)
ssize_t sendto(int file, const void *bytes, size_t length, int flags, const struct sockaddr *to, socklen_t to_length) REFUSE(-1)
ssize_t recvfrom(int file, void *bytes, size_t length, int flags, struct sockaddr *from, socklen_t *from_length) REFUSE(-1)
int getnameinfo(const struct sockaddr *address, socklen_t length, char *host, socklen_t host_length, char *service,
                socklen_t service_length, int flags) REFUSE(-4)
struct hostent *gethostbyname(const char *name) REFUSE(NULL)
struct hostent *gethostbyaddr(const void *address, socklen_t length, int family) REFUSE(NULL)
int chown(const char *path, uid_t user, gid_t group) REFUSE(-1)
FILE *popen(const char *command, const char *mode) REFUSE(NULL)
int pclose(FILE *file) REFUSE(-1)
struct passwd *getpwnam(const char *name) REFUSE(NULL)
struct passwd *getpwuid(uid_t user) REFUSE(NULL)
struct group *getgrnam(const char *name) REFUSE(NULL)
int getcontext(ucontext_t *context) REFUSE(-1)
void makecontext(ucontext_t *context, void (*function)(void), int count, ...) {}
int swapcontext(ucontext_t *from, const ucontext_t *to) REFUSE(-1)

uid_t getuid(void) { return 0; }
uid_t geteuid(void) { return 0; }
gid_t getgid(void) { return 0; }
int getgroups(int most, gid_t *groups) { return 0; }
mode_t umask(mode_t mask) { return 022; }
int getdtablesize(void) { return 1024; }

void openlog(const char *name, int options, int facility) {}
void closelog(void) {}
void syslog(int priority, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
}

char *mktemp(char *pattern) {
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789";
    size_t length = strlen(pattern);
    unsigned char random[6];
    if (length < sizeof random || getentropy(random, sizeof random)) REFUSE(NULL)
    for (size_t i = 0; i < sizeof random; i++) pattern[length - sizeof random + i] = letters[random[i] % (sizeof letters - 1)];
    return pattern;
}
