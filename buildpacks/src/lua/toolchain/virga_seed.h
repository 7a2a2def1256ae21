/* What Lua seeds its string hashes with: otherwise addresses, which are the same in every instance, and the second. */
#ifndef VIRGA_SEED_H
#define VIRGA_SEED_H
#ifndef __ASSEMBLER__
#include <unistd.h>

static inline unsigned int virga_seed(void) {
    unsigned int seed = 0;
    (void)getentropy(&seed, sizeof seed);
    return seed;
}

#define luai_makeseed(L) virga_seed()
#endif
#endif
