// SPDX-License-Identifier: GPL-2.0-only
/*
 * doorbell-storm: rings doorbells in turn, as fast as it can, and waits for nothing.
 */
#include "lib/cpu.h"
#include "storm.h"

static struct storm_param *const param = (void *)(uintptr_t)MICRO_PARAM_GPA;

static void ring(uint32_t which)
{
	uint64_t addr = param->addr + (uint64_t)which * param->stride;

	if (param->mmio)
		ring_address(addr, which);
	else
		ring_port(addr, which);
}

void _start(void)
{
	uint32_t which = 0;
	uint64_t start;

	init_exceptions();
	if (!head_is_good(STORM_MAGIC, STORM_VERSION, sizeof(*param)) || !param->nr)
		leave(MICRO_BAD_PARAM);
	start = rdtsc();
	for (uint64_t i = 0; i < param->doorbells; i++) {
		ring(which);
		param->rung++;
		if (++which == param->nr)
			which = 0;
	}
	param->cycles = rdtsc() - start;
	leave(MICRO_OK);
}
