// SPDX-License-Identifier: LGPL-2.1-or-later
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <linux/virtio_console.h>

#include <vringlab/err.h>
#include <vringlab/fd.h>

#include "console.h"
#include "ring_features.h"

static int console_process(void *dev, struct vdev_queue *q)
{
	if (q->index == CONSOLE_RX)
		return console_rx_process(dev, q);
	return console_tx_process(dev, q);
}

static int console_start(void *dev, struct vdev_queue *q, struct vl_err *err)
{
	struct console *c = dev;
	int ret;

	if (q->index == CONSOLE_TX) {
		console_tx_run(c, q);
		return 0;
	}
	ret = console_rx_watch(c);
	if (ret)
		return vl_err_set(err, ret, "the console's input cannot be watched: %s",
				  vl_strerror(ret));
	c->rx = q;
	return 0;
}

static void console_stop(void *dev, struct vdev_queue *q, bool cancel)
{
	struct console *c = dev;

	if (q->index == CONSOLE_RX) {
		loop_op_remove(&c->readable);
		c->rx = NULL;
		return;
	}
	c->out.running = false;
	if (cancel)
		console_tx_cancel(c);
}

static void console_resume(void *dev, struct vdev_queue *q)
{
	console_start(dev, q, NULL);
}

static int console_get_config(void *dev, uint32_t offset, void *buf, uint32_t size)
{
	const struct console *c = dev;
	const struct virtio_console_config config = {
		.cols = htole16(c->cols),
		.rows = htole16(c->rows),
		.max_nr_ports = htole32(1),
	};

	if (offset > sizeof(config) || size > sizeof(config) - offset)
		return -EINVAL;
	memcpy(buf, (const uint8_t *)&config + offset, size);
	return 0;
}

static const struct vdev_ops console_ops = {
	.process = console_process,
	.start = console_start,
	.stop = console_stop,
	.resume = console_resume,
	.get_config = console_get_config,
};

static void close_fds(int in_fd, int out_fd)
{
	if (in_fd != out_fd)
		vl_fd_close(&in_fd);
	vl_fd_close(&out_fd);
}

int vdev_console_create(struct vdev **vdev, struct loop *loop,
			const struct vdev_console_config *config, struct vl_err *err)
{
	struct console *c = calloc(1, sizeof(*c));

	if (!c) {
		close_fds(config->in_fd, config->out_fd);
		return vl_err_set(err, -ENOMEM, "cannot make a console device: out of memory");
	}
	c->loop = loop;
	c->in_fd = config->in_fd;
	c->out_fd = config->out_fd;
	c->cols = config->cols;
	c->rows = config->rows;
	console_tx_init(c);
	c->vdev = (struct vdev){
		.ops = &console_ops,
		.dev = c,
		.features = RING_FEATURES | VIRTIO_BIT(VIRTIO_F_IN_ORDER),
		.num_queues = 2,
		.config_size = sizeof(struct virtio_console_config),
	};
	if (c->cols && c->rows)
		c->vdev.features |= VIRTIO_BIT(VIRTIO_CONSOLE_F_SIZE);
	*vdev = &c->vdev;
	return 0;
}

void vdev_console_resize(struct vdev *vdev, uint16_t cols, uint16_t rows)
{
	struct console *c = vdev->dev;

	if (c->cols == cols && c->rows == rows)
		return;
	c->cols = cols;
	c->rows = rows;
	if (vdev->config_changed)
		vdev->config_changed(vdev);
}

void vdev_console_destroy(struct vdev *vdev)
{
	struct console *c;

	if (!vdev)
		return;
	c = vdev->dev;
	loop_op_remove(&c->readable);
	console_tx_exit(c);
	iov_room_free(&c->rx_room);
	close_fds(c->in_fd, c->out_fd);
	free(c);
}

void vdev_console_get_stats(const struct vdev *vdev, struct vdev_console_stats *stats)
{
	const struct console *c = vdev->dev;

	*stats = c->stats;
}
