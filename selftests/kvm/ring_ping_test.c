// SPDX-License-Identifier: GPL-2.0-only
/*
 * The guest ring-ping against back-ends in a thread of this process: a faithful
 * one in every configuration, and ones that each do one thing wrong, which the
 * guest must see.
 */
#include <endian.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include <vringlab/err.h>
#include <vringlab/vmm_guest.h>
#include <vringlab/vmm_regs.h>
#include <vringlab/vmm_ring_ping.h>
#include <vringlab/vring.h>

#include "../../user/guest/ring_ping.h"
#include "kvm.h"
#include "t.h"

/* What the back-end does wrong, from the second kick on. */
enum fault {
	FAULT_NONE,
	FAULT_FLIP_BIT, /* one bit of the last byte */
	FAULT_SHORT, /* says it wrote one byte less */
	FAULT_STALE, /* writes nothing, says it did */
	FAULT_BAD_ID, /* returns a head that is not in flight */
	FAULT_TWICE, /* returns the same head twice */
	FAULT_CALL_TWICE, /* once with nothing new */
	FAULT_SILENT, /* takes nothing, says so on silent_fd */
};

struct backend {
	struct vmm_ring_ping *ping;
	enum fault fault;
	struct vring_mem mem;
	struct vring_dev vq;
	int stop_fd;
	int silent_fd;
	pthread_t thread;
	bool started;
	uint64_t kicks; /* sum of what the kick eventfd said */
	uint64_t calls;
	uint64_t chains;
	int error;
};

static void call(struct backend *b)
{
	uint64_t one = 1;

	if (write(b->ping->call_fd, &one, sizeof(one)) == sizeof(one))
		b->calls++;
	else
		b->error = -errno;
}

static bool faulty(const struct backend *b, enum fault fault)
{
	return b->fault == fault && b->kicks > 1;
}

/* What the device side refuses to do: gives back what is not in flight. */
static void push_by_hand(struct vring_dev *vq, uint32_t head, uint32_t len)
{
	struct vring_used *used = vq->ring.used;

	used->ring[vq->used_idx & (vq->ring.num - 1)].id = htole32(head);
	used->ring[vq->used_idx & (vq->ring.num - 1)].len = htole32(len);
	__atomic_store_n(&used->idx, htole16(++vq->used_idx), __ATOMIC_RELEASE);
	vq->since_call++;
}

static void answer(struct backend *b, const struct vring_chain *chain)
{
	uint32_t len = chain->iov[1].iov_len;

	if (!faulty(b, FAULT_STALE))
		memcpy(chain->iov[1].iov_base, chain->iov[0].iov_base, len);
	if (faulty(b, FAULT_FLIP_BIT))
		((uint8_t *)chain->iov[1].iov_base)[len - 1] ^= 0x10;
	if (faulty(b, FAULT_SHORT))
		len--;
	if (faulty(b, FAULT_BAD_ID))
		push_by_hand(&b->vq, chain->id + 1, len);
	else
		vring_dev_push(&b->vq, chain, len);
	if (faulty(b, FAULT_TWICE))
		push_by_hand(&b->vq, chain->id, len);
	b->chains++;
}

static void serve(struct backend *b)
{
	struct iovec iov[4];
	struct vring_chain chain = { .iov = iov, .nr_iov = 4 };
	int ret;

	if (faulty(b, FAULT_SILENT)) {
		eventfd_write(b->silent_fd, 1);
		return;
	}
	while (!(ret = vring_dev_pop(&b->vq, &chain))) {
		if (chain.nr_out != 1 || chain.nr_in != 1 || iov[0].iov_len != iov[1].iov_len) {
			b->error = -EPROTO;
			return;
		}
		answer(b, &chain);
	}
	if (ret != -EAGAIN)
		b->error = ret;
	else if (vring_dev_should_call(&b->vq))
		call(b);
	if (faulty(b, FAULT_CALL_TWICE))
		call(b);
}

static void *backend_thread(void *arg)
{
	struct backend *b = arg;
	struct pollfd fds[] = {
		{ .fd = b->ping->kick_fd, .events = POLLIN },
		{ .fd = b->stop_fd, .events = POLLIN },
	};
	uint64_t kicks;

	while (!b->error && poll(fds, 2, -1) > 0 && !fds[1].revents) {
		if (read(b->ping->kick_fd, &kicks, sizeof(kicks)) != sizeof(kicks))
			continue;
		b->kicks += kicks;
		serve(b);
	}
	return NULL;
}

