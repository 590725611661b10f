// SPDX-License-Identifier: GPL-2.0-only
/*
 * The guest ring-ping as the driver of a virtio device: of a disk that is faithful, and of
 * ones that each do one thing wrong, which the guest must see.
 */
#include <errno.h>
#include <poll.h>
#include <string.h>

#include <linux/virtio_config.h>
#include <linux/virtio_ids.h>

#include <kselftest_harness.h>

#include <vringlab/backend_local.h>
#include <vringlab/boot.h>
#include <vringlab/err.h>
#include <vringlab/loop.h>
#include <vringlab/loop_errand.h>
#include <vringlab/pci.h>
#include <vringlab/virtio_backend.h>
#include <vringlab/virtio_device.h>
#include <vringlab/virtio_transport.h>
#include <vringlab/vmm_bus.h>
#include <vringlab/vmm_guest.h>
#include <vringlab/vmm_ring_ping.h>

#include "../../user/guest/ring_ping.h"
#include "kvm.h"
#include "t.h"

#define SLOT 1u
#define BYTES 1024u
#define HEADER_BYTES 16u
#define DESCRIPTORS 3u
#define COUNT 4u
#define DEADLINE_NS (SLOW * 1000000000ull)

/* What the disk does wrong, from the second request on or at all. */
enum fault {
	FAULT_NONE,
	FAULT_STATUS, /* a request fails */
	FAULT_FLIP_BIT, /* one bit of the last byte */
	FAULT_STALE, /* nothing of the data is written */
	FAULT_SHORT, /* says it wrote one byte less */
	FAULT_LONG, /* and one more */
	FAULT_BAD_ID, /* returns a head that is not in flight */
	FAULT_TWICE, /* returns the same head twice */
	FAULT_KIND, /* is no disk */
	FAULT_FEATURES, /* has split virtqueues only */
	FAULT_SIZE, /* has a smaller virtqueue */
	FAULT_START, /* does not start */
	FAULT_BREAK, /* gives up */
};

struct driven {
	struct vmm_ring_ping_device device;
	struct vmm_ring_ping ping;
	struct vmm_ring_ping_result counted;
	struct vmm_vcpu_result result;
	struct vmm_guest_io io;
	struct loop *loop;
	struct loop_errands *errands;
	struct pci_bus *bus;
	struct backend_host host;
	struct virtio_backend *backend;
	struct virtio_transport *transport;
	struct vdev vdev;
	struct vl_err err;
	enum fault fault;
	uint64_t requests;
	unsigned int failures;
};

FIXTURE(disk)
{
	struct driven d;
};

FIXTURE_VARIANT(disk)
{
	bool mmio;
	bool packed;
	bool spin;
	uint32_t depth;
	enum fault fault;
	/* of FAULT_NONE nothing of the following */
	uint8_t status;
	uint64_t iteration;
	uint64_t mismatches;
	uint64_t errors;
	uint64_t offset;
	uint64_t expected;
	uint64_t got;
};

/* clang-format off */
FIXTURE_VARIANT_ADD(disk, on_pci) { .depth = 1 };

FIXTURE_VARIANT_ADD(disk, by_mmio) { .depth = 1, .mmio = true };

FIXTURE_VARIANT_ADD(disk, on_pci_by_three) { .depth = 3 };

FIXTURE_VARIANT_ADD(disk, by_mmio_by_three) { .depth = 3, .mmio = true };

FIXTURE_VARIANT_ADD(disk, on_pci_packed) { .depth = 1, .packed = true };

FIXTURE_VARIANT_ADD(disk, by_mmio_packed) { .depth = 1, .packed = true, .mmio = true };

FIXTURE_VARIANT_ADD(disk, on_pci_packed_by_three) { .depth = 3, .packed = true };

FIXTURE_VARIANT_ADD(disk, by_mmio_packed_full) { .depth = 5, .packed = true, .mmio = true };

FIXTURE_VARIANT_ADD(disk, on_pci_spinning) { .depth = 1, .spin = true };

FIXTURE_VARIANT_ADD(disk, whose_request_fails) {
	.depth = 1, .fault = FAULT_STATUS, .status = RING_PING_MISMATCH,
	.iteration = 1, .mismatches = COUNT - 1, .offset = BYTES, .expected = 0, .got = 1,
};

