/* There are no fibers: their start is refused in sapi.c, and this only lets the code around them compile. */
#ifndef VIRGA_UCONTEXT_H
#define VIRGA_UCONTEXT_H
#include <stddef.h>
typedef struct ucontext {
    struct ucontext *uc_link;
    struct {
        void *ss_sp;
        size_t ss_size;
        int ss_flags;
    } uc_stack;
} ucontext_t;
int getcontext(ucontext_t *context);
void makecontext(ucontext_t *context, void (*function)(void), int count, ...);
int swapcontext(ucontext_t *from, const ucontext_t *to);
#endif