static int backend_start(struct backend *b, struct vmm_ring_ping *ping)
{
	const struct vmm_memory *mem = ping->micro.memory;
	struct vring_mem_region region = {
		.guest_addr = mem->gpa,
		.user_addr = (uintptr_t)mem->host,
		.size = mem->size,
		.host = mem->host,
	};
	const struct vring_addrs addrs = {
		.desc = (uintptr_t)ping->desc,
		.avail = (uintptr_t)ping->avail,
		.used = (uintptr_t)ping->used,
	};
	struct vring_dev_config config = { .mem = &b->mem };
	struct vring_mem_miss miss;
	int ret;

	b->ping = ping;
	ret = vring_mem_add(&b->mem, &region);
	if (!ret)
		ret = vring_layout_resolve(&config.ring, &b->mem, false, ping->config.queue_size,
					   &addrs, &miss);
	if (!ret)
		ret = vring_dev_init(&b->vq, &config);
	if (ret)
		return ret;
	b->stop_fd = eventfd(0, EFD_CLOEXEC);
	b->silent_fd = eventfd(0, EFD_CLOEXEC);
	if (b->stop_fd < 0 || b->silent_fd < 0)
		return -errno;
	ret = -pthread_create(&b->thread, NULL, backend_thread, b);
	b->started = !ret;
	return ret;
}

static void backend_stop(struct backend *b)
{
	if (!b->started)
		return;
	eventfd_write(b->stop_fd, 1);
	pthread_join(b->thread, NULL);
	vring_dev_exit(&b->vq);
	close(b->stop_fd);
	close(b->silent_fd);
	b->started = false;
}

/* clang-format off */
FIXTURE(ring_ping)
{
	struct vmm_ring_ping ping;
	struct backend backend;
	struct vmm_guest_io io;
	struct vmm_vcpu_result result;
	struct vmm_ring_ping_result counted;
	bool created;
};

FIXTURE_VARIANT(ring_ping)
{
	struct vmm_ring_ping_config config;
};

#define CONFIG(num, chains, ...)                                         \
	.config = {                                                      \
		.memory = 16 << 20, .count = 50, .payload_bytes = 61,    \
		.queue_size = num, .depth = chains, __VA_ARGS__          \
	}

FIXTURE_VARIANT_ADD(ring_ping, pio_halt) { CONFIG(256, 1, .spin = false) };
FIXTURE_VARIANT_ADD(ring_ping, pio_spin) { CONFIG(256, 1, .spin = true) };
FIXTURE_VARIANT_ADD(ring_ping, mmio_halt) { CONFIG(256, 1, .doorbell = VMM_BUS_MMIO) };
FIXTURE_VARIANT_ADD(ring_ping, pc_irqchip) { CONFIG(256, 1, .irqchip = VMM_IRQCHIP_PC) };
FIXTURE_VARIANT_ADD(ring_ping, smallest_queue) { CONFIG(2, 1, .spin = false) };
FIXTURE_VARIANT_ADD(ring_ping, full_queue) { CONFIG(16, 8, .spin = false) };

/* clang-format on */

FIXTURE_SETUP(ring_ping)
{
	struct vl_err err = { 0 };

	REQUIRE_KVM();
	self->io.console_fd = -1;
	ASSERT_EQ(0, vmm_ring_ping_create(&self->ping, &variant->config, &err))
	{
		TH_LOG("%s", err.msg);
	}
	self->created = true;
}

FIXTURE_TEARDOWN(ring_ping)
{
	backend_stop(&self->backend);
	if (self->created)
		vmm_ring_ping_destroy(&self->ping);
}

/* Runs to the end or to the deadline; 0 or -ETIMEDOUT. */
static int run(struct vmm_ring_ping *ping, struct vmm_guest_io *io, struct vmm_vcpu_result *result,
	       int timeout_ms)
{
	int ret;

	ret = vmm_vcpu_start(ping->micro.vcpu, vmm_guest_exit, io, NULL);
	if (ret)
		return ret;
	ret = t_poll_until(vmm_vcpu_done_fd(ping->micro.vcpu), timeout_ms);
	vmm_vcpu_stop(ping->micro.vcpu);
	vmm_vcpu_join(ping->micro.vcpu, result);
	return ret;
}

