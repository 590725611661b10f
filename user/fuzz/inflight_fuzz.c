// SPDX-License-Identifier: GPL-2.0-only
/* Recovery from an inflight region that a former device side left, or did not. */
#include "dev.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = { data, size };

	fuzz_dev(&in, fuzz_u8(&in) & 1, true);
	return 0;
}
