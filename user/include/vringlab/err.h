/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * An error that can be shown to a person.
 *
 * Inside vringlab a function returns 0 (or a count) for success and a negative
 * errno for failure. Where the library knows more than the errno tells (which
 * request, which kernel call, what would cure it) it also fills a struct
 * vl_err of the caller's. Nothing below a subcommand prints.
 */
#ifndef VRINGLAB_ERR_H
#define VRINGLAB_ERR_H

#include <stdarg.h>

/**
 * struct vl_err - What failed, in words
 * @code:	Negative errno, 0 while nothing has failed.
 * @msg:	What was tried, on what, why it failed and, where known, the cure.
 *		No trailing newline or full stop. Truncated, never overrun.
 */
struct vl_err {
	int code;
	char msg[320];
};

/**
 * vl_err_set() - Record a failure
 * @err:	Where to record; may be NULL.
 * @code:	Negative errno.
 * @fmt:	printf() format of the message.
 *
 * Replaces what @err held before.
 *
 * Context: any thread; @err is the caller's.
 * Return: @code, so that a caller can ``return vl_err_set(...)``.
 */
int vl_err_set(struct vl_err *err, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/**
 * vl_err_prefix() - Put what was being done in front of a recorded message
 * @err:	Error recorded before; may be NULL.
 * @fmt:	printf() format of the prefix; ": " is added after it.
 *
 * Return: @err->code, or 0 if @err is NULL.
 */
int vl_err_prefix(struct vl_err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/**
 * vl_strerror() - Text of an errno
 * @code:	Errno, negative or positive.
 *
 * Return: A string that lives until the calling thread's next call.
 */
const char *vl_strerror(int code);

#endif /* VRINGLAB_ERR_H */
