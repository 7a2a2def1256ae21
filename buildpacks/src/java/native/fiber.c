/* Waiting for the next timer. There is one thread, so nothing else can interrupt it. */
#include "fiber.h"
#include "compat.h"

void teavm_initFiber() {}

void teavm_waitFor(int64_t milliseconds) { virga_sleep(milliseconds); }

void teavm_interrupt() {}
