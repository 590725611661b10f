// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Mapping what a front-end hands over, checked against what its file really has.
 */
#include <errno.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <vringlab/err.h>
#include <vringlab/vhost_user_mem.h>

static int check_region(const struct vu_region *region, uint64_t page, struct vl_err *err)
{
	uint64_t end;

	if (!region->size)
		return vl_err_set(err, -EINVAL, "size is 0");
	if (__builtin_add_overflow(region->guest_addr, region->size - 1, &end) ||
	    __builtin_add_overflow(region->user_addr, region->size - 1, &end) ||
	    __builtin_add_overflow(region->mmap_offset, region->size, &end) || end > INT64_MAX)
		return vl_err_set(err, -EINVAL, "an address plus the size of 0x%llx wraps",
				  (unsigned long long)region->size);
	if (region->mmap_offset % page)
		return vl_err_set(err, -EINVAL, "offset 0x%llx is not page aligned",
				  (unsigned long long)region->mmap_offset);
	return 0;
}

/* Huge pages can be mapped in whole ones only; elsewhere a block is a page or so. */
static uint64_t file_alignment(const struct stat *st, uint64_t page)
{
	uint64_t block = st->st_blksize;

	return block > page && !(block & (block - 1)) ? block : page;
}

static int map_region(struct vu_mem *mem, const struct vu_region *region, int fd,
		      struct vl_err *err)
{
	struct vu_mem_map *map = &mem->maps[mem->table.nr];
	uint64_t page = sysconf(_SC_PAGESIZE);
	struct vring_mem_region mapped = {
		.guest_addr = region->guest_addr,
		.user_addr = region->user_addr,
		.size = region->size,
	};
	uint64_t align, start;
	struct stat st;
	int ret;

	ret = check_region(region, page, err);
	if (ret)
		return ret;
	if (fstat(fd, &st))
		return vl_err_set(err, -errno, "cannot stat its fd: %s", vl_strerror(errno));
	if (!S_ISREG(st.st_mode))
		return vl_err_set(err, -EINVAL, "its fd is no regular file");
	if ((uint64_t)st.st_size < region->mmap_offset ||
	    (uint64_t)st.st_size - region->mmap_offset < region->size)
		return vl_err_set(err, -ENXIO,
				  "0x%llx bytes at offset 0x%llx, but the file has 0x%llx",
				  (unsigned long long)region->size,
				  (unsigned long long)region->mmap_offset,
				  (unsigned long long)st.st_size);

	align = file_alignment(&st, page);
	start = region->mmap_offset & ~(align - 1);
	map->len = (region->mmap_offset - start + region->size + align - 1) & ~(align - 1);
	map->start = mmap(NULL, map->len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, start);
	if (map->start == MAP_FAILED)
		return vl_err_set(err, -errno, "cannot map 0x%llx bytes: %s",
				  (unsigned long long)region->size, vl_strerror(errno));
	mapped.host = (uint8_t *)map->start + (region->mmap_offset - start);
	ret = vring_mem_add(&mem->table, &mapped);
	if (ret) {
		munmap(map->start, map->len);
		return vl_err_set(err, ret, "%s",
				  ret == -EEXIST ? "it overlaps another one" : vl_strerror(ret));
	}
	return 0;
}

int vu_mem_map(struct vu_mem *mem, const struct vu_region *regions, const int *fds, unsigned int nr,
	       struct vl_err *err)
{
	struct vu_mem mapped = { 0 };

	for (unsigned int i = 0; i < nr; i++) {
		int ret = map_region(&mapped, &regions[i], fds[i], err);

		if (ret) {
			vl_err_prefix(err, "memory region %u", i);
			vu_mem_unmap(&mapped);
			return ret;
		}
	}
	*mem = mapped;
	return 0;
}

void vu_mem_unmap(struct vu_mem *mem)
{
	while (mem->table.nr) {
		struct vu_mem_map *map = &mem->maps[--mem->table.nr];

		munmap(map->start, map->len);
	}
}
