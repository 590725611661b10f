/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What many tests need and none should write again: waiting with a deadline,
 * children that cannot outlive the test, a folder that is removed.
 *
 * Nothing here asserts: a test decides what a result means.
 */
#ifndef VRINGLAB_SELFTESTS_T_H
#define VRINGLAB_SELFTESTS_T_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * Long enough for an emulated CPU on a busy machine, short of the runner's
 * timeout. Reaching it is a failure, never a measurement.
 */
#define T_DEADLINE_MS 20000

/**
 * t_poll_until() - Wait until a file descriptor is readable
 * @fd:		To wait for.
 * @timeout_ms:	At most this long.
 *
 * Return: 0 when readable, %-ETIMEDOUT, %-EPIPE when the other end is gone and
 * nothing is left to read, %-EBADF, or what poll(2) says.
 */
int t_poll_until(int fd, int timeout_ms);

/**
 * t_read_until() - Read exactly so many bytes
 * @fd:		To read from.
 * @buf:	Where to.
 * @len:	Bytes.
 * @timeout_ms:	At most this long, for all of it.
 *
 * Return: 0, or %-ETIMEDOUT, %-EPIPE at the end of file, or what read(2) says.
 */
int t_read_until(int fd, void *buf, size_t len, int timeout_ms);

/**
 * struct t_child - A program under test
 * @pid:	Process, or -1.
 * @pidfd:	Readable once it has ended, or -1.
 * @out:	Read end of its stdout, or -1.
 * @err:	Read end of its stderr, or -1.
 */
struct t_child {
	pid_t pid;
	int pidfd;
	int out;
	int err;
};

/* clang-format off */
#define T_CHILD_NONE { .pid = -1, .pidfd = -1, .out = -1, .err = -1 }
/* clang-format on */

/**
 * t_child_start() - Start a program
 * @child:	Set on success only.
 * @argv:	As execvp(3); ends with NULL.
 *
 * It is killed when the calling thread ends, however that ends. stdin is
 * /dev/null. A program that cannot be executed is one that exits with 127.
 *
 * Return: 0, or a negative errno of pipe2(2), fork(2), pidfd_open(2).
 */
int t_child_start(struct t_child *child, const char *const argv[]);

/**
 * t_child_wait() - Wait for the program's end
 * @child:	Started.
 * @timeout_ms:	At most this long.
 *
 * Return: exit code, 128 plus the signal that ended it, or %-ETIMEDOUT; it is
 * still running then.
 */
int t_child_wait(struct t_child *child, int timeout_ms);

/**
 * t_child_kill() - End the program and forget it
 * @child:	In any state.
 */
void t_child_kill(struct t_child *child);

/**
 * t_vringlab() - Where the command is
 *
 * $VRINGLAB, else bin/vringlab beside the rings' folders.
 *
 * Return: A string that lives until the process ends.
 */
const char *t_vringlab(void);

/**
 * t_tmpdir_create() - Make an empty folder of our own
 * @path:	Set to its name; at least 64 bytes. Short, since socket names are.
 *
 * Return: 0, or a negative errno.
 */
int t_tmpdir_create(char *path);

/**
 * t_tmpdir_remove() - Remove the folder and what is in it
 * @path:	From t_tmpdir_create(); an empty string is allowed.
 *
 * Return: the number of files that were left in it, or a negative errno.
 */
int t_tmpdir_remove(char *path);

#endif /* VRINGLAB_SELFTESTS_T_H */
