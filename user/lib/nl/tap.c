// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Taps: drivers/net/tun.c has no netlink for what is done here.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <linux/if_tun.h>
#include <linux/virtio_net.h>

#include <vringlab/err.h>
#include <vringlab/fd.h>
#include <vringlab/link.h>

#define TUN_DEVICE "/dev/net/tun"

static int open_error(struct vl_err *err, int code)
{
	if (code == -ENOENT || code == -ENODEV || code == -ENXIO)
		return vl_err_set(err, -ENOENT,
				  "cannot open " TUN_DEVICE
				  ": no tun in this kernel; 'modprobe tun' may help");
	return vl_err_set(err, code, "cannot open " TUN_DEVICE ": %s", vl_strerror(code));
}

static int attach_error(struct vl_err *err, int code, const char *name)
{
	switch (code) {
	case -EPERM:
		return vl_err_set(
			err, code,
			"cannot attach to tap '%s': neither CAP_NET_ADMIN nor the tap's owner",
			name);
	case -EBUSY:
		return vl_err_set(err, code, "cannot attach to tap '%s': somebody else has it open",
				  name);
	case -EINVAL:
		return vl_err_set(
			err, code,
			"cannot attach to tap '%s': an interface of another kind, or a tap with other flags; for several queues one is made with 'ip tuntap add mode tap vnet_hdr multi_queue'",
			name);
	}
	return vl_err_set(err, code, "cannot attach to tap '%s': %s", name, vl_strerror(code));
}

static int set_flags(int fd, struct ifreq *ifr, bool many)
{
	ifr->ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | (many ? IFF_MULTI_QUEUE : 0);
	if (ioctl(fd, TUNSETIFF, ifr) < 0)
		return -errno;
	return tap_set_header(fd, sizeof(struct virtio_net_hdr_v1));
}

static int open_queue(struct ifreq *ifr, bool many, int *fd, struct vl_err *err)
{
	int ret;

	*fd = open(TUN_DEVICE, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (*fd < 0)
		return open_error(err, -errno);
	ret = set_flags(*fd, ifr, many);
	if (!ret)
		return 0;
	vl_fd_close(fd);
	return attach_error(err, ret, ifr->ifr_name);
}

int tap_open(char name[IFNAMSIZ], int *fds, unsigned int nr, struct vl_err *err)
{
	struct ifreq ifr = { 0 };
	int got[TAP_QUEUES_MAX];
	unsigned int n = 0;
	int ret = 0;

	if (!nr || nr > TAP_QUEUES_MAX)
		return vl_err_set(err, -EINVAL, "a tap has 1 to %u queues, not %u", TAP_QUEUES_MAX,
				  nr);
	if (!memchr(name, '\0', IFNAMSIZ))
		return vl_err_set(err, -EINVAL, "a tap's name has at most %d characters",
				  IFNAMSIZ - 1);
	strcpy(ifr.ifr_name, name);
	while (n < nr && !ret) {
		/* the first one fills in the name for the others */
		ret = open_queue(&ifr, nr > 1, &got[n], err);
		n += !ret;
	}
	if (ret) {
		while (n)
			close(got[--n]);
		return ret;
	}
	memcpy(fds, got, nr * sizeof(*fds));
	strcpy(name, ifr.ifr_name);
	return 0;
}

int tap_set_offload(int fd, unsigned int features)
{
	return ioctl(fd, TUNSETOFFLOAD, (unsigned long)features) < 0 ? -errno : 0;
}

int tap_set_header(int fd, int len)
{
	return ioctl(fd, TUNSETVNETHDRSZ, &len) < 0 ? -errno : 0;
}

int tap_set_queue(int fd, bool on)
{
	struct ifreq ifr = { .ifr_flags = on ? IFF_ATTACH_QUEUE : IFF_DETACH_QUEUE };

	return ioctl(fd, TUNSETQUEUE, &ifr) < 0 ? -errno : 0;
}

unsigned int tap_offloads(uint64_t features)
{
	static const struct {
		unsigned int bit;
		unsigned int offload;
	} map[] = {
		{ VIRTIO_NET_F_GUEST_CSUM, TUN_F_CSUM },
		{ VIRTIO_NET_F_GUEST_TSO4, TUN_F_TSO4 },
		{ VIRTIO_NET_F_GUEST_TSO6, TUN_F_TSO6 },
	};
	unsigned int offloads = 0;

	for (size_t i = 0; i < sizeof(map) / sizeof(map[0]); i++)
		if (features >> map[i].bit & 1)
			offloads |= map[i].offload;
	if (features >> VIRTIO_NET_F_GUEST_ECN & 1 && offloads & (TUN_F_TSO4 | TUN_F_TSO6))
		offloads |= TUN_F_TSO_ECN;
	return offloads;
}
