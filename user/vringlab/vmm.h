/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The parts of 'vringlab vmm'.
 */
#ifndef VRINGLAB_CMD_VMM_H
#define VRINGLAB_CMD_VMM_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include <vringlab/hist.h>
#include <vringlab/machine.h>
#include <vringlab/vmm_ring_ping.h>
#include <vringlab/vmm_vcpu.h>

#include "vmm_bench.h"
#include "vmm_device.h"
#include "vmm_threads.h"

struct json_object;
struct report;
struct vl_err;
struct vmm_devices;
struct vmm_guest_io;
struct vmm_regs;
struct vmm_trace;
struct vu_session;

/* Half of the slots of a PCI bus, and all that there is of virtio-mmio. */
#define VMM_DEVICES_MAX 16u

struct vmm_options {
	const char *guest;
	const char *kvm_path;
	uint32_t given; /* by their places in the table of options */
	const char *memory_text; /* NULL while not given */
	uint64_t memory;
	uint64_t timeout_ns; /* 0: never */
	bool dump_regs;
	bool json;
	struct vmm_threads threads;
	bool no_sandbox;

	/* Linux and ring-ping */
	struct vmm_device devices[VMM_DEVICES_MAX];
	unsigned int nr_devices;
	bool trace;

	/* Linux */
	const char *kernel; /* NULL for a micro-guest */
	const char *initrd;
	const char *append;
	unsigned int cpus;
	enum vmm_pages pages;
	struct vmm_bench_kinds bench;

	/* micro-guests */
	const char *socket;
	struct vmm_ring_ping_config ping; /* sizes are 0 while not given */
	bool has_doorbell;
	struct vmm_ring_ping_device ping_device;
	struct {
		bool has_irqchip;
		enum vmm_irqchip irqchip;
	} hello;
	uint32_t eventfds;
	bool explain;
	bool reconnect;
};

/* vmm_usage.c */
void vmm_usage(FILE *f);

/*
 * What serves a micro-guest: a back-end of its virtqueue, or devices, whose virtqueues may
 * be registered.
 */
struct vmm_servers {
	struct vu_session *session; /* or NULL */
	struct vmm_devices *devices; /* or NULL */
	struct vmm_trace *trace; /* or NULL */
};

/* vmm_run.c */
/*
 * Runs the guest until it ends, a signal or the deadline comes, a device fails that ends
 * the run, or the back-end of the session is lost for good: a session that persists gets
 * the next one, and the guest runs on meanwhile. @servers may be NULL. Returns 0 if it
 * ended by itself, whatever its status; else a negative errno with @err filled.
 */
int vmm_run(const struct vmm_options *options, struct vmm_vcpu *vcpu,
	    const struct vmm_servers *servers, struct vmm_guest_io *io,
	    struct vmm_vcpu_result *result, struct vl_err *err);
int vmm_exit_code(int code);
/* To stderr, so that stdout has only what the guest and the report say. */
void vmm_dump_regs(const struct vmm_regs *regs, const char *when);

/* vmm_run_loop.c: as vmm_run() does, with devices; @signal_fd: of signals that end it */
int vmm_run_loop(const struct vmm_vcpu *vcpu, struct vmm_devices *devices, int signal_fd,
		 uint64_t timeout_ns, struct vl_err *err);
int vmm_check_signal(int signal_fd, struct vl_err *err);
int vmm_timed_out(uint64_t timeout_ns, struct vl_err *err);

/*
 * vmm_cost.c, vmm_hello.c, vmm_ping.c, vmm_ping_device.c, vmm_storm.c: run the guest, report,
 * return the exit code
 */
int vmm_run_exit_cost(const struct vmm_options *options);
int vmm_run_hello(const struct vmm_options *options);
int vmm_run_irq_cost(const struct vmm_options *options);
int vmm_run_ping(const struct vmm_options *options);
int vmm_run_ping_device(const struct vmm_options *options);
/* vmm_ping_options.c: what is not given gets its default. Returns 0, or EXIT_USAGE. */
int vmm_ping_check_options(struct vmm_options *options);
/* How far a guest came that did not end. */
void vmm_ping_add_progress(const struct vmm_ring_ping *ping, const struct vmm_ring_ping_result *r,
			   struct vl_err *err);
int vmm_run_storm(const struct vmm_options *options);

/* vmm_linux.c: likewise, of a kernel */
int vmm_run_linux(const struct vmm_options *options);

/* vmm_report.c */
void vmm_report_hello(const struct vmm_options *options, const struct vmm_vcpu_result *result,
		      bool ok);
/* @end: how, in a word. @bench: an object to add, or NULL. */
void vmm_report_linux(const struct machine_config *config, const struct machine_result *result,
		      const char *end, struct json_object *bench, bool ok);
/* @lost: back-ends. @vrings: an array to add, or NULL. */
void vmm_report_ping(const struct vmm_options *options, const struct vmm_ring_ping_result *ping,
		     const struct vmm_vcpu_result *result, uint64_t lost,
		     struct json_object *vrings, bool ok);

/* Nanoseconds; cycles stay cycles where KVM does not tell the TSC's frequency. */
uint64_t vmm_scale_tsc(uint64_t cycles, uint32_t khz);

/* Parts of a report: as JSON, */
struct json_object *vmm_json_head(const struct vmm_options *options,
				  const struct vmm_vcpu_result *result, bool ok);
struct json_object *vmm_json_hist(const struct vl_hist *hist, uint32_t khz);
struct json_object *vmm_json_vrings(const struct report *reports, unsigned int nr);
void vmm_add_text(struct json_object *obj, const char *key, const char *value);
/* which it releases, */
void vmm_print_json(struct json_object *obj);

/* and as text; a histogram is not empty. */
void vmm_print_count(const char *name, uint64_t count, const char *what);
void vmm_print_hist_head(uint32_t khz);
void vmm_print_hist(const char *name, const struct vl_hist *hist, uint32_t khz);

#endif /* VRINGLAB_CMD_VMM_H */
