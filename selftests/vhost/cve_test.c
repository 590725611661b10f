// SPDX-License-Identifier: GPL-2.0-only
/*
 * Public vulnerabilities of vhost that can be told from outside without harm: a kernel
 * that has one fails, by the name of it and of the change that mended it. What a machine
 * may not survive is in cve_last_test.
 */
#include <dirent.h>

#include "vhost.h"

#define RX_BUF 300u
#define MISSES 64u
#define LOG_FDS 1024u

#define VULNERABLE(cve, change) TH_LOG("vulnerable to " cve ": it lacks '" change "'")

FIXTURE(cve)
{
	struct net net;
};

FIXTURE_SETUP(cve)
{
	NET_OR_SKIP(&self->net);
}

FIXTURE_TEARDOWN(cve)
{
	net_close(&self->net);
}

/* --- a worker that finds no rest ------------------------------------------------------- */

/* Sets path to the stat file of that task in the folder whose name is the worker's. */
static bool find_task(const char *folder, char *path, size_t size)
{
	char wanted[32], name[32];
	DIR *dir = opendir(folder);
	struct dirent *entry;
	bool found = false;
	FILE *f;

	snprintf(wanted, sizeof(wanted), "vhost-%d\n", getpid());
	while (dir && !found && (entry = readdir(dir))) {
		snprintf(path, size, "%s/%.16s/comm", folder, entry->d_name);
		f = fopen(path, "re");
		if (!f)
			continue;
		found = fgets(name, sizeof(name), f) && !strcmp(name, wanted);
		fclose(f);
		snprintf(path, size, "%s/%.16s/stat", folder, entry->d_name);
	}
	if (dir)
		closedir(dir);
	return found;
}

static char state_of(const char *path)
{
	FILE *f = fopen(path, "re");
	char state = 0;

	if (!f)
		return 0;
	if (fscanf(f, "%*d (%*[^)]) %c", &state) != 1)
		state = 0;
	fclose(f);
	return state;
}

/* Whoever looks for work does so for a moment only, as one who is about to sleep. */
static bool is_asleep(const char *path)
{
	for (int i = 0; i < 50; i++)
		if (state_of(path) != 'S')
			return false;
	return true;
}

static void give(struct __test_metadata *_metadata, struct t_vhost *v, unsigned int nr)
{
	struct t_vhost_queue *q = &v->queues[RX];

	for (; nr; nr--, q->next++) {
		const struct vring_buf buf = {
			.gpa = q->bufs_gpa + q->next * T_VHOST_BUF,
			.len = RX_BUF,
		};

		ASSERT_LE(0, vring_drv_add(&q->drv, &buf, 0, 1));
	}
	ASSERT_EQ(0, t_vhost_kick(v, RX));
}

TEST_F_TIMEOUT(cve, 2026_74356_a_frame_for_which_there_are_too_few_buffers_waits, SLOW)
{
	struct net *n = &self->net;
	char worker[64];

	net_start(_metadata, n, BIT(VIRTIO_NET_F_MRG_RXBUF) | BIT(VIRTIO_RING_F_EVENT_IDX));
	ASSERT_TRUE(find_task("/proc/self/task", worker, sizeof(worker)) ||
		    find_task("/proc", worker, sizeof(worker)));
	give(_metadata, &n->v, 1);
	ASSERT_EQ(0, t_tap_send(&n->tap, 1000, 1));
	/* It has looked: there is an index from which on it wants to be kicked. */
	ASSERT_TRUE(EVENTUALLY(t_vhost_wants_kick(&n->v, RX)));
	EXPECT_TRUE(EVENTUALLY(is_asleep(worker)))
	{
		VULNERABLE("CVE-2026-74356", "vhost: fix vhost_get_avail_idx for a non empty ring");
	}
	EXPECT_EQ(0, t_vhost_reap(&n->v, RX));
	give(_metadata, &n->v, 3);
	EXPECT_TRUE(EVENTUALLY(t_vhost_reap(&n->v, RX) == 4));
}

/* --- translations ---------------------------------------------------------------------- */

/* Of the memory, what the device may translate to. */
#define MAPPED (2 * T_VHOST_QUEUE_BYTES)

static int tell(const struct t_vhost *v, struct vhost_iotlb_msg iotlb)
{
	const struct vhost_msg msg = { .type = VHOST_IOTLB_MSG, .iotlb = iotlb };

	return write(v->fd, &msg, sizeof(msg)) == sizeof(msg) ? 0 : -errno;
}

static int map(const struct t_vhost *v, uint64_t iova, const void *to, uint64_t size)
{
	return tell(v, (struct vhost_iotlb_msg){
			       .iova = iova,
			       .size = size,
			       .uaddr = (uintptr_t)to,
			       .perm = VHOST_ACCESS_RW,
			       .type = VHOST_IOTLB_UPDATE,
		       });
}

