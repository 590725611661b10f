// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Postcopy: the guest runs here before its memory is. The front-end gets our
 * userfaultfd and serves the faults that we take on our own mappings.
 *
 *	ADVISE    our userfaultfd goes out
 *	LISTEN    memory tables that follow are answered with where we mapped them,
 *	          acknowledged, and registered
 *	END       all is there
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <vringlab/err.h>
#include <vringlab/fd.h>

#include "backend.h"

/* Without UFFD_USER_MODE_ONLY: the kernel faults too, for our I/O. */
static int open_userfaultfd(void)
{
	struct uffdio_api api = { .api = UFFD_API };
	int fd = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		return -errno;
	if (ioctl(fd, UFFDIO_API, &api)) {
		int ret = -errno;

		close(fd);
		return ret;
	}
	return fd;
}

bool postcopy_works(void)
{
	int fd = open_userfaultfd();

	if (fd < 0)
		return false;
	close(fd);
	return true;
}

int postcopy_advise(struct vu_backend *be, struct vu_msg *msg, struct vu_reply *reply,
		    struct vl_err *err)
{
	int fd = open_userfaultfd();

	(void)msg;
	if (fd < 0)
		return vl_err_set(err, fd, "userfaultfd(2): %s", vl_strerror(fd));
	reply->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (reply->fd < 0) {
		int ret = -errno;

		close(fd);
		return vl_err_set(err, ret, "cannot duplicate its fd: %s", vl_strerror(ret));
	}
	postcopy_reset(be);
	be->postcopy.ufd = fd;
	return 0;
}

int postcopy_listen(struct vu_backend *be, struct vu_msg *msg, struct vu_reply *reply,
		    struct vl_err *err)
{
	(void)msg;
	(void)reply;
	if (be->postcopy.ufd < 0)
		return vl_err_set(err, -EPROTO, "before POSTCOPY_ADVISE");
	if (be->mem.table.nr)
		return vl_err_set(err, -EPROTO, "after memory was set");
	be->postcopy.listening = true;
	return 0;
}

static int register_mapping(const struct vu_backend *be, const struct vu_mapping *map)
{
	struct uffdio_register reg = {
		.range = { .start = (uintptr_t)map->start, .len = map->len },
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};

	/* a huge page would come whole, with what is not here yet */
	if (madvise(map->start, map->len, MADV_NOHUGEPAGE) && errno != EINVAL)
		return -errno;
	if (ioctl(be->postcopy.ufd, UFFDIO_REGISTER, &reg))
		return -errno;
	return reg.ioctls & 1ull << _UFFDIO_COPY ? 0 : -EOPNOTSUPP;
}

/* The front-end knows where all is: from now on its faults are served. */
int postcopy_register(struct vu_backend *be, struct vl_err *err)
{
	for (unsigned int i = 0; i < VRING_MEM_REGIONS_MAX; i++) {
		const struct vu_mem_map *m = &be->mem.maps[i];
		int ret = m->map.data ? register_mapping(be, &m->map) : 0;

		if (ret)
			return vl_err_set(err, ret,
					  "the region at 0x%llx cannot have its faults served: %s",
					  (unsigned long long)m->region.guest_addr,
					  vl_strerror(ret));
	}
	return 0;
}

int postcopy_end(struct vu_backend *be, struct vu_msg *msg, struct vu_reply *reply,
		 struct vl_err *err)
{
	(void)msg;
	if (be->postcopy.ufd < 0)
		return vl_err_set(err, -EPROTO, "before POSTCOPY_ADVISE");
	/* its end wakes whoever waits, and all is here */
	postcopy_reset(be);
	reply->payload.u64 = 0;
	return 0;
}

void postcopy_reset(struct vu_backend *be)
{
	vl_fd_close(&be->postcopy.ufd);
	be->postcopy.listening = false;
	be->postcopy.bases_sent = false;
}
