// SPDX-License-Identifier: GPL-2.0-only
/*
 * Interfaces over rtnetlink, and taps, in a network namespace of the test's own.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/capability.h>
#include <linux/if_tun.h>

#include <vringlab/err.h>
#include <vringlab/link.h>
#include <vringlab/loop.h>

#include "kselftest_harness.h"
#include "t.h"
#include "t_fds.h"

static const uint8_t mac[6] = { 0x02, 0, 0, 0x12, 0x34, 0x56 };

FIXTURE(rtnl)
{
	struct rtnl *rtnl;
	struct rtnl_link link;
	struct vl_err err;
	int fds_before;
};

FIXTURE_SETUP(rtnl)
{
	memset(self, 0, sizeof(*self));
	if (unshare(CLONE_NEWNET))
		SKIP(return, "needs a network namespace of its own: run as root");
	self->fds_before = t_fds_count(0);
	ASSERT_EQ(0, rtnl_open(&self->rtnl, &self->err)) TH_LOG("%s", self->err.msg);
}

FIXTURE_TEARDOWN(rtnl)
{
	if (!self->rtnl)
		return;
	rtnl_close(self->rtnl);
	EXPECT_EQ(self->fds_before, t_fds_count(0));
}

#define get(name) rtnl_link_get(self->rtnl, name, &self->link, &self->err)

TEST_F(rtnl, looks_up_the_loopback)
{
	ASSERT_EQ(0, get("lo")) TH_LOG("%s", self->err.msg);
	EXPECT_EQ(1u, self->link.index);
	EXPECT_EQ(65536u, self->link.mtu);
	EXPECT_FALSE(self->link.flags & IFF_UP);
	EXPECT_STREQ("", self->link.kind);
}

TEST_F(rtnl, an_interface_that_is_not_there_is_enodev)
{
	EXPECT_EQ(-ENODEV, get("nothing0"));
	EXPECT_NE(NULL, strstr(self->err.msg, "nothing0"));
	EXPECT_EQ(-ENODEV, rtnl_link_set_up(self->rtnl, "nothing0", true, &self->err));
	EXPECT_EQ(-ENODEV, rtnl_link_set_mtu(self->rtnl, "nothing0", 1400, &self->err));
	EXPECT_EQ(-ENODEV, rtnl_link_set_mac(self->rtnl, "nothing0", mac, &self->err));
	EXPECT_EQ(-ENODEV, rtnl_link_set_master(self->rtnl, "lo", "nothing0", &self->err));
	EXPECT_EQ(-ENODEV, rtnl_link_del(self->rtnl, "nothing0", &self->err));
}

TEST_F(rtnl, a_name_too_long_is_einval)
{
	EXPECT_EQ(-EINVAL, rtnl_link_add_bridge(self->rtnl, "sixteen-and-more", &self->err));
	EXPECT_NE(NULL, strstr(self->err.msg, "1 to 15"));
	EXPECT_EQ(-EINVAL, rtnl_link_set_up(self->rtnl, "", true, &self->err));
}

TEST_F(rtnl, a_pair_has_an_mtu_an_address_and_is_up)
{
	ASSERT_EQ(0, rtnl_link_add_veth(self->rtnl, "a0", "b0", &self->err))
	TH_LOG("%s", self->err.msg);
	ASSERT_EQ(0, rtnl_link_set_mtu(self->rtnl, "a0", 1400, &self->err));
	ASSERT_EQ(0, rtnl_link_set_mac(self->rtnl, "a0", mac, &self->err));
	ASSERT_EQ(0, rtnl_link_set_up(self->rtnl, "a0", true, &self->err));
	ASSERT_EQ(0, rtnl_link_set_up(self->rtnl, "b0", true, &self->err));
	ASSERT_EQ(0, get("a0"));
	EXPECT_EQ(1400u, self->link.mtu);
	EXPECT_EQ(0, memcmp(mac, self->link.mac, 6));
	EXPECT_TRUE(self->link.flags & IFF_UP);
	EXPECT_STREQ("veth", self->link.kind);
	ASSERT_EQ(0, rtnl_link_set_up(self->rtnl, "a0", false, &self->err));
	ASSERT_EQ(0, get("a0"));
	EXPECT_FALSE(self->link.flags & IFF_UP);
	EXPECT_EQ(-EEXIST, rtnl_link_add_veth(self->rtnl, "a0", "c0", &self->err));
	ASSERT_EQ(0, rtnl_link_del(self->rtnl, "a0", &self->err));
	EXPECT_EQ(-ENODEV, get("b0"));
}

TEST_F(rtnl, what_the_kernel_refuses_is_told_in_its_own_words)
{
	ASSERT_EQ(0, rtnl_link_add_veth(self->rtnl, "a0", "b0", &self->err));
	EXPECT_EQ(-EINVAL, rtnl_link_set_mtu(self->rtnl, "a0", 10, &self->err));
	/* __dev_set_mtu() of net/core/dev.c, since 4.10 */
	EXPECT_NE(NULL, strstr(self->err.msg, "mtu less than device minimum"))
	TH_LOG("%s", self->err.msg);
	EXPECT_NE(NULL, strstr(self->err.msg, "'a0'"));
}

