#ifndef VIRGA_PWD_H
#define VIRGA_PWD_H
#include <sys/types.h>
struct passwd {
    char *pw_name, *pw_passwd, *pw_gecos, *pw_dir, *pw_shell;
    uid_t pw_uid;
    gid_t pw_gid;
};
struct passwd *getpwnam(const char *name);
struct passwd *getpwuid(uid_t user);
#endif
