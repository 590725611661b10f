// SPDX-License-Identifier: GPL-2.0-only
/*
 * bench-traffic: what a guest's device takes, by a program in the guest. It is linked
 * statically, for the guest has nothing else.
 *
 *   bench-traffic serve                    the host's end; prints a line when it listens
 *   bench-traffic udp ADDRESS COUNT        64 bytes to the host and back
 *   bench-traffic vsock COUNT              the same by a stream
 *   bench-traffic send ADDRESS COUNT       1 MiB to the host by TCP, until it has it
 *   bench-traffic receive ADDRESS COUNT    1 MiB from the host
 *   bench-traffic read FILE BYTES COUNT    a read at a random place, past the page cache
 *
 * Each is done COUNT times, one after the other, and some times before that to warm up.
 * Prints the median of the nanoseconds that one took, by CLOCK_MONOTONIC.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/vm_sockets.h>

#include "common.h"

#define PORT 4242u
#define COUNT_MAX 100000u
#define WARM_UP 5u

#define MESSAGE 64u
#define TRANSFER (1024u * 1024)
/* What a socket is given, or asked for, at once. */
#define CHUNK 65536u

/* An answer takes no longer. */
#define ANSWER_S 30

/* What a client of TCP wants of the server: a byte before each transfer. */
#define SEND 's'
#define RECEIVE 'r'

static _Alignas(4096) char buffer[TRANSFER];

/* --- sockets ------------------------------------------------------------------------ */

static bool write_all(int fd, size_t bytes)
{
	while (bytes) {
		ssize_t ret = send(fd, buffer, bytes < CHUNK ? bytes : CHUNK, MSG_NOSIGNAL);

		if (ret <= 0)
			return false;
		bytes -= ret;
	}
	return true;
}

static bool read_all(int fd, size_t bytes)
{
	while (bytes) {
		ssize_t ret = recv(fd, buffer, bytes < CHUNK ? bytes : CHUNK, 0);

		if (ret <= 0)
			return false;
		bytes -= ret;
	}
	return true;
}

static bool write_byte(int fd, char byte)
{
	return send(fd, &byte, 1, MSG_NOSIGNAL) == 1;
}

static int open_socket(int domain, int type)
{
	int fd = socket(domain, type | SOCK_CLOEXEC, 0);

	if (fd < 0)
		die_errno(errno, "socket");
	return fd;
}

static void no_delay(int fd)
{
	if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int)))
		die_errno(errno, "TCP_NODELAY");
}

/* --- the host's end ----------------------------------------------------------------- */

static void serve_udp(int fd)
{
	struct sockaddr_in from;
	socklen_t size = sizeof(from);
	ssize_t len = recvfrom(fd, buffer, MESSAGE, 0, (struct sockaddr *)&from, &size);

	/* it was the guest: the kernel need not ask whether it is there */
	if (len > 0)
		sendto(fd, buffer, len, MSG_CONFIRM, (struct sockaddr *)&from, size);
}

static bool transfer(int fd)
{
	if (*buffer == RECEIVE)
		return write_all(fd, TRANSFER);
	return read_all(fd, TRANSFER) && write_byte(fd, SEND);
}

static void serve_tcp(int listener)
{
	int fd = accept(listener, NULL, NULL);

	if (fd < 0)
		die_errno(errno, "accept");
	no_delay(fd);
	while (read_all(fd, 1) && transfer(fd))
		;
	close(fd);
}

static void serve_vsock(int listener)
{
	int fd = accept(listener, NULL, NULL);

	if (fd < 0)
		die_errno(errno, "accept");
	while (read_all(fd, MESSAGE) && write_all(fd, MESSAGE))
		;
	close(fd);
}

static void start(int type, const void *address, socklen_t size, void (*serve)(int fd))
{
	int fd = open_socket(*(const sa_family_t *)address, type);
	pid_t pid;

	if (bind(fd, address, size) || (type == SOCK_STREAM && listen(fd, 1)))
		die_errno(errno, "cannot listen");
	pid = fork();
	if (pid < 0)
		die_errno(errno, "fork");
	if (pid)
		return;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;)
		serve(fd);
}

static void serve_all(void)
{
	const struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(PORT) };
	const struct sockaddr_vm vm = {
		.svm_family = AF_VSOCK,
		.svm_cid = VMADDR_CID_ANY,
		.svm_port = PORT,
	};

	start(SOCK_DGRAM, &in, sizeof(in), serve_udp);
	start(SOCK_STREAM, &in, sizeof(in), serve_tcp);
	start(SOCK_STREAM, &vm, sizeof(vm), serve_vsock);
	puts("listening");
	fflush(stdout);
	for (;;)
		pause();
}

