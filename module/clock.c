// SPDX-License-Identifier: GPL-2.0-only
#include "clock.h"

#include <linux/irqflags.h>
#include <linux/math64.h>

#include <asm/tsc.h>

#include "compat.h"

struct vl_clock vl_clock;
DEFINE_STATIC_KEY_FALSE(vl_clock_is_tsc);

/*
 * The kernel's clock shows its counter beside the time: if that is the TSC, now,
 * and not scaled by a hypervisor's rule, the kernel trusts it.
 */
static bool kernel_uses_tsc(void)
{
	struct system_time_snapshot snapshot;
	u64 before, after;

	if (!tsc_khz || check_tsc_unstable())
		return false;

	before = rdtsc_ordered();
	vl_ktime_get_snapshot(&snapshot);
	after = rdtsc_ordered();

	return snapshot.cycles >= before && snapshot.cycles <= after;
}

/*
 * Before anything is attached. The caller holds hooks.c's lock.
 */
void vl_clock_start(void)
{
	unsigned long flags;

	if (!kernel_uses_tsc()) {
		static_branch_disable(&vl_clock_is_tsc);
		return;
	}

	vl_clock.mult = div_u64((u64)NSEC_PER_MSEC << VL_CLOCK_SHIFT, tsc_khz);
	local_irq_save(flags);
	vl_clock.offset_ns = -vl_clock_scale(rdtsc_ordered());
	vl_clock.offset_ns += ktime_get_mono_fast_ns();
	local_irq_restore(flags);
	static_branch_enable(&vl_clock_is_tsc);
}