TEST_F(rtnl, a_bridge_takes_and_releases)
{
	unsigned int bridge;

	if (rtnl_link_add_bridge(self->rtnl, "br0", &self->err) == -EOPNOTSUPP)
		SKIP(return, "needs a kernel with bridges: modprobe bridge");
	ASSERT_EQ(0, get("br0")) TH_LOG("%s", self->err.msg);
	EXPECT_STREQ("bridge", self->link.kind);
	bridge = self->link.index;
	ASSERT_EQ(0, rtnl_link_add_veth(self->rtnl, "a0", "b0", &self->err));
	ASSERT_EQ(0, rtnl_link_set_master(self->rtnl, "a0", "br0", &self->err));
	ASSERT_EQ(0, get("a0"));
	EXPECT_EQ(bridge, self->link.master);
	ASSERT_EQ(0, rtnl_link_set_master(self->rtnl, "a0", NULL, &self->err));
	ASSERT_EQ(0, get("a0"));
	EXPECT_EQ(0u, self->link.master);
}

TEST_F(rtnl, an_interface_moves_to_another_namespace)
{
	int here = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	int there;

	ASSERT_LE(0, here);
	ASSERT_EQ(0, rtnl_link_add_veth(self->rtnl, "a0", "b0", &self->err));
	ASSERT_EQ(0, unshare(CLONE_NEWNET));
	there = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	ASSERT_LE(0, there);
	/* the socket stays where it was opened */
	ASSERT_EQ(0, rtnl_link_set_netns(self->rtnl, "b0", there, &self->err))
	TH_LOG("%s", self->err.msg);
	EXPECT_EQ(-ENODEV, get("b0"));
	EXPECT_EQ(0, get("a0"));
	rtnl_close(self->rtnl);
	ASSERT_EQ(0, rtnl_open(&self->rtnl, &self->err));
	EXPECT_EQ(0, get("b0"));
	close(here);
	close(there);
}

static bool has_addr(const char *name, int family, const void *bytes)
{
	struct ifaddrs *all, *i;
	bool found = false;

	if (getifaddrs(&all))
		return false;
	for (i = all; i; i = i->ifa_next) {
		const struct sockaddr_in6 *in6 = (const void *)i->ifa_addr;
		const struct sockaddr_in *in = (const void *)i->ifa_addr;

		if (!i->ifa_addr || i->ifa_addr->sa_family != family || strcmp(i->ifa_name, name))
			continue;
		found |= family == AF_INET ? !memcmp(&in->sin_addr, bytes, 4) :
					     !memcmp(&in6->sin6_addr, bytes, 16);
	}
	freeifaddrs(all);
	return found;
}

