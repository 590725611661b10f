// SPDX-License-Identifier: GPL-2.0-only
/*
 * What KVM promises of ioeventfds, virt/kvm/eventfd.c, with a vCPU that writes: one that
 * matches by address, width and value is signalled once for each write, and a write that
 * matches none goes to user space as it is. Nothing is told twice, nothing is lost.
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include <vringlab/err.h>
#include <vringlab/vmm.h>
#include <vringlab/vmm_bus.h>

#include "kvm.h"
#include "t_deputy.h"

/* Ports, and addresses without memory, that the vCPU writes to. */
#define PORT 0x600u
#define GPA 0xd0000000u
#define SPAN 0x80u

/* What user space is told of: writes, and the last one. */
struct seen {
	atomic_uint writes;
	atomic_uint reads;
	uint64_t offset;
	unsigned int len;
	uint64_t value;
};

static void seen_read(void *ctx, uint64_t offset, void *data, unsigned int len)
{
	struct seen *seen = ctx;

	(void)offset;
	memset(data, 0x5a, len);
	atomic_fetch_add(&seen->reads, 1);
}

static void seen_write(void *ctx, uint64_t offset, const void *data, unsigned int len)
{
	struct seen *seen = ctx;

	seen->offset = offset;
	seen->len = len;
	seen->value = 0;
	memcpy(&seen->value, data, len);
	atomic_fetch_add(&seen->writes, 1);
}

static const struct vmm_range_ops seen_ops = { .read = seen_read, .write = seen_write };

/* clang-format off */
FIXTURE(io)
{
	struct vmm *vm;
	struct t_deputy *guest;
	struct seen seen;
	struct vl_err err;
	uint64_t base;
	unsigned int widths;
};

FIXTURE_VARIANT(io)
{
	enum vmm_bus bus;
};

FIXTURE_VARIANT_ADD(io, pio)
{
	.bus = VMM_BUS_PIO,
};

FIXTURE_VARIANT_ADD(io, mmio)
{
	.bus = VMM_BUS_MMIO,
};

/* clang-format on */

FIXTURE_SETUP(io)
{
	struct vmm_range range = {
		.bus = variant->bus,
		.addr = variant->bus == VMM_BUS_PIO ? PORT : GPA,
		.size = SPAN,
		.ops = &seen_ops,
		.ctx = &self->seen,
		.name = "seen",
	};

	REQUIRE_KVM();
	memset(&self->seen, 0, sizeof(self->seen));
	self->base = range.addr;
	/* 1, 2, 4, and 8 where there is such an instruction */
	self->widths = variant->bus == VMM_BUS_PIO ? 3 : 4;
	ASSERT_EQ(0, vmm_create(&self->vm, NULL, &self->err))
	{
		TH_LOG("%s", self->err.msg);
	}
	ASSERT_EQ(0, vmm_memory_add(self->vm, 0, T_DEPUTY_MEMORY, NULL, &self->err));
	ASSERT_EQ(0, vmm_irqchip_create(self->vm, VMM_IRQCHIP_LAPIC, &self->err));
	ASSERT_EQ(0, vmm_bus_add(self->vm, &range, &self->err));
	ASSERT_EQ(0, t_deputy_start(&self->guest, self->vm, &self->err))
	{
		TH_LOG("%s", self->err.msg);
	}
}

FIXTURE_TEARDOWN(io)
{
	t_deputy_stop(self->guest);
	vmm_destroy(self->vm);
}

/* One at an offset, for any value; with an eventfd of its own. */
static struct vmm_ioeventfd any_value(const FIXTURE_DATA(io) * self, unsigned int offset,
				      uint32_t len)
{
	return (struct vmm_ioeventfd){
		.bus = self->base == PORT ? VMM_BUS_PIO : VMM_BUS_MMIO,
		.addr = self->base + offset,
		.len = len,
		.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK),
	};
}

