// SPDX-License-Identifier: GPL-2.0-only
/* The driver side of a split ring against a device that may do anything. */
#include "drv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = { data, size };

	fuzz_drv(&in, false);
	return 0;
}
