// SPDX-License-Identifier: LGPL-2.1-or-later
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <vringlab/err.h>

const char *vl_strerror(int code)
{
	return strerror(abs(code));
}

int vl_err_set(struct vl_err *err, int code, const char *fmt, ...)
{
	va_list ap;

	if (!err)
		return code;
	err->code = code;
	va_start(ap, fmt);
	vsnprintf(err->msg, sizeof(err->msg), fmt, ap);
	va_end(ap);
	return code;
}

int vl_err_prefix(struct vl_err *err, const char *fmt, ...)
{
	char old[sizeof(err->msg)];
	va_list ap;
	int used;

	if (!err)
		return 0;
	memcpy(old, err->msg, sizeof(old));
	va_start(ap, fmt);
	used = vsnprintf(err->msg, sizeof(err->msg), fmt, ap);
	va_end(ap);
	if (used < 0 || (size_t)used >= sizeof(err->msg))
		return err->code;
	snprintf(err->msg + used, sizeof(err->msg) - used, ": %s", old);
	return err->code;
}
