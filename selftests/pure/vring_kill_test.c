// SPDX-License-Identifier: GPL-2.0-only
/*
 * A device side that is killed inside of its operations, before each instruction in
 * turn: another one that finds the ring and the inflight region as they were left
 * goes on, and the driver gets each chain back once.
 *
 * The process that takes and gives back is single-stepped. Whenever the memory is not
 * what it was a step before, that is what a kill there would leave behind: recovery
 * is tried on it, all to the end, and the memory put back.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <vringlab/vring_inflight.h>

#include "kselftest_harness.h"
#include "t_rig.h"

#define NUM 16u
#define CHAINS 6u

/**
 * @region:	Inflight region.
 * @ids:	Of the chains, in the order in which they are available.
 * @states:	How many different ones there were.
 */
FIXTURE(kill)
{
	struct t_rig rig;
	void *region;
	size_t region_bytes;
	int ids[CHAINS];
	unsigned int states;
};

FIXTURE_VARIANT(kill)
{
	uint64_t features;
	unsigned int start;
	bool twice;
};

/* Also where the ring wraps in the middle of it. */
#define VARIANT(_name, _features, _start, _twice)                              \
	FIXTURE_VARIANT_ADD(kill, _name)                                       \
	{                                                                      \
		.features = (_features), .start = (_start), .twice = (_twice), \
	}

/* clang-format off */
VARIANT(split, 0, 0, false);
VARIANT(split_wraps, 0, 13, true);
VARIANT(split_all, T_RIG_INDIRECT | T_RIG_EVENT, 13, false);
VARIANT(packed, T_RIG_PACKED, 0, false);
VARIANT(packed_wraps, T_RIG_PACKED, 13, true);
VARIANT(packed_all, T_RIG_PACKED | T_RIG_INDIRECT | T_RIG_EVENT, 13, false);
VARIANT(split_in_order, T_RIG_ORDER, 13, false);
VARIANT(packed_in_order, T_RIG_PACKED | T_RIG_ORDER, 13, false);
/* clang-format on */

/* A chain of two buffers; what it is given back with is @seq. */
static int add(struct t_rig *r, unsigned int seq)
{
	const struct vring_buf bufs[] = {
		{ T_RIG_GPA + seq * 64, 16 },
		{ T_RIG_GPA + 0x8000 + seq * 64, 32 },
	};

	return vring_drv_add(&r->drv, bufs, 1, 1);
}

/* What a chain is, by its address. */
static uint32_t seq_of(const struct t_rig *r, const struct vring_chain *chain)
{
	return ((uint8_t *)chain->iov[0].iov_base - r->host) / 64;
}

/* So many there and back, before anything is watched. */
static int go_round(struct t_rig *r, unsigned int nr)
{
	uint32_t written;
	int ret = 0;

	for (unsigned int i = 0; i < nr && ret >= 0; i++) {
		ret = add(r, 0);
		if (ret >= 0)
			ret = vring_dev_pop(&r->dev, &r->chain);
		if (ret)
			return ret < 0 ? ret : -EPROTO;
		vring_dev_push(&r->dev, &r->chain, 0);
		ret = vring_drv_get(&r->drv, &written);
	}
	return ret < 0 ? ret : 0;
}

FIXTURE_SETUP(kill)
{
	bool packed = variant->features & T_RIG_PACKED;
	uint32_t base = packed ? VRING_BASE_PACKED : VRING_BASE_SPLIT;

	memset(self, 0, sizeof(*self));
	ASSERT_EQ(0, t_rig_init(&self->rig, variant->features, NUM));
	self->region_bytes = vring_inflight_size(packed, NUM);
	self->region = t_rig_shared(self->region_bytes);
	ASSERT_NE(NULL, self->region);
	ASSERT_EQ(0, t_rig_restart(&self->rig, base, self->region));
	ASSERT_EQ(0, go_round(&self->rig, variant->start));
	for (unsigned int i = 0; i < CHAINS; i++) {
		self->ids[i] = add(&self->rig, 1 + i);
		ASSERT_LE(0, self->ids[i]);
	}
}

