// SPDX-License-Identifier: GPL-2.0-only
/* The device side of a packed ring against a driver that may do anything. */
#include "dev.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = { data, size };

	fuzz_dev(&in, true, false);
	return 0;
}