static struct vmm_ioeventfd one_value(const FIXTURE_DATA(io) * self, unsigned int offset,
				      uint32_t len, uint64_t value)
{
	struct vmm_ioeventfd io = any_value(self, offset, len);

	io.match = true;
	io.value = value;
	return io;
}

static int attach(FIXTURE_DATA(io) * self, const struct vmm_ioeventfd *io)
{
	return vmm_ioeventfd_attach(self->vm, io, &self->err);
}

static int detach(FIXTURE_DATA(io) * self, const struct vmm_ioeventfd *io)
{
	return vmm_ioeventfd_detach(self->vm, io, &self->err);
}

static void write_at(FIXTURE_DATA(io) * self, unsigned int offset, unsigned int len, uint64_t value)
{
	if (self->base == PORT)
		t_deputy_out(self->guest, PORT + offset, len, value);
	else
		t_deputy_write(self->guest, GPA + offset, len, value);
}

/* Signals since the last time. */
static uint64_t taken(const struct vmm_ioeventfd *io)
{
	eventfd_t signals = 0;

	return eventfd_read(io->fd, &signals) ? 0 : signals;
}

static uint64_t masked(uint64_t value, unsigned int len)
{
	return len == 8 ? value : value & ((1ull << len * 8) - 1);
}

TEST_F(io, each_width_has_its_own)
{
	struct vmm_ioeventfd ios[4];

	for (unsigned int i = 0; i < 4; i++) {
		/* for 8 bytes also at a port, where no guest can write as many */
		ios[i] = any_value(self, 0, 1u << i);
		ASSERT_EQ(0, attach(self, &ios[i]));
	}
	for (unsigned int i = 0; i < self->widths; i++)
		for (unsigned int nr = 0; nr < 5 + i; nr++)
			write_at(self, 0, 1u << i, nr);
	for (unsigned int i = 0; i < 4; i++)
		EXPECT_EQ(i < self->widths ? 5 + i : 0, taken(&ios[i]));
	EXPECT_EQ(0u, atomic_load(&self->seen.writes));
}

TEST_F(io, length_0_takes_every_width)
{
	struct vmm_ioeventfd io = any_value(self, 1, 0);

	ASSERT_EQ(0, attach(self, &io));
	for (unsigned int i = 0; i < self->widths; i++)
		write_at(self, 1, 1u << i, UINT64_MAX);
	EXPECT_EQ(self->widths, taken(&io));
	EXPECT_EQ(0u, atomic_load(&self->seen.writes));
	/* the address is exact: before it, and across it */
	write_at(self, 0, 1, 0);
	write_at(self, 0, 2, 0);
	write_at(self, 2, 1, 0);
	EXPECT_EQ(3u, atomic_load(&self->seen.writes));
	EXPECT_EQ(0u, taken(&io));
}

TEST_F(io, a_write_of_another_width_or_place_exits_as_it_is)
{
	const uint64_t value = 0x1122334455667788;
	struct vmm_ioeventfd io = any_value(self, 4, 2);
	unsigned int nr = 0;

	ASSERT_EQ(0, attach(self, &io));
	for (unsigned int offset = 0; offset < 8; offset++) {
		for (unsigned int i = 0; i < self->widths; i++) {
			if (offset == 4 && i == 1)
				continue;
			write_at(self, offset, 1u << i, value);
			ASSERT_EQ(++nr, atomic_load(&self->seen.writes));
			ASSERT_EQ(offset, self->seen.offset);
			ASSERT_EQ(1u << i, self->seen.len);
			ASSERT_EQ(masked(value, 1u << i), self->seen.value);
		}
	}
	EXPECT_EQ(0u, taken(&io));
	write_at(self, 4, 2, value);
	EXPECT_EQ(1u, taken(&io));
	EXPECT_EQ(nr, atomic_load(&self->seen.writes));
}