FIXTURE_TEARDOWN(kill)
{
	t_rig_exit(&self->rig);
}

/* What is killed: batches, single ones, one that is not taken after all, any order. */
static void work(FIXTURE_DATA(kill) * self)
{
	struct t_rig *r = &self->rig;
	struct vring_chain chains[CHAINS];
	struct iovec iovs[CHAINS][4];
	struct vring_chain two[2];
	uint32_t written[2];

	for (unsigned int i = 0; i < CHAINS; i++)
		chains[i] = (struct vring_chain){ .iov = iovs[i], .nr_iov = 4 };
	vring_dev_pop_batch(&r->dev, chains, 4);
	two[0] = chains[2];
	two[1] = chains[0];
	written[0] = 3;
	written[1] = 1;
	vring_dev_push_batch(&r->dev, two, written, 2);
	vring_dev_pop(&r->dev, &chains[4]);
	vring_dev_unpop(&r->dev, &chains[4], 1);
	vring_dev_push(&r->dev, &chains[1], 2);
	vring_dev_pop_batch(&r->dev, &chains[4], 2);
	two[0] = chains[5];
	two[1] = chains[3];
	written[0] = 6;
	written[1] = 4;
	vring_dev_push_batch(&r->dev, two, written, 2);
	vring_dev_push(&r->dev, &chains[4], 5);
}

/* --- what is left is enough to go on ----------------------------------------------- */

/* Of a chain: how often it came back. */
struct outcome {
	unsigned int back[CHAINS];
	struct vring_drv drv;
	struct vring_drv_slot slots[NUM];
};

static int find(const FIXTURE_DATA(kill) * self, int id)
{
	for (unsigned int i = 0; i < CHAINS; i++)
		if (self->ids[i] == id)
			return i;
	return -1;
}

static int collect(const FIXTURE_DATA(kill) * self, struct outcome *o)
{
	uint32_t written;
	int id;

	while ((id = vring_drv_get(&o->drv, &written)) >= 0) {
		int i = find(self, id);

		/* in order, one that stands for others has no length of its own */
		if (i < 0 || (written != 1u + i && !(o->drv.in_order && !written)))
			return -EBADMSG;
		o->back[i]++;
	}
	return id == -EAGAIN ? 0 : id;
}

/* The rest comes in the order in which it was available, and none that is back. */
static int finish(FIXTURE_DATA(kill) * self, struct vring_dev *dev, struct outcome *o)
{
	struct iovec iov[4];
	struct vring_chain chain = { .iov = iov, .nr_iov = 4 };
	uint32_t last = 0;
	int ret;

	while (!(ret = vring_dev_pop(dev, &chain))) {
		uint32_t seq = seq_of(&self->rig, &chain);

		if (seq <= last || seq > CHAINS || o->back[seq - 1])
			return -EBADMSG;
		last = seq;
		vring_dev_push(dev, &chain, seq);
	}
	return ret == -EAGAIN ? collect(self, o) : ret;
}

static int start_again(FIXTURE_DATA(kill) * self, struct vring_dev *dev)
{
	const struct t_rig *r = &self->rig;
	const struct vring_dev_config config = {
		.ring = r->ring,
		.mem = &r->mem,
		.features = r->features,
		/* what a front-end knows that was not told */
		.base = vring_drv_base(&r->drv),
		.inflight = self->region,
	};

	return vring_dev_init(dev, &config);
}

static int recover(FIXTURE_DATA(kill) * self)
{
	struct t_rig *r = &self->rig;
	struct outcome o = { .drv = r->drv };
	struct vring_dev dev;
	int ret;

	memcpy(o.slots, r->slots, sizeof(o.slots));
	o.drv.config.slots = o.slots;
	ret = collect(self, &o);
	if (!ret)
		ret = start_again(self, &dev);
	if (ret)
		return ret;
	ret = finish(self, &dev, &o);
	vring_dev_exit(&dev);
	for (unsigned int i = 0; i < CHAINS && !ret; i++)
		if (o.back[i] != 1)
			ret = -ENODATA;
	return ret;
}

