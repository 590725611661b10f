// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Mapping what a front-end hands over, checked against what its file really has.
 */
#include <errno.h>
#include <linux/magic.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <vringlab/err.h>
#include <vringlab/vhost_user_mem.h>

#include "guard.h"

/* Of file systems that linux/magic.h does not have: fs/nfs, fs/smb, fs/ceph */
#define CIFS_MAGIC 0xff534d42u
#define SMB2_MAGIC 0xfe534d42u
#define CEPH_MAGIC 0x00c36400u
#define FUSE_MAGIC 0x65735546u

/* Where a peer that does not answer would keep us in a page fault. */
static bool faults_wait_for_others(int fd)
{
	struct statfs fs;

	if (fstatfs(fd, &fs))
		return true;
	switch ((uint32_t)fs.f_type) {
	case AFS_SUPER_MAGIC:
	case CEPH_MAGIC:
	case CIFS_MAGIC:
	case FUSE_MAGIC:
	case NFS_SUPER_MAGIC:
	case SMB2_MAGIC:
	case SMB_SUPER_MAGIC:
	case V9FS_MAGIC:
		return true;
	}
	return false;
}

static int check_file(int fd, uint64_t offset, uint64_t size, struct stat *st, struct vl_err *err)
{
	if (fstat(fd, st))
		return vl_err_set(err, -errno, "cannot stat its fd: %s", vl_strerror(errno));
	if (!S_ISREG(st->st_mode))
		return vl_err_set(err, -EINVAL, "its fd is no regular file");
	if (faults_wait_for_others(fd))
		return vl_err_set(err, -EINVAL,
				  "its file system may let a page fault wait for another process");
	if ((uint64_t)st->st_size < offset || (uint64_t)st->st_size - offset < size)
		return vl_err_set(err, -ENXIO,
				  "0x%llx bytes at offset 0x%llx, but the file has 0x%llx",
				  (unsigned long long)size, (unsigned long long)offset,
				  (unsigned long long)st->st_size);
	return 0;
}

/* Huge pages can be mapped in whole ones only; elsewhere a block is a page or so. */
static uint64_t file_alignment(const struct stat *st)
{
	uint64_t page = sysconf(_SC_PAGESIZE);
	uint64_t block = st->st_blksize;

	return block > page && !(block & (block - 1)) ? block : page;
}

int vu_mapping_open(struct vu_mapping *map, int fd, uint64_t offset, uint64_t size,
		    volatile sig_atomic_t *faulted, struct vl_err *err)
{
	static volatile sig_atomic_t nobody;
	struct vu_mapping m = { .size = size };
	uint64_t align, end, first;
	struct stat st;
	int ret;

	if (!size)
		return vl_err_set(err, -EINVAL, "size is 0");
	if (__builtin_add_overflow(offset, size, &end) || end > INT64_MAX)
		return vl_err_set(err, -EINVAL, "offset 0x%llx plus the size of 0x%llx wraps",
				  (unsigned long long)offset, (unsigned long long)size);
	ret = check_file(fd, offset, size, &st, err);
	if (ret)
		return ret;
	align = file_alignment(&st);
	first = offset & ~(align - 1);
	m.len = (end - first + align - 1) & ~(align - 1);
	m.start = mmap(NULL, m.len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, first);
	if (m.start == MAP_FAILED)
		return vl_err_set(err, -errno, "cannot map 0x%llx bytes: %s",
				  (unsigned long long)size, vl_strerror(errno));
	ret = guard_add(&m.guard, m.start, m.len, faulted ? faulted : &nobody);
	if (ret) {
		munmap(m.start, m.len);
		return vl_err_set(err, ret, "cannot guard its mapping: %s", vl_strerror(ret));
	}
	m.data = (uint8_t *)m.start + (offset - first);
	*map = m;
	return 0;
}

void vu_mapping_close(struct vu_mapping *map)
{
	if (!map->data)
		return;
	guard_remove(&map->guard);
	munmap(map->start, map->len);
	*map = (struct vu_mapping){ 0 };
}
