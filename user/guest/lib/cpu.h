/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What micro-guests in C need of the processor.
 */
#ifndef VRINGLAB_GUEST_CPU_H
#define VRINGLAB_GUEST_CPU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../micro.h"

/* Intel SDM volume 3, "Local APIC Register Address Map". */
#define LAPIC_EOI 0xfee000b0ull
#define LAPIC_ICR 0xfee00300ull
#define ICR_SELF_FIXED 0x40000u /* with the vector: to itself, edge */

/* Vectors below are exceptions', and the last one is the spurious interrupt's. */
#define VECTOR_MIN 32u
#define VECTOR_SPURIOUS 0xffu

extern const char interrupt_stub[]; /* each guest's own */

__attribute__((noreturn, section(".text.start"))) void _start(void);
void *memset(void *s, int c, size_t n);
void *memcpy(void *to, const void *from, size_t n);

/* Ends the guest. */
void leave(unsigned int status) __attribute__((noreturn));

/* With interrupts off: enables them, halts, and returns after one. */
void halt(void);

/* Where to go on after an invalid opcode, with registers lost; NULL: it ends the guest. */
extern const void *volatile invalid_opcode_resume;

/* Exceptions end the guest from here on. */
void init_exceptions(void);

/* Interrupts are on from here on, and interrupt_stub has this one. */
void init_interrupts(unsigned int vector);

/* The head is of a structure with these facts. */
bool head_is_good(uint64_t magic, uint32_t version, uint32_t size);

static inline void barrier(void)
{
	asm volatile("" : : : "memory");
}

static inline void full_barrier(void)
{
	asm volatile("mfence" : : : "memory");
}

static inline uint64_t rdtsc(void)
{
	uint32_t low, high;

	/* neither side of the fence may cross it */
	asm volatile("lfence; rdtsc; lfence" : "=a"(low), "=d"(high) : : "memory");
	return (uint64_t)high << 32 | low;
}

static inline void write32(uint64_t addr, uint32_t value)
{
	*(volatile uint32_t *)addr = value;
}

/* A doorbell: one instruction that KVM need not decode further than this. */
static inline void ring_port(uint16_t port, uint16_t value)
{
	asm volatile("outw %w0, %w1" : : "a"(value), "d"(port) : "memory");
}

static inline void ring_address(uint64_t addr, uint16_t value)
{
	asm volatile("movw %w0, (%1)" : : "r"(value), "r"(addr) : "memory");
}

#endif /* VRINGLAB_GUEST_CPU_H */
