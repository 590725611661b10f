/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the benchmark programs share. They are programs for scripts/bench, not
 * libraries: die() prints one line and exits.
 */
#ifndef BENCH_COMMON_H
#define BENCH_COMMON_H

#include <stddef.h>
#include <stdint.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/**
 * die() - Print one line and exit with 1
 * @fmt:	printf() format.
 */
void die(const char *fmt, ...) __attribute__((noreturn, format(printf, 1, 2)));

/**
 * skip() - Print one line, which says what is missing and the cure, and exit with 4
 * @fmt:	printf() format.
 */
void skip(const char *fmt, ...) __attribute__((noreturn, format(printf, 1, 2)));

/**
 * die_errno() - Print one line that ends with the text of an errno, and exit
 * @code:	Errno, negative or positive.
 * @fmt:	printf() format of what was being done.
 */
void die_errno(int code, const char *fmt, ...) __attribute__((noreturn, format(printf, 2, 3)));

/**
 * now_ns() - The monotonic clock
 *
 * Return: nanoseconds.
 */
uint64_t now_ns(void);

/**
 * pin() - Bind the calling thread to the first CPU it may run on
 */
void pin(void);

/**
 * percentile_u64() - A percentile of an array
 * @values:	Sorted by the call.
 * @nr:		How many, at least one.
 * @percent:	0 for the least to 99; 50 for the median.
 *
 * Return: one of the values.
 */
uint64_t percentile_u64(uint64_t *values, size_t nr, unsigned int percent);

/**
 * signal_eventfd() - Add one to an eventfd's counter with write(2)
 * @fd:		Eventfd.
 */
void signal_eventfd(int fd);

/**
 * drain_eventfd() - Take an eventfd's counter with read(2)
 * @fd:		Eventfd; the call waits if it is blocking.
 */
void drain_eventfd(int fd);

#endif /* BENCH_COMMON_H */