/* --- the guest's end ---------------------------------------------------------------- */

struct target {
	int fd;
	size_t bytes;
	uint64_t blocks;
	uint64_t rng;
	bool (*once)(struct target *t);
};

static bool exchange(struct target *t)
{
	return write_all(t->fd, MESSAGE) && read_all(t->fd, MESSAGE);
}

static bool send_all(struct target *t)
{
	return write_byte(t->fd, SEND) && write_all(t->fd, TRANSFER) && read_all(t->fd, 1);
}

static bool receive_all(struct target *t)
{
	return write_byte(t->fd, RECEIVE) && read_all(t->fd, TRANSFER);
}

/* Marsaglia's xorshift64. */
static bool read_block(struct target *t)
{
	t->rng ^= t->rng << 13;
	t->rng ^= t->rng >> 7;
	t->rng ^= t->rng << 17;
	return pread(t->fd, buffer, t->bytes, t->rng % t->blocks * t->bytes) == (ssize_t)t->bytes;
}

static void connect_to(struct target *t, int type, const void *address, socklen_t size)
{
	const struct timeval timeout = { .tv_sec = ANSWER_S };

	t->fd = open_socket(*(const sa_family_t *)address, type);
	if (setsockopt(t->fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)))
		die_errno(errno, "SO_RCVTIMEO");
	if (connect(t->fd, address, size))
		die_errno(errno, "cannot connect");
}

static void connect_inet(struct target *t, int type, const char *text)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(PORT) };

	if (!inet_aton(text, &address.sin_addr))
		die("'%s' is no address", text);
	connect_to(t, type, &address, sizeof(address));
	if (type == SOCK_STREAM)
		no_delay(t->fd);
}

static void connect_vsock(struct target *t)
{
	const struct sockaddr_vm address = {
		.svm_family = AF_VSOCK,
		.svm_cid = VMADDR_CID_HOST,
		.svm_port = PORT,
	};

	connect_to(t, SOCK_STREAM, &address, sizeof(address));
}

static void open_file(struct target *t, const char *path, const char *bytes)
{
	off_t size;

	t->fd = open(path, O_RDONLY | O_DIRECT | O_CLOEXEC);
	if (t->fd < 0)
		die_errno(errno, "%s", path);
	size = lseek(t->fd, 0, SEEK_END);
	t->bytes = strtoul(bytes, NULL, 10);
	if (!t->bytes || t->bytes > sizeof(buffer) || size < (off_t)t->bytes)
		die("%s bytes of %s cannot be read", bytes, path);
	t->blocks = (uint64_t)size / t->bytes;
}

static void measure(struct target *t, const char *count)
{
	static uint64_t ns[COUNT_MAX];
	unsigned long nr = strtoul(count, NULL, 10);

	if (!nr || nr > COUNT_MAX)
		die("'%s' is no number from 1 to %u", count, COUNT_MAX);
	for (unsigned long i = 0; i < WARM_UP + nr; i++) {
		uint64_t begin_ns = now_ns();

		if (!t->once(t))
			die_errno(errno, "number %lu", i);
		if (i >= WARM_UP)
			ns[i - WARM_UP] = now_ns() - begin_ns;
	}
	printf("%llu\n", (unsigned long long)percentile_u64(ns, nr, 50));
}

/* Whether there is such a target, with so many arguments. */
static bool open_target(struct target *t, int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "";

	if (argc == 3 && !strcmp(name, "vsock")) {
		t->once = exchange;
		connect_vsock(t);
	} else if (argc == 4 && !strcmp(name, "udp")) {
		t->once = exchange;
		connect_inet(t, SOCK_DGRAM, argv[2]);
	} else if (argc == 4 && !strcmp(name, "send")) {
		t->once = send_all;
		connect_inet(t, SOCK_STREAM, argv[2]);
	} else if (argc == 4 && !strcmp(name, "receive")) {
		t->once = receive_all;
		connect_inet(t, SOCK_STREAM, argv[2]);
	} else if (argc == 5 && !strcmp(name, "read")) {
		t->once = read_block;
		open_file(t, argv[2], argv[3]);
	}
	return t->once;
}

int main(int argc, char **argv)
{
	struct target t = { .rng = 88172645463325252ull };

	if (argc == 2 && !strcmp(argv[1], "serve"))
		serve_all();
	if (!open_target(&t, argc, argv)) {
		fputs("usage: bench-traffic serve | udp|send|receive ADDRESS COUNT |\n"
		      "       vsock COUNT | read FILE BYTES COUNT\n",
		      stderr);
		return 2;
	}
	measure(&t, argv[argc - 1]);
	return 0;
}
