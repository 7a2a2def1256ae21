/* The whole program as one unit: what was translated, and the edge of ours. */
#include "all.c"
#include "host.c"
