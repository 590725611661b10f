// SPDX-License-Identifier: GPL-2.0-only
/*
 * Public vulnerabilities of vhost whose test a vulnerable kernel may not survive. This
 * is the ring's last program; each test says what an end of the machine would mean.
 */
#include <sys/mman.h>

#include <linux/virtio_scsi.h>

#include "t_scsi.h"
#include "vhost.h"

#define LOG_BYTES (64u << 10)
/*
 * As many as a table can have. vhost-net has room for 1088 of what to log, in pages that come
 * by powers of two; a megabyte more does not go unnoticed.
 */
#define PIECES 65535u

#define EXPENDABLE_OR_SKIP                                                          \
	do {                                                                        \
		if (!getenv("VRINGLAB_EXPENDABLE"))                                 \
			SKIP(return, "ends a machine that is vulnerable:"           \
				     " set VRINGLAB_EXPENDABLE=1 where it may be"); \
	} while (0)

/* Said before, since nothing can be said afterwards. */
#define TELL(cve, change)                                                                \
	do {                                                                             \
		TH_LOG("If the machine ends here, it is vulnerable to " cve ": it lacks" \
		       " '" change "'");                                                 \
		fflush(NULL);                                                            \
		fsync(STDOUT_FILENO);                                                    \
		fsync(STDERR_FILENO);                                                    \
	} while (0)

FIXTURE(log)
{
	struct net net;
	uint8_t *bitmap;
};

FIXTURE_SETUP(log)
{
	EXPENDABLE_OR_SKIP;
	NET_OR_SKIP(&self->net);
	self->bitmap =
		mmap(NULL, LOG_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, (void *)self->bitmap);
}

FIXTURE_TEARDOWN(log)
{
	net_close(&self->net);
	if (self->bitmap)
		munmap(self->bitmap, LOG_BYTES);
}

/* One buffer of many empty pieces and a whole one, in an indirect table. */
static void give_pieces(struct __test_metadata *_metadata, struct t_vhost *v)
{
	struct vring_desc *table = (void *)(v->mem + 2 * T_VHOST_QUEUE_BYTES);
	struct t_vhost_queue *q = &v->queues[RX];
	struct vring_desc *head;

	for (unsigned int i = 0; i <= PIECES; i++) {
		table[i] = (struct vring_desc){
			.addr = htole64(q->bufs_gpa),
			.len = htole32(i < PIECES ? 0 : T_VHOST_BUF),
			.flags = htole16(VRING_DESC_F_WRITE | (i < PIECES ? VRING_DESC_F_NEXT : 0)),
			.next = htole16(i + 1),
		};
	}
	ASSERT_LE(0, t_vhost_add(v, RX, T_VHOST_BUF, true));
	head = &q->layout.desc[le16toh(q->layout.avail->ring[0])];
	head->addr = htole64(T_VHOST_GPA + 2 * T_VHOST_QUEUE_BYTES);
	head->len = htole32((PIECES + 1) * sizeof(*table));
	head->flags = htole16(VRING_DESC_F_INDIRECT);
	ASSERT_EQ(0, t_vhost_kick(v, RX));
}

TEST_F_TIMEOUT(log, cve_2019_14835_has_room_for_no_piece_that_is_empty, SLOW)
{
	struct net *n = &self->net;
	uint64_t base = (uintptr_t)self->bitmap;

	net_open(_metadata, n,
		 BIT(VHOST_F_LOG_ALL) | BIT(VIRTIO_NET_F_MRG_RXBUF) |
			 BIT(VIRTIO_RING_F_INDIRECT_DESC));
	ASSERT_EQ(0, t_vhost_ioctl(&n->v, VHOST_SET_LOG_BASE, &base));
	ASSERT_EQ(0, t_vnet_backend(&n->v, n->tap.fds[0]));
	TELL("CVE-2019-14835", "vhost: make sure log_num < in_num");
	give_pieces(_metadata, &n->v);
	ASSERT_EQ(0, t_tap_send(&n->tap, 1000, 1));
	EXPECT_EQ(0, t_vnet_expect(&n->v, 1000, 1));
	EXPECT_FALSE(had_error(n));
}

FIXTURE(scsi)
{
	struct t_vhost v;
};

FIXTURE_SETUP(scsi)
{
	int ret;

	EXPENDABLE_OR_SKIP;
	if (geteuid())
		SKIP(return, "makes a target of vhost_scsi: run as root");
	ret = t_scsi_make();
	if (ret == -ENODEV)
		SKIP(return, "needs a kernel with vhost_scsi and target_core_mod");
	ASSERT_EQ(0, ret);
	ASSERT_EQ(0, t_vhost_open(&self->v, "/dev/vhost-scsi", BIT(VIRTIO_F_VERSION_1)));
	ASSERT_EQ(0, t_vhost_start(&self->v, T_SCSI_REQUEST + 1));
	ASSERT_EQ(0, t_scsi_endpoint(&self->v));
}

FIXTURE_TEARDOWN(scsi)
{
	t_vhost_close(&self->v);
	t_scsi_remove();
}

/* Such a request is for no target, which the kernel looked for nevertheless. */
TEST_F_TIMEOUT(scsi, cve_2024_49863_a_query_on_the_control_virtqueue_is_answered, SLOW)
{
	struct t_vhost *v = &self->v;
	uint8_t *buf = t_vhost_buf(v, T_SCSI_CONTROL);
	struct virtio_scsi_ctrl_an_req *req = (void *)buf;
	struct virtio_scsi_ctrl_an_resp *resp = (void *)(buf + T_VHOST_BUF / 2);

	*req = (struct virtio_scsi_ctrl_an_req){
		.type = htole32(VIRTIO_SCSI_T_AN_QUERY),
		.lun = { 1, 1, 0x40 },
	};
	memset(resp, 0xff, sizeof(*resp));
	TELL("CVE-2024-49863", "vhost/scsi: null-ptr-dereference in vhost_scsi_get_req()");
	ASSERT_LE(0, t_vhost_add_both(v, T_SCSI_CONTROL, sizeof(*req), sizeof(*resp)));
	ASSERT_EQ(0, t_vhost_kick(v, T_SCSI_CONTROL));
	EXPECT_TRUE(EVENTUALLY(t_vhost_reap(v, T_SCSI_CONTROL) == 1));
	EXPECT_EQ(VIRTIO_SCSI_S_OK, resp->response);
}

TEST_HARNESS_MAIN
