/* Included before every file of PHP and its libraries: what WASI's C library leaves out and this code takes for granted. */
#ifndef VIRGA_COMPAT_H
#define VIRGA_COMPAT_H
#ifndef __ASSEMBLER__
#include <stddef.h>
#include <sys/types.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>

#undef AF_UNIX
#ifndef MSG_OOB
#define MSG_OOB 1
#endif
#ifndef POLLPRI
#define POLLPRI 2
#endif
#ifndef SOL_IP
#define SOL_IP 0
#endif
#ifndef SO_ERROR
#define SO_ERROR 4
#endif
#ifndef F_RDLCK
#define F_RDLCK 0
#define F_WRLCK 1
#define F_UNLCK 2
#define F_SETLK 6
#define F_SETLKW 7
#endif
#ifndef LOCK_SH
#define LOCK_SH 1
#define LOCK_EX 2
#define LOCK_NB 4
#define LOCK_UN 8
#endif

/* Declared here, and refused or answered in system.c. */
#include <stdio.h>
int dup(int file);
uid_t getuid(void);
uid_t geteuid(void);
gid_t getgid(void);
int getgroups(int most, gid_t *groups);
mode_t umask(mode_t mask);
int chown(const char *path, uid_t user, gid_t group);
FILE *popen(const char *command, const char *mode);
int pclose(FILE *file);
char *mktemp(char *pattern);
int getdtablesize(void);
int socket(int family, int type, int protocol);
int connect(int file, const struct sockaddr *address, socklen_t length);
int bind(int file, const struct sockaddr *address, socklen_t length);
int listen(int file, int waiting);
int setsockopt(int file, int level, int name, const void *value, socklen_t length);
int getpeername(int file, struct sockaddr *address, socklen_t *length);
int getsockname(int file, struct sockaddr *address, socklen_t *length);
ssize_t sendto(int file, const void *bytes, size_t length, int flags, const struct sockaddr *to, socklen_t to_length);
ssize_t recvfrom(int file, void *bytes, size_t length, int flags, struct sockaddr *from, socklen_t *from_length);

/* The C library's own mmap gives no alignment; ours does, see memory.c. */
#include <sys/mman.h>
void *virga_mmap(void *address, size_t size, int protection, int flags, int file, off_t offset);
int virga_munmap(void *address, size_t size);
int virga_madvise(void *address, size_t size, int advice);
#define mmap virga_mmap
#define munmap virga_munmap
#define madvise virga_madvise
#endif
#endif
