/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the programs of the vhost ring share: the kernel's vhost itself is under test,
 * and this process is its driver.
 */
#ifndef VRINGLAB_SELFTESTS_VHOST_VHOST_H
#define VRINGLAB_SELFTESTS_VHOST_VHOST_H

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/vhost.h>

/* clang-format off */
#include "kselftest_harness.h"
/* clang-format on */

#include "t.h"
#include "t_eventually.h"
#include "t_vhost.h"
#include "t_vnet.h"

/* Emulated processors take their time. */
#define SLOW 100

#define BIT(bit) (UINT64_C(1) << (bit))
#define RX T_VNET_RX
#define TX T_VNET_TX

/* What the header may be too old for. */
#ifndef VHOST_NEW_WORKER
struct vhost_worker_state {
	unsigned int worker_id;
};

struct vhost_vring_worker {
	unsigned int index;
	unsigned int worker_id;
};

#define VHOST_NEW_WORKER _IOR(VHOST_VIRTIO, 0x8, struct vhost_worker_state)
#define VHOST_FREE_WORKER _IOW(VHOST_VIRTIO, 0x9, struct vhost_worker_state)
#define VHOST_ATTACH_VRING_WORKER _IOW(VHOST_VIRTIO, 0x15, struct vhost_vring_worker)
#define VHOST_GET_VRING_WORKER _IOWR(VHOST_VIRTIO, 0x16, struct vhost_vring_worker)
#endif
#ifndef VHOST_SET_FORK_FROM_OWNER
#define VHOST_FORK_OWNER_KTHREAD 0
#define VHOST_FORK_OWNER_TASK 1
#define VHOST_SET_FORK_FROM_OWNER _IOW(VHOST_VIRTIO, 0x84, __u8)
#define VHOST_GET_FORK_FROM_OWNER _IOR(VHOST_VIRTIO, 0x85, __u8)
#endif

/* Of a machine without vhost nothing is asked but to be told so. */
static __attribute__((constructor)) void load_vhost(void)
{
	t_vhost_load();
}

#define OPEN_VHOST_OR_SKIP(fd, name)                                                         \
	do {                                                                                 \
		*(fd) = open("/dev/" name, O_RDWR | O_CLOEXEC);                              \
		if (*(fd) < 0 && (errno == EACCES || errno == EPERM))                        \
			SKIP(return, "may not open /dev/" name ": run as root");             \
		if (*(fd) < 0)                                                               \
			SKIP(return, "needs /dev/" name ": modprobe %s",                     \
				   strcmp(name, "vhost-net") ? "vhost_vsock" : "vhost_net"); \
	} while (0)

/* In a network namespace of its own, which ends with the test. */
#define TAP_OR_SKIP(tap, nr)                                                               \
	do {                                                                               \
		int ret_;                                                                  \
		if (geteuid() || unshare(CLONE_NEWNET))                                    \
			SKIP(return, "needs a network namespace of its own: run as root"); \
		ret_ = t_tap_open(tap, nr);                                                \
		if (ret_ == -ENOENT)                                                       \
			SKIP(return, "needs /dev/net/tun: modprobe tun");                  \
		ASSERT_EQ(0, ret_)                                                         \
		{                                                                          \
			TH_LOG("%s", (tap)->err.msg);                                      \
		}                                                                          \
	} while (0)

/**
 * struct net - vhost-net on a tap
 * @tap:	Tap.
 * @v:		Device.
 * @error:	eventfd that both of its virtqueues signal when their contents are wrong.
 */
struct net {
	struct t_tap tap;
	struct t_vhost v;
	int error;
};

#define NET_OR_SKIP(n)                                 \
	do {                                           \
		int fd_;                               \
		memset(n, 0, sizeof(*(n)));            \
		(n)->error = -1;                       \
		OPEN_VHOST_OR_SKIP(&fd_, "vhost-net"); \
		close(fd_);                            \
		TAP_OR_SKIP(&(n)->tap, 1);             \
	} while (0)

static inline __attribute__((unused)) int set_file(const struct t_vhost *v, unsigned long nr,
						   unsigned int queue, int fd)
{
	struct vhost_vring_file file = { .index = queue, .fd = fd };

	return t_vhost_ioctl(v, nr, &file);
}

/* With all that a driver sets up, and no back-end. */
static inline __attribute__((unused)) void net_open(struct __test_metadata *_metadata,
						    struct net *n, uint64_t features)
{
	ASSERT_EQ(0, t_vnet_open(&n->v, features));
	n->error = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	ASSERT_LE(0, n->error);
	ASSERT_EQ(0, set_file(&n->v, VHOST_SET_VRING_ERR, RX, n->error));
	ASSERT_EQ(0, set_file(&n->v, VHOST_SET_VRING_ERR, TX, n->error));
}

static inline __attribute__((unused)) void net_start(struct __test_metadata *_metadata,
						     struct net *n, uint64_t features)
{
	net_open(_metadata, n, features);
	ASSERT_EQ(0, t_vnet_backend(&n->v, n->tap.fds[0]));
}

static inline __attribute__((unused)) void net_close(struct net *n)
{
	t_vhost_close(&n->v);
	if (n->error >= 0)
		close(n->error);
	t_tap_close(&n->tap);
}

/* Takes what has been signalled: true if anything. */
static inline __attribute__((unused)) bool had_error(struct net *n)
{
	eventfd_t times;

	return !eventfd_read(n->error, &times);
}

/* Waits for it. */
static inline __attribute__((unused)) bool has_error(struct net *n)
{
	return !t_poll_until(n->error, T_DEADLINE_MS) && had_error(n);
}

/* A virtqueue that begins anew, after a mistake. */
static inline __attribute__((unused)) int net_restart(struct net *n)
{
	int ret = t_vnet_backend(&n->v, -1);

	for (unsigned int i = 0; i < T_VNET_QUEUES && !ret; i++) {
		n->v.queues[i].next = 0;
		n->v.queues[i].used = 0;
		ret = t_vhost_ring(&n->v, i);
	}
	return ret ? ret : t_vnet_backend(&n->v, n->tap.fds[0]);
}

/* A child that a failed assertion of ours cannot leave behind: what @fn makes of @data. */
static inline __attribute__((unused)) int in_child(int (*fn)(void *data), void *data)
{
	pid_t pid = fork();
	int status;

	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		_exit(-fn(data));
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return -ECHILD;
	return -WEXITSTATUS(status);
}

#endif /* VRINGLAB_SELFTESTS_VHOST_VHOST_H */