TEST_F(io, a_value_is_compared_in_all_its_bytes)
{
	const uint64_t value = 0x8182838485868788;

	for (unsigned int i = 0; i < self->widths; i++) {
		unsigned int len = 1u << i;
		struct vmm_ioeventfd io = one_value(self, 0, len, masked(value, len));
		unsigned int before = self->seen.writes;

		ASSERT_EQ(0, attach(self, &io));
		write_at(self, 0, len, value);
		EXPECT_EQ(1u, taken(&io));
		for (unsigned int bit = 0; bit < len * 8; bit++) {
			write_at(self, 0, len, value ^ 1ull << bit);
			ASSERT_EQ(before + bit + 1, atomic_load(&self->seen.writes));
		}
		EXPECT_EQ(0u, taken(&io));
		ASSERT_EQ(0, detach(self, &io));
	}
}

TEST_F(io, a_value_beyond_the_width_is_taken_and_matches_nothing)
{
	struct vmm_ioeventfd io = one_value(self, 0, 2, 0x10007);

	ASSERT_EQ(0, attach(self, &io));
	write_at(self, 0, 2, 7);
	EXPECT_EQ(0u, taken(&io));
	EXPECT_EQ(1u, atomic_load(&self->seen.writes));
}

/* As of virtio-mmio's QueueNotify: one address, the value is the queue. */
TEST_F(io, values_share_an_address)
{
	struct vmm_ioeventfd ios[16];

	for (unsigned int i = 0; i < 16; i++) {
		ios[i] = one_value(self, 0, 4, i);
		ASSERT_EQ(0, attach(self, &ios[i]));
	}
	for (unsigned int i = 0; i < 20; i++)
		for (unsigned int nr = 0; nr < 1 + i; nr++)
			write_at(self, 0, 4, i);
	for (unsigned int i = 0; i < 16; i++)
		EXPECT_EQ(1 + i, taken(&ios[i]));
	EXPECT_EQ(17u + 18 + 19 + 20, atomic_load(&self->seen.writes));
	EXPECT_EQ(19u, self->seen.value);
}

TEST_F(io, an_eventfd_may_have_many_addresses)
{
	struct vmm_ioeventfd io = any_value(self, 0, 0);
	struct vmm_ioeventfd second = io;
	struct vmm_ioeventfd third = io;

	second.addr += 0x10;
	second.len = 2;
	third.addr += 0x20;
	third.len = 2;
	third.match = true;
	ASSERT_EQ(0, attach(self, &io));
	ASSERT_EQ(0, attach(self, &second));
	ASSERT_EQ(0, attach(self, &third));
	write_at(self, 0, 1, 0);
	write_at(self, 0x10, 2, 1);
	write_at(self, 0x20, 2, 0);
	write_at(self, 0x20, 2, 1);
	EXPECT_EQ(3u, taken(&io));
	EXPECT_EQ(1u, atomic_load(&self->seen.writes));
	ASSERT_EQ(0, detach(self, &second));
	write_at(self, 0x10, 2, 1);
	write_at(self, 0x20, 2, 0);
	EXPECT_EQ(1u, taken(&io));
	EXPECT_EQ(2u, atomic_load(&self->seen.writes));
}

TEST_F(io, who_would_match_the_same_write_is_refused)
{
	const struct {
		struct vmm_ioeventfd first;
		struct vmm_ioeventfd second;
		int ret;
	} pairs[] = {
		{ any_value(self, 0, 2), any_value(self, 0, 2), -EEXIST },
		{ any_value(self, 0, 2), one_value(self, 0, 2, 7), -EEXIST },
		{ one_value(self, 0, 2, 7), one_value(self, 0, 2, 7), -EEXIST },
		{ any_value(self, 0, 0), any_value(self, 0, 0), -EEXIST },
		{ any_value(self, 0, 0), any_value(self, 0, 4), -EEXIST },
		{ any_value(self, 0, 0), one_value(self, 0, 4, 7), -EEXIST },
		{ one_value(self, 0, 2, 7), one_value(self, 0, 2, 8), 0 },
		{ one_value(self, 0, 2, 7), one_value(self, 0, 4, 7), 0 },
		{ any_value(self, 0, 2), any_value(self, 0, 4), 0 },
		{ any_value(self, 0, 2), one_value(self, 0, 4, 7), 0 },
		/* these have bytes in common, and no write is of both */
		{ any_value(self, 0, 4), any_value(self, 1, 4), 0 },
		{ any_value(self, 0, 4), any_value(self, 2, 0), 0 },
	};

	for (unsigned int i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		const struct vmm_ioeventfd *first = &pairs[i].first, *second = &pairs[i].second;

		for (unsigned int turn = 0; turn < 2; turn++) {
			ASSERT_EQ(0, attach(self, first));
			ASSERT_EQ(pairs[i].ret, attach(self, second))
			{
				TH_LOG("pair %u, turn %u", i, turn);
			}
			ASSERT_EQ(0, detach(self, first));
			ASSERT_EQ(pairs[i].ret ? -ENOENT : 0, detach(self, second));
			second = first;
			first = &pairs[i].second;
		}
	}
}

