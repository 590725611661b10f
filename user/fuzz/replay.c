// SPDX-License-Identifier: GPL-2.0-only
/*
 * Runs files through a fuzz target, once each: what was found once stays found.
 * A finding is a crash, and so the exit status is a signal's.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"

/* No target is given more by libFuzzer either. */
#define INPUT_MAX (1u << 20)

static int replay(const char *path)
{
	static uint8_t bytes[INPUT_MAX];
	FILE *f = fopen(path, "rb");
	uint8_t *input;
	size_t size;

	if (!f) {
		fprintf(stderr, "replay: cannot open %s: %s\n", path, strerror(errno));
		return -1;
	}
	size = fread(bytes, 1, sizeof(bytes), f);
	fclose(f);
	/* of its own size, for AddressSanitizer to see what is read beyond it */
	input = malloc(size ? size : 1);
	if (!input)
		return -1;
	memcpy(input, bytes, size);
	/* before, not after: this line names the input that crashed */
	printf("%s\n", path);
	fflush(stdout);
	LLVMFuzzerTestOneInput(input, size);
	free(input);
	return 0;
}

int main(int argc, char **argv)
{
	int failed = 0;

	if (argc < 2) {
		fprintf(stderr, "usage: %s INPUT...\n", argv[0]);
		return 2;
	}
	for (int i = 1; i < argc; i++)
		failed |= replay(argv[i]);
	return failed ? 1 : 0;
}
