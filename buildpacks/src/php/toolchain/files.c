/*
 * The files that PHP sees. The droplet's files do not change, so what was read of them once is kept: a page that includes
 * twenty files asks the host for none of them in its next request. /tmp is memory of this instance: uploads, sessions and
 * temporary files lie there. /dev/null and /dev/urandom are answered here.
 *
 * The linker puts these functions before those of the C library (--wrap); __real_ names the latter.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <utime.h>

#define FIRST_FILE 10000
#define MOST_FILES 512
/* Bytes of the droplet's files that are kept, of one file and of all. */
#define KEPT_FILE (512 << 10)
#define KEPT_ALL (8 << 20)

int __real_open(const char *path, int flags, ...);
int __real_close(int file);
ssize_t __real_read(int file, void *into, size_t most);
ssize_t __real_write(int file, const void *bytes, size_t length);
off_t __real_lseek(int file, off_t offset, int from);
int __real_fstat(int file, struct stat *into);
int __real_stat(const char *path, struct stat *into);
int __real_lstat(const char *path, struct stat *into);
int __real_access(const char *path, int mode);
int __real_unlink(const char *path);
int __real_rmdir(const char *path);
int __real_mkdir(const char *path, mode_t mode);
int __real_rename(const char *from, const char *to);
int __real_ftruncate(int file, off_t size);
int __real_fcntl(int file, int command, ...);
int __real_fsync(int file);
int __real_fdatasync(int file);
int __real_isatty(int file);
int __real_utime(const char *path, const struct utimbuf *times);
DIR *__real_opendir(const char *path);
struct dirent *__real_readdir(DIR *folder);
void __real_rewinddir(DIR *folder);
int __real_closedir(DIR *folder);

typedef struct node {
    struct node *next;
    char *path;
    unsigned char *bytes;
    size_t length, room;
    struct stat status;
    unsigned opens;
    /* What a lookup of it gives: 0, or the error number. */
    int error;
    unsigned char is_ours, is_kept, is_unlinked;
} node;

typedef enum { FREE, NODE, NOTHING, RANDOM, HOST } kind;

typedef struct {
    kind kind;
    node *node;
    off_t at;
    int flags, host;
} description;

#define BUCKETS 1024
static node *buckets[BUCKETS];
static description descriptions[MOST_FILES];
static size_t kept_bytes;
static unsigned next_number = 1;

static int fail(int error) {
    errno = error;
    return -1;
}

/* The path from the root, without ".", ".." and double slashes. */
static int absolute(const char *path, char out[PATH_MAX]) {
    char whole[PATH_MAX];
    size_t length = 0;
    if (!*path) return fail(ENOENT);
    if (*path != '/') {
        if (!getcwd(whole, sizeof whole)) return -1;
        length = strlen(whole);
        if (length + 1 >= sizeof whole) return fail(ENAMETOOLONG);
        whole[length++] = '/';
    }
    if (length + strlen(path) >= sizeof whole) return fail(ENAMETOOLONG);
    strcpy(whole + length, path);
    size_t used = 0;
    for (char *part = whole; *part;) {
        size_t size = strcspn(part, "/");
        if (size == 2 && part[0] == '.' && part[1] == '.') {
            while (used && out[--used] != '/') {}
        } else if (size && !(size == 1 && part[0] == '.')) {
            out[used++] = '/';
            memcpy(out + used, part, size);
            used += size;
        }
        part += size + (part[size] == '/');
    }
    if (!used) out[used++] = '/';
    out[used] = 0;
    return 0;
}

static int is_temporary(const char *path) {
    return !strncmp(path, "/tmp", 4) && (path[4] == '/' || !path[4]);
}

static node **bucket_of(const char *path) {
    unsigned hash = 2166136261u;
    for (; *path; path++) hash = (hash ^ (unsigned char)*path) * 16777619u;
    return &buckets[hash % BUCKETS];
}

static node *find(const char *path) {
    for (node *found = *bucket_of(path); found; found = found->next)
        if (!strcmp(found->path, path)) return found;
    return NULL;
}

static node *add(const char *path, mode_t mode) {
    node *made = calloc(1, sizeof *made);
    if (!made) return NULL;
    made->path = strdup(path);
    if (!made->path) {
        free(made);
        return NULL;
    }
    made->status.st_mode = mode;
    made->status.st_nlink = 1;
    made->status.st_ino = next_number++;
    node **bucket = bucket_of(path);
    made->next = *bucket;
    *bucket = made;
    return made;
}

