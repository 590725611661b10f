// SPDX-License-Identifier: GPL-2.0-only
/*
 * vhost-scsi: commands in a known number, sent by this program to a target that is
 * memory of the kernel's, against what the module counts.
 */
#include <linux/vhost.h>
#include <linux/virtio_scsi.h>
#include <sys/ioctl.h>
#include <sys/mount.h>

#include "vhost.h"

/* Of the request queue, behind those for control and events. */
#define QUEUE 2
#define QUEUES 3
#define TAG 1
#define ROUNDS 30

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

/* clang-format off */
FIXTURE(scsi) {
	struct t_genl g;
	struct t_vhost v;
	struct t_vring vring;
	struct t_stats s;
};

/* clang-format on */

static int put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC), ret = 0;

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		ret = -errno;
	close(fd);
	return ret;
}

static void make_target(struct __test_metadata *_metadata)
{
	int i;

	mount("configfs", CONFIGFS, "configfs", 0, NULL);
	for (i = 0; i < FOLDERS; i++)
		ASSERT_TRUE(!mkdir(folders[i], 0755) || errno == EEXIST)
		{
			TH_LOG("folder %d: %s", i, strerror(errno));
		}
	ASSERT_EQ(0, put(STORE "/vringlab/control", "rd_pages=16"));
	ASSERT_EQ(0, put(STORE "/vringlab/enable", "1"));
	ASSERT_EQ(0, put(GROUP "/nexus", WWN));
	ASSERT_EQ(0, symlink(STORE "/vringlab", LUN "/port"))
	{
		TH_LOG("%s: %s", LUN "/port", strerror(errno));
	}
}

static void remove_target(void)
{
	int i;

	unlink(LUN "/port");
	put(GROUP "/nexus", "NULL");
	for (i = FOLDERS - 1; i >= 0; i--)
		rmdir(folders[i]);
}

FIXTURE_SETUP(scsi)
{
	struct vhost_scsi_target target = {
		.abi_version = VHOST_SCSI_ABI_VERSION,
		.vhost_wwpn = WWN,
		.vhost_tpgt = 1,
	};
	int ret;

	OPEN_OR_SKIP(&self->g);
	if (t_kmod_modprobe("vhost_scsi") || t_kmod_modprobe("target_core_mod"))
		SKIP(return, "needs a kernel with vhost_scsi and target_core_mod");
	make_target(_metadata);
	tell_layout(_metadata);
	ASSERT_EQ(0, t_discover_set(&self->g, true, false));
	ret = t_vhost_open(&self->v, "/dev/vhost-scsi", VERSION_1);
	if (!ret)
		ret = t_vhost_start(&self->v, QUEUES);
	ASSERT_EQ(0, ret)
	{
		TH_LOG("/dev/vhost-scsi: %s", strerror(-ret));
	}
	ASSERT_EQ(0, ioctl(self->v.fd, VHOST_SCSI_SET_ENDPOINT, &target))
	{
		TH_LOG("VHOST_SCSI_SET_ENDPOINT: %s", strerror(errno));
	}
	ASSERT_TRUE(
		EVENTUALLY(is_ready(&self->g, VRINGLAB_BACKEND_VHOST_SCSI, QUEUE, &self->vring)));
}

FIXTURE_TEARDOWN(scsi)
{
	EXPECT_EQ(0u, self->g.leak);
	t_vhost_close(&self->v);
	remove_target();
	t_genl_close(&self->g);
}

/* TEST UNIT READY: no data. What the unit says of itself is all the same. */
static void command(struct __test_metadata *_metadata, FIXTURE_DATA(scsi) * self)
{
	struct virtio_scsi_cmd_resp *resp;
	int64_t used = t_vhost_reap(&self->v, QUEUE);
	uint8_t *buf = t_vhost_buf(&self->v, QUEUE);
	struct virtio_scsi_cmd_req *req = (void *)buf;

	resp = (void *)(buf + T_VHOST_BUF / 2);
	*req = (struct virtio_scsi_cmd_req){ .lun = { 1, 1, 0x40 }, .tag = TAG };
	memset(resp, 0xff, sizeof(*resp));
	ASSERT_LE(0, t_vhost_add_both(&self->v, QUEUE, sizeof(*req), sizeof(*resp)));
	ASSERT_EQ(0, t_vhost_kick(&self->v, QUEUE));
	ASSERT_TRUE(EVENTUALLY(t_vhost_reap(&self->v, QUEUE) == used + 1 &&
			       t_vhost_wants_kick(&self->v, QUEUE)));
	EXPECT_EQ(VIRTIO_SCSI_S_OK, resp->response);
}

/* The last call may still be on its way when its command is seen to be done. */
static bool has_called(FIXTURE_DATA(scsi) * self, uint64_t times)
{
	return !t_stats_get(&self->g, self->vring.id, &self->s) &&
	       T_CNT(&self->s, CALLS_VHOST) == times;
}

TEST_F_TIMEOUT(scsi, each_command_is_counted_on_its_way_and_back, SLOW)
{
	EXPECT_EQ(T_VHOST_NUM, self->vring.size);
	for (unsigned int i = 0; i < ROUNDS; i++)
		command(_metadata, self);
	EXPECT_TRUE(EVENTUALLY(has_called(self, ROUNDS)));
	EXPECT_LAWFUL(&self->s);
	EXPECT_EQ(t_vhost_calls(&self->v, QUEUE), T_CNT(&self->s, CALLS_VHOST));
	EXPECT_EQ((uint64_t)ROUNDS, T_CNT(&self->s, KICKS_WRITE));
	EXPECT_EQ((uint64_t)ROUNDS, T_CNT(&self->s, KICKS));
	EXPECT_EQ(0u, T_CNT(&self->s, KICK_COALESCED));
	EXPECT_EQ((uint64_t)ROUNDS, T_CNT(&self->s, WAKES_VHOST) - T_CNT(&self->s, WAKE_UNMATCHED));
	EXPECT_EQ((uint64_t)ROUNDS, T_CNT(&self->s, TAKEN));
	EXPECT_EQ((uint64_t)ROUNDS, T_CNT(&self->s, USED));
	EXPECT_EQ((uint64_t)ROUNDS, T_CNT(&self->s, NOTIFIES));
	EXPECT_EQ((uint64_t)ROUNDS, T_SPAN(&self->s, WAKE_CALL)->count);
}

TEST_F_TIMEOUT(scsi, a_device_that_is_closed_goes, SLOW)
{
	command(_metadata, self);
	t_vhost_close(&self->v);
	for (unsigned int i = 0; i < QUEUES; i++)
		EXPECT_TRUE(EVENTUALLY(
			!find_queue(&self->g, VRINGLAB_BACKEND_VHOST_SCSI, i, &self->vring)));
}

static __attribute__((constructor)) void use_module(void)
{
	load_module();
}

TEST_HARNESS_MAIN
