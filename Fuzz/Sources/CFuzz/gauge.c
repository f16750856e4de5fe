#include "CFuzz.h"

#include <sanitizer/allocator_interface.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

static _Atomic long live, base, peak;

static void on_malloc(const volatile void *pointer, size_t size) {
    (void)pointer;
    long now = atomic_fetch_add_explicit(&live, (long)size, memory_order_relaxed) + (long)size;
    if (now > atomic_load_explicit(&peak, memory_order_relaxed)) atomic_store_explicit(&peak, now, memory_order_relaxed);
}

static void on_free(const volatile void *pointer) {
    if (!pointer) return;
    atomic_fetch_sub_explicit(&live, (long)__sanitizer_get_allocated_size(pointer), memory_order_relaxed);
}

void heap_gauge_install(void) {
    if (__sanitizer_install_malloc_and_free_hooks(on_malloc, on_free) == 0) {
        fputs("the heap cannot be measured: no room for another malloc hook\n", stderr);
        abort();
    }
}

void heap_gauge_start(void) {
    long now = atomic_load_explicit(&live, memory_order_relaxed);
    atomic_store_explicit(&base, now, memory_order_relaxed);
    atomic_store_explicit(&peak, now, memory_order_relaxed);
}

size_t heap_gauge_peak(void) {
    long most = atomic_load_explicit(&peak, memory_order_relaxed) - atomic_load_explicit(&base, memory_order_relaxed);
    return most > 0 ? (size_t)most : 0;
}
