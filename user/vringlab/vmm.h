/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The parts of 'vringlab vmm'.
 */
#ifndef VRINGLAB_CMD_VMM_H
#define VRINGLAB_CMD_VMM_H

#include <stdbool.h>
#include <stdint.h>

#include <vringlab/hist.h>
#include <vringlab/vmm_ring_ping.h>
#include <vringlab/vmm_vcpu.h>

struct json_object;
struct vl_err;
struct vmm_guest_io;
struct vu_session;

struct vmm_options {
	const char *guest;
	const char *kvm_path;
	const char *socket;
	uint32_t given; /* options that not every guest has */
	struct vmm_ring_ping_config ping;
	uint64_t timeout_ns; /* 0 while not given */
	struct {
		bool has_irqchip;
		enum vmm_irqchip irqchip;
	} hello;
	uint32_t eventfds;
	uint64_t memory;
	bool explain;
	bool dump_regs;
	bool json;
	bool reconnect;
};

/* vmm_run.c */
/*
 * Runs the guest until it ends, a signal or the deadline comes, or the back-end of
 * @session (or NULL) is lost for good: a session that persists gets the next one,
 * and the guest runs on meanwhile. Returns 0 if it ended by itself, whatever its
 * status; else a negative errno with @err filled.
 */
int vmm_run(const struct vmm_options *options, struct vmm_vcpu *vcpu, struct vu_session *session,
	    struct vmm_guest_io *io, struct vmm_vcpu_result *result, struct vl_err *err);
int vmm_exit_code(int code);

/* vmm_cost.c, vmm_hello.c, vmm_ping.c, vmm_storm.c: run the guest, report, return the exit code */
int vmm_run_exit_cost(const struct vmm_options *options);
int vmm_run_hello(const struct vmm_options *options);
int vmm_run_irq_cost(const struct vmm_options *options);
int vmm_run_ping(const struct vmm_options *options);
int vmm_run_storm(const struct vmm_options *options);

/* vmm_report.c */
void vmm_report_hello(const struct vmm_options *options, const struct vmm_vcpu_result *result,
		      bool ok);
/* @lost: back-ends. */
void vmm_report_ping(const struct vmm_options *options, const struct vmm_ring_ping_result *ping,
		     const struct vmm_vcpu_result *result, uint64_t lost, bool ok);

/* Nanoseconds; cycles stay cycles where KVM does not tell the TSC's frequency. */
uint64_t vmm_scale_tsc(uint64_t cycles, uint32_t khz);

/* Parts of a report: as JSON, */
struct json_object *vmm_json_head(const struct vmm_options *options,
				  const struct vmm_vcpu_result *result, bool ok);
struct json_object *vmm_json_hist(const struct vl_hist *hist, uint32_t khz);
void vmm_add_u64(struct json_object *obj, const char *key, uint64_t value);
void vmm_add_text(struct json_object *obj, const char *key, const char *value);
/* which it releases, */
void vmm_print_json(struct json_object *obj);

/* and as text; a histogram is not empty. */
void vmm_print_count(const char *name, uint64_t count, const char *what);
void vmm_print_hist_head(uint32_t khz);
void vmm_print_hist(const char *name, const struct vl_hist *hist, uint32_t khz);

#endif /* VRINGLAB_CMD_VMM_H */
