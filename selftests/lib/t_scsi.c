// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <linux/vhost.h>
#include <linux/virtio_scsi.h>

#include "t_kmod.h"
#include "t_scsi.h"

#define CONFIGFS "/sys/kernel/config"
#define STORE CONFIGFS "/target/core/rd_mcp_0"
#define FABRIC CONFIGFS "/target/vhost"
#define WWN "naa.5001405766726e67"
#define GROUP FABRIC "/" WWN "/tpgt_1"
#define LUN GROUP "/lun/lun_0"

/* In the order in which they are made. */
#define FOLDERS 6
static const char *const folders[FOLDERS] = {
	STORE, STORE "/vringlab", FABRIC, FABRIC "/" WWN, GROUP, LUN,
};

static int put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC), ret = 0;

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		ret = -errno;
	if (fd >= 0)
		close(fd);
	return ret;
}

int t_scsi_make(void)
{
	int i, ret;

	if (t_kmod_modprobe("vhost_scsi") || t_kmod_modprobe("target_core_mod"))
		return -ENODEV;
	mount("configfs", CONFIGFS, "configfs", 0, NULL);
	for (i = 0; i < FOLDERS; i++)
		if (mkdir(folders[i], 0755) && errno != EEXIST)
			return -errno;
	ret = put(STORE "/vringlab/control", "rd_pages=16");
	if (!ret)
		ret = put(STORE "/vringlab/enable", "1");
	if (!ret)
		ret = put(GROUP "/nexus", WWN);
	if (!ret && symlink(STORE "/vringlab", LUN "/port"))
		ret = -errno;
	return ret;
}

void t_scsi_remove(void)
{
	int i;

	unlink(LUN "/port");
	put(GROUP "/nexus", "NULL");
	for (i = FOLDERS - 1; i >= 0; i--)
		rmdir(folders[i]);
}

int t_scsi_endpoint(const struct t_vhost *v)
{
	struct vhost_scsi_target target = {
		.abi_version = VHOST_SCSI_ABI_VERSION,
		.vhost_wwpn = WWN,
		.vhost_tpgt = 1,
	};

	return t_vhost_ioctl(v, VHOST_SCSI_SET_ENDPOINT, &target);
}

/* No data. What the unit says of itself is all the same. */
int t_scsi_stage(struct t_vhost *v, unsigned int queue)
{
	uint8_t *buf = t_vhost_buf(v, queue);
	struct virtio_scsi_cmd_req *req = (void *)buf;
	struct virtio_scsi_cmd_resp *resp = (void *)(buf + T_VHOST_BUF / 2);

	*req = (struct virtio_scsi_cmd_req){ .lun = { 1, 1, 0x40 }, .tag = 1 };
	memset(resp, 0xff, sizeof(*resp));
	return t_vhost_add_both(v, queue, sizeof(*req), sizeof(*resp));
}

uint8_t t_scsi_response(const struct t_vhost *v, unsigned int queue)
{
	const struct t_vhost_queue *q = &v->queues[queue];
	const struct virtio_scsi_cmd_resp *resp =
		(const void *)(q->bufs + (q->next - 1) % T_VHOST_NUM * T_VHOST_BUF +
			       T_VHOST_BUF / 2);

	return resp->response;
}
