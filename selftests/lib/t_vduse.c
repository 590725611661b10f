// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <linux/vdpa.h>
#include <linux/vduse.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ids.h>

#include "t_genl.h"
#include "t_vduse.h"

#define NAME "vringlab"
#define FEATURES (UINT64_C(1) << VIRTIO_F_VERSION_1 | UINT64_C(1) << VIRTIO_F_ACCESS_PLATFORM)
/* Of a block device, whose contents nobody reads. */
#define CONFIG_SIZE 64

static int create(struct t_vduse *d)
{
	struct vduse_dev_config *config = calloc(1, sizeof(*config) + CONFIG_SIZE);
	uint64_t version = VDUSE_API_VERSION;
	int ret;

	if (!config)
		return -ENOMEM;
	strcpy(config->name, NAME);
	config->device_id = VIRTIO_ID_BLOCK;
	config->features = FEATURES;
	config->vq_num = 1;
	config->vq_align = 4096;
	config->config_size = CONFIG_SIZE;
	ret = ioctl(d->control, VDUSE_SET_API_VERSION, &version) ||
			      ioctl(d->control, VDUSE_CREATE_DEV, config) ?
		      -errno :
		      0;
	free(config);
	return ret;
}

static int set_up_queue(struct t_vduse *d, unsigned int size)
{
	struct vduse_vq_config vq = { .max_size = size };

	d->fd = open("/dev/vduse/" NAME, O_RDWR | O_CLOEXEC);
	d->kick = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	return d->fd < 0 || d->kick < 0 || ioctl(d->fd, VDUSE_VQ_SETUP, &vq) ? -errno : 0;
}

/* The kernel forgets it with each reset. */
static bool set_kick(struct t_vduse *d)
{
	struct vduse_vq_eventfd kick = { .fd = d->kick };

	return !ioctl(d->fd, VDUSE_VQ_SETUP_KICKFD, &kick);
}

static bool is_begin(const struct vduse_dev_request *request)
{
	return request->type == VDUSE_SET_STATUS && request->s.status & VIRTIO_CONFIG_S_DRIVER_OK;
}

/* The status, the memory and the ring's index: it may have them as it likes. */
static void *answer(void *data)
{
	struct t_vduse *d = data;
	struct vduse_dev_request request;

	while (read(d->fd, &request, sizeof(request)) == (ssize_t)sizeof(request)) {
		struct vduse_dev_response response = {
			.request_id = request.request_id,
			.result = VDUSE_REQ_RESULT_OK,
		};

		if (is_begin(&request) && !set_kick(d))
			response.result = VDUSE_REQ_RESULT_FAILED;
		if (write(d->fd, &response, sizeof(response)) < 0)
			break;
	}
	return NULL;
}

static int vdpa(uint8_t cmd, const char *manager)
{
	struct t_genl *g = calloc(1, sizeof(*g));
	struct nlmsghdr *nlh;
	int ret;

	if (!g)
		return -ENOMEM;
	ret = t_genl_open(g, VDPA_GENL_NAME);
	if (!ret) {
		nlh = t_genl_start(g, cmd, NLM_F_ACK);
		mnl_attr_put_strz(nlh, VDPA_ATTR_DEV_NAME, NAME);
		if (manager)
			mnl_attr_put_strz(nlh, VDPA_ATTR_MGMTDEV_DEV_NAME, manager);
		ret = t_genl_call(g, NULL, NULL);
		t_genl_close(g);
	}
	free(g);
	return ret;
}

static int find_vhost(struct t_vduse *d)
{
	glob_t found;
	int ret = -ENODEV;

	if (glob("/dev/vhost-vdpa-*", 0, NULL, &found))
		return ret;
	if (found.gl_pathc == 1 && strlen(found.gl_pathv[0]) < sizeof(d->vhost)) {
		strcpy(d->vhost, found.gl_pathv[0]);
		ret = 0;
	}
	globfree(&found);
	return ret;
}

int t_vduse_open(struct t_vduse *d, unsigned int size)
{
	int ret;

	*d = (struct t_vduse){ .fd = -1, .kick = -1 };
	d->control = open("/dev/vduse/control", O_RDWR | O_CLOEXEC);
	if (d->control < 0)
		return -errno;
	ret = create(d);
	if (!ret)
		ret = set_up_queue(d, size);
	if (ret)
		return ret;
	ret = -pthread_create(&d->thread, NULL, answer, d);
	if (ret)
		return ret;
	d->answering = true;
	ret = vdpa(VDPA_CMD_DEV_NEW, "vduse");
	d->made = !ret;
	return ret ? ret : find_vhost(d);
}

int t_vduse_interrupt(struct t_vduse *d)
{
	uint32_t index = 0;

	return ioctl(d->fd, VDUSE_VQ_INJECT_IRQ, &index) ? -errno : 0;
}

void t_vduse_close(struct t_vduse *d)
{
	char name[VDUSE_NAME_MAX] = NAME;

	if (d->control < 0)
		return;
	if (d->made)
		vdpa(VDPA_CMD_DEV_DEL, NULL);
	/* read(2) is a cancellation point. */
	if (d->answering) {
		pthread_cancel(d->thread);
		pthread_join(d->thread, NULL);
	}
	close(d->fd);
	close(d->kick);
	ioctl(d->control, VDUSE_DESTROY_DEV, name);
	close(d->control);
	d->control = -1;
}