FIXTURE_VARIANT_ADD(disk, that_flips_a_bit) {
	.depth = 1, .fault = FAULT_FLIP_BIT, .status = RING_PING_MISMATCH,
	.iteration = 1, .mismatches = COUNT - 1,
	.offset = BYTES - 1, .expected = 0x5a, .got = 0x4a,
};

FIXTURE_VARIANT_ADD(disk, that_writes_nothing) {
	.depth = 1, .fault = FAULT_STALE, .status = RING_PING_MISMATCH,
	.iteration = 1, .mismatches = COUNT - 1, .expected = 0x5a, .got = 0xa5,
};

FIXTURE_VARIANT_ADD(disk, that_says_too_little) {
	.depth = 1, .fault = FAULT_SHORT, .status = RING_PING_MISMATCH,
	.iteration = 1, .mismatches = COUNT - 1, .expected = BYTES + 1, .got = BYTES,
};

FIXTURE_VARIANT_ADD(disk, that_says_too_much) {
	.depth = 1, .fault = FAULT_LONG, .status = RING_PING_MISMATCH,
	.iteration = 1, .mismatches = COUNT - 1, .expected = BYTES + 1, .got = BYTES + 2,
};

FIXTURE_VARIANT_ADD(disk, that_returns_a_wrong_head) {
	.depth = 1, .fault = FAULT_BAD_ID, .status = RING_PING_BAD_USED,
	.iteration = 1, .errors = 1, .offset = 0, .expected = 0, .got = 1,
};

FIXTURE_VARIANT_ADD(disk, that_returns_a_head_twice) {
	.depth = 2, .fault = FAULT_TWICE, .status = RING_PING_BAD_USED,
	.errors = 1, .offset = 1, .expected = 0, .got = 0,
};

FIXTURE_VARIANT_ADD(disk, that_says_too_much_packed) {
	.packed = true, .depth = 1, .fault = FAULT_LONG, .status = RING_PING_MISMATCH,
	.iteration = 1, .mismatches = COUNT - 1, .expected = BYTES + 1, .got = BYTES + 2,
};

FIXTURE_VARIANT_ADD(disk, that_returns_a_wrong_id_packed) {
	.packed = true, .depth = 1, .fault = FAULT_BAD_ID, .status = RING_PING_BAD_USED,
	.iteration = 1, .errors = 1, .offset = 0, .expected = 0, .got = 1,
};

FIXTURE_VARIANT_ADD(disk, that_returns_an_id_twice_packed) {
	.packed = true, .depth = 2, .fault = FAULT_TWICE, .status = RING_PING_BAD_USED,
	.errors = 1, .offset = 1, .expected = 0, .got = 0,
};

FIXTURE_VARIANT_ADD(disk, whose_request_fails_packed) {
	.packed = true, .depth = 1, .fault = FAULT_STATUS, .status = RING_PING_MISMATCH,
	.iteration = 1, .mismatches = COUNT - 1, .offset = BYTES, .expected = 0, .got = 1,
};

FIXTURE_VARIANT_ADD(disk, that_is_not_packed) {
	.packed = true, .depth = 1, .fault = FAULT_FEATURES, .status = RING_PING_BAD_FEATURES,
	.expected = 0x500000000, .got = 0x100000000,
};

FIXTURE_VARIANT_ADD(disk, that_is_none) {
	.depth = 1, .fault = FAULT_KIND, .status = RING_PING_BAD_ID,
	.expected = VIRTIO_ID_BLOCK, .got = VIRTIO_ID_RNG,
};

FIXTURE_VARIANT_ADD(disk, that_is_none_by_mmio) {
	.depth = 1, .mmio = true, .fault = FAULT_KIND, .status = RING_PING_BAD_ID,
	.expected = VIRTIO_ID_BLOCK, .got = VIRTIO_ID_RNG,
};

FIXTURE_VARIANT_ADD(disk, whose_virtqueue_is_small) {
	.depth = 1, .fault = FAULT_SIZE, .status = RING_PING_BAD_SIZE,
	.expected = 16, .got = 8,
};

FIXTURE_VARIANT_ADD(disk, that_does_not_start) {
	.depth = 1, .fault = FAULT_START, .status = RING_PING_BAD_STATUS,
	.expected = 0x0f, .got = 0x4f,
};

