// SPDX-License-Identifier: GPL-2.0-only
/*
 * Postcopy: the back-end runs before its memory is there, and its page faults are
 * served by the front-end, which is this test, out of the source's memory.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/virtio_config.h>

#include <vringlab/fd.h>
#include <vringlab/vdev_loopback.h>

#include "kselftest_harness.h"
#include "t.h"
#include "t_peer.h"
#include "t_ring.h"
#include "t_served.h"

#define BIT(n) (UINT64_C(1) << (n))
#define PAGE 4096u
#define REPLY_ACK BIT(3)
#define PAGEFAULT BIT(8)
#define MEM_SLOTS BIT(15)

static int make(void *ctx, struct loop *loop, struct vdev **vdev)
{
	return vdev_loopback_create(vdev, 1, NULL);
}

static void destroy(void *ctx, struct vdev *vdev)
{
	vdev_loopback_destroy(vdev);
}

static const struct t_served_config config = {
	.make = make,
	.destroy = destroy,
	.postcopy = true,
};

/**
 * @source:	The ring, where it was before; what faults bring comes from its memory.
 * @memfd:	The memory here: empty.
 * @mem:	It. Only what is there may be touched.
 * @uffd:	Of the back-end.
 * @base:	Where it has mapped the memory.
 * @end:	Ends the thread that serves the faults.
 * @faults:	Pages that it has brought.
 * @error:	Of that thread.
 */
FIXTURE(postcopy)
{
	struct t_served served;
	struct t_ring source;
	int memfd;
	uint8_t *mem;
	int uffd;
	uint64_t base;
	int end[2];
	pthread_t server;
	bool serving;
	atomic_uint faults;
	int error;
};

static int negotiate(struct t_served *s, uint64_t *protocol)
{
	const uint64_t features = BIT(VIRTIO_F_VERSION_1) | BIT(30);
	union vu_payload payload;
	int ret = t_served_ask(s, VU_GET_PROTOCOL_FEATURES, NULL, 0, &payload);

	if (ret)
		return ret;
	*protocol = payload.u64 & (REPLY_ACK | PAGEFAULT | MEM_SLOTS);
	ret = t_peer_request(s->fd, VU_SET_PROTOCOL_FEATURES, 0x1, protocol, 8);
	return ret ? ret : t_served_tell(s, VU_SET_FEATURES, &features, 8, NULL, 0);
}

FIXTURE_SETUP(postcopy)
{
	uint64_t protocol;
	int ret;

	memset(self, 0, sizeof(*self));
	self->memfd = -1;
	self->uffd = -1;
	self->end[0] = -1;
	self->end[1] = -1;
	ret = t_served_start_with(&self->served, &config);
	if (ret == -EPERM || ret == -ENOSYS)
		SKIP(return, "io_uring is disabled: sysctl kernel.io_uring_disabled=0");
	ASSERT_EQ(0, ret);
	ASSERT_EQ(0, t_ring_create(&self->source));
	ASSERT_EQ(0, pipe2(self->end, O_CLOEXEC));
	self->memfd = memfd_create("destination", MFD_CLOEXEC);
	ASSERT_LE(0, self->memfd);
	ASSERT_EQ(0, ftruncate(self->memfd, T_RING_MEM_BYTES));
	self->mem =
		mmap(NULL, T_RING_MEM_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, self->memfd, 0);
	ASSERT_NE(MAP_FAILED, (void *)self->mem);
	ASSERT_EQ(0, negotiate(&self->served, &protocol));
	if (!(protocol & PAGEFAULT))
		SKIP(return, "no userfaultfd(2): set vm.unprivileged_userfaultfd=1");
}

static void stop_serving(FIXTURE_DATA(postcopy) * self)
{
	vl_fd_close(&self->end[1]);
	if (self->serving)
		pthread_join(self->server, NULL);
	self->serving = false;
}

FIXTURE_TEARDOWN(postcopy)
{
	t_served_stop(&self->served);
	stop_serving(self);
	vl_fd_close(&self->end[0]);
	vl_fd_close(&self->uffd);
	vl_fd_close(&self->memfd);
	if (self->mem)
		munmap(self->mem, T_RING_MEM_BYTES);
	t_ring_destroy(&self->source);
}

