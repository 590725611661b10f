// SPDX-License-Identifier: GPL-2.0-only
#include <string.h>

#include <linux/virtio_net.h>

#include <vringlab/backend_local.h>

#include "t_driver.h"

int t_driver_create_local(struct t_driver *t, struct vdev *vdev, void (*destroy)(struct vdev *),
			  uint16_t device_id, const char *name)
{
	const struct backend_local_config config = {
		.name = name,
		.device_id = device_id,
		.packed = true,
		.vdev = vdev,
		.destroy = destroy,
	};

	return backend_local_create(&t->be, &t->host, &config, &t->err);
}

int t_driver_set_pairs(struct t_driver *t, unsigned int control, uint16_t pairs)
{
	const uint8_t command[] = { VIRTIO_NET_CTRL_MQ, VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET, pairs, 0,
				    0xee };
	uint64_t gpa = t_driver_alloc(t, sizeof(command));
	const struct vring_buf bufs[] = { { .gpa = gpa, .len = 4 }, { .gpa = gpa + 4, .len = 1 } };
	uint64_t used = t->queues[control].used;
	uint8_t *bytes = t_driver_at(t, gpa);
	int ret;

	memcpy(bytes, command, sizeof(command));
	ret = t_driver_add(t, control, bufs, 1, 1, 0);
	if (!ret)
		ret = t_driver_run_until(t, control, used + 1);
	return ret ? ret : bytes[4];
}
