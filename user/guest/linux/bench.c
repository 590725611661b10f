// SPDX-License-Identifier: GPL-2.0-only
/*
 * The first process of a Linux guest that 'vringlab vmm --bench' has started: loads the
 * modules of its initramfs, measures round trips one at a time, and powers off.
 *
 * No C library: what is linked into the command stays small, and needs none for static
 * programs where it is built.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_arp.h>
#include <linux/in.h>
#include <linux/reboot.h>
#include <linux/sockios.h>
#include <linux/vm_sockets.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>
#include <time.h>

#include "bench.h"
#include "syscall.h"

#define NSEC_PER_SEC 1000000000ull

/* A driver that probes in the background, and an answer, take no longer. */
#define FIND_TRIES 1000u
#define FIND_NS 10000000
#define ANSWER_S 20

/* As scripts/guest-initrd names them. */
#define MODULE_FIRST 101u
#define MODULE_LAST 999u

/* More interfaces than a kernel makes by itself. */
#define INTERFACES_MAX 64

static struct bench_config config;
static struct bench_result result;
static _Alignas(BENCH_BLOCK_BYTES) uint8_t buffer[BENCH_BLOCK_BYTES];

/* struct timespec, and struct timeval. */
struct kernel_time {
	int64_t s;
	int64_t rest;
};

/* What is measured: one round trip, or a negative errno. */
struct target {
	int fd;
	uint64_t blocks;
	uint32_t bytes;
	int flags;
	uint64_t random;
	long (*round)(struct target *t);
};

/* The compiler calls them. */
void *memset(void *to, int byte, size_t size)
{
	void *at = to;

	asm volatile("rep stosb" : "+D"(at), "+c"(size) : "a"(byte) : "memory");
	return to;
}

void *memcpy(void *to, const void *from, size_t size)
{
	void *at = to;

	asm volatile("rep movsb" : "+D"(at), "+S"(from), "+c"(size) : : "memory");
	return to;
}

static void out(uint16_t port, uint32_t value)
{
	asm volatile("outl %0, %1" : : "a"(value), "d"(port));
}

static uint64_t now_ns(void)
{
	struct kernel_time ts;

	SYS(clock_gettime, CLOCK_MONOTONIC, &ts, 0, 0);
	return ts.s * NSEC_PER_SEC + ts.rest;
}

static void wait_a_little(void)
{
	struct kernel_time ts = { 0, FIND_NS };

	SYS(nanosleep, &ts, 0, 0, 0);
}

/* --- block device ------------------------------------------------------------------- */

/* Marsaglia's xorshift64. */
static uint64_t next_random(struct target *t)
{
	t->random ^= t->random << 13;
	t->random ^= t->random >> 7;
	t->random ^= t->random << 17;
	return t->random;
}

static long read_block(struct target *t)
{
	uint64_t at = next_random(t) % t->blocks * BENCH_BLOCK_BYTES;
	long ret = SYS(pread64, t->fd, buffer, BENCH_BLOCK_BYTES, at);

	if (ret >= 0 && ret != BENCH_BLOCK_BYTES)
		return -EIO;
	return ret;
}

static long open_blk(struct target *t)
{
	long size;

	for (unsigned int i = 0; i < FIND_TRIES; i++) {
		t->fd = SYS(open, "/dev/vda", O_RDONLY | O_DIRECT, 0, 0);
		if (t->fd != -ENOENT)
			break;
		wait_a_little();
	}
	if (t->fd < 0)
		return t->fd;
	size = SYS(lseek, t->fd, 0, SEEK_END, 0);
	t->blocks = size > 0 ? size / BENCH_BLOCK_BYTES : 0;
	t->round = read_block;
	return t->blocks ? 0 : -ENOSPC;
}

/* --- sockets ------------------------------------------------------------------------ */

