// SPDX-License-Identifier: LGPL-2.1-or-later
#include <stdio.h>

#include "common.h"

/* VIRTIO 1.2, 5.1.2: receiveq1, transmitq1, ... controlq, but from 0 and shorter. */
static void name_net(const struct virtio_backend *be, unsigned int index, char buf[16])
{
	if (index == be->num_queues - 1 && !(index & 1))
		snprintf(buf, 16, "ctrl");
	else
		snprintf(buf, 16, "%s%u", index & 1 ? "tx" : "rx", index / 2);
}

/* VIRTIO 1.2, 5.10.2 and 5.3.2; what there is no name for has a number. */
static char *queue_name(const struct virtio_backend *be, unsigned int index, char buf[16])
{
	static const char *const vsock[] = { "rx", "tx", "event" };
	static const char *const console[] = { "rx", "tx" };

	if (be->device_id == VIRTIO_ID_NET)
		name_net(be, index, buf);
	else if (be->device_id == VIRTIO_ID_VSOCK && index < 3)
		snprintf(buf, 16, "%s", vsock[index]);
	else if (be->device_id == VIRTIO_ID_CONSOLE && index < 2)
		snprintf(buf, 16, "%s", console[index]);
	else
		snprintf(buf, 16, "q%u", index);
	return buf;
}

char *backend_label(const struct virtio_backend *be, unsigned int index,
		    char buf[BACKEND_LABEL_SIZE])
{
	char name[16];

	snprintf(buf, BACKEND_LABEL_SIZE, "%s.%s", be->name, queue_name(be, index, name));
	return buf;
}

void backend_init(struct backend *b, const struct backend_host *host, const char *name,
		  uint16_t queue_size)
{
	b->host = host;
	snprintf(b->name, sizeof(b->name), "%s", name);
	b->be.name = b->name;
	b->be.queue_size_max = queue_size ? queue_size : BACKEND_QUEUE_SIZE_DEFAULT;
	b->be.queue_name = queue_name;
}

void backend_fail(struct backend *b, const struct vl_err *err)
{
	if (b->failed)
		return;
	b->failed = true;
	if (b->be.failed)
		b->be.failed(&b->be, err);
}

void backend_warn(const struct backend *b, const struct vl_err *err)
{
	struct vl_err copy = *err;

	vl_err_prefix(&copy, "%s", b->name);
	if (b->host->warn)
		b->host->warn(b->host->ctx, &copy);
}

void backend_tell_config(struct backend *b)
{
	if (b->be.config_changed)
		b->be.config_changed(&b->be);
}
