#ifndef CFUZZ_H
#define CFUZZ_H

#include <stddef.h>

/// Counts what is allocated on the heap, through AddressSanitizer's hooks. Call once.
void heap_gauge_install(void);

/// Begins a measurement.
void heap_gauge_start(void);

/// The most bytes that were allocated at one moment since `heap_gauge_start`, beyond those that were allocated then.
size_t heap_gauge_peak(void);

#endif
