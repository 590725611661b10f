/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The micro-guest ring-ping with its VM: one virtqueue whose kicks signal an
 * eventfd and whose calls interrupt the vCPU. What serves the virtqueue is the
 * caller's: a vhost-user back-end, or a thread; or a virtio device that the caller puts
 * into the VM.
 */
#ifndef VRINGLAB_VMM_RING_PING_H
#define VRINGLAB_VMM_RING_PING_H

#include <stdbool.h>
#include <stdint.h>

#include <vringlab/hist.h>
#include <vringlab/vmm.h>
#include <vringlab/vmm_micro.h>
#include <vringlab/vmm_vcpu.h>

/* Bounds of what a caller may ask for. */
#define VMM_RING_PING_SIZE_MAX (1u << 20)
#define VMM_RING_PING_QUEUE_MIN 2u
#define VMM_RING_PING_QUEUE_MAX 32768u

/* Room for the headers of requests. */
#define VMM_RING_PING_HEADER_MAX 64u

/**
 * enum vmm_ring_ping_content - What requests and answers have in them
 * @VMM_RING_PING_PATTERN: Other bytes in each request, of which the answer is a copy.
 * @VMM_RING_PING_TEXT: Lines of text, in requests without a header.
 * @VMM_RING_PING_SAME: Each answer is as the first one.
 * @VMM_RING_PING_RANDOM: An answer is not all zeroes, if it has 8 bytes at least.
 */
enum vmm_ring_ping_content {
	VMM_RING_PING_PATTERN,
	VMM_RING_PING_TEXT,
	VMM_RING_PING_SAME,
	VMM_RING_PING_RANDOM,
};

/**
 * struct vmm_ring_ping_chain - What a chain is: in this order, each if it has bytes
 * @header:	What the device reads first.
 * @header_bytes: Of it.
 * @out_bytes:	What it reads then.
 * @out:	What that is.
 * @in_bytes:	What it writes.
 * @in:		What that has to be.
 * @has_status:	Then a byte, which has to be 0.
 * @used_min:	Bytes that it has to say it has written.
 * @used_max:	Likewise.
 */
struct vmm_ring_ping_chain {
	uint8_t header[VMM_RING_PING_HEADER_MAX];
	uint32_t header_bytes;
	uint32_t out_bytes;
	enum vmm_ring_ping_content out;
	uint32_t in_bytes;
	enum vmm_ring_ping_content in;
	bool has_status;
	uint32_t used_min;
	uint32_t used_max;
};

/**
 * struct vmm_ring_ping_device - The virtio device that the guest drives
 * @device_id:	VIRTIO_ID_*.
 * @nr_queues:	Virtqueues that it sets up.
 * @queue:	The one that it uses.
 * @packed:	It wants packed virtqueues.
 * @config_gpa:	On PCI: its config space.
 * @mmio_gpa:	By MMIO: its registers; 0 for PCI.
 * @gsi:	By MMIO: its interrupt.
 * @chain:	What is asked of it.
 */
struct vmm_ring_ping_device {
	uint16_t device_id;
	uint16_t nr_queues;
	uint16_t queue;
	bool packed;
	uint64_t config_gpa;
	uint64_t mmio_gpa;
	unsigned int gsi;
	struct vmm_ring_ping_chain chain;
};

/**
 * vmm_ring_ping_device_init() - Say what is asked of a device of a kind
 * @device:	Filled; where it is stays to be said, whether virtqueues are packed, and the
 *		CID of vsock.
 * @device_id:	VIRTIO_ID_NET, _BLOCK, _CONSOLE, _RNG or _VSOCK.
 * @bytes:	How many: of a frame, a block, a line, random numbers, a message.
 * @err:	Says what is wrong; may be NULL.
 *
 * net: a frame to a station that there is not. blk: a read of the first sectors. console:
 * text. vsock: a reset, of a connection that there is not, from the CID that
 * vmm_ring_ping_set_cid() says. None of them asks for an answer on another virtqueue.
 *
 * Return: 0, %-EINVAL for bytes that it cannot be, or %-EOPNOTSUPP for another device.
 */
int vmm_ring_ping_device_init(struct vmm_ring_ping_device *device, uint16_t device_id,
			      uint32_t bytes, struct vl_err *err);

/**
 * vmm_ring_ping_set_cid() - Say whom messages are from
 * @device:	Of VIRTIO_ID_VSOCK.
 * @cid:	Its CID.
 */
void vmm_ring_ping_set_cid(struct vmm_ring_ping_device *device, uint64_t cid);

/**
 * struct vmm_ring_ping_config - What the guest shall do
 * @kvm_path:	The KVM device, %NULL for VMM_KVM_PATH.
 * @memory:	Guest memory in bytes, whole pages.
 * @count:	Iterations, at least 1. Each is one kick.
 * @payload_bytes: Of each buffer, at least 1.
 * @queue_size:	A power of two.
 * @depth:	Chains per kick, 1 to half of @queue_size.
 * @doorbell:	How the guest kicks.
 * @spin:	Wait by spinning instead of halting.
 * @irqchip:	Which irqchip the VM gets.
 * @device:	Device instead of a bare virtqueue; NULL: none. It outlives the guest, and
 *		has what @payload_bytes, @doorbell and @irqchip are for.
 */
