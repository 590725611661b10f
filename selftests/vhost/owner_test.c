// SPDX-License-Identifier: GPL-2.0-only
/*
 * Whose a vhost device is: nothing works before it has an owner, it has one, who is an
 * address space and no process, and there are no privileges to have but those of
 * opening files. What may be a back-end of vhost-net, and of which namespace.
 */
#include <pthread.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <net/if.h>
#include <netinet/in.h>

#include <linux/if_ether.h>

#include "vhost.h"

/* Large enough for what any of them reads or writes; zero is virtqueue 0. */
union argument {
	uint64_t features;
	int fd;
	struct vhost_memory table;
	struct vhost_vring_file file;
	uint8_t bytes[256];
};

static const struct {
	unsigned long nr;
	const char *name;
} owners_only[] = {
	{ VHOST_SET_MEM_TABLE, "SET_MEM_TABLE" },
	{ VHOST_SET_LOG_BASE, "SET_LOG_BASE" },
	{ VHOST_SET_LOG_FD, "SET_LOG_FD" },
	{ VHOST_SET_VRING_NUM, "SET_VRING_NUM" },
	{ VHOST_SET_VRING_BASE, "SET_VRING_BASE" },
	{ VHOST_GET_VRING_BASE, "GET_VRING_BASE" },
	{ VHOST_SET_VRING_ADDR, "SET_VRING_ADDR" },
	{ VHOST_SET_VRING_KICK, "SET_VRING_KICK" },
	{ VHOST_SET_VRING_CALL, "SET_VRING_CALL" },
	{ VHOST_SET_VRING_ERR, "SET_VRING_ERR" },
	{ VHOST_SET_VRING_ENDIAN, "SET_VRING_ENDIAN" },
	{ VHOST_SET_VRING_BUSYLOOP_TIMEOUT, "SET_VRING_BUSYLOOP_TIMEOUT" },
};

#define NR_OWNERS_ONLY (sizeof(owners_only) / sizeof(*owners_only))

static int ask(int fd, unsigned long nr)
{
	union argument arg = { 0 };

	return ioctl(fd, nr, &arg) < 0 ? -errno : 0;
}

FIXTURE(owner)
{
	int fd;
};

FIXTURE_VARIANT(owner)
{
	bool vsock;
};

/* clang-format off */
FIXTURE_VARIANT_ADD(owner, net) { };
FIXTURE_VARIANT_ADD(owner, vsock) { .vsock = true };
/* clang-format on */

FIXTURE_SETUP(owner)
{
	if (variant->vsock)
		OPEN_VHOST_OR_SKIP(&self->fd, "vhost-vsock");
	else
		OPEN_VHOST_OR_SKIP(&self->fd, "vhost-net");
}

FIXTURE_TEARDOWN(owner)
{
	close(self->fd);
}

TEST_F(owner, nothing_but_features_is_there_before_it)
{
	union argument arg = { 0 };

	for (unsigned int i = 0; i < NR_OWNERS_ONLY; i++) {
		EXPECT_EQ(-EPERM, ask(self->fd, owners_only[i].nr))
		{
			TH_LOG("%s", owners_only[i].name);
		}
	}
	if (variant->vsock) {
		EXPECT_EQ(-EPERM, ask(self->fd, VHOST_VSOCK_SET_RUNNING));
		arg.fd = 1;
		EXPECT_EQ(-1, ioctl(self->fd, VHOST_VSOCK_SET_RUNNING, &arg));
		EXPECT_EQ(EPERM, errno);
	} else {
		arg.file.fd = -1;
		EXPECT_EQ(-1, ioctl(self->fd, VHOST_NET_SET_BACKEND, &arg));
		EXPECT_EQ(EPERM, errno);
		EXPECT_EQ(-EPERM, ask(self->fd, VHOST_RESET_OWNER));
	}
	EXPECT_EQ(0, ioctl(self->fd, VHOST_GET_FEATURES, &arg));
	EXPECT_NE(0u, arg.features & BIT(VIRTIO_F_VERSION_1));
	EXPECT_EQ(0, ioctl(self->fd, VHOST_SET_FEATURES, &arg));
	EXPECT_EQ(0, ioctl(self->fd, VHOST_GET_BACKEND_FEATURES, &arg));
	EXPECT_EQ(0, ioctl(self->fd, VHOST_SET_BACKEND_FEATURES, &arg));
}

static void *ask_in_thread(void *fd)
{
	return (void *)(intptr_t)ask(*(int *)fd, VHOST_SET_MEM_TABLE);
}