static int unmap(const struct t_vhost *v, uint64_t iova, uint64_t size)
{
	return tell(v, (struct vhost_iotlb_msg){
			       .iova = iova,
			       .size = size,
			       .type = VHOST_IOTLB_INVALIDATE,
		       });
}

/* Rings have their own addresses, buffers those of the guest. */
static void start_translated(struct __test_metadata *_metadata, struct net *n)
{
	net_open(_metadata, n, BIT(VIRTIO_F_ACCESS_PLATFORM));
	ASSERT_EQ(0, map(&n->v, (uintptr_t)n->v.mem, n->v.mem, MAPPED));
	ASSERT_EQ(0, map(&n->v, T_VHOST_GPA, n->v.mem, MAPPED));
	ASSERT_EQ(0, t_vnet_backend(&n->v, n->tap.fds[0]));
}

static int set_used(const struct t_vhost *v, const uint8_t *used)
{
	struct vhost_vring_addr addr = {
		.index = TX,
		.desc_user_addr = (uintptr_t)v->queues[TX].layout.desc,
		.avail_user_addr = (uintptr_t)v->queues[TX].layout.avail,
		.used_user_addr = (uintptr_t)used,
	};

	return t_vhost_ioctl(v, VHOST_SET_VRING_ADDR, &addr);
}

static bool is_untouched(const uint8_t *at)
{
	for (unsigned int i = 0; i < T_VHOST_RINGS_BYTES; i++)
		if (at[i] != 0xa5)
			return false;
	return true;
}

TEST_F_TIMEOUT(cve, 2026_74580_a_ring_that_moves_is_translated_anew, SLOW)
{
	struct net *n = &self->net;
	struct vhost_msg msg;
	uint8_t *beyond;

	start_translated(_metadata, n);
	ASSERT_EQ(0, t_vnet_transmit(&n->v, 100, 1));
	ASSERT_EQ(0, t_tap_expect(&n->tap, 100, 1));
	ASSERT_TRUE(EVENTUALLY(t_vhost_reap(&n->v, TX) == 1));
	beyond = n->v.mem + MAPPED;
	memset(beyond, 0xa5, T_VHOST_RINGS_BYTES);
	ASSERT_EQ(0, set_used(&n->v, beyond));
	ASSERT_EQ(0, t_vnet_transmit(&n->v, 100, 2));
	ASSERT_TRUE(EVENTUALLY(!t_poll_until(n->v.fd, 0) || !is_untouched(beyond)));
	EXPECT_TRUE(is_untouched(beyond))
	{
		VULNERABLE("CVE-2026-74580",
			   "vhost: reset the vring metadata cache on vring reconfiguration");
	}
	if (!is_untouched(beyond))
		return;
	/* It asks, and goes on when it is told. */
	ASSERT_EQ((ssize_t)sizeof(msg), read(n->v.fd, &msg, sizeof(msg)));
	EXPECT_EQ(VHOST_IOTLB_MISS, msg.iotlb.type);
	EXPECT_EQ((uintptr_t)beyond, msg.iotlb.iova);
	EXPECT_EQ(VHOST_ACCESS_WO, msg.iotlb.perm);
	EXPECT_TRUE(t_tap_is_silent(&n->tap));
	ASSERT_EQ(0, map(&n->v, (uintptr_t)beyond, beyond, T_VHOST_QUEUE_BYTES));
	EXPECT_EQ(0, t_tap_expect(&n->tap, 100, 2));
}

/* Of what was read, all but what a miss says. */
static bool has_remains(uint8_t bytes[sizeof(struct vhost_msg)])
{
	struct vhost_msg *msg = (void *)bytes;

	msg->type = 0;
	msg->iotlb.iova = 0;
	msg->iotlb.perm = 0;
	msg->iotlb.type = 0;
	for (unsigned int i = 0; i < sizeof(*msg); i++)
		if (bytes[i])
			return true;
	return false;
}

