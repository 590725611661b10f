// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include <vringlab/vmm_ring_ping.h>

#include "../../guest/ring_ping.h"
#include "internal.h"

void vmm_ring_ping_result(const struct vmm_ring_ping *ping, struct vmm_ring_ping_result *result)
{
	struct ring_ping_param p;

	/* a guest that still runs may be between two of its counters */
	memcpy(&p, ping->param, sizeof(p));
	*result = (struct vmm_ring_ping_result){
		.started = p.started,
		.completed = p.completed,
		.kicks = p.kicks,
		.suppressed = p.suppressed,
		.interrupts = p.interrupts,
		.spurious = p.spurious,
		.buffers = p.buffers,
		.mismatches = p.mismatches,
		.errors = p.errors,
		.bad_iteration = p.bad_iteration,
		.bad_offset = p.bad_offset,
		.bad_expected = p.bad_expected,
		.bad_got = p.bad_got,
		.tsc_khz = vmm_vcpu_tsc_khz(ping->micro.vcpu),
	};
	vmm_micro_hist(&result->rtt, &p.rtt);
}

/* Before it has begun. */
static int device_failed(const struct vmm_ring_ping *ping, const struct vmm_ring_ping_result *r,
			 uint8_t status, struct vl_err *err)
{
	switch (status) {
	case RING_PING_BAD_ID:
		return vl_err_set(err, -EIO, "there is device %" PRIu64 ", not %" PRIu64,
				  r->bad_got, r->bad_expected);
	case RING_PING_BAD_FEATURES:
		return vl_err_set(err, -EIO,
				  "features %#" PRIx64
				  " are not accepted of a device with %#" PRIx64,
				  r->bad_expected, r->bad_got);
	case RING_PING_BAD_SIZE:
		return vl_err_set(err, -EIO,
				  "virtqueue %" PRIu64 " has %" PRIu64
				  " descriptors at most, not %" PRIu64,
				  r->bad_offset, r->bad_got, r->bad_expected);
	case RING_PING_BAD_VECTOR:
		return vl_err_set(err, -EIO, "virtqueue %" PRIu64 " got no MSI-X vector",
				  r->bad_expected);
	case RING_PING_BAD_STATUS:
		return vl_err_set(err, -EIO,
				  "the device has not started: its status is %#" PRIx64
				  ", not %#" PRIx64,
				  r->bad_got, r->bad_expected);
	}
	return vmm_micro_check(&ping->micro, status, err);
}

static int guest_failed(const struct vmm_ring_ping *ping, const struct vmm_ring_ping_result *r,
			uint8_t status, struct vl_err *err)
{
	switch (status) {
	case RING_PING_MISMATCH:
		return vl_err_set(err, -EIO,
				  "%" PRIu64 " of %" PRIu64
				  " answers are wrong, first in iteration %" PRIu64
				  " at byte %" PRIu64 ": expected %#" PRIx64 ", got %#" PRIx64,
				  r->mismatches, r->buffers, r->bad_iteration, r->bad_offset,
				  r->bad_expected, r->bad_got);
	case RING_PING_BAD_USED:
		return vl_err_set(err, -EIO,
				  "the back-end broke the used ring in iteration %" PRIu64
				  ": element %" PRIu64 " is %" PRIu64 ", expected %" PRIu64,
				  r->bad_iteration, r->bad_offset, r->bad_got, r->bad_expected);
	}
	return device_failed(ping, r, status, err);
}

int vmm_ring_ping_check(const struct vmm_ring_ping *ping, uint8_t status, struct vl_err *err)
{
	uint64_t count = ping->config.count;
	uint64_t buffers = count * ping->config.depth;
	struct vmm_ring_ping_result r;
	uint64_t answering;

	vmm_ring_ping_result(ping, &r);
	if (status != MICRO_OK)
		return guest_failed(ping, &r, status, err);
	if (r.completed != count || r.rtt.count != count)
		return vl_err_set(err, -EPROTO,
				  "%" PRIu64 " of %" PRIu64 " iterations completed, %" PRIu64
				  " measured",
				  r.completed, count, r.rtt.count);
	if (r.kicks + r.suppressed != count)
		return vl_err_set(err, -EPROTO,
				  "%" PRIu64 " kicks and %" PRIu64 " suppressed ones for %" PRIu64
				  " iterations",
				  r.kicks, r.suppressed, count);
	if (r.buffers != buffers || r.mismatches || r.errors)
		return vl_err_set(err, -EPROTO,
				  "%" PRIu64 " of %" PRIu64 " buffers came back, %" PRIu64 " wrong",
				  r.buffers, buffers, r.mismatches + r.errors);
	/*
	 * A back-end may call for each chain of a kick, or once for all. A spurious
	 * interrupt does no harm: it may be one too many of a back-end, or of an
	 * emulated processor.
	 */
	answering = r.interrupts - r.spurious;
	if (r.spurious > r.interrupts || answering < count || answering > buffers)
		return vl_err_set(err, -EPROTO,
				  "%" PRIu64 " interrupts, %" PRIu64
				  " of them spurious, for %" PRIu64 " kicks of %u buffers",
				  r.interrupts, r.spurious, count, ping->config.depth);
	return 0;
}