TEST_F(io, ports_are_not_addresses)
{
	struct vmm_ioeventfd io = any_value(self, 0, 2);
	struct vmm_ioeventfd other = any_value(self, 0, 2);

	other.bus = io.bus == VMM_BUS_PIO ? VMM_BUS_MMIO : VMM_BUS_PIO;
	ASSERT_EQ(0, attach(self, &io));
	EXPECT_EQ(0, attach(self, &other));
	write_at(self, 0, 2, 0);
	EXPECT_EQ(1u, taken(&io));
	EXPECT_EQ(0u, taken(&other));
}

TEST_F(io, a_read_is_nobodys)
{
	struct vmm_ioeventfd io = any_value(self, 0, 0);

	if (variant->bus == VMM_BUS_PIO)
		SKIP(return, "the deputy reads no ports");
	ASSERT_EQ(0, attach(self, &io));
	EXPECT_EQ(0x5a5a5a5au, t_deputy_read(self->guest, GPA, 4));
	EXPECT_EQ(1u, atomic_load(&self->seen.reads));
	EXPECT_EQ(0u, taken(&io));
}

TEST_F(io, a_string_is_so_many_writes)
{
	static const uint16_t words[] = { 7, 7, 8, 7, 9, 9, 7 };
	struct vmm_ioeventfd io = one_value(self, 0, 2, 7);

	if (variant->bus != VMM_BUS_PIO)
		SKIP(return, "OUTS is for ports");
	ASSERT_EQ(0, attach(self, &io));
	t_deputy_out_string(self->guest, PORT, words, 7);
	EXPECT_EQ(4u, taken(&io));
	EXPECT_EQ(3u, atomic_load(&self->seen.writes));
	EXPECT_EQ(9u, self->seen.value);
}

TEST_F(io, detaching_takes_the_same_facts)
{
	struct vmm_ioeventfd io = one_value(self, 0, 2, 7);
	struct vmm_ioeventfd wrong;

	EXPECT_EQ(-ENOENT, detach(self, &io));
	ASSERT_EQ(0, attach(self, &io));
	wrong = io;
	wrong.value = 8;
	EXPECT_EQ(-ENOENT, detach(self, &wrong));
	wrong = io;
	wrong.match = false;
	EXPECT_EQ(-ENOENT, detach(self, &wrong));
	wrong = io;
	wrong.len = 4;
	EXPECT_EQ(-ENOENT, detach(self, &wrong));
	wrong = io;
	wrong.addr++;
	EXPECT_EQ(-ENOENT, detach(self, &wrong));
	wrong = io;
	wrong.bus = io.bus == VMM_BUS_PIO ? VMM_BUS_MMIO : VMM_BUS_PIO;
	EXPECT_EQ(-ENOENT, detach(self, &wrong));
	wrong = io;
	wrong.fd = eventfd(0, EFD_CLOEXEC);
	EXPECT_EQ(-ENOENT, detach(self, &wrong));
	close(wrong.fd);
	EXPECT_EQ(-EBADF, detach(self, &wrong));
	/* after all that it is as it was */
	write_at(self, 0, 2, 7);
	EXPECT_EQ(1u, taken(&io));
	EXPECT_EQ(0, detach(self, &io));
	EXPECT_EQ(-ENOENT, detach(self, &io));
	write_at(self, 0, 2, 7);
	EXPECT_EQ(0u, taken(&io));
	EXPECT_EQ(1u, atomic_load(&self->seen.writes));
}