TEST_F(rtnl, addresses_of_both_families)
{
	struct rtnl_addr v4, v6;

	ASSERT_EQ(0, rtnl_addr_parse("192.0.2.7/24", &v4));
	ASSERT_EQ(0, rtnl_addr_parse("2001:db8::7/64", &v6));
	ASSERT_EQ(0, rtnl_link_add_veth(self->rtnl, "a0", "b0", &self->err));
	ASSERT_EQ(0, rtnl_addr_add(self->rtnl, "a0", &v4, &self->err)) TH_LOG("%s", self->err.msg);
	EXPECT_TRUE(has_addr("a0", AF_INET, v4.bytes));
	EXPECT_EQ(-EEXIST, rtnl_addr_add(self->rtnl, "a0", &v4, &self->err));
	ASSERT_EQ(0, rtnl_addr_add(self->rtnl, "a0", &v6, &self->err)) TH_LOG("%s", self->err.msg);
	EXPECT_TRUE(has_addr("a0", AF_INET6, v6.bytes));
	EXPECT_EQ(-ENODEV, rtnl_addr_add(self->rtnl, "nothing0", &v4, &self->err));
}

/* A tap that is there before and after: down, with an MTU of 1500. */
static bool make_tap(struct vl_err *err)
{
	char name[IFNAMSIZ] = "t0";
	int fd;

	if (tap_open(name, &fd, 1, err))
		return false;
	if (ioctl(fd, TUNSETPERSIST, 1))
		return false;
	close(fd);
	return true;
}

static bool as_it_was(struct rtnl *rtnl)
{
	struct rtnl_link link;

	return !rtnl_link_get(rtnl, "t0", &link, NULL) && link.mtu == 1500 &&
	       !(link.flags & IFF_UP);
}

/* In a process of its own, which tells when it is done, and then does as it is told. */
static pid_t set_up_tap(int *ready_fd, bool drops)
{
	static const struct tap_setup setup = { .address = "192.0.2.1/24", .mtu = 1400 };
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct none[2] = { 0 };
	char name[IFNAMSIZ] = "t0";
	struct tap_undo undo;
	int fds[2], tap;
	pid_t pid;

	if (pipe(fds))
		return -1;
	pid = fork();
	*ready_fd = fds[0];
	if (pid) {
		close(fds[1]);
		return pid;
	}
	if (tap_open_set_up(name, &tap, 1, &setup, &undo, NULL) || write(fds[1], "", 1) != 1)
		_exit(1);
	if (!drops)
		pause();
	if (syscall(SYS_capset, &head, none))
		_exit(1);
	tap_undo(&undo);
	_exit(0);
}

TEST_F(rtnl, a_tap_is_as_it_was_when_its_process_is_killed)
{
	uint64_t deadline_ns = loop_now_ns() + T_DEADLINE_MS * 1000000ull;
	int ready_fd;
	pid_t pid;
	char byte;

	if (!make_tap(&self->err))
		SKIP(return, "needs taps: modprobe tun");
	ASSERT_TRUE(as_it_was(self->rtnl));
	pid = set_up_tap(&ready_fd, false);
	ASSERT_LT(0, pid);
	ASSERT_EQ(1, read(ready_fd, &byte, 1));
	ASSERT_EQ(0, get("t0"));
	EXPECT_EQ(1400u, self->link.mtu);
	EXPECT_TRUE(self->link.flags & IFF_UP);
	ASSERT_EQ(0, kill(pid, SIGKILL));
	ASSERT_EQ(pid, waitpid(pid, NULL, 0));
	while (!as_it_was(self->rtnl) && loop_now_ns() < deadline_ns)
		sched_yield();
	EXPECT_TRUE(as_it_was(self->rtnl));
	close(ready_fd);
}

TEST_F(rtnl, a_tap_is_as_it_was_when_its_process_has_lost_its_privileges)
{
	int ready_fd, status;
	pid_t pid;
	char byte;

	if (!make_tap(&self->err))
		SKIP(return, "needs taps: modprobe tun");
	pid = set_up_tap(&ready_fd, true);
	ASSERT_LT(0, pid);
	ASSERT_EQ(1, read(ready_fd, &byte, 1));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	/* at once: it has waited for it */
	EXPECT_TRUE(as_it_was(self->rtnl));
	close(ready_fd);
}