/* Is a page there? Asking does not bring it. */
static bool is_present(const FIXTURE_DATA(postcopy) * self, uint64_t offset)
{
	return lseek(self->memfd, offset, SEEK_DATA) == (off_t)offset;
}

static int bring(FIXTURE_DATA(postcopy) * self, uint64_t addr)
{
	uint64_t offset = (addr - self->base) & ~(uint64_t)(PAGE - 1);
	struct uffdio_copy copy = {
		.dst = self->base + offset,
		.src = (uintptr_t)self->source.mem + offset,
		.len = PAGE,
	};

	if (addr < self->base || offset >= T_RING_MEM_BYTES)
		return -EFAULT;
	/* first, for then the back-end goes on */
	atomic_fetch_add(&self->faults, 1);
	return ioctl(self->uffd, UFFDIO_COPY, &copy) ? -errno : 0;
}

static void serve_all(FIXTURE_DATA(postcopy) * self)
{
	struct pollfd fds[] = {
		{ .fd = self->uffd, .events = POLLIN },
		{ .fd = self->end[0], .events = POLLIN },
	};
	struct uffd_msg msg;

	while (!self->error && poll(fds, 2, -1) > 0 && !fds[1].revents) {
		if (read(self->uffd, &msg, sizeof(msg)) != sizeof(msg))
			continue;
		self->error = msg.event == UFFD_EVENT_PAGEFAULT ?
				      bring(self, msg.arg.pagefault.address) :
				      -EPROTO;
	}
}

static void *serve_faults(void *arg)
{
	serve_all(arg);
	return NULL;
}

/* The reply to POSTCOPY_ADVISE: nothing but an fd. */
static int take_uffd(int fd)
{
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = { 0 };
	struct vu_header hdr;
	struct iovec iov = { &hdr, sizeof(hdr) };
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = control.bytes,
			      .msg_controllen = sizeof(control.bytes) };
	struct cmsghdr *cmsg;
	int uffd;

	if (t_poll_until(fd, T_DEADLINE_MS) ||
	    recvmsg(fd, &msg, MSG_WAITALL | MSG_CMSG_CLOEXEC) != sizeof(hdr))
		return -EPROTO;
	cmsg = CMSG_FIRSTHDR(&msg);
	if (hdr.request != VU_POSTCOPY_ADVISE || hdr.flags != 0x5 || hdr.size || !cmsg)
		return -EPROTO;
	memcpy(&uffd, CMSG_DATA(cmsg), sizeof(uffd));
	return uffd;
}

static int advise_and_listen(FIXTURE_DATA(postcopy) * self)
{
	int ret = t_peer_request(self->served.fd, VU_POSTCOPY_ADVISE, 0x1, NULL, 0);

	if (ret)
		return ret;
	self->uffd = take_uffd(self->served.fd);
	if (self->uffd < 0)
		return self->uffd;
	return t_served_tell(&self->served, VU_POSTCOPY_LISTEN, NULL, 0, NULL, 0);
}

static struct vu_region region(void)
{
	return (struct vu_region){
		.guest_addr = T_RING_GPA,
		.size = T_RING_MEM_BYTES,
		.user_addr = T_RING_UVA,
	};
}

/* The table is answered with where it is mapped, which is acknowledged. */
static int share_memory(FIXTURE_DATA(postcopy) * self)
{
	struct vu_mem_table mem = { .nr_regions = 1, .regions[0] = region() };
	const uint64_t known = 0;
	union vu_payload payload;
	struct vu_header hdr;
	int fd = self->served.fd;
	int ret = t_peer_request_fds(fd, VU_SET_MEM_TABLE, 0x1, &mem, 40, &self->memfd, 1);

	if (!ret)
		ret = t_peer_reply(fd, &hdr, &payload);
	if (ret)
		return ret;
	if (hdr.request != VU_SET_MEM_TABLE || hdr.flags != 0x5 || hdr.size != 40 ||
	    payload.mem.nr_regions != 1 || payload.mem.regions[0].guest_addr != T_RING_GPA)
		return -EPROTO;
	self->base = payload.mem.regions[0].user_addr;
	return t_peer_request(fd, VU_SET_MEM_TABLE, 0x1, &known, sizeof(known));
}