/* it is the VMM that is told */
FIXTURE_VARIANT_ADD(disk, that_gives_up) { .depth = 1, .fault = FAULT_BREAK };

/* clang-format on */

static bool faulty(const struct driven *self, enum fault fault)
{
	return self->fault == fault && self->requests > 1;
}

/* What it has given back last: the driver looks when it is called, which comes later. */
static void change_last(const struct vring_dev *vq, uint32_t more_id, uint32_t more_bytes)
{
	const struct vring_layout *ring = &vq->ring;

	if (ring->packed) {
		uint16_t at = (vq->used_idx + ring->num - DESCRIPTORS) % ring->num;
		struct vring_packed_desc *desc = &ring->ring[at];

		desc->id += more_id;
		desc->len += more_bytes;
	} else {
		struct vring_used *used = ring->used;
		uint16_t at = (vq->used_idx + ring->num - 1) % ring->num;

		used->ring[at].id += more_id;
		used->ring[at].len += more_bytes;
	}
}

static void answer(struct driven *self, struct vring_dev *vq, const struct vring_chain *chain)
{
	uint8_t *data = chain->iov[1].iov_base, *status = chain->iov[2].iov_base;

	if (!faulty(self, FAULT_STALE))
		memset(data, 0x5a, chain->iov[1].iov_len);
	if (faulty(self, FAULT_FLIP_BIT))
		data[chain->iov[1].iov_len - 1] ^= 0x10;
	*status = faulty(self, FAULT_STATUS);
	vring_dev_push(vq, chain, chain->in_bytes);
	if (faulty(self, FAULT_SHORT))
		change_last(vq, 0, -1);
	if (faulty(self, FAULT_LONG))
		change_last(vq, 0, 1);
	if (faulty(self, FAULT_BAD_ID))
		change_last(vq, 1, 0);
	/* the one before has 0 */
	if (faulty(self, FAULT_TWICE))
		change_last(vq, -chain->id, 0);
}

static int disk_process(void *dev, struct vdev_queue *q)
{
	struct driven *self = dev;
	struct iovec iov[4];
	struct vring_chain chain = { .iov = iov, .nr_iov = 4 };
	int ret;

	while (!(ret = vring_dev_pop(q->vq, &chain))) {
		if (chain.nr_out != 1 || chain.nr_in != 2 || iov[0].iov_len != HEADER_BYTES ||
		    iov[1].iov_len != BYTES || iov[2].iov_len != 1)
			return -EPROTO;
		self->requests++;
		if (faulty(self, FAULT_BREAK))
			return -EIO;
		answer(self, q->vq, &chain);
	}
	return ret == -EAGAIN ? VDEV_IDLE : ret;
}

static int disk_start(void *dev, struct vdev_queue *q, struct vl_err *err)
{
	const struct driven *self = dev;

	return self->fault == FAULT_START ? vl_err_set(err, -EIO, "queue %u: no", q->index) : 0;
}

/* It is the fixture's. */
static void disk_destroy(struct vdev *vdev)
{
	(void)vdev;
}

static const struct vdev_ops disk_ops = { .process = disk_process, .start = disk_start };

static void on_failed(void *ctx, const struct virtio_backend *be, const struct vl_err *err)
{
	struct driven *self = ctx;

	(void)be;
	(void)err;
	self->failures++;
	loop_stop(self->loop);
}

static int show(struct driven *self)
{
	const struct virtio_transport_config config = {
		.vm = self->ping.micro.vm,
		.loop = self->loop,
		.errands = self->errands,
		.backend = self->backend,
		.ops = { .failed = on_failed },
		.ctx = self,
	};

	if (!self->device.mmio_gpa)
		return virtio_pci_create(&self->transport, &config, self->bus, SLOT, &self->err);
	return virtio_mmio_create(&self->transport, &config, self->device.mmio_gpa,
				  self->device.gsi, &self->err);
}

