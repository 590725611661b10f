/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the fuzz targets share: an input that is taken apart from its front, and
 * what to do about a finding.
 *
 * A target leaves nothing behind, and does the same for the same input: libFuzzer
 * runs millions in one process, and `make check` runs those that were kept.
 */
#ifndef FUZZ_FUZZ_H
#define FUZZ_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* libFuzzer's names, not ours; both always return 0. */
int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A finding that no sanitizer would see. */
#define FUZZ_CHECK(condition)                                                                   \
	do {                                                                                    \
		if (!(condition)) {                                                             \
			fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition); \
			abort();                                                                \
		}                                                                               \
	} while (0)

/**
 * struct fuzz_input - What is left of an input
 * @data:	Next byte.
 * @size:	Bytes left.
 */
struct fuzz_input {
	const uint8_t *data;
	size_t size;
};

/* At most as much as is left. Returns the bytes taken. */
static inline size_t fuzz_some(struct fuzz_input *in, void *to, size_t size)
{
	size_t have = in->size < size ? in->size : size;

	if (have) {
		memcpy(to, in->data, have);
		in->data += have;
		in->size -= have;
	}
	return have;
}

/* Zeroes are taken where the input has ended. */
static inline void fuzz_take(struct fuzz_input *in, void *to, size_t size)
{
	size_t have = fuzz_some(in, to, size);

	if (have < size)
		memset((uint8_t *)to + have, 0, size - have);
}

static inline uint8_t fuzz_u8(struct fuzz_input *in)
{
	uint8_t value;

	fuzz_take(in, &value, sizeof(value));
	return value;
}

static inline uint16_t fuzz_u16(struct fuzz_input *in)
{
	uint16_t value;

	fuzz_take(in, &value, sizeof(value));
	return value;
}

static inline uint32_t fuzz_u32(struct fuzz_input *in)
{
	uint32_t value;

	fuzz_take(in, &value, sizeof(value));
	return value;
}

static inline uint64_t fuzz_u64(struct fuzz_input *in)
{
	uint64_t value;

	fuzz_take(in, &value, sizeof(value));
	return value;
}

/* Takes the end of the input off, as much as its first two bytes say. */
static inline struct fuzz_input fuzz_split(struct fuzz_input *in)
{
	size_t size = fuzz_u16(in);
	struct fuzz_input tail;

	if (size > in->size)
		size = in->size;
	in->size -= size;
	tail = (struct fuzz_input){ .data = size ? in->data + in->size : NULL, .size = size };
	return tail;
}

#endif /* FUZZ_FUZZ_H */
