/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A vCPU that does as it is told: it reads and writes what the test says, as a guest
 * does it, and counts its interrupts by vector.
 */
#ifndef VRINGLAB_SELFTESTS_T_DEPUTY_H
#define VRINGLAB_SELFTESTS_T_DEPUTY_H

#include <stdint.h>

struct t_deputy;
struct vl_err;
struct vmm;

/* Memory from 0 on that it needs. */
#define T_DEPUTY_MEMORY 0x20000u

/* Ports on the VM's bus that are its own. */
#define T_DEPUTY_PORT 0x700u

/**
 * t_deputy_start() - Create the vCPU and let it run
 * @d:		Set on success only.
 * @vm:		VM with T_DEPUTY_MEMORY and an irqchip; accesses go to its bus.
 * @err:	What went wrong.
 */
int t_deputy_start(struct t_deputy **d, struct vmm *vm, struct vl_err *err);

/** t_deputy_stop() - Stop and destroy it; NULL is allowed. */
void t_deputy_stop(struct t_deputy *d);

/* An access of @len bytes by the guest; 0 is returned after a deadline has passed. */
uint64_t t_deputy_read(struct t_deputy *d, uint64_t gpa, unsigned int len);
void t_deputy_write(struct t_deputy *d, uint64_t gpa, unsigned int len, uint64_t value);

/* Likewise to a port; @len is 1, 2 or 4. */
void t_deputy_out(struct t_deputy *d, uint16_t port, unsigned int len, uint32_t value);

/* REP OUTSW: up to T_DEPUTY_STRING words by one instruction. */
#define T_DEPUTY_STRING 256u
void t_deputy_out_string(struct t_deputy *d, uint16_t port, const uint16_t *words, unsigned int nr);

/** t_deputy_exits() - Exits to user space so far, those by which an order is done not counted. */
unsigned int t_deputy_exits(struct t_deputy *d);

/** t_deputy_interrupts() - How many of that vector there were. */
unsigned int t_deputy_interrupts(const struct t_deputy *d, uint8_t vector);

/** t_deputy_settle() - Return when each interrupt that was signalled before has been counted. */
void t_deputy_settle(struct t_deputy *d);

/**
 * t_deputy_wait() - Wait until there were so many
 *
 * Return: how many there were then; fewer after a deadline has passed.
 */
unsigned int t_deputy_wait(struct t_deputy *d, uint8_t vector, unsigned int nr);

/** t_deputy_wait_range() - Likewise, of all vectors from @first to @last together. */
unsigned int t_deputy_wait_range(struct t_deputy *d, uint8_t first, uint8_t last, unsigned int nr);

#endif /* VRINGLAB_SELFTESTS_T_DEPUTY_H */
