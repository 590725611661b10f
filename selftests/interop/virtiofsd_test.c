// SPDX-License-Identifier: GPL-2.0-only
/*
 * Our front-end on virtiofsd: files of this machine, by FUSE requests in a virtqueue.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <linux/fuse.h>

#include "kselftest_harness.h"
#include "t_foreign.h"

#define VERSION_1 (1ull << 32)
/* MQ, REPLY_ACK, BACKEND_REQ, CONFIG */
#define PROTOCOL (1ull << 0 | 1ull << 3 | 1ull << 5 | 1ull << 9)

/* Virtqueues: one for what must not wait, and one for requests. */
#define QUEUES 2u
#define REQUESTS 1u

#define FILE_BYTES 40000u

FIXTURE(virtiofsd)
{
	struct t_foreign b;
	char shared[64];
	uint64_t unique;
	uint8_t data[FILE_BYTES];
};

/* @program is the one of this machine, NULL for the newer one. */
FIXTURE_VARIANT(virtiofsd)
{
	const char *program;
};

/* clang-format off */
FIXTURE_VARIANT_ADD(virtiofsd, newer) { .program = NULL };
/* Written in C; its last release was in QEMU 7.2. */
FIXTURE_VARIANT_ADD(virtiofsd, qemu) { .program = "/usr/lib/qemu/virtiofsd" };
/* clang-format on */

static int start(FIXTURE_DATA(virtiofsd) * self, const char *program)
{
	char socket[128], source[128], dir[128];
	const char *const newer[] = { t_peers(),   "run",  "virtiofsd", "--sandbox", "none",
				      "--seccomp", "none", socket,	dir,	     NULL };
	const char *const qemu[] = { program, socket, "-f", "-o", source, NULL };

	snprintf(socket, sizeof(socket), "--socket-path=%s", self->b.socket);
	snprintf(dir, sizeof(dir), "--shared-dir=%s", self->shared);
	snprintf(source, sizeof(source), "source=%s,sandbox=chroot", self->shared);
	return t_foreign_start(&self->b, program ? qemu : newer);
}

/* One request: a header, its arguments, and what comes with them. */
static int request(FIXTURE_DATA(virtiofsd) * self, uint32_t opcode, uint64_t node, const void *arg,
		   uint32_t arg_len, const void *more, uint32_t more_len, void *reply,
		   uint32_t reply_len)
{
	uint8_t out[sizeof(struct fuse_in_header) + 64 + FILE_BYTES];
	uint8_t in[sizeof(struct fuse_out_header) + FILE_BYTES];
	struct fuse_in_header hdr = {
		.len = sizeof(hdr) + arg_len + more_len,
		.opcode = opcode,
		.unique = ++self->unique,
		.nodeid = node,
	};
	struct fuse_out_header answer;
	int ret;

	memcpy(out, &hdr, sizeof(hdr));
	memcpy(out + sizeof(hdr), arg, arg_len);
	memcpy(out + sizeof(hdr) + arg_len, more, more_len);
	ret = t_ring_request(&self->b.rings[REQUESTS], out, hdr.len, in, sizeof(answer) + reply_len,
			     T_DEADLINE_MS);
	if (ret < 0)
		return ret;
	if (ret < (int)sizeof(answer))
		return -EBADMSG;
	memcpy(&answer, in, sizeof(answer));
	if (answer.unique != hdr.unique || answer.len != (uint32_t)ret)
		return -EBADMSG;
	memcpy(reply, in + sizeof(answer), answer.len - sizeof(answer));
	return answer.error ? answer.error : (int)(answer.len - sizeof(answer));
}

static int lookup(FIXTURE_DATA(virtiofsd) * self, const char *name, struct fuse_entry_out *entry)
{
	return request(self, FUSE_LOOKUP, FUSE_ROOT_ID, name, strlen(name) + 1, "", 0, entry,
		       sizeof(*entry));
}

static int open_node(FIXTURE_DATA(virtiofsd) * self, uint64_t node, uint32_t flags, uint64_t *fh)
{
	const struct fuse_open_in arg = { .flags = flags };
	struct fuse_open_out opened = { 0 };
	int ret = request(self, FUSE_OPEN, node, &arg, sizeof(arg), "", 0, &opened, sizeof(opened));

	*fh = opened.fh;
	return ret < 0 ? ret : 0;
}

static int make_file(FIXTURE_DATA(virtiofsd) * self, const char *name, size_t len)
{
	char path[128];
	int fd, ret = 0;

	snprintf(path, sizeof(path), "%s/%s", self->shared, name);
	fd = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0644);
	if (fd < 0 || write(fd, self->data, len) != (ssize_t)len)
		ret = -errno;
	close(fd);
	return ret;
}

