// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Config space of the device, which is the back-end's.
 */
#include <linux/virtio_config.h>
#include <string.h>

#include <vringlab/loop_errand.h>

#include "transport.h"

struct config_errand {
	struct virtio_transport *t;
	uint32_t offset;
	uint32_t len;
	void *in;
	const void *out;
};

static int read_config(void *ctx)
{
	struct config_errand *errand = ctx;
	struct virtio_backend *be = errand->t->be;

	be->ops->get_config(be, errand->offset, errand->in, errand->len);
	return 0;
}

/* Not before the driver has said which features it knows: VIRTIO 1.2 section 3.1.1. */
static bool may_write(struct virtio_transport *t)
{
	bool is_ok;

	vt_lock(t);
	is_ok = t->status & VIRTIO_CONFIG_S_FEATURES_OK;
	vt_unlock(t);
	return is_ok;
}

static int write_config(void *ctx)
{
	struct config_errand *errand = ctx;
	struct virtio_backend *be = errand->t->be;

	if (may_write(errand->t))
		be->ops->set_config(be, errand->offset, errand->out, errand->len);
	return 0;
}

/* What is behind the end reads as 0. */
void vt_read_config(struct virtio_transport *t, uint64_t offset, void *data, unsigned int len)
{
	uint32_t size = t->be->config_size;
	struct config_errand errand = { .t = t, .offset = offset, .len = len, .in = data };

	memset(data, 0, len);
	if (offset >= size)
		return;
	if (len > size - offset)
		errand.len = size - offset;
	loop_errand(t->config.errands, read_config, &errand);
}

void vt_write_config(struct virtio_transport *t, uint64_t offset, const void *data,
		     unsigned int len)
{
	uint32_t size = t->be->config_size;
	struct config_errand errand = { .t = t, .offset = offset, .len = len, .out = data };

	if (offset < size && len <= size - offset && t->be->ops->set_config)
		loop_errand(t->config.errands, write_config, &errand);
}

void vt_config_changed(struct virtio_backend *be)
{
	struct virtio_transport *t = be->transport;

	vt_lock(t);
	t->generation++;
	if (t->status & VIRTIO_CONFIG_S_DRIVER_OK)
		t->ops->config_changed(t);
	vt_unlock(t);
}
