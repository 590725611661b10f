/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A vhost-user peer that sends what an input says: bytes, and fds of any kind.
 */
#ifndef FUZZ_PEER_H
#define FUZZ_PEER_H

#include "fuzz.h"

enum fd_kind {
	FD_MEMORY,
	FD_KICK,
	FD_CALL,
	FD_LOG,
	FD_INFLIGHT,
	FD_CHANNEL,
	FD_PIPE_READ,
	FD_PIPE_WRITE,
	FD_READ_ONLY,
	FD_DIRECTORY,
	FD_NULL,
	FD_EVENTFD_BLOCKING,
	FD_NR,
};

/* Bytes of the files that are memory, of a kind each. */
#define FD_MEMORY_BYTES 0xc000u
#define FD_SMALL_BYTES 0x1000u

/**
 * struct fuzz_fds - Descriptors that are made when they are needed
 * @fds:	By kind.
 * @channel:	Our end of FD_CHANNEL.
 */
struct fuzz_fds {
	int fds[FD_NR];
	int channel;
};

void fuzz_fds_init(struct fuzz_fds *fds);

/** fuzz_fd() - One of a kind; the same one until fuzz_fds_exit(). */
int fuzz_fd(struct fuzz_fds *fds, enum fd_kind kind);

/** fuzz_fd_put() - Close one of a kind, if there is any. */
void fuzz_fd_put(struct fuzz_fds *fds, enum fd_kind kind);

/** fuzz_fds_exit() - Close all. A file that is still mapped somewhere is a finding. */
void fuzz_fds_exit(struct fuzz_fds *fds);

/** fuzz_send() - Send what there is room for; fds with the first byte. */
void fuzz_send(int sock, const void *data, size_t len, const int *fds, unsigned int nr_fds);

/**
 * fuzz_receive() - Receive what is there
 * @sock:	Socket.
 * @data:	Of @len bytes.
 * @len:	Most that is wanted.
 * @fd:		Set to the first fd that came, -1 for none; others are closed.
 *
 * Return: bytes, 0 for none.
 */
size_t fuzz_receive(int sock, void *data, size_t len, int *fd);

#endif /* FUZZ_PEER_H */
