#ifndef VIRGA_SYS_WAIT_H
#define VIRGA_SYS_WAIT_H
#define WIFEXITED(status) 1
#define WEXITSTATUS(status) (status)
#define WNOHANG 1
#endif
