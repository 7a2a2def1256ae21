/* The Java heap in linear memory: fixed tables first, then the heap, then the collector's scratch space. What the
   C library allocates later lies behind them. */
#include "memory.h"
#include "heaptrace.h"
#include "definitions.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGE 65536
#define LEAST_HEAP (8 << 20)

/* The tag of the exceptions that longjmp throws; the C library leaves it to the program. */
__asm__(".tagtype __c_longjmp i32\n.globl __c_longjmp\n__c_longjmp:\n");

void *teavm_gc_heapAddress = NULL;
void *teavm_gc_gcStorageAddress = NULL;
int32_t teavm_gc_gcStorageSize = 0;
void *teavm_gc_regionsAddress = NULL;
void *teavm_gc_cardTable = NULL;
int32_t teavm_gc_regionMaxCount = 0;
int64_t teavm_gc_availableBytes = 0;
int64_t teavm_gc_minAvailableBytes = 0;
int64_t teavm_gc_maxAvailableBytes = 0;
void ***teavm_gc_staticRoots = NULL;

static int64_t in_pages(int64_t bytes) { return (bytes + PAGE - 1) / PAGE * PAGE; }

static void reach(int64_t end) {
    int64_t missing = end - (int64_t) __builtin_wasm_memory_size(0) * PAGE;
    if (missing > 0 && __builtin_wasm_memory_grow(0, (size_t) (in_pages(missing) / PAGE)) == (size_t) -1) {
        fprintf(stderr, "java.lang.OutOfMemoryError: the heap cannot grow to %lld MB within the app's memory limit\n",
                (long long) (end >> 20));
        abort();
    }
}

void teavm_gc_resizeHeap(int64_t size) {
    if (size == teavm_gc_availableBytes) {
        return;
    }
    int64_t heap = (int64_t) (uintptr_t) teavm_gc_heapAddress;
    int64_t scratch = heap + in_pages(size);
    reach(scratch + in_pages(size / 16));
    teavm_gc_gcStorageAddress = (void *) (uintptr_t) scratch;
    teavm_gc_gcStorageSize = (int32_t) (size / 16);
    teavm_gc_regionMaxCount = (int32_t) (size / teavm_gc_regionSize) + 1;
    teavm_gc_availableBytes = size;
}

/* Bytes of the heap: a quarter of the instance's memory, as a JVM has it. It never grows: what the C library allocates takes the
   memory behind it, and the heap would run into that. */
static int64_t heap_size(int64_t most) {
    const char *limit = getenv("MEMORY_LIMIT");
    int64_t megabytes = limit == NULL ? 256 : strtoll(limit, NULL, 10);
    int64_t bytes = megabytes / 4 << 20;
    return bytes < LEAST_HEAP ? LEAST_HEAP : bytes > most ? most : bytes;
}

void teavm_initHeap(int64_t least, int64_t most) {
    (void) least;
    most = heap_size(most);
    int64_t regions = most / teavm_gc_regionSize + 1;
    int64_t begin = (int64_t) __builtin_wasm_memory_size(0) * PAGE;
    teavm_gc_regionsAddress = (void *) (uintptr_t) begin;
    teavm_gc_cardTable = (void *) (uintptr_t) (begin + in_pages(regions * 2));
    teavm_gc_heapAddress = (void *) (uintptr_t) (begin + in_pages(regions * 2) + in_pages(regions));
    teavm_gc_minAvailableBytes = most;
    teavm_gc_maxAvailableBytes = most;
    teavm_gc_resizeHeap(most);
}


typedef struct Roots {
    struct Roots *next;
    void ***list;
    int count;
} Roots;

static Roots *registered = NULL;
static int registered_count = 0;

void teavm_registerStaticGcRoots(void ***list, int count) {
    Roots *roots = malloc(sizeof(Roots));
    if (roots == NULL) {
        abort();
    }
    *roots = (Roots) { .next = registered, .list = list, .count = count };
    registered = roots;
    registered_count += count;
}

void teavm_initStaticGcRoots() {
    void ***all = malloc(sizeof(void **) * (size_t) (registered_count + 1));
    if (all == NULL) {
        abort();
    }
    teavm_gc_staticRoots = all;
    *all++ = (void **) (intptr_t) registered_count;
    while (registered != NULL) {
        Roots *roots = registered;
        memcpy(all, roots->list, sizeof(void **) * (size_t) roots->count);
        all += roots->count;
        registered = roots->next;
        free(roots);
    }
}