TEST_F(ring_ping, every_count_agrees_with_the_backend)
{
	const struct vmm_ring_ping_config *c = &variant->config;
	struct vl_err err = { 0 };

	ASSERT_EQ(0, backend_start(&self->backend, &self->ping));
	ASSERT_EQ(0, run(&self->ping, &self->io, &self->result, T_DEADLINE_MS));
	backend_stop(&self->backend);
	vmm_ring_ping_result(&self->ping, &self->counted);

	EXPECT_EQ(VMM_END_GUEST, self->result.end)
	{
		TH_LOG("%s", self->result.err.msg);
	}
	EXPECT_EQ(0, vmm_ring_ping_check(&self->ping, self->io.status, &err))
	{
		TH_LOG("%s", err.msg);
	}
	EXPECT_EQ(0, self->backend.error);
	EXPECT_EQ(c->count, self->backend.kicks);
	EXPECT_EQ(c->count, self->counted.kicks);
	EXPECT_EQ(c->count, self->backend.calls);
	/* a spurious one is the processor's doing: see the guest's handler */
	EXPECT_EQ(c->count, self->counted.interrupts - self->counted.spurious);
	EXPECT_EQ(c->count * c->depth, self->backend.chains);
	EXPECT_EQ(c->count * c->depth, self->counted.buffers);
	EXPECT_EQ(c->count, self->counted.rtt.count);
	EXPECT_EQ(0, self->counted.suppressed);
	EXPECT_LT(0, self->counted.rtt.min);
	EXPECT_LE(self->counted.rtt.min, self->counted.rtt.max);
	EXPECT_LE(self->counted.rtt.min * c->count, self->counted.rtt.sum);
	/* neither kicks nor interrupts come to user space: only the end does */
	EXPECT_EQ(1, self->result.exits);
}

/* clang-format off */
FIXTURE(faulty_backend)
{
	struct vmm_ring_ping ping;
	struct backend backend;
	struct vmm_guest_io io;
	struct vmm_vcpu_result result;
	bool created;
};

FIXTURE_VARIANT(faulty_backend)
{
	enum fault fault;
	uint8_t status;
	uint64_t mismatches;
	uint64_t errors;
	uint64_t offset;
	const char *message;
};

FIXTURE_VARIANT_ADD(faulty_backend, flips_a_bit)
{
	.fault = FAULT_FLIP_BIT, .status = RING_PING_MISMATCH, .mismatches = 4,
	.offset = 60, .message = "first in iteration 1 at byte 60",
};

FIXTURE_VARIANT_ADD(faulty_backend, returns_a_short_length)
{
	.fault = FAULT_SHORT, .status = RING_PING_MISMATCH, .mismatches = 4,
	.message = "expected 0x3d, got 0x3c",
};

FIXTURE_VARIANT_ADD(faulty_backend, returns_stale_bytes)
{
	.fault = FAULT_STALE, .status = RING_PING_MISMATCH, .mismatches = 4,
	.message = "4 of 5 answers are wrong",
};

FIXTURE_VARIANT_ADD(faulty_backend, returns_a_wrong_head)
{
	.fault = FAULT_BAD_ID, .status = RING_PING_BAD_USED, .errors = 1,
	.message = "broke the used ring in iteration 1: element 0 is 1",
};

FIXTURE_VARIANT_ADD(faulty_backend, returns_a_head_twice)
{
	.fault = FAULT_TWICE, .status = RING_PING_BAD_USED, .errors = 1,
	.message = "broke the used ring in iteration 1",
};

/* clang-format on */

static const struct vmm_ring_ping_config small = {
	.memory = 4 << 20,
	.count = 5,
	.payload_bytes = 61,
	.queue_size = 8,
	.depth = 1,
};

FIXTURE_SETUP(faulty_backend)
{
	REQUIRE_KVM();
	self->io.console_fd = -1;
	self->backend.fault = variant->fault;
	ASSERT_EQ(0, vmm_ring_ping_create(&self->ping, &small, NULL));
	self->created = true;
}

FIXTURE_TEARDOWN(faulty_backend)
{
	backend_stop(&self->backend);
	if (self->created)
		vmm_ring_ping_destroy(&self->ping);
}

