// SPDX-License-Identifier: GPL-2.0-only
/*
 * Several vCPUs at once at the same devices, while their back-ends call, change config
 * space and fail: nobody waits for ever, and a device that is reset begins anew. For
 * ThreadSanitizer, too.
 */
#include <errno.h>
#include <linux/pci_regs.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/eventfd.h>

#include <kselftest_harness.h>

#include "kvm.h"
#include "t_virtio.h"

#define THREADS 3u
#define ACCESSES 1500u
#define STATUS_AT(v) ((v)->mmio ? 0x70u : 0x14u)

/* clang-format off */
FIXTURE(threads)
{
	struct t_virtio v;
	struct vl_err err;
};

FIXTURE_VARIANT(threads)
{
	bool mmio;
};

FIXTURE_VARIANT_ADD(threads, pci)
{
	.mmio = false,
};

FIXTURE_VARIANT_ADD(threads, mmio)
{
	.mmio = true,
};

/* clang-format on */

FIXTURE_SETUP(threads)
{
	REQUIRE_KVM();
	ASSERT_EQ(0, t_virtio_init(&self->v, variant->mmio, &self->err))
	{
		TH_LOG("%s", self->err.msg);
	}
}

FIXTURE_TEARDOWN(threads)
{
	t_virtio_exit(&self->v);
	EXPECT_EQ(0u, self->v.live);
	EXPECT_FALSE(self->v.backend.started);
}

/* A vCPU that does what comes to its mind; the last one to end stops the loop. */
struct vcpu {
	struct t_virtio *v;
	uint32_t random;
	pthread_t thread;
	atomic_uint *left;
};

static uint32_t draw(struct vcpu *c, uint32_t end)
{
	c->random = c->random * 1664525 + 1013904223;
	return (c->random >> 8) % end;
}

static void write_status(struct vcpu *c, uint8_t status)
{
	t_mmio_write(c->v->vm, c->v->gpa + STATUS_AT(c->v), c->v->mmio ? 4 : 1, status);
}

static void do_something(struct vcpu *c)
{
	struct t_virtio *v = c->v;
	unsigned int len = 1u << draw(c, 4);
	uint32_t at = v->gpa + draw(c, v->mmio ? 0x120 : 0x7000) / 4 * 4;

	switch (draw(c, 16)) {
	case 0:
		write_status(c, 0);
		break;
	case 1:
		t_virtio_drive(v);
		break;
	case 2:
		t_pci_write(v->vm, T_VIRTIO_SLOT, draw(c, 64) * 4, 4, draw(c, 0x10000));
		break;
	case 3:
		t_pci_write(v->vm, T_VIRTIO_SLOT, PCI_COMMAND, 2, draw(c, 0x800) | 2);
		t_pci_write(v->vm, T_VIRTIO_SLOT, PCI_BASE_ADDRESS_0, 4, v->gpa);
		break;
	case 4:
		t_pci_write(v->vm, T_VIRTIO_SLOT, 0x40, 4, draw(c, 4) << 30);
		break;
	case 5:
		t_virtio_kick(v, draw(c, 4));
		break;
	default:
		if (draw(c, 2))
			t_mmio_write(v->vm, at, len, draw(c, 0x100));
		else
			t_mmio_read(v->vm, at, len);
	}
}

static int stop_loop(void *loop)
{
	loop_stop(loop);
	return 0;
}

static void *vcpu_thread(void *arg)
{
	struct vcpu *c = arg;

	for (unsigned int i = 0; i < ACCESSES; i++)
		do_something(c);
	if (atomic_fetch_sub(c->left, 1) == 1)
		loop_errand(c->v->errands, stop_loop, c->v->loop);
	return NULL;
}

/* The back-end: each time the loop is otherwise idle for a moment. */
struct backend_life {
	struct t_virtio *v;
	struct loop_op *timer;
	unsigned int turn;
};

static void live(void *ctx, int res)
{
	struct backend_life *life = ctx;
	struct t_virtio_backend *be = &life->v->backend;
	struct vl_err err;

	vl_err_set(&err, -EPIPE, "it is gone");
	if (be->started)
		eventfd_write(be->queues[life->turn % T_VIRTIO_QUEUES].call_fd, 1);
	if (life->turn % 3 == 0)
		be->be.config_changed(&be->be);
	if (life->turn % 50 == 0)
		be->be.failed(&be->be, &err);
	be->start_ret = life->turn % 7 ? 0 : -ENODEV;
	life->turn++;
	if (res >= 0)
		loop_timer(life->v->loop, 100000, live, life, &life->timer);
}

TEST_F_TIMEOUT(threads, vcpus_and_the_loop_do_not_wait_for_each_other_for_ever, SLOW)
{
	struct backend_life life = { .v = &self->v };
	struct vcpu vcpus[THREADS];
	atomic_uint left = THREADS;

	live(&life, 0);
	for (unsigned int i = 0; i < THREADS; i++) {
		vcpus[i] = (struct vcpu){ .v = &self->v, .random = i + 1, .left = &left };
		ASSERT_EQ(0, pthread_create(&vcpus[i].thread, NULL, vcpu_thread, &vcpus[i]));
	}
	EXPECT_EQ(0, loop_run(self->v.loop));
	loop_op_remove(&life.timer);
	for (unsigned int i = 0; i < THREADS; i++)
		pthread_join(vcpus[i].thread, NULL);
	EXPECT_LT(0u, self->v.backend.starts);
	self->v.backend.start_ret = 0;
	if (!variant->mmio) {
		t_pci_write(self->v.vm, T_VIRTIO_SLOT, PCI_COMMAND, 2, 0);
		t_virtio_enable_bar(&self->v, 0xd0000000);
	}
	t_virtio_drive(&self->v);
	EXPECT_EQ(T_VIRTIO_DRIVER_OK, t_virtio_status(&self->v));
	EXPECT_EQ(T_VIRTIO_QUEUES, self->v.live);
}

TEST_HARNESS_MAIN