static void release(node *gone) {
    free(gone->bytes);
    free(gone->path);
    free(gone);
}

/* Takes it out of the tree; its bytes stay until the last descriptor is closed. */
static void take_out(node *gone) {
    for (node **at = bucket_of(gone->path); *at; at = &(*at)->next)
        if (*at == gone) {
            *at = gone->next;
            break;
        }
    gone->is_unlinked = 1;
    if (!gone->opens) release(gone);
}

static void touch(node *changed) {
    clock_gettime(CLOCK_REALTIME, &changed->status.st_mtim);
    changed->status.st_ctim = changed->status.st_mtim;
    changed->status.st_size = (off_t)changed->length;
}

static node *temporary(const char *path) {
    node *found = find(path);
    if (!found && !strcmp(path, "/tmp")) {
        found = add(path, S_IFDIR | 01777);
        if (found) {
            found->is_ours = 1;
            touch(found);
        }
    }
    return found;
}

static int has_parent(const char *path) {
    char parent[PATH_MAX];
    size_t length = (size_t)(strrchr(path, '/') - path);
    memcpy(parent, path, length);
    parent[length] = 0;
    node *found = temporary(parent);
    if (!found) return fail(ENOENT);
    return S_ISDIR(found->status.st_mode) ? 0 : fail(ENOTDIR);
}

static node *make(const char *path, mode_t mode) {
    if (has_parent(path)) return NULL;
    node *made = add(path, mode);
    if (!made) {
        errno = ENOMEM;
        return NULL;
    }
    made->is_ours = 1;
    touch(made);
    return made;
}

/* A file of the droplet, as it was found the first time. */
static node *kept(const char *path) {
    node *found = find(path);
    if (found) return found;
    struct stat status;
    int error = __real_stat(path, &status) ? errno : 0;
    found = add(path, 0);
    if (!found) return NULL;
    found->error = error;
    if (!error) found->status = status;
    return found;
}

/* Reads it once; it stays unread where it is too long to be kept. */
static int read_once(node *file) {
    size_t length = (size_t)file->status.st_size;
    if (file->is_kept) return 0;
    if (!S_ISREG(file->status.st_mode) || length > KEPT_FILE || kept_bytes + length > KEPT_ALL) return -1;
    int host = __real_open(file->path, O_RDONLY);
    if (host < 0) return -1;
    unsigned char *bytes = malloc(length + 1);
    size_t have = 0;
    while (bytes && have < length) {
        ssize_t got = __real_read(host, bytes + have, length - have);
        if (got <= 0) break;
        have += (size_t)got;
    }
    __real_close(host);
    if (!bytes || have < length) {
        free(bytes);
        return -1;
    }
    file->bytes = bytes;
    file->length = length;
    file->is_kept = 1;
    kept_bytes += length;
    return 0;
}

static description *described(int file) {
    int index = file - FIRST_FILE;
    return index >= 0 && index < MOST_FILES && descriptions[index].kind != FREE ? &descriptions[index] : NULL;
}

static int describe(kind kind, node *of, int flags, int host) {
    for (int i = 0; i < MOST_FILES; i++)
        if (descriptions[i].kind == FREE) {
            descriptions[i] = (description){.kind = kind, .node = of, .flags = flags, .host = host};
            if (of) of->opens++;
            return FIRST_FILE + i;
        }
    return fail(EMFILE);
}

static int open_temporary(const char *path, int flags, mode_t mode) {
    node *found = temporary(path);
    int writes = (flags & O_ACCMODE) != O_RDONLY;
    if (found && (flags & O_CREAT) && (flags & O_EXCL)) return fail(EEXIST);
    if (found && S_ISDIR(found->status.st_mode) && writes) return fail(EISDIR);
    if (!found) {
        if (!(flags & O_CREAT)) return fail(ENOENT);
        found = make(path, S_IFREG | (mode & 0777));
        if (!found) return -1;
    }
    if (writes && (flags & O_TRUNC)) {
        found->length = 0;
        touch(found);
    }
    return describe(NODE, found, flags, -1);
}

