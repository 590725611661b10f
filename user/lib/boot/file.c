// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Files are read, not mapped: one that shrinks meanwhile is an error then, and no
 * SIGBUS.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <vringlab/err.h>
#include <vringlab/fd.h>

#include "internal.h"

int boot_file_open(const char *path, uint64_t *bytes, struct vl_err *err)
{
	struct stat st;
	int fd, code;

	/* O_NONBLOCK: a FIFO is refused, not waited for */
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return vl_err_set(err, -errno, "cannot open %s: %s", path, vl_strerror(errno));
	if (fstat(fd, &st)) {
		code = vl_err_set(err, -errno, "fstat of %s: %s", path, vl_strerror(errno));
		goto out_close;
	}
	if (!S_ISREG(st.st_mode)) {
		code = vl_err_set(err, -EISDIR, "%s is not a regular file", path);
		goto out_close;
	}
	*bytes = st.st_size;
	return fd;

out_close:
	vl_fd_close(&fd);
	return code;
}

int boot_file_read(int fd, const char *path, uint64_t offset, void *to, uint64_t bytes,
		   struct vl_err *err)
{
	uint64_t done = 0;

	while (done < bytes) {
		ssize_t ret = pread(fd, (uint8_t *)to + done, bytes - done, offset + done);

		if (ret < 0 && errno == EINTR)
			continue;
		if (ret < 0)
			return vl_err_set(err, -errno, "cannot read %s: %s", path,
					  vl_strerror(errno));
		if (!ret)
			return vl_err_set(err, -ENODATA, "%s is truncated: it ends at byte %llu",
					  path, (unsigned long long)(offset + done));
		done += ret;
	}
	return 0;
}