TEST_F(io, an_eventfd_that_is_closed_stays_kvms)
{
	struct vmm_ioeventfd io = any_value(self, 0, 2);
	int other = dup(io.fd);

	ASSERT_LE(0, other);
	ASSERT_EQ(0, attach(self, &io));
	close(io.fd);
	write_at(self, 0, 2, 7);
	EXPECT_EQ(0u, atomic_load(&self->seen.writes));
	/* what counts is the eventfd, not by which number it is known */
	io.fd = other;
	EXPECT_EQ(1u, taken(&io));
	EXPECT_EQ(0, detach(self, &io));
	ASSERT_EQ(0, attach(self, &io));
	close(io.fd);
	/* nobody can take it away any more, nor read it: the write is swallowed */
	write_at(self, 0, 2, 7);
	EXPECT_EQ(0u, atomic_load(&self->seen.writes));
	io = any_value(self, 0, 2);
	EXPECT_EQ(-ENOENT, detach(self, &io));
	EXPECT_EQ(-EEXIST, attach(self, &io));
}

TEST_F(io, an_eventfd_that_is_full_takes_no_more)
{
	struct vmm_ioeventfd io = any_value(self, 0, 2);
	const eventfd_t full = UINT64_MAX - 1;

	ASSERT_EQ(0, attach(self, &io));
	ASSERT_EQ(0, eventfd_write(io.fd, full));
	write_at(self, 0, 2, 7);
	/* KVM goes on to the value that write(2) cannot reach, and stays there */
	write_at(self, 0, 2, 7);
	EXPECT_EQ(UINT64_MAX, taken(&io));
	EXPECT_EQ(0u, atomic_load(&self->seen.writes));
	write_at(self, 0, 2, 7);
	EXPECT_EQ(1u, taken(&io));
}

#define WRITES 100u

static void *writer(void *arg)
{
	typeof(FIXTURE_DATA(io)) *self = arg;

	for (unsigned int i = 0; i < WRITES; i++)
		write_at(self, 0, 4, 1);
	return NULL;
}

TEST_F_TIMEOUT(io, attaching_under_load_loses_nothing_and_doubles_nothing, SLOW)
{
	struct vmm_ioeventfd io = any_value(self, 0, 4);
	struct vmm_ioeventfd other = any_value(self, 4, 4);
	unsigned int turns = 0, exits;
	uint64_t signals = 0;
	pthread_t thread;

	/* both have been seen, before the load is */
	write_at(self, 0, 4, 1);
	ASSERT_EQ(0, pthread_create(&thread, NULL, writer, self));
	do {
		ASSERT_EQ(0, attach(self, &io));
		/* the bus is another one with each neighbour that comes or goes */
		ASSERT_EQ(0, attach(self, &other));
		ASSERT_EQ(0, detach(self, &io));
		ASSERT_EQ(0, detach(self, &other));
		turns++;
	} while (pthread_tryjoin_np(thread, NULL));
	exits = self->seen.writes;
	signals = taken(&io);
	EXPECT_EQ(1 + WRITES, exits + signals)
	{
		TH_LOG("%u exits, %llu signals, %u turns", exits, (unsigned long long)signals,
		       turns);
	}
	EXPECT_EQ(0u, taken(&other));
}

/* Sets of ioeventfds at random, and what they are written. */
#define SETS 12u
#define SET 6u
#define PLACES 4u
#define VALUES 2u

static bool same_write(const struct vmm_ioeventfd *a, const struct vmm_ioeventfd *b)
{
	return a->addr == b->addr &&
	       (!a->len || !b->len ||
		(a->len == b->len && (!a->match || !b->match || a->value == b->value)));
}