int __wrap_open(const char *path, int flags, ...) {
    char whole[PATH_MAX];
    va_list arguments;
    va_start(arguments, flags);
    mode_t mode = flags & O_CREAT ? va_arg(arguments, mode_t) : 0;
    va_end(arguments);
    if (absolute(path, whole)) return -1;
    if (is_temporary(whole)) return open_temporary(whole, flags, mode);
    if (!strcmp(whole, "/dev/null")) return describe(NOTHING, NULL, flags, -1);
    if (!strcmp(whole, "/dev/urandom") || !strcmp(whole, "/dev/random")) return describe(RANDOM, NULL, flags, -1);
    if ((flags & O_ACCMODE) != O_RDONLY || (flags & O_CREAT)) return __real_open(whole, flags, mode);
    node *found = kept(whole);
    if (!found) return fail(ENOMEM);
    if (found->error) return fail(found->error);
    return read_once(found) ? __real_open(whole, flags) : describe(NODE, found, flags, -1);
}

int dup(int file) {
    description *open = described(file);
    if (open) return describe(open->kind, open->node, open->flags, open->host);
    /* The standard streams stay open as long as the program runs; nothing else is duplicated. */
    return file >= 0 && file <= 2 ? describe(HOST, NULL, O_RDWR, file) : fail(EBADF);
}

int __wrap_close(int file) {
    description *open = described(file);
    if (!open) return __real_close(file);
    node *of = open->node;
    open->kind = FREE;
    if (of && --of->opens == 0 && of->is_unlinked) release(of);
    return 0;
}

ssize_t __wrap_read(int file, void *into, size_t most) {
    description *open = described(file);
    if (!open) return __real_read(file, into, most);
    if (open->kind == HOST) return __real_read(open->host, into, most);
    if (open->kind == NOTHING) return 0;
    if (open->kind == RANDOM) {
        for (size_t done = 0; done < most; done += 256)
            if (getentropy((char *)into + done, most - done < 256 ? most - done : 256)) return -1;
        return (ssize_t)most;
    }
    if (S_ISDIR(open->node->status.st_mode)) return fail(EISDIR);
    if (open->at >= (off_t)open->node->length) return 0;
    size_t left = open->node->length - (size_t)open->at;
    size_t taken = most < left ? most : left;
    memcpy(into, open->node->bytes + open->at, taken);
    open->at += (off_t)taken;
    return (ssize_t)taken;
}

static int make_room(node *file, size_t length) {
    if (length <= file->room) return 0;
    size_t room = length < 4096 ? 4096 : length + length / 2;
    unsigned char *bytes = realloc(file->bytes, room);
    if (!bytes) return fail(ENOSPC);
    file->bytes = bytes;
    file->room = room;
    return 0;
}

ssize_t __wrap_write(int file, const void *bytes, size_t length) {
    description *open = described(file);
    if (!open) return __real_write(file, bytes, length);
    if (open->kind == HOST) return __real_write(open->host, bytes, length);
    if (open->kind != NODE) return (ssize_t)length;
    node *of = open->node;
    if (!of->is_ours || (open->flags & O_ACCMODE) == O_RDONLY) return fail(EBADF);
    size_t at = open->flags & O_APPEND ? of->length : (size_t)open->at;
    if (length > PTRDIFF_MAX - at) return fail(EFBIG);
    if (make_room(of, at + length)) return -1;
    if (at > of->length) memset(of->bytes + of->length, 0, at - of->length);
    memcpy(of->bytes + at, bytes, length);
    if (at + length > of->length) of->length = at + length;
    open->at = (off_t)(at + length);
    touch(of);
    return (ssize_t)length;
}

off_t __wrap_lseek(int file, off_t offset, int from) {
    description *open = described(file);
    if (!open) return __real_lseek(file, offset, from);
    if (open->kind != NODE) return fail(ESPIPE);
    off_t base = from == SEEK_SET ? 0 : from == SEEK_CUR ? open->at : (off_t)open->node->length;
    if (base + offset < 0) return fail(EINVAL);
    return open->at = base + offset;
}

int __wrap_fstat(int file, struct stat *into) {
    description *open = described(file);
    if (!open) return __real_fstat(file, into);
    if (open->kind == HOST) return __real_fstat(open->host, into);
    memset(into, 0, sizeof *into);
    into->st_mode = S_IFCHR | 0666;
    if (open->kind == NODE) *into = open->node->status;
    return 0;
}

