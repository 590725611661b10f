/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Numbers, sizes and durations as a person writes them on a command line.
 */
#ifndef VRINGLAB_PARSE_H
#define VRINGLAB_PARSE_H

#include <stdint.h>

/**
 * vl_parse_u64() - Parse a whole number with bounds
 * @text:	Decimal, or hexadecimal with 0x. No sign, no space, no suffix.
 * @min:	Least value accepted.
 * @max:	Greatest value accepted.
 * @value:	Set on success only.
 *
 * Return: 0, or
 * * %-EINVAL - not a number, or something follows it
 * * %-ERANGE - outside @min to @max
 */
int vl_parse_u64(const char *text, uint64_t min, uint64_t max, uint64_t *value);

/**
 * vl_parse_size() - Parse a size in bytes
 * @text:	As vl_parse_u64(), then nothing or one of K, M, G (powers of 1024).
 * @min:	Least number of bytes accepted.
 * @max:	Greatest number of bytes accepted.
 * @bytes:	Set on success only.
 *
 * Return: as vl_parse_u64().
 */
int vl_parse_size(const char *text, uint64_t min, uint64_t max, uint64_t *bytes);

/**
 * vl_parse_duration_ns() - Parse a duration
 * @text:	As vl_parse_u64(), then one of ns, us, ms, s. The unit is required:
 *		a bare number would be read differently by every reader.
 * @min_ns:	Shortest accepted.
 * @max_ns:	Longest accepted.
 * @ns:		Set on success only.
 *
 * Return: as vl_parse_u64().
 */
int vl_parse_duration_ns(const char *text, uint64_t min_ns, uint64_t max_ns, uint64_t *ns);

#endif /* VRINGLAB_PARSE_H */
