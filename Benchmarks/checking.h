// What the check programs share: numbers that are the same on every machine, memory in which nothing is written yet, and counted failures.
#ifndef CHECKING_H
#define CHECKING_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t state = 1;

/// SplitMix64.
static uint64_t bits(void) {
    uint64_t z = state += 0x9E3779B97F4A7C15;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9;
    z = (z ^ z >> 27) * 0x94D049BB133111EB;
    return z ^ z >> 31;
}

static int failures;
static void expect(bool ok, const char *what, const char *where) {
    if (!ok && failures++ < 20) printf("FAILED %s: %s\n", what, where);
}

/// At least one byte, aligned to 64; NaN wherever nothing was written, and a little behind.
static void *room(size_t bytes) {
    size_t whole = (bytes + 127) / 64 * 64;
    void *p = aligned_alloc(64, whole);
    if (p == NULL || bytes == 0) exit(2);
    memset(p, 0xFF, whole);
    return p;
}

#endif