static int add_disk(struct driven *self)
{
	const struct backend_local_config config = {
		.name = "disk",
		.device_id = self->fault == FAULT_KIND ? VIRTIO_ID_RNG : VIRTIO_ID_BLOCK,
		.queue_size = self->fault == FAULT_SIZE ? 8 : 16,
		.packed = self->fault != FAULT_FEATURES,
		.vdev = &self->vdev,
		.destroy = disk_destroy,
	};
	int ret;

	self->vdev = (struct vdev){
		.ops = &disk_ops,
		.dev = self,
		.features = 1ull << VIRTIO_F_VERSION_1 | 1ull << VIRTIO_F_RING_PACKED,
		.num_queues = 1,
	};
	backend_host_init(&self->host, self->loop);
	ret = backend_host_add_vm(&self->host, self->ping.micro.vm, &self->err);
	if (!ret)
		ret = pci_bus_create(&self->bus, self->ping.micro.vm, &self->err);
	if (!ret)
		ret = backend_local_create(&self->backend, &self->host, &config, &self->err);
	return ret ? ret : show(self);
}

static int create(struct driven *self, const FIXTURE_VARIANT(disk) * variant)
{
	const struct vmm_ring_ping_config config = {
		.memory = VMM_MICRO_MEMORY_MIN,
		.count = COUNT,
		.queue_size = 16,
		.depth = variant->depth,
		.spin = variant->spin,
		.device = &self->device,
	};
	int ret = vmm_ring_ping_device_init(&self->device, VIRTIO_ID_BLOCK, BYTES, &self->err);

	self->device.packed = variant->packed;
	self->device.config_gpa = pci_config_gpa(SLOT);
	self->device.mmio_gpa = variant->mmio ? PC_VIRTIO_MMIO_GPA : 0;
	self->device.gsi = boot_virtio_mmio_gsi(0);
	if (!ret)
		ret = vmm_ring_ping_create(&self->ping, &config, &self->err);
	if (!ret)
		ret = add_disk(self);
	return ret ? ret : vmm_ring_ping_load(&self->ping, &self->err);
}

FIXTURE_SETUP(disk)
{
	struct driven *d = &self->d;
	int ret;

	memset(d, 0, sizeof(*d));
	d->ping.kick_fd = -1;
	d->ping.call_fd = -1;
	d->fault = variant->fault;
	REQUIRE_KVM();
	ret = loop_create(&d->loop, &d->err);
	if (ret == -EPERM || ret == -ENOSYS)
		SKIP(return, "%s", d->err.msg);
	ASSERT_EQ(0, ret) TH_LOG("%s", d->err.msg);
	ASSERT_EQ(0, loop_errands_create(&d->errands, d->loop, &d->err));
	ASSERT_EQ(0, create(d, variant)) TH_LOG("%s", d->err.msg);
	d->io = (struct vmm_guest_io){ .console_fd = -1, .bus = d->ping.micro.vm };
}

FIXTURE_TEARDOWN(disk)
{
	struct driven *d = &self->d;

	virtio_transport_destroy(d->transport);
	if (d->backend)
		d->backend->ops->destroy(d->backend);
	pci_bus_destroy(d->bus);
	vmm_ring_ping_destroy(&d->ping);
	loop_errands_destroy(d->errands);
	loop_destroy(d->loop);
}

static void on_done(void *ctx, int res)
{
	(void)res;
	loop_stop(ctx);
}

/* Until the guest has ended, the device has failed, or it may no longer run. */
static int run(struct driven *self)
{
	struct vmm_vcpu *vcpu = self->ping.micro.vcpu;
	struct loop_op *done = NULL, *late = NULL;
	int ret = loop_poll(self->loop, vmm_vcpu_done_fd(vcpu), POLLIN, on_done, self->loop, &done);

	if (!ret)
		ret = loop_timer(self->loop, DEADLINE_NS, on_done, self->loop, &late);
	if (!ret)
		ret = vmm_vcpu_start(vcpu, vmm_guest_exit, &self->io, &self->err);
	if (ret)
		return ret;
	ret = loop_run(self->loop);
	/* it ends by itself when it finds that the device has not started */
	if (!ret && self->fault == FAULT_START)
		ret = loop_run(self->loop);
	loop_op_remove(&done);
	loop_op_remove(&late);
	loop_errands_close(self->errands);
	vmm_vcpu_stop(vcpu);
	vmm_vcpu_join(vcpu, &self->result);
	vmm_ring_ping_result(&self->ping, &self->counted);
	return ret;
}

