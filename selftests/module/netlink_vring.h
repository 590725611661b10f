/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The fixture of the programs that register one virtqueue: include once.
 */
#include "netlink.h"

/* clang-format off */
FIXTURE(vring) {
	struct t_genl g;
	int kick;
	int call;
	struct t_vring v;
};

/* clang-format on */

FIXTURE_SETUP(vring)
{
	OPEN_OR_SKIP(&self->g);
	self->kick = new_eventfd(_metadata, 0);
	self->call = new_eventfd(_metadata, 0);
	self->v = (struct t_vring){
		.has = HAS(LABEL) | HAS(BACKEND) | HAS(KICK_FD) | HAS(CALL_FD),
		.label = "netlink.0",
		.backend = VRINGLAB_BACKEND_VHOST_USER,
		.kick_fd = self->kick,
		.call_fd = self->call,
	};
}

FIXTURE_TEARDOWN(vring)
{
	/* Of all answers of this test. */
	EXPECT_EQ(0u, self->g.leak);
	t_genl_close(&self->g);
	close(self->kick);
	close(self->call);
}
