/* Seen by every file of the translated program before anything else: what the C library of WASI lacks or has in a form that
   would make two instances alike, and the functions of ours that Java calls. */
#pragma once
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

static inline uid_t getuid(void) { return 0; }

int32_t virga_random31(void);
#undef RAND_MAX
#define RAND_MAX INT32_MAX
#define rand virga_random31
#define srand(seed) ((void) (seed))

char *virga_request_head(void);
int32_t virga_request_head_size(void);
int32_t virga_request_read(void *into, int32_t size);
int32_t virga_respond(int32_t status, void *headers, int32_t size);
int32_t virga_response_write(void *from, int32_t size);
int32_t virga_response_end(void);
void virga_response_abort(void);
char *virga_environment(void);
int32_t virga_environment_size(void);
char *virga_arguments(void);
int32_t virga_arguments_size(void);
void virga_random_bytes(void *into, int32_t size);
void virga_output(int32_t descriptor, void *from, int32_t size);
void virga_sleep(int64_t milliseconds);
void virga_exit(int32_t status);