TEST_F(faulty_backend, is_caught_by_the_guest)
{
	struct vmm_ring_ping_result counted;
	struct vl_err err = { 0 };

	ASSERT_EQ(0, backend_start(&self->backend, &self->ping));
	ASSERT_EQ(0, run(&self->ping, &self->io, &self->result, T_DEADLINE_MS));
	vmm_ring_ping_result(&self->ping, &counted);
	EXPECT_EQ(VMM_END_GUEST, self->result.end);
	EXPECT_EQ(variant->status, self->io.status);
	EXPECT_EQ(variant->mismatches, counted.mismatches);
	EXPECT_EQ(variant->errors, counted.errors);
	EXPECT_EQ(1, counted.bad_iteration);
	EXPECT_EQ(variant->offset, counted.bad_offset);
	EXPECT_EQ(-EIO, vmm_ring_ping_check(&self->ping, self->io.status, &err));
	EXPECT_NE(NULL, strstr(err.msg, variant->message))
	{
		TH_LOG("%s", err.msg);
	}
}

/* clang-format off */
FIXTURE(one_ping)
{
	struct vmm_ring_ping ping;
	struct backend backend;
	struct vmm_guest_io io;
	struct vmm_vcpu_result result;
	struct vl_err err;
	bool created;
};

/* clang-format on */

FIXTURE_SETUP(one_ping)
{
	REQUIRE_KVM();
	self->io.console_fd = -1;
	ASSERT_EQ(0, vmm_ring_ping_create(&self->ping, &small, NULL));
	self->created = true;
}

FIXTURE_TEARDOWN(one_ping)
{
	backend_stop(&self->backend);
	if (self->created)
		vmm_ring_ping_destroy(&self->ping);
}

static int stop_while_silent(struct vmm_ring_ping *ping, struct backend *backend,
			     struct vmm_guest_io *io, struct vmm_vcpu_result *result)
{
	int ret;

	backend->fault = FAULT_SILENT;
	ret = backend_start(backend, ping);
	if (ret)
		return ret;
	ret = vmm_vcpu_start(ping->micro.vcpu, vmm_guest_exit, io, NULL);
	if (ret)
		return ret;
	ret = t_poll_until(backend->silent_fd, T_DEADLINE_MS);
	vmm_vcpu_stop(ping->micro.vcpu);
	vmm_vcpu_join(ping->micro.vcpu, result);
	return ret;
}

TEST_F(one_ping, is_stopped_while_it_halts_and_tells_how_far_it_was)
{
	struct vmm_ring_ping_result counted;

	ASSERT_EQ(0, stop_while_silent(&self->ping, &self->backend, &self->io, &self->result));
	vmm_ring_ping_result(&self->ping, &counted);
	EXPECT_EQ(VMM_END_STOPPED, self->result.end);
	EXPECT_FALSE(self->io.ended);
	EXPECT_EQ(2, counted.started);
	EXPECT_EQ(1, counted.completed);
	EXPECT_EQ(2, counted.kicks);
	EXPECT_EQ(1, counted.interrupts - counted.spurious);
}

TEST_F(one_ping, is_stopped_while_it_spins)
{
	self->ping.param->wait = RING_PING_WAIT_SPIN;
	ASSERT_EQ(0, stop_while_silent(&self->ping, &self->backend, &self->io, &self->result));
	EXPECT_EQ(VMM_END_STOPPED, self->result.end);
	EXPECT_EQ(1, self->ping.param->completed);
}

TEST_F(one_ping, reports_its_own_fault)
{
	self->ping.param->desc_gpa = 0x8;
	ASSERT_EQ(0, run(&self->ping, &self->io, &self->result, T_DEADLINE_MS));
	EXPECT_EQ(VMM_END_GUEST, self->result.end);
	EXPECT_EQ(MICRO_EXCEPTION, self->io.status);
	EXPECT_EQ(14, self->ping.param->head.exc_vector);
	EXPECT_EQ(0x8, self->ping.param->head.exc_cr2);
	/* a write to a page that is not present, by the kernel */
	EXPECT_EQ(2, self->ping.param->head.exc_error);
	EXPECT_LE(VMM_GUEST_LOAD_GPA, self->ping.param->head.exc_rip);
	EXPECT_EQ(-EIO, vmm_ring_ping_check(&self->ping, self->io.status, &self->err));
	EXPECT_NE(NULL, strstr(self->err.msg, "exception 14 at rip 0x1"));
}

