/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a process may still do once it is set up: the system calls of a list, and none of
 * its privileges. There is no way back.
 *
 * The filter is a seccomp filter of seccomp(2), for x86-64. It is made here, not by a
 * library, because the order of its rules is the caller's: what a vCPU calls at each of
 * its exits comes first.
 */
#ifndef VRINGLAB_SANDBOX_H
#define VRINGLAB_SANDBOX_H

#include <stdint.h>

struct vl_err;

/* In struct sandbox_rule: whatever its arguments are. */
#define SANDBOX_ANY (-1)

/**
 * struct sandbox_rule - A system call that is allowed
 * @nr:		Its number, SYS_*. Rules of the same number follow each other.
 * @arg:	Argument that is looked at, 0 to 5, or %SANDBOX_ANY.
 * @mask:	Bits of the argument's lower 32 that count.
 * @value:	What they are to be.
 * @error:	If not 0 it is not allowed, but fails with this errno.
 */
struct sandbox_rule {
	int nr;
	int arg;
	uint32_t mask;
	uint32_t value;
	int error;
};

/**
 * typedef sandbox_violation_fn - What becomes of a process that calls something else
 * @name:	Of the thread.
 * @nr:		System call, as in ausyscall(8).
 * @second:	Its second argument: of ioctl(2) the request; 0 where it is not known.
 *
 * In place of the system call, in a signal handler of the thread: it may call what
 * signal-safety(7) allows and the filter too, and has to end the process.
 */
typedef void sandbox_violation_fn(const char *name, int nr, uint64_t second);

/**
 * sandbox_check() - Can there be filters here?
 * @err:	What is missing, with the kernel's option for it; may be NULL.
 *
 * Return: 0, or %-ENOSYS.
 */
int sandbox_check(struct vl_err *err);

/**
 * sandbox_enter() - Let all threads of the process do no more than this
 * @rules:	System calls.
 * @nr:		Count.
 * @violation:	Called for all others.
 * @err:	What went wrong; may be NULL.
 *
 * Threads that are made later are no exception, and no program that is executed gains
 * privileges (no_new_privs).
 *
 * Return: 0, %-ENOMEM, %-E2BIG for too many rules, or a negative errno of seccomp(2).
 */
int sandbox_enter(const struct sandbox_rule *rules, unsigned int nr,
		  sandbox_violation_fn *violation, struct vl_err *err);

/**
 * sandbox_enter_thread() - Let the calling thread do even less
 * @rules:	As for sandbox_enter(), which comes first.
 * @nr:		Count.
 * @err:	What went wrong; may be NULL.
 *
 * Return: as sandbox_enter().
 */
int sandbox_enter_thread(const struct sandbox_rule *rules, unsigned int nr, struct vl_err *err);

/**
 * sandbox_drop_capabilities() - Give up the calling thread's capabilities
 * @keep:	Bits of those that are kept, as far as the thread has them.
 * @err:	What went wrong; may be NULL.
 *
 * Threads that it makes later have no others.
 *
 * Return: 0, or a negative errno of capset(2).
 */
int sandbox_drop_capabilities(uint64_t keep, struct vl_err *err);

#endif /* VRINGLAB_SANDBOX_H */
