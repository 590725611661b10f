/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files of this library share and its users do not see.
 */
#ifndef VMM_INTERNAL_H
#define VMM_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <linux/kvm.h>

#include <vringlab/err.h>
#include <vringlab/vmm.h>
#include <vringlab/vmm_bus.h>
#include <vringlab/vmm_observe.h>
#include <vringlab/vmm_vcpu.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

struct vmm_ranges {
	unsigned int nr;
	struct vmm_range range[VMM_RANGES_MAX];
};

/* A GSI beyond the pins, and the message that it is routed to. */
struct vmm_msi {
	bool used;
	bool routed;
	uint32_t data;
	uint64_t address;
};

struct vmm {
	int kvm_fd;
	int vm_fd;
	size_t run_size;
	bool has_irqchip;
	bool has_pins; /* of an IOAPIC and two PICs in the kernel */
	unsigned int nr_memory;
	struct vmm_memory memory[VMM_MEMORY_MAX];
	pthread_mutex_t gsi_lock;
	unsigned int nr_msis;
	struct vmm_msi *msis;
	pthread_rwlock_t bus_lock;
	struct vmm_ranges bus[VMM_BUS_MMIO + 1];
};

struct vmm_vcpu {
	struct vmm *vm;
	unsigned int id;
	/* asked for once: a vCPU that runs answers nothing before it leaves KVM_RUN */
	uint32_t tsc_khz;
	int fd;
	int done_fd;
	struct kvm_run *run;
	pthread_t thread;
	bool started;
	atomic_bool stop;
	vmm_enter_fn enter;
	void *enter_ctx;
	vmm_exit_fn handler;
	void *ctx;
	struct vmm_vcpu_result result;
};

/* thread.c: as pthread_create(3), for a thread that takes no signals; a negative errno */
int vmm_thread_create(pthread_t *thread, void *(*fn)(void *arg), void *arg);

/* KVM_EXIT_MEMORY_FAULT of Linux 6.8, which older headers lack. */
#define VMM_EXIT_MEMORY_FAULT 39

/* regs.c: the flags of a register that are set, in brackets */
enum vmm_flags {
	VMM_FLAGS_RFLAGS,
	VMM_FLAGS_CR0,
	VMM_FLAGS_CR4,
	VMM_FLAGS_EFER,
	VMM_FLAGS_APIC_BASE,
};

void vmm_flags_print(FILE *f, enum vmm_flags which, uint64_t value);

/* ioctl.c */
struct vmm_capability {
	unsigned int cap;
	const char *name;
};

int vmm_require(int fd, const struct vmm_capability *caps, size_t nr, struct vl_err *err);
const char *vmm_ioctl_name(unsigned long request);

/* Before and after each open and mmap; vmm_ioctl*() do it themselves. */
void vmm_call_asked(const struct vmm_call *call);
void vmm_call_answered(struct vmm_call *call, int result);

/* The result, or a negative errno; for requests that may fail. */
int vmm_ioctl_raw(int fd, unsigned long request, void *arg);

/* The result, or a negative errno with @err telling request, object and cure. */
int vmm_ioctl_on(int fd, unsigned long request, void *arg, struct vl_err *err, const char *on, ...)
	__attribute__((format(printf, 5, 6)));

/* Checks the argument's size against the one in the request's number. */
#define vmm_ioctl(fd, request, arg, err, ...)                            \
	({                                                               \
		_Static_assert(sizeof(*(arg)) == _IOC_SIZE(request),     \
			       #request ": argument of the wrong size"); \
		vmm_ioctl_on(fd, request, arg, err, __VA_ARGS__);        \
	})

/* For requests that take a number, or nothing. */
#define vmm_ioctl_num(fd, request, num, err, ...)                                      \
	({                                                                             \
		_Static_assert(_IOC_SIZE(request) == 0, #request ": takes a pointer"); \
		vmm_ioctl_on(fd, request, (void *)(uintptr_t)(num), err, __VA_ARGS__); \
	})

#endif /* VMM_INTERNAL_H */