/* --- watching ------------------------------------------------------------------------ */

/**
 * struct watch - A process that is single-stepped
 * @pid:	It.
 * @before:	Ring and region a step before.
 */
struct watch {
	pid_t pid;
	uint8_t *before;
};

static bool has_changed(const FIXTURE_DATA(kill) * self, const struct watch *w)
{
	return memcmp(w->before, self->rig.ring_host, self->rig.ring_bytes) ||
	       memcmp(w->before + self->rig.ring_bytes, self->region, self->region_bytes);
}

static void keep(const FIXTURE_DATA(kill) * self, struct watch *w)
{
	memcpy(w->before, self->rig.ring_host, self->rig.ring_bytes);
	memcpy(w->before + self->rig.ring_bytes, self->region, self->region_bytes);
}

static void put_back(FIXTURE_DATA(kill) * self, const struct watch *w)
{
	memcpy(self->rig.ring_host, w->before, self->rig.ring_bytes);
	memcpy(self->region, w->before + self->rig.ring_bytes, self->region_bytes);
}

typedef void work_fn(FIXTURE_DATA(kill) * self);

static int start(FIXTURE_DATA(kill) * self, struct watch *w, work_fn *fn)
{
	int status;

	w->before = malloc(self->rig.ring_bytes + self->region_bytes);
	w->pid = w->before ? fork() : -1;
	if (!w->pid) {
		if (ptrace(PTRACE_TRACEME, 0, NULL, NULL))
			_exit(errno);
		raise(SIGSTOP);
		fn(self);
		_exit(0);
	}
	if (w->pid < 0 || waitpid(w->pid, &status, 0) != w->pid)
		return -errno;
	if (WIFSTOPPED(status))
		return 0;
	w->pid = 0;
	return WIFEXITED(status) ? -WEXITSTATUS(status) : -EPROTO;
}

/* One instruction. 1 while it runs. */
static int step(struct watch *w)
{
	int status;

	if (ptrace(PTRACE_SINGLESTEP, w->pid, NULL, NULL) || waitpid(w->pid, &status, 0) != w->pid)
		return -errno;
	if (WIFSTOPPED(status))
		return WSTOPSIG(status) == SIGTRAP || WSTOPSIG(status) == SIGSTOP ? 1 : -EPROTO;
	w->pid = 0;
	return WIFEXITED(status) && !WEXITSTATUS(status) ? 0 : -EPROTO;
}

static void end(struct watch *w)
{
	if (w->pid > 0) {
		kill(w->pid, SIGKILL);
		waitpid(w->pid, NULL, 0);
	}
	free(w->before);
}

static void recover_only(FIXTURE_DATA(kill) * self)
{
	struct vring_dev dev;

	if (start_again(self, &dev))
		_exit(1);
}

/*
 * Tries recovery before each instruction of @fn that finds the memory changed, and
 * with @twice also of a recovery there that is killed itself.
 */
static int watch(FIXTURE_DATA(kill) * self, work_fn *fn, bool twice)
{
	struct watch w = { 0 };
	int ret = start(self, &w, fn);
	bool changed = true;

	while (!ret) {
		if (changed) {
			keep(self, &w);
			self->states++;
			ret = recover(self);
			put_back(self, &w);
			if (!ret && twice)
				ret = watch(self, recover_only, false);
			put_back(self, &w);
		}
		if (ret)
			break;
		ret = step(&w);
		if (ret <= 0)
			break;
		ret = 0;
		changed = has_changed(self, &w);
	}
	end(&w);
	return ret;
}

TEST_F_TIMEOUT(kill, loses_nothing_and_repeats_nothing_wherever_it_comes, 300)
{
	int ret = watch(self, work, variant->twice);

	if (ret == -EPERM || ret == -EACCES)
		SKIP(return, "ptrace(2) is not allowed: run outside of a sandbox");
	ASSERT_EQ(0, ret) TH_LOG("in state %u", self->states);
	/* at least a mark for each, and its end */
	EXPECT_LT(3 * CHAINS, self->states);
	TH_LOG("%u states", self->states);
}

TEST_HARNESS_MAIN
