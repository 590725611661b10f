// SPDX-License-Identifier: GPL-2.0-only
/*
 * A guest that writes anything anywhere, at devices that vhost serves: the VMM stays, ends
 * cleanly, and each device works for a driver that comes then.
 */
#include <errno.h>
#include <inttypes.h>
#include <sched.h>
#include <string.h>
#include <unistd.h>

#include "kselftest_harness.h"

#include <vringlab/backend_vhost.h>

#include "t.h"
#include "t_fds.h"
#include "t_hostile.h"
#include "vhost.h"

#define KVM_PATH "/dev/kvm"
#define CID 42u

FIXTURE(hostile)
{
	struct t_hostile h;
	int fds_before;
};

FIXTURE_VARIANT(hostile)
{
	uint64_t seed;
};

/* clang-format off */
FIXTURE_VARIANT_ADD(hostile, first) { .seed = 0 };
FIXTURE_VARIANT_ADD(hostile, second) { .seed = 1 };
FIXTURE_VARIANT_ADD(hostile, third) { .seed = 2 };
/* clang-format on */

static int create_net(struct t_hostile *h, struct virtio_backend **be, const char *tap,
		      unsigned int num_pairs)
{
	const struct backend_vhost_net_config config = {
		.name = tap,
		.tap = tap,
		.net = { .num_pairs = num_pairs },
	};

	return backend_vhost_net_create(be, &h->host, &config, &h->err);
}

static int create_vsock(struct t_hostile *h, struct virtio_backend **be, uint32_t cid)
{
	const struct backend_vhost_vsock_config config = { .name = "vsock", .cid = cid };

	return backend_vhost_vsock_create(be, &h->host, &config, &h->err);
}

static int add_all(struct t_hostile *h)
{
	struct virtio_backend *be;
	int ret = create_net(h, &be, "vltap0", 2);

	if (!ret)
		ret = t_hostile_add_pci(h, be);
	if (!ret)
		ret = create_vsock(h, &be, CID);
	if (!ret)
		ret = t_hostile_add_pci(h, be);
	if (!ret)
		ret = create_net(h, &be, "vltap1", 1);
	if (!ret)
		ret = t_hostile_add_mmio(h, be);
	if (!ret)
		ret = create_vsock(h, &be, CID + 1);
	return ret ? ret : t_hostile_add_mmio(h, be);
}

FIXTURE_SETUP(hostile)
{
	const char *const needed[] = { KVM_PATH, BACKEND_VHOST_NET_PATH, BACKEND_VHOST_VSOCK_PATH };
	int ret;

	memset(self, 0, sizeof(*self));
	for (unsigned int i = 0; i < sizeof(needed) / sizeof(needed[0]); i++) {
		if (!access(needed[i], R_OK | W_OK))
			continue;
		SKIP(return, "needs %s: load KVM, vhost_net and vhost_vsock", needed[i]);
	}
	if (geteuid() || unshare(CLONE_NEWNET))
		SKIP(return, "needs a network namespace of its own: run as root");
	self->fds_before = t_fds_count(0);
	ret = t_hostile_init(&self->h);
	if (ret == -EPERM || ret == -ENOSYS)
		SKIP(return, "%s", self->h.err.msg);
	ASSERT_EQ(0, ret) TH_LOG("%s", self->h.err.msg);
	ASSERT_EQ(0, add_all(&self->h)) TH_LOG("%s", self->h.err.msg);
}

FIXTURE_TEARDOWN(hostile)
{
	if (!self->h.loop)
		return;
	t_hostile_exit(&self->h);
	EXPECT_EQ(self->fds_before, t_fds_count(0));
}

TEST_F_TIMEOUT(hostile, guest_breaks_nothing, T_HOSTILE_TIMEOUT_S)
{
	struct t_hostile *h = &self->h;

	EXPECT_EQ(0, t_hostile_run(h, variant->seed)) TH_LOG("%s", h->err.msg);
	TH_LOG("%" PRIu64 " starts, %" PRIu64 " refused, %u failures", h->param->starts,
	       h->param->refused, h->failures);
	/* there was something to break */
	EXPECT_LT(0u, h->param->starts);
}

TEST_HARNESS_MAIN