/* One call for all that was there, and one interrupt for each. */
static void expect_faithful(struct __test_metadata *_metadata, struct driven *self, uint32_t depth)
{
	const struct vmm_ring_ping_result *r = &self->counted;

	EXPECT_EQ(VMM_END_GUEST, self->result.end) TH_LOG("%s", self->result.err.msg);
	EXPECT_EQ(0, vmm_ring_ping_check(&self->ping, self->io.status, &self->err))
	{
		TH_LOG("%s", self->err.msg);
	}
	EXPECT_EQ(COUNT * depth, self->requests);
	EXPECT_EQ(COUNT * depth, r->buffers);
	EXPECT_EQ(COUNT, r->completed);
	EXPECT_EQ(COUNT, r->kicks + r->suppressed);
	EXPECT_LE(COUNT, r->interrupts - r->spurious);
	if (depth == 1)
		EXPECT_EQ(COUNT, r->interrupts - r->spurious);
	EXPECT_EQ(0, self->failures);
}

static void expect_caught(struct __test_metadata *_metadata, struct driven *self,
			  const FIXTURE_VARIANT(disk) * variant)
{
	const struct vmm_ring_ping_result *r = &self->counted;

	EXPECT_EQ(VMM_END_GUEST, self->result.end) TH_LOG("%s", self->result.err.msg);
	EXPECT_EQ(variant->status, self->io.status);
	EXPECT_EQ(-EIO, vmm_ring_ping_check(&self->ping, self->io.status, &self->err));
	TH_LOG("%s", self->err.msg);
	EXPECT_EQ(variant->mismatches, r->mismatches);
	EXPECT_EQ(variant->errors, r->errors);
	EXPECT_EQ(variant->offset, r->bad_offset);
	EXPECT_EQ(variant->expected, r->bad_expected);
	EXPECT_EQ(variant->got, r->bad_got);
	EXPECT_EQ(variant->iteration, r->bad_iteration);
	EXPECT_EQ(variant->fault == FAULT_START, self->failures);
}

TEST_F_TIMEOUT(disk, is_driven, SLOW)
{
	ASSERT_EQ(0, run(&self->d)) TH_LOG("%s", self->d.err.msg);
	if (variant->status) {
		expect_caught(_metadata, &self->d, variant);
	} else if (variant->fault == FAULT_BREAK) {
		EXPECT_EQ(1, self->d.failures);
		EXPECT_EQ(VMM_END_STOPPED, self->d.result.end);
		EXPECT_EQ(1, self->d.counted.completed);
	} else {
		expect_faithful(_metadata, &self->d, variant->depth);
	}
}

TEST(requests_that_cannot_be)
{
	static const struct {
		uint16_t device_id;
		uint32_t bytes;
		int code;
	} bad[] = {
		{ VIRTIO_ID_BLOCK, 0, -EINVAL },     { VIRTIO_ID_BLOCK, 513, -EINVAL },
		{ VIRTIO_ID_NET, 59, -EINVAL },	     { VIRTIO_ID_NET, 1515, -EINVAL },
		{ VIRTIO_ID_VSOCK, 65537, -EINVAL }, { VIRTIO_ID_CONSOLE, 0, -EINVAL },
		{ VIRTIO_ID_RNG, 0, -EINVAL },	     { VIRTIO_ID_GPU, 64, -EOPNOTSUPP },
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct vmm_ring_ping_device device;
		struct vl_err err = { 0 };

		EXPECT_EQ(bad[i].code,
			  vmm_ring_ping_device_init(&device, bad[i].device_id, bad[i].bytes, &err))
		{
			TH_LOG("device %u, %u bytes", bad[i].device_id, bad[i].bytes);
		}
		EXPECT_NE('\0', err.msg[0]);
	}
}

/* A chain of a disk has three descriptors. */
TEST(a_chain_takes_its_descriptors)
{
	struct vmm_ring_ping_device device;
	struct vmm_ring_ping_config config = {
		.memory = VMM_MICRO_MEMORY_MIN,
		.count = 1,
		.queue_size = 8,
		.depth = 2,
		.device = &device,
	};

	ASSERT_EQ(0, vmm_ring_ping_device_init(&device, VIRTIO_ID_BLOCK, BYTES, NULL));
	EXPECT_EQ(0, vmm_ring_ping_validate(&config, NULL));
	config.depth = 3;
	EXPECT_EQ(-EINVAL, vmm_ring_ping_validate(&config, NULL));
	config.depth = 1000;
	config.queue_size = 4096;
	EXPECT_EQ(-ENOSPC, vmm_ring_ping_validate(&config, NULL));
}

TEST_HARNESS_MAIN
