// SPDX-License-Identifier: GPL-2.0-only
/*
 * exit-cost, irq-cost and doorbell-storm in this process: their checks fail on each
 * count that is off by one, and the VMM's stamps are before the guest's.
 */
#include <errno.h>
#include <string.h>

#include <kselftest_harness.h>

#include <vringlab/err.h>
#include <vringlab/vmm_cost.h>
#include <vringlab/vmm_guest.h>
#include <vringlab/vmm_storm.h>

#include "../../user/guest/cost.h"
#include "../../user/guest/storm.h"
#include "kvm.h"
#include "t.h"

#define COUNT 20

/* Runs to the end or to the deadline; 0 or -ETIMEDOUT. */
static int run(struct vmm_micro *micro, struct vmm_guest_io *io, struct vmm_vcpu_result *result)
{
	int ret;

	io->console_fd = -1;
	ret = vmm_vcpu_start(micro->vcpu, vmm_guest_exit, io, NULL);
	if (ret)
		return ret;
	ret = t_poll_until(vmm_vcpu_done_fd(micro->vcpu), T_DEADLINE_MS);
	vmm_vcpu_stop(micro->vcpu);
	vmm_vcpu_join(micro->vcpu, result);
	return ret;
}

/* clang-format off */
FIXTURE(cost)
{
	struct vmm_cost cost;
	struct vmm_guest_io io;
	struct vmm_vcpu_result result;
	struct vl_err err;
	bool created;
};

FIXTURE_VARIANT(cost)
{
	enum vmm_cost_kind kind;
};

FIXTURE_VARIANT_ADD(cost, exits) { .kind = VMM_COST_EXIT };
FIXTURE_VARIANT_ADD(cost, interrupts) { .kind = VMM_COST_IRQ };

/* clang-format on */

FIXTURE_SETUP(cost)
{
	REQUIRE_KVM();
	ASSERT_EQ(0, vmm_cost_create(&self->cost, variant->kind, COUNT, NULL, &self->err))
	{
		TH_LOG("%s", self->err.msg);
	}
	self->created = true;
	ASSERT_EQ(0, vmm_cost_start(&self->cost, &self->err));
	self->io.bus = self->cost.micro.vm;
}

FIXTURE_TEARDOWN(cost)
{
	if (self->created)
		vmm_cost_destroy(&self->cost);
}

TEST_F(cost, check_fails_on_every_count_that_is_off_by_one)
{
	struct tsc_hist *rows = (void *)(self->cost.micro.memory->host + MICRO_DATA_GPA);
	uint64_t *const counts[] = {
		&self->cost.events,    &self->cost.reads,     &self->cost.writes,
		&rows[0].buckets[311], &rows[2].buckets[311],
	};

	ASSERT_EQ(0, run(&self->cost.micro, &self->io, &self->result));
	vmm_cost_settle(&self->cost);
	ASSERT_EQ(0, vmm_cost_check(&self->cost, self->io.status, &self->err))
	{
		TH_LOG("%s", self->err.msg);
	}
	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		++*counts[i];
		EXPECT_EQ(-EPROTO, vmm_cost_check(&self->cost, self->io.status, NULL))
		{
			TH_LOG("count %zu", i);
		}
		--*counts[i];
	}
	self->cost.param->interrupts -= COUNT;
	EXPECT_EQ(-EPROTO, vmm_cost_check(&self->cost, self->io.status, NULL));
	self->cost.param->interrupts += COUNT;
	self->cost.param->acausal = self->cost.param->interrupts;
	EXPECT_EQ(-EPROTO, vmm_cost_check(&self->cost, self->io.status, NULL));
}

TEST_F(cost, refuses_parameters_of_another_version)
{
	self->cost.param->head.version++;
	ASSERT_EQ(0, run(&self->cost.micro, &self->io, &self->result));
	EXPECT_EQ(MICRO_BAD_PARAM, self->io.status);
	EXPECT_EQ(-EIO, vmm_cost_check(&self->cost, self->io.status, &self->err));
}

/* The handler is later than the signal, and that is later than the doorbell. */
TEST_F(cost, stamps_are_in_order)
{
	struct tsc_hist *rows = (void *)(self->cost.micro.memory->host + MICRO_DATA_GPA);

	if (variant->kind != VMM_COST_IRQ)
		SKIP(return, "exits have no signal");
	if (!self->cost.param->stamped)
		SKIP(return, "needs KVM_VCPU_TSC_OFFSET: a kernel from 5.16 on");
	ASSERT_EQ(0, run(&self->cost.micro, &self->io, &self->result));
	if (self->cost.param->interrupts == 3 * COUNT) {
		EXPECT_EQ(0, self->cost.param->acausal);
		EXPECT_EQ(COUNT, rows[IRQ_COST_SPIN_SIGNAL].count);
		EXPECT_EQ(COUNT, rows[IRQ_COST_HALT_SIGNAL].count);
		EXPECT_LT(rows[IRQ_COST_SPIN_SIGNAL].sum, rows[IRQ_COST_SPIN].sum);
		EXPECT_LT(rows[IRQ_COST_HALT_SIGNAL].sum, rows[IRQ_COST_HALT].sum);
	}
}

/* clang-format off */
FIXTURE(storm)
{
	struct vmm_storm storm;
	struct vmm_guest_io io;
	struct vmm_vcpu_result result;
	struct vl_err err;
	bool created;
};

/* clang-format on */

FIXTURE_SETUP(storm)
{
	const struct vmm_storm_config config = { .count = 7, .bus = VMM_BUS_PIO, .nr = 3 };

	REQUIRE_KVM();
	ASSERT_EQ(0, vmm_storm_create(&self->storm, &config, &self->err));
	self->created = true;
	ASSERT_EQ(0, vmm_storm_start(&self->storm, &self->err));
}

FIXTURE_TEARDOWN(storm)
{
	if (self->created)
		vmm_storm_destroy(&self->storm);
}

TEST_F(storm, check_fails_on_every_count_that_is_off_by_one)
{
	uint64_t *const counts[] = { &self->storm.taken[0], &self->storm.taken[1],
				     &self->storm.taken[2], &self->storm.param->rung };

	ASSERT_EQ(0, run(&self->storm.micro, &self->io, &self->result));
	vmm_storm_settle(&self->storm);
	EXPECT_EQ(3, self->storm.taken[0]);
	EXPECT_EQ(2, self->storm.taken[1]);
	EXPECT_EQ(2, self->storm.taken[2]);
	EXPECT_EQ(0, vmm_storm_check(&self->storm, self->io.status, &self->err));
	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		--*counts[i];
		EXPECT_EQ(-EPROTO, vmm_storm_check(&self->storm, self->io.status, NULL));
		++*counts[i];
	}
}

/* A doorbell that is none is an exit, which this guest's VM does not know. */
TEST_F(storm, a_doorbell_too_many_is_named)
{
	self->storm.param->nr = 4;
	ASSERT_EQ(0, run(&self->storm.micro, &self->io, &self->result));
	EXPECT_EQ(VMM_END_UNEXPECTED, self->result.end);
	EXPECT_NE(NULL, strstr(self->result.err.msg, "write to port 0x606, 1 x 2 bytes"));
}

TEST_HARNESS_MAIN