/* A write, as the only ioeventfd that such a write matches. */
static struct vmm_ioeventfd a_write(const FIXTURE_DATA(io) * self, unsigned int offset,
				    uint32_t len, uint64_t value)
{
	return (struct vmm_ioeventfd){
		.addr = self->base + offset,
		.len = len,
		.match = true,
		.value = value,
	};
}

/* How many of the set were attached, which are its first. */
static unsigned int attach_set(struct __test_metadata *_metadata, FIXTURE_DATA(io) * self,
			       struct vmm_ioeventfd *set, unsigned int apart)
{
	static const uint32_t lens[] = { 0, 1, 2, 4, 8 };
	unsigned int nr = 0;

	for (unsigned int i = 0; i < SET; i++) {
		bool match = rand() & 1, is_taken = false;

		set[nr] = any_value(self, rand() % PLACES * apart,
				    lens[match + rand() % (5 - match)]);
		set[nr].match = match;
		set[nr].value = rand() % VALUES;
		for (unsigned int j = 0; j < nr; j++)
			is_taken |= same_write(&set[nr], &set[j]);
		ASSERT_EQ(is_taken ? -EEXIST : 0, attach(self, &set[nr]));
		if (is_taken)
			close(set[nr].fd);
		else
			nr++;
	}
	return nr;
}

static void detach_set(struct __test_metadata *_metadata, FIXTURE_DATA(io) * self,
		       struct vmm_ioeventfd *set, unsigned int nr)
{
	while (nr--) {
		ASSERT_EQ(0, detach(self, &set[nr]));
		close(set[nr].fd);
	}
}

/*
 * One write: nobody is signalled whom it does not match, and either one is, or it exits.
 * Whether it has exited although it matches.
 */
static bool check_write(struct __test_metadata *_metadata, FIXTURE_DATA(io) * self,
			const struct vmm_ioeventfd *set, unsigned int nr,
			const struct vmm_ioeventfd *write)
{
	unsigned int before = self->seen.writes, hits = 0, matches = 0, exits;

	write_at(self, write->addr - self->base, write->len, write->value);
	for (unsigned int i = 0; i < nr; i++) {
		uint64_t signals = taken(&set[i]);

		ASSERT_GE(same_write(&set[i], write), signals);
		matches += same_write(&set[i], write);
		hits += signals;
	}
	exits = self->seen.writes - before;
	ASSERT_EQ(1u, hits + exits);
	ASSERT_GE(1u, matches);
	return matches && exits;
}

/* All writes to a set at random; how many have exited although they match. */
static unsigned int check_set(struct __test_metadata *_metadata, FIXTURE_DATA(io) * self,
			      unsigned int apart)
{
	unsigned int widths = self->widths, missed = 0;
	struct vmm_ioeventfd set[SET];
	unsigned int nr = attach_set(_metadata, self, set, apart);

	for (unsigned int i = 0; i < PLACES * widths * VALUES; i++) {
		struct vmm_ioeventfd write = a_write(
			self, i % PLACES * apart, 1u << i / PLACES % widths, i / PLACES / widths);

		missed += check_write(_metadata, self, set, nr, &write);
	}
	detach_set(_metadata, self, set, nr);
	return missed;
}

TEST_F(io, of_any_set_each_write_finds_its_own)
{
	srand(1);
	for (unsigned int i = 0; i < SETS; i++)
		EXPECT_EQ(0u, check_set(_metadata, self, 16));
}

/*
 * KVM keeps a bus sorted by where ranges begin and end, and searches it by halves: not all
 * are found where one lies in another, or one of length 0 begins where another ends. What
 * it misses exits.
 */
TEST_F(io, of_a_set_that_overlaps_no_write_is_lost)
{
	unsigned int missed = 0;

	srand(1);
	for (unsigned int i = 0; i < SETS; i++)
		missed += check_set(_metadata, self, 1);
	TH_LOG("%u of %u writes were missed by KVM, and exited", missed,
	       SETS * PLACES * self->widths * VALUES);
}

TEST_HARNESS_MAIN