int __wrap_stat(const char *path, struct stat *into) {
    char whole[PATH_MAX];
    if (absolute(path, whole)) return -1;
    if (!strncmp(whole, "/dev/", 5)) {
        memset(into, 0, sizeof *into);
        into->st_mode = S_IFCHR | 0666;
        return strcmp(whole, "/dev/null") && strcmp(whole, "/dev/urandom") && strcmp(whole, "/dev/random") ? fail(ENOENT) : 0;
    }
    node *found = is_temporary(whole) ? temporary(whole) : kept(whole);
    if (!found) return fail(ENOENT);
    if (found->error) return fail(found->error);
    *into = found->status;
    return 0;
}

/* There are no links in a droplet. */
int __wrap_lstat(const char *path, struct stat *into) {
    return __wrap_stat(path, into);
}

int __wrap_access(const char *path, int mode) {
    char whole[PATH_MAX];
    struct stat status;
    if (absolute(path, whole) || __wrap_stat(whole, &status)) return -1;
    return (mode & W_OK) && strncmp(whole, "/dev/", 5) && !is_temporary(whole) ? fail(EROFS) : 0;
}

static int is_empty(const char *path) {
    size_t length = strlen(path);
    for (size_t i = 0; i < BUCKETS; i++)
        for (node *other = buckets[i]; other; other = other->next)
            if (!strncmp(other->path, path, length) && other->path[length] == '/') return 0;
    return 1;
}

static int remove_temporary(const char *path, int is_folder, int (*real)(const char *)) {
    char whole[PATH_MAX];
    if (absolute(path, whole)) return -1;
    if (!is_temporary(whole)) return real(whole);
    node *found = temporary(whole);
    if (!found) return fail(ENOENT);
    if (!S_ISDIR(found->status.st_mode) == is_folder) return fail(is_folder ? ENOTDIR : EISDIR);
    if (is_folder && (!is_empty(whole) || !strcmp(whole, "/tmp"))) return fail(ENOTEMPTY);
    take_out(found);
    return 0;
}

int __wrap_unlink(const char *path) {
    return remove_temporary(path, 0, __real_unlink);
}

int __wrap_rmdir(const char *path) {
    return remove_temporary(path, 1, __real_rmdir);
}

int __wrap_mkdir(const char *path, mode_t mode) {
    char whole[PATH_MAX];
    if (absolute(path, whole)) return -1;
    if (!is_temporary(whole)) return __wrap_access(whole, F_OK) ? fail(EROFS) : fail(EEXIST);
    if (temporary(whole)) return fail(EEXIST);
    return make(whole, S_IFDIR | (mode & 0777)) ? 0 : -1;
}

int __wrap_rename(const char *from, const char *to) {
    char old_path[PATH_MAX], new_path[PATH_MAX];
    if (absolute(from, old_path) || absolute(to, new_path)) return -1;
    if (!is_temporary(old_path)) return fail(EROFS);
    if (!is_temporary(new_path)) return fail(EXDEV);
    node *found = temporary(old_path), *there = temporary(new_path);
    if (!found) return fail(ENOENT);
    if (found == there) return 0;
    if (has_parent(new_path)) return -1;
    if (S_ISDIR(found->status.st_mode) && !is_empty(old_path)) return fail(ENOTEMPTY);
    if (there && S_ISDIR(there->status.st_mode)) return fail(EISDIR);
    node *moved = add(new_path, found->status.st_mode);
    if (!moved) return fail(ENOMEM);
    if (there) take_out(there);
    moved->is_ours = 1;
    moved->room = moved->length = found->length;
    moved->bytes = malloc(found->length + 1);
    if (!moved->bytes) {
        take_out(moved);
        return fail(ENOMEM);
    }
    memcpy(moved->bytes, found->bytes ? found->bytes : moved->bytes, found->length);
    touch(moved);
    take_out(found);
    return 0;
}

int __wrap_ftruncate(int file, off_t size) {
    description *open = described(file);
    if (!open) return __real_ftruncate(file, size);
    if (open->kind != NODE || !open->node->is_ours || size < 0) return fail(EINVAL);
    node *of = open->node;
    if (make_room(of, (size_t)size)) return -1;
    if ((size_t)size > of->length) memset(of->bytes + of->length, 0, (size_t)size - of->length);
    of->length = (size_t)size;
    touch(of);
    return 0;
}