/* Both forms of the message; the second came with the chance for the second mistake. */
TEST_F_TIMEOUT(cve, 2018_1118_and_2024_0340_messages_have_no_remains_of_the_kernels_memory, SLOW)
{
	struct net *n = &self->net;
	uint64_t v2 = BIT(VHOST_BACKEND_F_IOTLB_MSG_V2);
	uint8_t bytes[sizeof(struct vhost_msg)] __attribute__((aligned(8)));
	const struct vhost_msg *msg = (void *)bytes;
	unsigned int remains = 0;
	uint64_t desc, page;

	net_open(_metadata, n, BIT(VIRTIO_F_ACCESS_PLATFORM));
	desc = (uintptr_t)n->v.queues[TX].layout.desc;
	/* Without used rings there is no back-end; the descriptors are what is missed. */
	for (unsigned int i = RX; i <= TX; i++) {
		const void *used = n->v.queues[i].layout.used;

		ASSERT_EQ(0, map(&n->v, (uintptr_t)used, used, 2 * 4096));
	}
	ASSERT_EQ(0, t_vnet_backend(&n->v, n->tap.fds[0]));
	for (unsigned int i = 0; i < MISSES; i++) {
		if (i == MISSES / 2) {
			ASSERT_EQ(0, t_vhost_ioctl(&n->v, VHOST_SET_BACKEND_FEATURES, &v2));
		}
		ASSERT_EQ(0, t_vhost_kick(&n->v, TX));
		ASSERT_EQ(0, t_poll_until(n->v.fd, T_DEADLINE_MS));
		memset(bytes, 0, sizeof(bytes));
		ASSERT_LT(0, read(n->v.fd, bytes, sizeof(bytes)));
		ASSERT_EQ(VHOST_IOTLB_MISS, msg->iotlb.type);
		/* on its way while they could be translated, a worker misses what is behind them */
		ASSERT_GT(T_VHOST_RINGS_BYTES, msg->iotlb.iova - desc);
		page = msg->iotlb.iova & ~4095ull;
		remains += has_remains(bytes);
		/* newer kernels do not ask twice for what is still missing */
		ASSERT_EQ(0, map(&n->v, page, (void *)page, 4096));
		ASSERT_EQ(0, unmap(&n->v, page, 4096));
	}
	EXPECT_EQ(0u, remains)
	{
		VULNERABLE("CVE-2018-1118 or CVE-2024-0340",
			   "vhost: fix info leak due to uninitialized memory' or"
			   " 'vhost: use kzalloc() instead of kmalloc() followed by memset()");
	}
}

/* Nothing is sent afterwards: where it is taken, no frame would ever be done with. */
TEST_F_TIMEOUT(cve, 2022_48862_a_translation_of_no_bytes_is_refused, SLOW)
{
	struct net *n = &self->net;

	net_open(_metadata, n, BIT(VIRTIO_F_ACCESS_PLATFORM));
	EXPECT_EQ(-EINVAL, map(&n->v, 0, NULL, 0))
	{
		VULNERABLE("CVE-2022-48862",
			   "vhost: fix hung thread due to erroneous iotlb entries");
	}
}

/* --- receiving ------------------------------------------------------------------------- */

static bool is_second_frame(const struct t_vhost_queue *q)
{
	for (unsigned int i = RX_BUF; i < T_VHOST_BUF; i++)
		if (q->bufs[i] != 0xa5)
			return false;
	return q->used == 1 && (t_tap_is_frame(q->bufs + T_VNET_HDR, 200, 2) ||
				t_tap_is_frame(q->bufs + T_VHOST_BUF + T_VNET_HDR, 200, 2));
}

TEST_F_TIMEOUT(cve, 2014_0077_a_frame_too_long_for_its_buffer_is_dropped, SLOW)
{
	struct net *n = &self->net;
	struct t_vhost_queue *q;

	net_start(_metadata, n, 0);
	q = &n->v.queues[RX];
	memset(q->bufs, 0xa5, 4 * T_VHOST_BUF);
	give(_metadata, &n->v, 2);
	ASSERT_EQ(0, t_tap_send(&n->tap, 1400, 1));
	ASSERT_EQ(0, t_tap_send(&n->tap, 200, 2));
	ASSERT_TRUE(EVENTUALLY(t_vhost_reap(&n->v, RX) > 0));
	EXPECT_TRUE(is_second_frame(q))
	{
		VULNERABLE("CVE-2014-0077", "vhost: fix total length when packets are too short");
	}
}

/* --- files ----------------------------------------------------------------------------- */

static long open_files(void)
{
	FILE *f = fopen("/proc/sys/fs/file-nr", "re");
	long nr = -1;

	if (!f)
		return -1;
	if (fscanf(f, "%ld", &nr) != 1)
		nr = -1;
	fclose(f);
	return nr;
}

TEST_F_TIMEOUT(cve, 2015_6252_an_eventfd_of_the_log_is_let_go, SLOW)
{
	struct net *n = &self->net;
	long before;

	net_open(_metadata, n, 0);
	before = open_files();
	ASSERT_LE(0, before);
	for (unsigned int i = 0; i < LOG_FDS; i++) {
		int fd = eventfd(0, EFD_CLOEXEC);

		ASSERT_EQ(0, t_vhost_ioctl(&n->v, VHOST_SET_LOG_FD, &fd));
		close(fd);
	}
	/* The kernel's count is exact to a few for each processor. */
	EXPECT_TRUE(EVENTUALLY(open_files() < before + (long)LOG_FDS / 2))
	{
		VULNERABLE("CVE-2015-6252", "vhost: actually track log eventfd file");
	}
}

TEST_HARNESS_MAIN
