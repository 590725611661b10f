// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>

#include <linux/vhost.h>

#include "t.h"
#include "t_vnet.h"

int t_vnet_open(struct t_vhost *v, uint64_t features)
{
	int ret = t_vhost_open(v, "/dev/vhost-net", features | UINT64_C(1) << VIRTIO_F_VERSION_1);

	return ret ? ret : t_vhost_start(v, T_VNET_QUEUES);
}

int t_vnet_backend(const struct t_vhost *v, int fd)
{
	int ret = 0;

	for (unsigned int i = 0; i < T_VNET_QUEUES && !ret; i++) {
		struct vhost_vring_file file = { .index = i, .fd = fd };

		ret = t_vhost_ioctl(v, VHOST_NET_SET_BACKEND, &file);
	}
	return ret;
}

int t_vnet_stage(struct t_vhost *v, uint32_t len, uint32_t number)
{
	uint8_t *buf = t_vhost_buf(v, T_VNET_TX);
	int ret;

	memset(buf, 0, T_VNET_HDR);
	t_tap_frame(buf + T_VNET_HDR, len, number);
	ret = t_vhost_add(v, T_VNET_TX, T_VNET_HDR + len, false);
	return ret < 0 ? ret : 0;
}

int t_vnet_transmit(struct t_vhost *v, uint32_t len, uint32_t number)
{
	int ret = t_vnet_stage(v, len, number);

	return ret ? ret : t_vhost_kick(v, T_VNET_TX);
}

int t_vnet_give(struct t_vhost *v, unsigned int nr)
{
	while (nr--) {
		int ret = t_vhost_add(v, T_VNET_RX, T_VHOST_BUF, true);

		if (ret < 0)
			return ret;
	}
	return t_vhost_kick(v, T_VNET_RX);
}

int t_vnet_expect(struct t_vhost *v, uint32_t len, uint32_t number)
{
	const struct t_vhost_queue *q = &v->queues[T_VNET_RX];
	const uint8_t *buf = q->bufs + q->used % T_VHOST_NUM * T_VHOST_BUF;
	uint32_t written;
	int ret = t_vhost_take(v, T_VNET_RX, &written);

	if (ret)
		return ret;
	return written == T_VNET_HDR + len && t_tap_is_frame(buf + T_VNET_HDR, len, number) ?
		       0 :
		       -EBADMSG;
}
