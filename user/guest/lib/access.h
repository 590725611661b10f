/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Accesses of any width.
 */
#ifndef VRINGLAB_GUEST_ACCESS_H
#define VRINGLAB_GUEST_ACCESS_H

#include <stdint.h>

static inline void poke(uint64_t addr, unsigned int len, uint64_t value)
{
	switch (len) {
	case 1:
		*(volatile uint8_t *)addr = value;
		break;
	case 2:
		*(volatile uint16_t *)addr = value;
		break;
	case 4:
		*(volatile uint32_t *)addr = value;
		break;
	default:
		*(volatile uint64_t *)addr = value;
	}
}

static inline uint64_t peek(uint64_t addr, unsigned int len)
{
	switch (len) {
	case 1:
		return *(volatile uint8_t *)addr;
	case 2:
		return *(volatile uint16_t *)addr;
	case 4:
		return *(volatile uint32_t *)addr;
	default:
		return *(volatile uint64_t *)addr;
	}
}

static inline void port_write(uint16_t port, unsigned int len, uint32_t value)
{
	if (len == 1)
		asm volatile("outb %b0, %w1" : : "a"(value), "d"(port) : "memory");
	else if (len == 2)
		asm volatile("outw %w0, %w1" : : "a"(value), "d"(port) : "memory");
	else
		asm volatile("outl %0, %w1" : : "a"(value), "d"(port) : "memory");
}

static inline uint32_t port_read(uint16_t port, unsigned int len)
{
	uint32_t value = 0;

	if (len == 1)
		asm volatile("inb %w1, %b0" : "+a"(value) : "d"(port) : "memory");
	else if (len == 2)
		asm volatile("inw %w1, %w0" : "+a"(value) : "d"(port) : "memory");
	else
		asm volatile("inl %w1, %0" : "=a"(value) : "d"(port) : "memory");
	return value;
}

#endif /* VRINGLAB_GUEST_ACCESS_H */
