// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>

#include "t_served_set.h"

int t_served_set_state(struct t_served *s, uint32_t request, uint32_t index, uint32_t num)
{
	const struct vu_vring_state state = { index, num };

	return t_served_tell(s, request, &state, sizeof(state), NULL, 0);
}

int t_served_set_fd(struct t_served *s, uint32_t request, uint64_t u64, int fd)
{
	return t_served_tell(s, request, &u64, sizeof(u64), &fd, fd < 0 ? 0 : 1);
}

int t_served_set_addr(struct t_served *s, const struct vu_vring_addr *addr)
{
	return t_served_tell(s, VU_SET_VRING_ADDR, addr, sizeof(*addr), NULL, 0);
}

struct vu_vring_addr t_served_addr(const struct t_ring *ring, uint32_t index)
{
	struct vu_frontend_vring vring = t_ring_vring(ring, index);

	return (struct vu_vring_addr){
		.index = index,
		.desc = vring.desc,
		.avail = vring.avail,
		.used = vring.used,
	};
}

struct vu_mem_table t_served_mem(void)
{
	return (struct vu_mem_table){
		.nr_regions = 1,
		.regions[0] = {
			.guest_addr = T_RING_GPA,
			.size = T_RING_MEM_BYTES,
			.user_addr = T_RING_UVA,
		},
	};
}

int t_served_set_mem(struct t_served *s, const struct vu_mem_table *mem, int fd)
{
	const int fds[8] = { fd, fd, fd, fd, fd, fd, fd, fd };

	return t_served_tell(s, VU_SET_MEM_TABLE, mem, 8 + 32 * mem->nr_regions, fds,
			     mem->nr_regions);
}

int t_served_set_region(struct t_served *s, uint32_t request, const struct vu_region *region,
			int fd)
{
	const struct vu_mem_reg reg = { .region = *region };

	return t_served_tell(s, request, &reg, sizeof(reg), &fd, fd >= 0);
}

int t_served_configure_vring(struct t_served *s, const struct t_ring *ring, uint32_t index)
{
	const struct vu_vring_addr addr = t_served_addr(ring, index);
	uint32_t base = ring->drv.config.ring.packed ? VRING_BASE_PACKED : VRING_BASE_SPLIT;
	int ret;

	ret = t_served_set_state(s, VU_SET_VRING_NUM, index, T_RING_NUM);
	if (!ret)
		ret = t_served_set_state(s, VU_SET_VRING_BASE, index, base);
	if (!ret)
		ret = t_served_set_addr(s, &addr);
	if (!ret)
		ret = t_served_set_fd(s, VU_SET_VRING_CALL, index, ring->call);
	if (!ret)
		ret = t_served_set_fd(s, VU_SET_VRING_KICK, index, ring->kick);
	return ret;
}

int t_served_set_vring(struct t_served *s, const struct t_ring *ring, uint32_t index)
{
	int ret = t_served_configure_vring(s, ring, index);

	return ret ? ret : t_served_set_state(s, VU_SET_VRING_ENABLE, index, 1);
}

int t_served_set_up(struct t_served *s, const struct t_ring *ring, uint32_t index)
{
	const struct vu_mem_table mem = t_served_mem();
	int ret = t_served_set_mem(s, &mem, ring->memfd);

	return ret ? ret : t_served_set_vring(s, ring, index);
}

int t_served_stop_vring(struct t_served *s, uint32_t index, uint32_t *base)
{
	const struct vu_vring_state state = { index, 0 };
	union vu_payload reply;
	int ret = t_served_ask(s, VU_GET_VRING_BASE, &state, sizeof(state), &reply);

	if (ret)
		return ret;
	*base = reply.state.num;
	return reply.state.index == index ? 0 : -EPROTO;
}
