// SPDX-License-Identifier: GPL-2.0-only
/*
 * What is told in memory that is not present cannot be read by a hook, which must not
 * wait for it: it is counted as lost, and the same is found when it is present.
 */
#include <linux/vhost.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "front_end.h"

/* clang-format off */
FIXTURE(absent) {
	struct t_genl g;
	int file;
	int sock[2];
	int kick;
	struct t_discover d;
	uint64_t lost;
};

/* clang-format on */

/* @data, in a page that nobody has touched by this address. */
static void *absent(struct __test_metadata *_metadata, FIXTURE_DATA(absent) * self,
		    const void *data, size_t size)
{
	void *page;

	ASSERT_EQ((ssize_t)size, pwrite(self->file, data, size, 0));
	page = mmap(NULL, 4096, PROT_READ, MAP_SHARED, self->file, 0);
	ASSERT_NE(MAP_FAILED, page);
	return page;
}

static uint64_t nr_lost(FIXTURE_DATA(absent) * self)
{
	return t_discover_get(&self->g, &self->d) ? UINT64_MAX : self->d.lost;
}

#define EXPECT_LOST(nr)                                      \
	do {                                                 \
		EXPECT_EQ(self->lost + (nr), nr_lost(self)); \
		self->lost = self->d.lost;                   \
	} while (0)

FIXTURE_SETUP(absent)
{
	OPEN_OR_SKIP(&self->g);
	self->file = memfd_create("absent", MFD_CLOEXEC);
	ASSERT_LE(0, self->file);
	ASSERT_EQ(0, ftruncate(self->file, 4096));
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, self->sock));
	self->kick = new_eventfd(_metadata, EFD_NONBLOCK);
	ASSERT_EQ(0, t_discover_set(&self->g, true, false));
	self->lost = nr_lost(self);
}

FIXTURE_TEARDOWN(absent)
{
	EXPECT_EQ(0u, self->g.leak);
	t_genl_close(&self->g);
}

static unsigned int nr_found(FIXTURE_DATA(absent) * self)
{
	static struct t_vring v[64];
	int i, nr = t_vring_dump(&self->g, v, 64);
	unsigned int found = 0;

	for (i = 0; i < nr && i < 64; i++)
		if (v[i].has & HAS(FOUND) && v[i].owner_pid == (uint32_t)getpid())
			found++;
	return found;
}

TEST_F_TIMEOUT(absent, a_message_with_an_eventfd_is_lost, SLOW)
{
	const struct message m = { SET_VRING_KICK, 1, 8, 0, 0 };
	void *page = absent(_metadata, self, &m, sizeof(m));

	send_from(_metadata, self->sock[0], page, &self->kick, 1);
	EXPECT_LOST(1u);
	EXPECT_EQ(0u, nr_found(self));
	/* The kernel has fetched it to send it. */
	send_from(_metadata, self->sock[0], page, &self->kick, 1);
	EXPECT_TRUE(EVENTUALLY(nr_found(self) == 1));
	EXPECT_LOST(0u);
	munmap(page, 4096);
}

TEST_F_TIMEOUT(absent, a_message_of_a_front_end_is_lost_others_are_not, SLOW)
{
	const struct message m = { SET_VRING_NUM, 1, 8, 0, 64 };
	int other[2], pipe_fds[2];
	void *page;

	/* It may be anything. */
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, other));
	page = absent(_metadata, self, &m, sizeof(m));
	send_from(_metadata, other[0], page, NULL, 0);
	munmap(page, 4096);
	ASSERT_EQ(0, pipe(pipe_fds));
	page = absent(_metadata, self, &m, sizeof(m));
	send_from(_metadata, other[0], page, pipe_fds, 1);
	munmap(page, 4096);
	EXPECT_LOST(0u);

	set(_metadata, self->sock[0], SET_VRING_KICK, 0, self->kick);
	EXPECT_TRUE(EVENTUALLY(nr_found(self) == 1));
	page = absent(_metadata, self, &m, sizeof(m));
	send_from(_metadata, self->sock[0], page, NULL, 0);
	munmap(page, 4096);
	EXPECT_LOST(1u);
}

TEST_F_TIMEOUT(absent, what_vhost_is_given_is_lost_if_vhost_takes_it, SLOW)
{
	struct vhost_vring_state num = { .index = 0, .num = 64 };
	struct vhost_vring_file kick = { .index = 0, .fd = self->kick };
	void *page;
	int vhost;

	t_kmod_modprobe("vhost_net");
	vhost = open("/dev/vhost-net", O_RDWR | O_CLOEXEC);
	if (vhost < 0)
		SKIP(return, "needs /dev/vhost-net (%s): modprobe vhost_net", strerror(errno));
	ASSERT_EQ(0, ioctl(vhost, VHOST_SET_OWNER));
	page = absent(_metadata, self, &num, sizeof(num));
	ASSERT_EQ(0, ioctl(vhost, VHOST_SET_VRING_NUM, page));
	munmap(page, 4096);
	EXPECT_LOST(1u);

	page = absent(_metadata, self, &kick, sizeof(kick));
	ASSERT_EQ(0, ioctl(vhost, VHOST_SET_VRING_KICK, page));
	EXPECT_LOST(1u);
	EXPECT_EQ(0u, nr_found(self));
	ASSERT_EQ(0, ioctl(vhost, VHOST_SET_VRING_KICK, page));
	EXPECT_TRUE(EVENTUALLY(nr_found(self) == 1));
	munmap(page, 4096);

	/* What it refuses, and what is nowhere, is nothing to be found. */
	num.num = 3;
	page = absent(_metadata, self, &num, sizeof(num));
	EXPECT_EQ(-1, ioctl(vhost, VHOST_SET_VRING_NUM, page));
	munmap(page, 4096);
	EXPECT_EQ(-1, ioctl(vhost, VHOST_SET_VRING_NUM, page));
	EXPECT_LOST(0u);
	close(vhost);
}

USE_MODULE_WITH_ANCHOR

TEST_HARNESS_MAIN
