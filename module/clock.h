/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The clock of all stamps.
 *
 * A hop pays for its stamp: where the kernel's own clock is the TSC, it is read
 * here and scaled at a constant rate, in a quarter of the instructions of
 * ktime_get_mono_fast_ns(), and without its steps back. It starts as
 * CLOCK_MONOTONIC when hooks are attached, and then goes on at the TSC's rate,
 * which NTP does not correct. Elsewhere it is ktime_get_mono_fast_ns().
 */
#ifndef _VRINGLAB_CLOCK_H
#define _VRINGLAB_CLOCK_H

#include <linux/jump_label.h>
#include <linux/ktime.h>
#include <linux/types.h>

#include <asm/msr.h>

#define VL_CLOCK_SHIFT 32

/**
 * struct vl_clock - How ticks become nanoseconds
 * @mult:	Nanoseconds of a tick, times 2^%VL_CLOCK_SHIFT.
 * @offset_ns:	What is then still missing to CLOCK_MONOTONIC, when it starts.
 *
 * Constant while anything is attached.
 */
struct vl_clock {
	u64 mult;
	u64 offset_ns;
};

extern struct vl_clock vl_clock;
DECLARE_STATIC_KEY_FALSE(vl_clock_is_tsc);

/*
 * The upper bits of a product. With a 128-bit integer the compiler would align the stack
 * of each hop.
 */
static __always_inline u64 vl_clock_scale(u64 ticks)
{
	u64 high;

	asm("mulq %2; shrd %3, %1, %0"
	    : "+a"(ticks), "=&d"(high)
	    : "rm"(vl_clock.mult), "i"(VL_CLOCK_SHIFT)
	    : "cc");
	return ticks;
}

static __always_inline bool vl_clock_is_fast(void)
{
	return static_branch_likely(&vl_clock_is_tsc);
}

/* Only if it is fast. */
static __always_inline u64 vl_now_fast_ns(void)
{
	return vl_clock_scale(rdtsc_ordered()) + vl_clock.offset_ns;
}

/* Nanoseconds; of any context. */
static __always_inline u64 vl_now_ns(void)
{
	return vl_clock_is_fast() ? vl_now_fast_ns() : ktime_get_mono_fast_ns();
}

void vl_clock_start(void);

#endif /* _VRINGLAB_CLOCK_H */