static int share_memory_by_slots(FIXTURE_DATA(postcopy) * self)
{
	const struct vu_mem_reg reg = { .region = region() };
	const uint64_t known = 0;
	union vu_payload payload;
	struct vu_header hdr;
	int fd = self->served.fd;
	int ret = t_peer_request_fds(fd, VU_ADD_MEM_REG, 0x1, &reg, sizeof(reg), &self->memfd, 1);

	if (!ret)
		ret = t_peer_reply(fd, &hdr, &payload);
	if (ret)
		return ret;
	if (hdr.request != VU_ADD_MEM_REG || hdr.flags != 0x5 || hdr.size != sizeof(reg))
		return -EPROTO;
	self->base = payload.mem_reg.region.user_addr;
	return t_peer_request(fd, VU_ADD_MEM_REG, 0x1, &known, sizeof(known));
}

static int start_serving(FIXTURE_DATA(postcopy) * self)
{
	int ret = -pthread_create(&self->server, NULL, serve_faults, self);

	self->serving = !ret;
	return ret;
}

static int set_state(struct t_served *s, uint32_t request, uint32_t num)
{
	const struct vu_vring_state state = { 0, num };

	return t_served_tell(s, request, &state, sizeof(state), NULL, 0);
}

static int set_fd(struct t_served *s, uint32_t request, int fd)
{
	const uint64_t index = 0;

	return t_served_tell(s, request, &index, sizeof(index), &fd, 1);
}

static int start_ring(FIXTURE_DATA(postcopy) * self)
{
	const struct vu_frontend_vring v = t_ring_vring(&self->source, 0);
	const struct vu_vring_addr addr = { .desc = v.desc, .avail = v.avail, .used = v.used };
	struct t_served *s = &self->served;
	int ret = set_state(s, VU_SET_VRING_NUM, T_RING_NUM);

	if (!ret)
		ret = t_served_tell(s, VU_SET_VRING_ADDR, &addr, sizeof(addr), NULL, 0);
	if (!ret)
		ret = set_fd(s, VU_SET_VRING_CALL, self->source.call);
	if (!ret)
		ret = set_state(s, VU_SET_VRING_ENABLE, 1);
	return ret ? ret : set_fd(s, VU_SET_VRING_KICK, self->source.kick);
}

#define ECHOES 4u

/* What the driver made available before its guest moved: each echo in pages of its own. */
static int add_echoes(struct t_ring *source)
{
	for (uint32_t i = 0; i < T_RING_BUF_MAX; i++)
		source->mem[T_RING_OUT + i] = i * 37 + (i >> 8);
	for (unsigned int i = 0; i < ECHOES; i++) {
		uint32_t at = i * 4 * PAGE;
		const struct vring_buf bufs[] = { { T_RING_GPA + T_RING_OUT + at, 3 * PAGE },
						  { T_RING_GPA + T_RING_IN + at, 3 * PAGE } };
		int ret = vring_drv_add(&source->drv, bufs, 1, 1);

		if (ret < 0)
			return ret;
	}
	return 0;
}

/* The driver goes on here, as soon as its ring is here. */
static void move_driver(FIXTURE_DATA(postcopy) * self)
{
	struct vring_layout *l = &self->source.drv.config.ring;
	ptrdiff_t by = self->mem - self->source.mem;

	l->desc = (void *)((uint8_t *)l->desc + by);
	l->avail = (void *)((uint8_t *)l->avail + by);
	l->used = (void *)((uint8_t *)l->used + by);
}

static void expect_echoes(struct __test_metadata *_metadata, FIXTURE_DATA(postcopy) * self)
{
	uint32_t written;

	move_driver(self);
	for (unsigned int i = 0; i < ECHOES; i++) {
		uint32_t at = i * 4 * PAGE;

		ASSERT_LE(0, t_ring_wait(&self->source, &written, T_DEADLINE_MS));
		EXPECT_EQ(3 * PAGE, written);
		EXPECT_EQ(0, memcmp(self->mem + T_RING_IN + at, self->source.mem + T_RING_OUT + at,
				    3 * PAGE));
	}
}

