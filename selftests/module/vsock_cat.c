// SPDX-License-Identifier: GPL-2.0-only
/*
 * vsock_cat PORT: connects to that port of the host, sends what is on stdin, and then
 * writes what it gets to stdout. For a guest that has a shell and nothing else.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <linux/vm_sockets.h>

/* Of an emulated machine in an emulated machine. */
#define DEADLINE_S 60

static int fail(const char *what)
{
	perror(what);
	return EXIT_FAILURE;
}

static ssize_t write_all(int fd, const char *from, ssize_t len)
{
	ssize_t done = 0, n;

	for (; done < len; done += n) {
		n = write(fd, from + done, len - done);
		if (n < 0)
			return n;
	}
	return done;
}

/* Until the end of what it reads. */
static ssize_t copy(int to, int from)
{
	char buf[4096];
	ssize_t len;

	do {
		len = read(from, buf, sizeof(buf));
		if (len > 0)
			len = write_all(to, buf, len);
	} while (len > 0);
	return len;
}

int main(int argc, char **argv)
{
	const struct timeval deadline = { .tv_sec = DEADLINE_S };
	struct sockaddr_vm to = { .svm_family = AF_VSOCK, .svm_cid = VMADDR_CID_HOST };
	int fd;

	if (argc != 2)
		return 2;
	to.svm_port = strtoul(argv[1], NULL, 10);
	fd = socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &deadline, sizeof(deadline)) ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &deadline, sizeof(deadline)))
		return fail("socket");
	if (connect(fd, (const struct sockaddr *)&to, sizeof(to)))
		return fail("connect");
	if (copy(fd, STDIN_FILENO) || shutdown(fd, SHUT_WR))
		return fail("send");
	return copy(STDOUT_FILENO, fd) ? fail("receive") : 0;
}
