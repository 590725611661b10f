// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The memory table and its mappings.
 */
#include <errno.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include <vringlab/err.h>
#include <vringlab/vhost_user_mem.h>

static int check_region(const struct vu_region *region, struct vl_err *err)
{
	uint64_t page = sysconf(_SC_PAGESIZE);
	uint64_t end;

	if (!region->size)
		return vl_err_set(err, -EINVAL, "size is 0");
	if (__builtin_add_overflow(region->guest_addr, region->size - 1, &end) ||
	    __builtin_add_overflow(region->user_addr, region->size - 1, &end))
		return vl_err_set(err, -EINVAL, "an address plus the size of 0x%llx wraps",
				  (unsigned long long)region->size);
	if (region->mmap_offset % page)
		return vl_err_set(err, -EINVAL, "offset 0x%llx is not page aligned",
				  (unsigned long long)region->mmap_offset);
	return 0;
}

static struct vu_mem_map *find_map(struct vu_mem *mem, uint64_t guest_addr)
{
	unsigned int i = 0;

	while (!mem->maps[i].map.data || mem->maps[i].region.guest_addr != guest_addr)
		i++;
	return &mem->maps[i];
}

static struct vu_mem_map *free_map(struct vu_mem *mem)
{
	for (unsigned int i = 0; i < VRING_MEM_REGIONS_MAX; i++)
		if (!mem->maps[i].map.data)
			return &mem->maps[i];
	return NULL;
}

int vu_mem_add(struct vu_mem *mem, const struct vu_region *region, int fd, struct vl_err *err)
{
	struct vu_mem_map *map = free_map(mem);
	struct vring_mem_region added = {
		.guest_addr = region->guest_addr,
		.user_addr = mem->gpa_addresses ? region->guest_addr : region->user_addr,
		.size = region->size,
	};
	int ret = check_region(region, err);
	struct stat st;

	if (ret)
		return ret;
	if (!map)
		return vl_err_set(err, -ENOSPC, "there are %u already", VRING_MEM_REGIONS_MAX);
	if (fstat(fd, &st))
		return vl_err_set(err, -errno, "cannot stat its fd: %s", vl_strerror(errno));
	ret = vu_mapping_open(&map->map, fd, region->mmap_offset, region->size, mem->faulted, err);
	if (ret)
		return ret;
	map->region = *region;
	map->dev = st.st_dev;
	map->ino = st.st_ino;
	map->repeats = 0;
	added.host = map->map.data;
	ret = vring_mem_add(&mem->table, &added);
	if (ret) {
		vu_mapping_close(&map->map);
		return vl_err_set(err, ret, "%s",
				  ret == -EEXIST ? "it overlaps another one" : vl_strerror(ret));
	}
	return 0;
}

int vu_mem_map(struct vu_mem *mem, const struct vu_region *regions, const int *fds, unsigned int nr,
	       struct vl_err *err)
{
	struct vu_mem mapped = {
		.faulted = mem->faulted,
		.gpa_addresses = mem->gpa_addresses,
	};

	for (unsigned int i = 0; i < nr; i++) {
		int ret = vu_mem_add(&mapped, &regions[i], fds[i], err);

		if (ret) {
			vl_err_prefix(err, "memory region %u", i);
			vu_mem_unmap(&mapped);
			return ret;
		}
	}
	*mem = mapped;
	return 0;
}

static struct vu_mem_map *same_region(struct vu_mem *mem, const struct vu_region *region)
{
	for (unsigned int i = 0; i < VRING_MEM_REGIONS_MAX; i++) {
		const struct vu_region *r = &mem->maps[i].region;

		if (mem->maps[i].map.data && r->guest_addr == region->guest_addr &&
		    r->user_addr == region->user_addr && r->size == region->size)
			return &mem->maps[i];
	}
	return NULL;
}

bool vu_mem_repeat(struct vu_mem *mem, const struct vu_region *region, int fd)
{
	struct vu_mem_map *map = same_region(mem, region);
	struct stat st;

	if (!map || map->region.mmap_offset != region->mmap_offset || fstat(fd, &st) ||
	    st.st_dev != map->dev || st.st_ino != map->ino || map->repeats == UINT_MAX)
		return false;
	map->repeats++;
	return true;
}

bool vu_mem_unrepeat(struct vu_mem *mem, const struct vu_region *region)
{
	struct vu_mem_map *map = same_region(mem, region);

	if (!map || !map->repeats)
		return false;
	map->repeats--;
	return true;
}

int vu_mem_remove(struct vu_mem *mem, const struct vu_region *region)
{
	uint64_t user_addr = mem->gpa_addresses ? region->guest_addr : region->user_addr;
	int ret = vring_mem_remove(&mem->table, region->guest_addr, user_addr, region->size);

	if (ret)
		return ret;
	vu_mapping_close(&find_map(mem, region->guest_addr)->map);
	return 0;
}

void vu_mem_unmap(struct vu_mem *mem)
{
	for (unsigned int i = 0; mem->table.nr && i < VRING_MEM_REGIONS_MAX; i++)
		vu_mapping_close(&mem->maps[i].map);
	for (unsigned int i = 0; i < mem->table.nr; i++)
		mem->table.regions[i] = (struct vring_mem_region){ 0 };
	mem->table.nr = 0;
}