static void run_with_faults(struct __test_metadata *_metadata, FIXTURE_DATA(postcopy) * self)
{
	union vu_payload payload;

	ASSERT_EQ(0, add_echoes(&self->source));
	ASSERT_EQ(0, start_serving(self));
	ASSERT_EQ(0, start_ring(self));
	/* the call comes when the ring is there */
	ASSERT_EQ(0, t_poll_until(self->source.call, T_DEADLINE_MS));
	expect_echoes(_metadata, self);
	EXPECT_EQ(0, self->error);
	/* three of the ring, and what was read and written */
	EXPECT_EQ(3 + ECHOES * 6, atomic_load(&self->faults));
	/* what nobody touched has not come */
	EXPECT_FALSE(is_present(self, T_RING_OUT + 3 * PAGE));
	ASSERT_EQ(0, t_served_ask(&self->served, VU_POSTCOPY_END, NULL, 0, &payload));
	EXPECT_EQ(0u, payload.u64);
	stop_serving(self);
	vl_fd_close(&self->uffd);
}

/* All is here, and an absent page is an absent page. */
static void run_without(struct __test_metadata *_metadata, FIXTURE_DATA(postcopy) * self)
{
	const struct vring_buf bufs[] = { { T_RING_GPA + T_RING_OUT + 3 * PAGE, PAGE },
					  { T_RING_GPA + T_RING_IN + 3 * PAGE, PAGE } };
	unsigned int before = atomic_load(&self->faults);
	uint32_t written;

	memset(self->mem + T_RING_OUT + 3 * PAGE, 0x77, PAGE);
	ASSERT_LE(0, vring_drv_add(&self->source.drv, bufs, 1, 1));
	ASSERT_EQ(0, t_ring_kick(&self->source));
	ASSERT_LE(0, t_ring_wait(&self->source, &written, T_DEADLINE_MS));
	EXPECT_EQ(0, memcmp(self->mem + T_RING_IN + 3 * PAGE, self->mem + T_RING_OUT + 3 * PAGE,
			    PAGE));
	EXPECT_EQ(before, atomic_load(&self->faults));
}

TEST_F(postcopy, brings_each_page_when_it_is_touched_and_not_before)
{
	ASSERT_EQ(0, advise_and_listen(self));
	ASSERT_EQ(0, share_memory(self));
	run_with_faults(_metadata, self);
	run_without(_metadata, self);
}

TEST_F(postcopy, works_with_memory_that_comes_region_by_region)
{
	ASSERT_EQ(0, advise_and_listen(self));
	ASSERT_EQ(0, share_memory_by_slots(self));
	run_with_faults(_metadata, self);
	run_without(_metadata, self);
}

TEST_F(postcopy, does_not_listen_before_it_was_advised_or_after_memory_was_set)
{
	const struct vu_mem_table mem = { .nr_regions = 1, .regions[0] = region() };

	EXPECT_LT(0, t_served_tell(&self->served, VU_POSTCOPY_LISTEN, NULL, 0, NULL, 0));
	ASSERT_EQ(0, t_served_tell(&self->served, VU_SET_MEM_TABLE, &mem, 40, &self->memfd, 1));
	EXPECT_LT(0, advise_and_listen(self));
}

TEST_F(postcopy, ends_with_the_connection_where_the_bases_are_not_acknowledged)
{
	struct vu_mem_table mem = { .nr_regions = 1, .regions[0] = region() };
	const uint64_t wrong = 1;
	union vu_payload payload;
	struct vu_header hdr;
	int fd = self->served.fd;

	ASSERT_EQ(0, advise_and_listen(self));
	ASSERT_EQ(0, t_peer_request_fds(fd, VU_SET_MEM_TABLE, 0x1, &mem, 40, &self->memfd, 1));
	ASSERT_EQ(0, t_peer_reply(fd, &hdr, &payload));
	ASSERT_EQ(0, t_peer_request(fd, VU_SET_MEM_TABLE, 0x1, &wrong, sizeof(wrong)));
	EXPECT_EQ(-ECONNABORTED, t_served_closed(&self->served));
}

TEST_F(postcopy, lets_go_of_a_front_end_that_leaves_in_the_middle)
{
	ASSERT_EQ(0, advise_and_listen(self));
	ASSERT_EQ(0, share_memory(self));
	ASSERT_EQ(0, add_echoes(&self->source));
	ASSERT_EQ(0, start_serving(self));
	ASSERT_EQ(0, start_ring(self));
	expect_echoes(_metadata, self);
	vl_fd_close(&self->served.fd);
	pthread_join(self->served.thread, NULL);
	self->served.running = false;
	EXPECT_EQ(-ECONNRESET, self->served.closed.code);
}

TEST_HARNESS_MAIN