TEST_F(owner, is_an_address_space_and_there_is_one)
{
	int other = dup(self->fd);
	pthread_t thread;
	void *ret;

	ASSERT_LE(0, other);
	EXPECT_EQ(0, ask(self->fd, VHOST_SET_OWNER));
	EXPECT_EQ(-EBUSY, ask(self->fd, VHOST_SET_OWNER));
	EXPECT_EQ(-EBUSY, ask(other, VHOST_SET_OWNER));
	EXPECT_EQ(0, ask(other, VHOST_SET_MEM_TABLE));
	ASSERT_EQ(0, pthread_create(&thread, NULL, ask_in_thread, &self->fd));
	pthread_join(thread, &ret);
	EXPECT_EQ(NULL, ret);
	close(other);
}

/* The number of the first that is not refused, or 0. */
static int ask_all(void *fd)
{
	for (unsigned int i = 0; i < NR_OWNERS_ONLY; i++)
		if (ask(*(int *)fd, owners_only[i].nr) != -EPERM)
			return -(int)(i + 1);
	return 0;
}

static int become_owner(void *fd)
{
	return ask(*(int *)fd, VHOST_SET_OWNER);
}

TEST_F(owner, is_not_a_child_that_inherits_the_fd)
{
	ASSERT_EQ(0, ask(self->fd, VHOST_SET_OWNER));
	EXPECT_EQ(0, in_child(ask_all, &self->fd));
	EXPECT_EQ(-EBUSY, in_child(become_owner, &self->fd));
	EXPECT_EQ(0, ask(self->fd, VHOST_SET_MEM_TABLE));
}

TEST_F(owner, stays_when_its_process_has_ended)
{
	ASSERT_EQ(0, in_child(become_owner, &self->fd));
	EXPECT_EQ(-EBUSY, ask(self->fd, VHOST_SET_OWNER));
	EXPECT_EQ(0, ask_all(&self->fd));
	close(self->fd);
	if (variant->vsock)
		OPEN_VHOST_OR_SKIP(&self->fd, "vhost-vsock");
	else
		OPEN_VHOST_OR_SKIP(&self->fd, "vhost-net");
	EXPECT_EQ(0, ask(self->fd, VHOST_SET_OWNER));
}

TEST_F(owner, can_resign_where_the_device_knows_of_it)
{
	ASSERT_EQ(0, ask(self->fd, VHOST_SET_OWNER));
	if (variant->vsock) {
		EXPECT_EQ(-ENOTTY, ask(self->fd, VHOST_RESET_OWNER));
		return;
	}
	EXPECT_EQ(0, ask(self->fd, VHOST_SET_MEM_TABLE));
	ASSERT_EQ(0, ask(self->fd, VHOST_RESET_OWNER));
	EXPECT_EQ(0, ask_all(&self->fd));
	EXPECT_EQ(-EPERM, ask(self->fd, VHOST_RESET_OWNER));
	EXPECT_EQ(0, in_child(become_owner, &self->fd));
	EXPECT_EQ(-EBUSY, ask(self->fd, VHOST_SET_OWNER));
	EXPECT_EQ(-EPERM, ask(self->fd, VHOST_RESET_OWNER));
}

static int be_nobody_and_own(void *fd)
{
	if (setresgid(65534, 65534, 65534) || setresuid(65534, 65534, 65534))
		return -errno;
	if (open("/dev/vhost-net", O_RDWR | O_CLOEXEC) >= 0)
		return -EEXIST;
	return ask(*(int *)fd, VHOST_SET_OWNER);
}

TEST_F(owner, needs_no_privilege_but_the_open_file)
{
	if (geteuid())
		SKIP(return, "is root that becomes somebody else: run as root");
	if (access("/dev/vhost-net", F_OK))
		SKIP(return, "needs /dev/vhost-net: modprobe vhost_net");
	EXPECT_EQ(0, in_child(be_nobody_and_own, &self->fd));
}

/* --- vhost-net on a tap ---------------------------------------------------------------- */

FIXTURE(netns)
{
	struct net net;
};

FIXTURE_SETUP(netns)
{
	NET_OR_SKIP(&self->net);
}

FIXTURE_TEARDOWN(netns)
{
	net_close(&self->net);
}

TEST_F_TIMEOUT(netns, of_a_tap_is_that_in_which_it_was_made, SLOW)
{
	struct net *n = &self->net;

	ASSERT_EQ(0, unshare(CLONE_NEWNET));
	EXPECT_EQ(0u, if_nametoindex(n->tap.name));
	net_start(_metadata, n, 0);
	ASSERT_EQ(0, t_vnet_transmit(&n->v, 200, 1));
	EXPECT_EQ(0, t_tap_expect(&n->tap, 200, 1));
	ASSERT_EQ(0, t_vnet_give(&n->v, 1));
	ASSERT_EQ(0, t_tap_send(&n->tap, 300, 2));
	EXPECT_EQ(0, t_vnet_expect(&n->v, 300, 2));
}

