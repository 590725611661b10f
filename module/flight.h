/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Records, and the stages in which they rest; see hops.h for their way.
 */
#ifndef _VRINGLAB_FLIGHT_H
#define _VRINGLAB_FLIGHT_H

#include <linux/atomic.h>
#include <linux/bitops.h>
#include <linux/compiler.h>

#include "stats.h"
#include "vringlab.h"

/*
 * Whoever opens it says which stamps there are before his own.
 *
 * Return: whether there was one; then @flight is set
 */
static __always_inline bool vl_flight_open(struct vl_vring *vring, struct vl_flight **flight)
{
	unsigned long free;

	while (likely((free = ~READ_ONCE(vring->busy)))) {
		unsigned long bit = __ffs(free);

		if (likely(!test_and_set_bit(bit, &vring->busy))) {
			*flight = &vring->flights[bit];
			/* Else its address is computed anew for each use. */
			OPTIMIZER_HIDE_VAR(*flight);
			return true;
		}
	}

	vl_count(vring, VL_MISSED);
	return false;
}

static __always_inline void vl_flight_close(struct vl_vring *vring, struct vl_flight *flight)
{
	clear_bit_unlock(flight - vring->flights, &vring->busy);
}

static __always_inline bool vl_stage_occupied(const struct vl_vring *vring, enum vl_stage stage)
{
	/* Racy: it may change at once, unless the caller alone fills or empties it. */
	return data_race(vring->stage[stage]);
}

static __always_inline struct vl_flight *vl_stage_swap(struct vl_vring *vring, enum vl_stage stage,
						       struct vl_flight *flight)
{
	return xchg(&vring->stage[stage], flight);
}

static __always_inline struct vl_flight *vl_stage_take(struct vl_vring *vring, enum vl_stage stage)
{
	return vl_stage_swap(vring, stage, NULL);
}

/* On failure, an earlier record is still there, and the flight is closed. */
static __always_inline bool vl_stage_put(struct vl_vring *vring, enum vl_stage stage,
					 struct vl_flight *flight)
{
	struct vl_flight *none = NULL;

	if (likely(try_cmpxchg(&vring->stage[stage], &none, flight)))
		return true;

	vl_flight_close(vring, flight);
	return false;
}

/* Of an empty stage that only the caller can fill. */
static __always_inline void vl_stage_fill(struct vl_vring *vring, enum vl_stage stage,
					  struct vl_flight *flight)
{
	/* Pairs with xchg() in vl_stage_take(). */
	smp_store_release(&vring->stage[stage], flight);
}

#endif /* _VRINGLAB_FLIGHT_H */