/* Locks always succeed: nobody else sees this memory, and the droplet does not change. */
int __wrap_fcntl(int file, int command, ...) {
    va_list arguments;
    va_start(arguments, command);
    int value = command == F_SETFL ? va_arg(arguments, int) : 0;
    va_end(arguments);
    description *open = described(file);
    if (command != F_GETFL && command != F_SETFL) return 0;
    if (!open) return __real_fcntl(file, command, value);
    return command == F_GETFL ? open->flags : 0;
}

int __wrap_fsync(int file) {
    return described(file) ? 0 : __real_fsync(file);
}

int __wrap_fdatasync(int file) {
    return described(file) ? 0 : __real_fdatasync(file);
}

int __wrap_isatty(int file) {
    (void)file;
    errno = ENOTTY;
    return 0;
}

int __wrap_chmod(const char *path, mode_t mode) {
    char whole[PATH_MAX];
    if (absolute(path, whole)) return -1;
    if (!is_temporary(whole)) return fail(EROFS);
    node *found = temporary(whole);
    if (!found) return fail(ENOENT);
    found->status.st_mode = (found->status.st_mode & S_IFMT) | (mode & 07777);
    return 0;
}

int __wrap_utime(const char *path, const struct utimbuf *times) {
    char whole[PATH_MAX];
    if (absolute(path, whole)) return -1;
    if (!is_temporary(whole)) return fail(EROFS);
    node *found = temporary(whole);
    if (!found) return fail(ENOENT);
    touch(found);
    if (times) {
        found->status.st_mtim = (struct timespec){.tv_sec = times->modtime};
        found->status.st_atim = (struct timespec){.tv_sec = times->actime};
    }
    return 0;
}

/* An open folder of /tmp: the names that were in it when it was opened. */
typedef struct folder {
    struct folder *next;
    char **names;
    size_t count, at;
    struct dirent *entry;
} folder;

static folder *open_folders;

static folder *opened(DIR *from) {
    for (folder *found = open_folders; found; found = found->next)
        if (found == (folder *)from) return found;
    return NULL;
}

static void close_folder(folder *gone) {
    for (size_t i = 0; i < gone->count; i++) free(gone->names[i]);
    free(gone->names);
    free(gone->entry);
    free(gone);
}

static int add_name(folder *to, const char *name) {
    char **names = realloc(to->names, (to->count + 1) * sizeof *names);
    if (!names) return -1;
    to->names = names;
    names[to->count] = strdup(name);
    return names[to->count++] ? 0 : -1;
}

DIR *__wrap_opendir(const char *path) {
    char whole[PATH_MAX];
    if (absolute(path, whole)) return NULL;
    if (!is_temporary(whole)) return __real_opendir(whole);
    node *found = temporary(whole);
    if (!found || !S_ISDIR(found->status.st_mode)) {
        errno = found ? ENOTDIR : ENOENT;
        return NULL;
    }
    folder *made = calloc(1, sizeof *made);
    if (!made) return NULL;
    made->entry = calloc(1, sizeof *made->entry + NAME_MAX + 1);
    int error = !made->entry || add_name(made, ".") || add_name(made, "..");
    size_t length = strlen(whole);
    for (size_t i = 0; i < BUCKETS && !error; i++)
        for (node *other = buckets[i]; other && !error; other = other->next)
            if (!strncmp(other->path, whole, length) && other->path[length] == '/' && !strchr(other->path + length + 1, '/'))
                error = add_name(made, other->path + length + 1);
    if (error) {
        close_folder(made);
        errno = ENOMEM;
        return NULL;
    }
    made->next = open_folders;
    open_folders = made;
    return (DIR *)made;
}

struct dirent *__wrap_readdir(DIR *from) {
    folder *found = opened(from);
    if (!found) return __real_readdir(from);
    if (found->at == found->count) return NULL;
    const char *name = found->names[found->at++];
    found->entry->d_ino = found->at;
    found->entry->d_type = DT_UNKNOWN;
    strncpy(found->entry->d_name, name, NAME_MAX);
    return found->entry;
}

void __wrap_rewinddir(DIR *from) {
    folder *found = opened(from);
    if (found) found->at = 0;
    else __real_rewinddir(from);
}

int __wrap_closedir(DIR *from) {
    folder *found = opened(from);
    if (!found) return __real_closedir(from);
    for (folder **at = &open_folders; *at; at = &(*at)->next)
        if (*at == found) {
            *at = found->next;
            break;
        }
    close_folder(found);
    return 0;
}