/* A datagram comes whole or not at all; of a stream, the rest may come later. */
static long exchange(struct target *t)
{
	uint32_t done = 0;
	long ret = SYS(sendto, t->fd, buffer, t->bytes, t->flags);

	if (ret >= 0 && ret != t->bytes)
		return -EIO;
	while (ret > 0 && done < t->bytes) {
		ret = SYS(read, t->fd, buffer + done, t->bytes - done, 0);
		if (ret > 0)
			done += ret;
	}
	if (ret == -EAGAIN)
		return -ETIMEDOUT;
	return ret < 0 ? ret : done == t->bytes ? 0 : -EPIPE;
}

static long connect_to(struct target *t, int domain, int type, const void *to, size_t size)
{
	struct kernel_time timeout = { ANSWER_S, 0 };
	long ret;

	t->fd = SYS(socket, domain, type, 0, 0);
	if (t->fd < 0)
		return t->fd;
	t->round = exchange;
	ret = sys6(__NR_setsockopt, t->fd, SOL_SOCKET, SO_RCVTIMEO, (long)&timeout, sizeof(timeout),
		   0);
	if (!ret)
		ret = SYS(connect, t->fd, to, size, 0);
	/* the first one asks for addresses, or makes others wake up */
	return ret ? ret : exchange(t);
}

static long connect_vsock(struct target *t, const struct bench_job *job)
{
	const struct sockaddr_vm to = {
		.svm_family = AF_VSOCK,
		.svm_cid = VMADDR_CID_HOST,
		.svm_port = job->port,
	};

	return connect_to(t, to.svm_family, SOCK_STREAM, &to, sizeof(to));
}

static bool is_ethernet(int fd, struct ifreq *ifr, int index)
{
	*ifr = (struct ifreq){ .ifr_ifindex = index };
	return !SYS(ioctl, fd, SIOCGIFNAME, ifr, 0) && !SYS(ioctl, fd, SIOCGIFHWADDR, ifr, 0) &&
	       ifr->ifr_hwaddr.sa_family == ARPHRD_ETHER;
}

static long find_net(int fd, struct ifreq *ifr)
{
	for (unsigned int i = 0; i < FIND_TRIES; i++) {
		for (int index = 1; index < INTERFACES_MAX; index++)
			if (is_ethernet(fd, ifr, index))
				return 0;
		wait_a_little();
	}
	return -ENODEV;
}

static long set_address(int fd, struct ifreq *ifr, int request, uint32_t address)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr = { address } };

	_Static_assert(sizeof(in) == sizeof(ifr->ifr_addr), "an address");
	memcpy(&ifr->ifr_addr, &in, sizeof(in));
	return SYS(ioctl, fd, request, ifr, 0);
}

static long set_up_net(int fd, struct ifreq *ifr, const struct bench_job *job)
{
	long ret = set_address(fd, ifr, SIOCSIFADDR, job->guest);

	if (!ret)
		ret = set_address(fd, ifr, SIOCSIFNETMASK, job->mask);
	if (ret)
		return ret;
	ifr->ifr_flags = IFF_UP;
	return SYS(ioctl, fd, SIOCSIFFLAGS, ifr, 0);
}

static long connect_net(struct target *t, const struct bench_job *job, int fd, struct ifreq *ifr)
{
	const struct sockaddr_in to = {
		.sin_family = AF_INET,
		.sin_port = job->port,
		.sin_addr = { job->host },
	};
	long ret = set_up_net(fd, ifr, job);

	/* what sends goes on only after an answer: nobody need ask whether the host is there */
	t->flags = MSG_CONFIRM;
	return ret ? ret : connect_to(t, to.sin_family, SOCK_DGRAM, &to, sizeof(to));
}

static long open_net(struct target *t, const struct bench_job *job)
{
	struct ifreq ifr;
	int fd = SYS(socket, AF_INET, SOCK_DGRAM, 0, 0);
	long ret = fd < 0 ? fd : find_net(fd, &ifr);

	if (ret) {
		result.step = BENCH_FIND;
		return ret;
	}
	return connect_net(t, job, fd, &ifr);
}

/* --- one benchmark -------------------------------------------------------------------- */