struct vmm_ring_ping_config {
	const char *kvm_path;
	uint64_t memory;
	uint64_t count;
	uint32_t payload_bytes;
	uint32_t queue_size;
	uint32_t depth;
	enum vmm_bus doorbell;
	bool spin;
	enum vmm_irqchip irqchip;
	const struct vmm_ring_ping_device *device;
};

struct ring_ping_param;

/**
 * struct vmm_ring_ping - The guest, ready to start
 * @micro:	VM, vCPU and memory; the last is what a vhost-user back-end gets to map.
 * @kick_fd:	eventfd, non-blocking; the guest's kicks. -1 with a device.
 * @call_fd:	eventfd, non-blocking; the guest's interrupt. Likewise.
 * @desc:	Descriptor table in this process.
 * @avail:	Driver area in this process.
 * @used:	Device area in this process.
 * @config:	What it shall do.
 * @param:	Parameters and results in guest memory.
 *
 * All of it is owned by the structure.
 */
struct vmm_ring_ping {
	struct vmm_micro micro;
	int kick_fd;
	int call_fd;
	void *desc;
	void *avail;
	void *used;
	struct vmm_ring_ping_config config;
	struct ring_ping_param *param;
};

/**
 * vmm_ring_ping_validate() - Can the guest be told to do this?
 * @config:	What it shall do.
 * @err:	Says what is wrong; may be NULL.
 *
 * Return: 0, or
 * * %-EINVAL - a number is out of range
 * * %-ENOSPC - rings and buffers do not fit into the memory
 */
int vmm_ring_ping_validate(const struct vmm_ring_ping_config *config, struct vl_err *err);

/**
 * vmm_ring_ping_create() - Create VM, memory, eventfds and vCPU
 * @ping:	Filled on success; untouched else.
 * @config:	What the guest shall do; copied.
 * @err:	What went wrong, may be NULL.
 *
 * The guest's own ioeventfd and irqfd are attached; start the vCPU with
 * vmm_guest_exit() as the exit handler. With a device there is no vCPU yet: put the device
 * into the VM, and have vmm_ring_ping_load() make it.
 *
 * Return: 0, or as vmm_ring_ping_validate(), vmm_create() and the others of
 * vmm.h.
 */
int vmm_ring_ping_create(struct vmm_ring_ping *ping, const struct vmm_ring_ping_config *config,
			 struct vl_err *err);

/**
 * vmm_ring_ping_load() - Load the guest that drives a device
 * @ping:	Created, and its device is in the VM.
 * @err:	What went wrong, may be NULL.
 *
 * Return: 0, or as vmm_micro_add_vcpu().
 */
int vmm_ring_ping_load(struct vmm_ring_ping *ping, struct vl_err *err);

/**
 * vmm_ring_ping_destroy() - Release all of it
 * @ping:	Guest; stops it if it runs.
 */
void vmm_ring_ping_destroy(struct vmm_ring_ping *ping);

/**
 * struct vmm_ring_ping_result - What the guest counted
 * @started:	Iterations begun.
 * @completed:	Iterations whose answers have been checked.
 * @kicks:	Doorbell writes.
 * @suppressed:	Kicks that the device did not want.
 * @interrupts:	Interrupts taken.
 * @spurious:	Of these, those with nothing new in the used ring since the one
 *		before.
 * @buffers:	Answers taken from the used ring.
 * @mismatches:	Answers with wrong bytes or a wrong length.
 * @errors:	Used elements that cannot be.
 * @bad_iteration: Of the first mismatch or error.
 * @bad_offset:	Byte in the answer.
 * @bad_expected: Byte, length or index expected there.
 * @bad_got:	What was there.
 * @rtt:	Round trips in TSC cycles: from before the kick until the answers
 *		are there.
 * @tsc_khz:	TSC cycles per ms; 0 if KVM does not know.
 */
struct vmm_ring_ping_result {
	uint64_t started;
	uint64_t completed;
	uint64_t kicks;
	uint64_t suppressed;
	uint64_t interrupts;
	uint64_t spurious;
	uint64_t buffers;
	uint64_t mismatches;
	uint64_t errors;
	uint64_t bad_iteration;
	uint64_t bad_offset;
	uint64_t bad_expected;
	uint64_t bad_got;
	struct vl_hist rtt;
	uint32_t tsc_khz;
};

/**
 * vmm_ring_ping_result() - Read what the guest has counted
 * @ping:	Guest; a running one is allowed, for its progress.
 * @result:	Filled.
 */
void vmm_ring_ping_result(const struct vmm_ring_ping *ping, struct vmm_ring_ping_result *result);

/**
 * vmm_ring_ping_check() - Did the guest do all that it was told to?
 * @ping:	Guest.
 * @status:	What it wrote to its exit port.
 * @err:	Says what is wrong; may be NULL.
 *
 * Every kick must have been counted, every buffer come back, and each iteration
 * have its interrupt; with a depth of 1, exactly one.
 *
 * Return: 0, or
 * * %-EIO - the guest reported a failure
 * * %-EPROTO - the guest reported success, but a count does not agree
 */
int vmm_ring_ping_check(const struct vmm_ring_ping *ping, uint8_t status, struct vl_err *err);

#endif /* VRINGLAB_VMM_RING_PING_H */