FIXTURE_SETUP(virtiofsd)
{
	const struct vu_frontend_wish wish = { .required = VERSION_1, .protocol = PROTOCOL };
	const struct fuse_init_in init = { .major = FUSE_KERNEL_VERSION, .minor = 31 };
	struct fuse_init_out out;
	char text[256];
	int missing;

	memset(self, 0, sizeof(*self));
	memset(text, 0, sizeof(text));
	if (variant->program) {
		printf("# pairing: vringlab's front-end library -> virtiofsd of QEMU 7.2\n");
		if (access(variant->program, X_OK))
			SKIP(return, "no %s: QEMU 7.2 had the last one", variant->program);
		if (geteuid())
			SKIP(return, "the virtiofsd of QEMU 7.2 needs root");
	} else {
		missing = t_newer_version("virtiofsd", text, sizeof(text));
		printf("# pairing: vringlab's front-end library -> virtiofsd %s\n",
		       missing ? "newer" : text);
		if (missing)
			SKIP(return, "%s", text);
	}
	for (unsigned int i = 0; i < FILE_BYTES; i++)
		self->data[i] = i * 7 + i / 251;
	ASSERT_EQ(0, t_foreign_init(&self->b));
	ASSERT_EQ(0, t_tmpdir_create(self->shared));
	ASSERT_EQ(0, start(self, variant->program))
	{
		TH_LOG("%s; %s", self->b.err.msg, t_foreign_said(&self->b, text, sizeof(text)));
	}
	ASSERT_EQ(0, t_foreign_open(&self->b, &wish, QUEUES)) TH_LOG("%s", self->b.err.msg);
	ASSERT_LT(0, request(self, FUSE_INIT, 0, &init, sizeof(init), "", 0, &out, sizeof(out)));
	ASSERT_EQ((uint32_t)FUSE_KERNEL_VERSION, out.major);
}

FIXTURE_TEARDOWN(virtiofsd)
{
	t_foreign_exit(&self->b);
	t_tmpdir_remove(self->shared);
}

TEST_F(virtiofsd, finds_a_file_and_reads_it)
{
	const struct fuse_read_in whole = { .size = FILE_BYTES };
	struct fuse_read_in arg = whole;
	uint8_t got[FILE_BYTES];
	struct fuse_entry_out entry;

	ASSERT_EQ(0, make_file(self, "file", FILE_BYTES));
	ASSERT_EQ((int)sizeof(entry), lookup(self, "file", &entry));
	EXPECT_EQ(FILE_BYTES, entry.attr.size);
	ASSERT_EQ(0, open_node(self, entry.nodeid, O_RDONLY, &arg.fh));
	ASSERT_EQ((int)FILE_BYTES, request(self, FUSE_READ, entry.nodeid, &arg, sizeof(arg), "", 0,
					   got, sizeof(got)));
	EXPECT_EQ(0, memcmp(got, self->data, FILE_BYTES));
}

TEST_F(virtiofsd, writes_a_file_that_is_then_here)
{
	struct fuse_write_in arg = { .offset = 3, .size = FILE_BYTES - 3 };
	uint8_t got[FILE_BYTES];
	struct fuse_write_out written;
	struct fuse_entry_out entry;
	char path[128];
	int fd;

	ASSERT_EQ(0, make_file(self, "file", 3));
	ASSERT_EQ((int)sizeof(entry), lookup(self, "file", &entry));
	ASSERT_EQ(0, open_node(self, entry.nodeid, O_WRONLY, &arg.fh));
	ASSERT_EQ((int)sizeof(written),
		  request(self, FUSE_WRITE, entry.nodeid, &arg, sizeof(arg), self->data + 3,
			  arg.size, &written, sizeof(written)));
	EXPECT_EQ(arg.size, written.size);
	snprintf(path, sizeof(path), "%s/file", self->shared);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	EXPECT_EQ((ssize_t)FILE_BYTES, read(fd, got, sizeof(got)));
	EXPECT_EQ(0, memcmp(got, self->data, FILE_BYTES));
	close(fd);
}

TEST_F(virtiofsd, has_no_file_that_is_not_there)
{
	struct fuse_entry_out entry;

	EXPECT_EQ(-ENOENT, lookup(self, "nothing", &entry));
}

TEST_F(virtiofsd, goes_round_its_ring_many_times)
{
	struct fuse_entry_out entry;

	ASSERT_EQ(0, make_file(self, "file", 1));
	for (unsigned int i = 0; i < 4 * T_RING_NUM; i++)
		ASSERT_EQ((int)sizeof(entry), lookup(self, "file", &entry));
}

TEST_HARNESS_MAIN