static long open_target(struct target *t, const struct bench_job *job)
{
	switch (job->kind) {
	case BENCH_NET:
		result.step = BENCH_SET_UP;
		return open_net(t, job);
	case BENCH_BLK:
		result.step = BENCH_FIND;
		return open_blk(t);
	default:
		result.step = BENCH_SET_UP;
		return connect_vsock(t, job);
	}
}

static long measure(struct target *t)
{
	long ret = 0;

	tsc_hist_init(&result.ns);
	out(BENCH_CONTROL_PORT, BENCH_BEGIN);
	for (uint64_t i = 0; i < config.count && ret >= 0; i++) {
		uint64_t begin = now_ns();

		ret = t->round(t);
		tsc_hist_add(&result.ns, now_ns() - begin);
	}
	out(BENCH_CONTROL_PORT, BENCH_END);
	return ret < 0 ? ret : 0;
}

static void tell(void)
{
	const uint32_t *words = (const void *)&result;

	_Static_assert(sizeof(result) % 4 == 0, "whole words");
	for (unsigned int i = 0; i < sizeof(result) / 4; i++)
		out(BENCH_PORT, words[i]);
	out(BENCH_CONTROL_PORT, BENCH_DONE);
}

static void run(const struct bench_job *job, long loaded)
{
	struct target t = { .bytes = job->bytes, .random = 88172645463325252ull };
	long ret = loaded;

	memset(&result, 0, sizeof(result));
	result.magic = BENCH_MAGIC;
	result.kind = job->kind;
	result.step = BENCH_MODULES;
	if (!ret)
		ret = open_target(&t, job);
	if (!ret) {
		result.step = BENCH_ROUND;
		ret = measure(&t);
	}
	if (!ret)
		result.step = BENCH_OK;
	result.error = -ret;
	tell();
}

/* --- the guest ------------------------------------------------------------------------ */

static long load(const char *path)
{
	int fd = SYS(open, path, O_RDONLY, 0, 0);
	long ret;

	if (fd < 0)
		return fd;
	ret = SYS(finit_module, fd, "", 0, 0);
	SYS(close, fd, 0, 0, 0);
	return ret == -EEXIST ? 0 : ret;
}

/* There may be none, where all is built in. */
static long load_modules(void)
{
	char path[] = "/modules/000";
	long ret = 0;

	for (unsigned int i = MODULE_FIRST; i <= MODULE_LAST && !ret; i++) {
		path[9] = '0' + i / 100;
		path[10] = '0' + i / 10 % 10;
		path[11] = '0' + i % 10;
		ret = load(path);
	}
	return ret == -ENOENT ? 0 : ret;
}

static bool read_config(void)
{
	int fd = SYS(open, BENCH_FILE, O_RDONLY, 0, 0);

	return fd >= 0 && SYS(read, fd, &config, sizeof(config), 0) == sizeof(config) &&
	       config.magic == BENCH_MAGIC && config.nr <= BENCH_KINDS;
}

static void complain(const char *text, size_t size)
{
	SYS(write, 2, text, size, 0);
}

#define COMPLAIN(text) complain(text, sizeof(text) - 1)

void guest_main(void)
{
	long loaded;

	SYS(mkdir, "/dev", 0755, 0, 0);
	sys6(__NR_mount, (long)"dev", (long)"/dev", (long)"devtmpfs", 0, 0, 0);
	loaded = load_modules();
	if (!read_config())
		COMPLAIN("vringlab-bench: " BENCH_FILE " cannot be read\n");
	else if (SYS(ioperm, BENCH_PORT, BENCH_PORTS, 1, 0))
		COMPLAIN("vringlab-bench: no ioperm(2): CONFIG_X86_IOPL_IOPERM, lockdown\n");
	else
		for (unsigned int i = 0; i < config.nr; i++)
			run(&config.jobs[i], loaded);
	SYS(reboot, LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2, LINUX_REBOOT_CMD_POWER_OFF, 0);
	for (;;)
		SYS(pause, 0, 0, 0, 0);
}
