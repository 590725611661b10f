/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The kernel without a C library: a result of -4095 to -1 is a negative errno.
 */
#ifndef VRINGLAB_GUEST_SYSCALL_H
#define VRINGLAB_GUEST_SYSCALL_H

#include <asm/unistd.h>
#include <stddef.h>

/* What start.S calls, and what the compiler does. */
void guest_main(void);
void *memset(void *to, int byte, size_t size);
void *memcpy(void *to, const void *from, size_t size);

static inline long sys6(long nr, long a, long b, long c, long d, long e, long f)
{
	register long r10 asm("r10") = d;
	register long r8 asm("r8") = e;
	register long r9 asm("r9") = f;
	long ret;

	asm volatile("syscall"
		     : "=a"(ret)
		     : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
		     : "rcx", "r11", "memory");
	return ret;
}

static inline long sys4(long nr, long a, long b, long c, long d)
{
	return sys6(nr, a, b, c, d, 0, 0);
}

#define SYS(name, a, b, c, d) sys4(__NR_##name, (long)(a), (long)(b), (long)(c), (long)(d))

#endif /* VRINGLAB_GUEST_SYSCALL_H */