TEST_F(one_ping, refuses_parameters_of_another_version)
{
	self->ping.param->head.version++;
	ASSERT_EQ(0, run(&self->ping, &self->io, &self->result, T_DEADLINE_MS));
	EXPECT_EQ(MICRO_BAD_PARAM, self->io.status);
	EXPECT_EQ(0, self->ping.param->kicks);
}

TEST_F(one_ping, kicking_another_port_is_an_exit_that_names_it)
{
	self->ping.param->doorbell_addr = 0x700;
	ASSERT_EQ(0, run(&self->ping, &self->io, &self->result, T_DEADLINE_MS));
	EXPECT_EQ(VMM_END_UNEXPECTED, self->result.end);
	EXPECT_EQ(-EOPNOTSUPP, self->result.err.code);
	EXPECT_NE(NULL,
		  strstr(self->result.err.msg, "KVM_EXIT_IO (2): write to port 0x700, 1 x 2 bytes"))
	{
		TH_LOG("%s", self->result.err.msg);
	}
}

TEST_F(one_ping, kicking_another_address_is_an_exit_that_names_it)
{
	self->ping.param->doorbell = RING_PING_DOORBELL_MMIO;
	self->ping.param->doorbell_addr = 0xd0001000;
	ASSERT_EQ(0, run(&self->ping, &self->io, &self->result, T_DEADLINE_MS));
	EXPECT_EQ(VMM_END_UNEXPECTED, self->result.end);
	EXPECT_NE(NULL, strstr(self->result.err.msg,
			       "KVM_EXIT_MMIO (6): write to address 0xd0001000, 2 bytes"))
	{
		TH_LOG("%s", self->result.err.msg);
	}
}

TEST_F(one_ping, check_fails_on_every_count_that_is_off_by_one)
{
	struct ring_ping_param *param = self->ping.param;
	uint64_t *const counts[] = {
		&param->completed,  &param->kicks,    &param->suppressed,
		&param->interrupts, &param->spurious, &param->buffers,
		&param->mismatches, &param->errors,   &param->rtt.buckets[20],
	};

	ASSERT_EQ(0, backend_start(&self->backend, &self->ping));
	ASSERT_EQ(0, run(&self->ping, &self->io, &self->result, T_DEADLINE_MS));
	ASSERT_EQ(0, vmm_ring_ping_check(&self->ping, self->io.status, NULL));
	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		++*counts[i];
		EXPECT_EQ(-EPROTO, vmm_ring_ping_check(&self->ping, self->io.status, NULL))
		{
			TH_LOG("count %zu", i);
		}
		--*counts[i];
	}
	EXPECT_EQ(0, vmm_ring_ping_check(&self->ping, self->io.status, NULL));
}

TEST_F(one_ping, check_passes_an_interrupt_too_many_that_was_spurious)
{
	struct ring_ping_param *param = self->ping.param;

	ASSERT_EQ(0, backend_start(&self->backend, &self->ping));
	ASSERT_EQ(0, run(&self->ping, &self->io, &self->result, T_DEADLINE_MS));
	param->interrupts++;
	param->spurious++;
	EXPECT_EQ(0, vmm_ring_ping_check(&self->ping, self->io.status, NULL));
	/* more spurious ones than there were of all */
	param->spurious = param->interrupts + 1;
	EXPECT_EQ(-EPROTO, vmm_ring_ping_check(&self->ping, self->io.status, NULL));
}

/* Its second interrupt may come at any time, or become one with the first. */
TEST_F(one_ping, counts_interrupts_without_an_answer_as_spurious)
{
	struct vmm_ring_ping_result counted;

	self->backend.fault = FAULT_CALL_TWICE;
	ASSERT_EQ(0, backend_start(&self->backend, &self->ping));
	ASSERT_EQ(0, run(&self->ping, &self->io, &self->result, T_DEADLINE_MS));
	backend_stop(&self->backend);
	vmm_ring_ping_result(&self->ping, &counted);
	EXPECT_EQ(2 * small.count - 1, self->backend.calls);
	EXPECT_EQ(small.count, counted.interrupts - counted.spurious)
	{
		TH_LOG("%d interrupts, %d spurious", (int)counted.interrupts,
		       (int)counted.spurious);
	}
	EXPECT_EQ(0, vmm_ring_ping_check(&self->ping, self->io.status, &self->err))
	{
		TH_LOG("%s", self->err.msg);
	}
}

TEST_HARNESS_MAIN