TEST(addresses_are_parsed)
{
	static const char *const wrong[] = { "",
					     "/24",
					     "192.0.2/24",
					     "192.0.2.1/33",
					     "192.0.2.1/",
					     "192.0.2.1/-1",
					     "fe80::1/129",
					     "fe80::g/64",
					     "192.0.2.1/24 " };
	static const uint8_t bytes[4] = { 10, 1, 2, 3 };
	struct rtnl_addr addr;

	ASSERT_EQ(0, rtnl_addr_parse("10.1.2.3", &addr));
	EXPECT_EQ(AF_INET, addr.family);
	EXPECT_EQ(32u, addr.prefix);
	EXPECT_EQ(0, memcmp(bytes, addr.bytes, 4));
	ASSERT_EQ(0, rtnl_addr_parse("::1/0", &addr));
	EXPECT_EQ(AF_INET6, addr.family);
	EXPECT_EQ(0u, addr.prefix);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		EXPECT_EQ(-EINVAL, rtnl_addr_parse(wrong[i], &addr)) TH_LOG("'%s'", wrong[i]);
	}
}

/* Taps. */

#define open_or_skip(name, fds, nr)                              \
	({                                                       \
		int __ret = tap_open(name, fds, nr, &self->err); \
		if (__ret == -ENOENT)                            \
			SKIP(return, "%s", self->err.msg);       \
		__ret;                                           \
	})

TEST_F(rtnl, a_tap_is_made_named_and_goes_with_its_fd)
{
	char name[IFNAMSIZ] = "vl%d";
	int fd;

	ASSERT_EQ(0, open_or_skip(name, &fd, 1)) TH_LOG("%s", self->err.msg);
	EXPECT_STREQ("vl0", name);
	EXPECT_TRUE(fcntl(fd, F_GETFL) & O_NONBLOCK);
	EXPECT_TRUE(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	ASSERT_EQ(0, get("vl0"));
	EXPECT_STREQ("tun", self->link.kind);
	EXPECT_EQ(0, tap_set_header(fd, 10));
	EXPECT_EQ(-EINVAL, tap_set_header(fd, 3));
	EXPECT_EQ(0, tap_set_offload(fd, TUN_F_CSUM | TUN_F_TSO4));
	EXPECT_EQ(-EINVAL, tap_set_offload(fd, 1u << 30));
	EXPECT_EQ(-EINVAL, tap_set_queue(fd, false));
	close(fd);
	EXPECT_EQ(-ENODEV, get("vl0"));
}

TEST_F(rtnl, a_tap_with_several_queues)
{
	char name[IFNAMSIZ] = "vl%d";
	int fds[4];

	ASSERT_EQ(0, open_or_skip(name, fds, 4)) TH_LOG("%s", self->err.msg);
	EXPECT_EQ(0, tap_set_queue(fds[3], false));
	EXPECT_EQ(0, tap_set_queue(fds[3], true));
	for (unsigned int i = 0; i < 4; i++)
		close(fds[i]);
}

TEST_F(rtnl, a_tap_that_cannot_be_had)
{
	char name[IFNAMSIZ] = "vl%d";
	char other[IFNAMSIZ];
	int fd, fds[2];

	ASSERT_EQ(0, open_or_skip(name, &fd, 1)) TH_LOG("%s", self->err.msg);
	strcpy(other, name);
	EXPECT_EQ(-EBUSY, tap_open(other, fds, 1, &self->err));
	EXPECT_NE(NULL, strstr(self->err.msg, "vl0"));
	EXPECT_EQ(-EINVAL, tap_open(other, fds, 2, &self->err));
	close(fd);
	strcpy(other, "lo");
	EXPECT_EQ(-EINVAL, tap_open(other, fds, 1, &self->err));
	EXPECT_EQ(-EINVAL, tap_open(other, fds, 0, &self->err));
	EXPECT_EQ(-EINVAL, tap_open(other, fds, TAP_QUEUES_MAX + 1, &self->err));
	memset(other, 'x', sizeof(other));
	EXPECT_EQ(-EINVAL, tap_open(other, fds, 1, &self->err));
}

TEST_HARNESS_MAIN
