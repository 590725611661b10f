/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a front-end tells a back-end to have a virtqueue served, message by message.
 *
 * All return as t_served_tell().
 */
#ifndef VRINGLAB_SELFTESTS_T_SERVED_SET_H
#define VRINGLAB_SELFTESTS_T_SERVED_SET_H

#include "t_ring.h"
#include "t_served.h"

/** t_served_set_state() - A message about a virtqueue and a number. */
int t_served_set_state(struct t_served *s, uint32_t request, uint32_t index, uint32_t num);

/** t_served_set_fd() - SET_VRING_KICK, CALL or ERR; @fd is -1 for none. */
int t_served_set_fd(struct t_served *s, uint32_t request, uint64_t u64, int fd);

/** t_served_set_addr() - SET_VRING_ADDR. */
int t_served_set_addr(struct t_served *s, const struct vu_vring_addr *addr);

/** t_served_addr() - Where @ring is, as virtqueue @index. */
struct vu_vring_addr t_served_addr(const struct t_ring *ring, uint32_t index);

/** t_served_mem() - The memory table that has the memory of a t_ring. */
struct vu_mem_table t_served_mem(void);

/** t_served_set_mem() - SET_MEM_TABLE, with @fd for each region. */
int t_served_set_mem(struct t_served *s, const struct vu_mem_table *mem, int fd);

/** t_served_set_region() - ADD_MEM_REG or REM_MEM_REG; @fd is -1 for none. */
int t_served_set_region(struct t_served *s, uint32_t request, const struct vu_region *region,
			int fd);

/** t_served_configure_vring() - All of a virtqueue, but to be enabled. */
int t_served_configure_vring(struct t_served *s, const struct t_ring *ring, uint32_t index);

/** t_served_set_vring() - All of a virtqueue; it runs after this. */
int t_served_set_vring(struct t_served *s, const struct t_ring *ring, uint32_t index);

/** t_served_set_up() - As t_served_set_vring(), after its memory. */
int t_served_set_up(struct t_served *s, const struct t_ring *ring, uint32_t index);

/** t_served_stop_vring() - GET_VRING_BASE; %-EPROTO if another one was stopped. */
int t_served_stop_vring(struct t_served *s, uint32_t index, uint32_t *base);

#endif /* VRINGLAB_SELFTESTS_T_SERVED_SET_H */