static int put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	int ret = fd < 0 || write(fd, text, strlen(text)) < 0 ? -errno : 0;

	if (fd >= 0)
		close(fd);
	return ret;
}

/* With no privilege outside of the namespaces that it makes. */
static int use_own_tap(void *data)
{
	struct net *n = data;
	struct t_tap tap;
	int ret;

	if (unshare(CLONE_NEWUSER | CLONE_NEWNET))
		return -errno;
	ret = put("/proc/self/setgroups", "deny");
	if (!ret)
		ret = put("/proc/self/uid_map", "0 0 1");
	if (!ret)
		ret = t_tap_open(&tap, 1);
	if (!ret)
		ret = t_vnet_open(&n->v, 0);
	if (!ret)
		ret = t_vnet_backend(&n->v, tap.fds[0]);
	if (!ret)
		ret = t_vnet_transmit(&n->v, 100, 3);
	return ret ? ret : t_tap_expect(&tap, 100, 3);
}

TEST_F_TIMEOUT(netns, may_be_one_of_a_user_namespace, SLOW)
{
	EXPECT_EQ(0, in_child(use_own_tap, &self->net));
	EXPECT_TRUE(t_tap_is_silent(&self->net.tap));
}

TEST_F_TIMEOUT(netns, has_taps_and_packet_sockets_for_back_ends_and_no_other_fds, SLOW)
{
	struct net *n = &self->net;
	int fds[] = {
		eventfd(0, EFD_CLOEXEC),
		open("/dev/null", O_RDWR | O_CLOEXEC),
		socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0),
		socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_UDP),
		socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, 0),
		socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0),
		socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, 0),
		/* Of no file. */
		1 << 20,
		-2,
	};

	net_open(_metadata, n, 0);
	for (unsigned int i = 0; i < sizeof(fds) / sizeof(*fds); i++) {
		EXPECT_EQ(-ENOTSOCK, set_file(&n->v, VHOST_NET_SET_BACKEND, TX, fds[i]))
		{
			TH_LOG("fd %u", i);
		}
		close(fds[i]);
	}
	EXPECT_EQ(-ENOBUFS, set_file(&n->v, VHOST_NET_SET_BACKEND, 2, n->tap.fds[0]));
	EXPECT_EQ(0, set_file(&n->v, VHOST_NET_SET_BACKEND, TX, n->tap.sock));
	EXPECT_EQ(0, set_file(&n->v, VHOST_NET_SET_BACKEND, TX, -1));
	EXPECT_EQ(0, set_file(&n->v, VHOST_NET_SET_BACKEND, TX, n->tap.fds[0]));
}

/* Works until it is killed. */
static int work(struct net *n, int ready)
{
	uint32_t written;
	int ret = t_vnet_open(&n->v, 0);

	if (!ret)
		ret = t_vnet_backend(&n->v, n->tap.fds[0]);
	for (uint32_t i = 0; !ret; i++) {
		memset(t_vhost_buf(&n->v, TX), 0, T_VNET_HDR);
		ret = t_vhost_exchange(&n->v, TX, T_VNET_HDR + 64, false, &written);
		if (!i && write(ready, &n->v.fd, sizeof(n->v.fd)) < 0)
			break;
	}
	return 1;
}

/* As the process that holds the fd sees it: a manager that has passed it on. */
TEST_F_TIMEOUT(netns, of_a_device_whose_owner_was_killed_at_work_is_free_again, SLOW)
{
	struct net *n = &self->net;
	int ready[2], fd, device, pidfd;
	pid_t pid;

	for (int i = 0; i < 10; i++) {
		ASSERT_EQ(0, pipe2(ready, O_CLOEXEC));
		pid = fork();
		ASSERT_LE(0, pid);
		if (!pid) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			_exit(work(n, ready[1]));
		}
		ASSERT_EQ(0, t_read_until(ready[0], &fd, sizeof(fd), T_DEADLINE_MS));
		pidfd = syscall(SYS_pidfd_open, pid, 0);
		device = syscall(SYS_pidfd_getfd, pidfd, fd, 0);
		ASSERT_LE(0, device);
		kill(pid, SIGKILL);
		ASSERT_EQ(pid, waitpid(pid, NULL, 0));
		EXPECT_EQ(-EBUSY, ask(device, VHOST_SET_OWNER));
		EXPECT_EQ(0, ask_all(&device));
		close(device);
		close(pidfd);
		close(ready[0]);
		close(ready[1]);
	}
	net_start(_metadata, n, 0);
	ASSERT_EQ(0, t_vnet_transmit(&n->v, 200, 1));
	EXPECT_EQ(0, t_tap_expect(&n->tap, 200, 1));
}

TEST_HARNESS_MAIN
