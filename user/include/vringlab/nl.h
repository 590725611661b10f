/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Client of the module's generic netlink family, on libmnl.
 *
 * The contract is Documentation/netlink/specs/vringlab.yaml; the numbers are in
 * <linux/vringlab.h>. A struct vlnl is one socket and belongs to one thread.
 */
#ifndef VRINGLAB_NL_H
#define VRINGLAB_NL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <linux/vringlab.h>

#include <vringlab/hist.h>

struct vl_err;
struct vlnl;

/*
 * Every counter: X(NAME, name, doc), NAME being that of the attribute less its
 * prefix VRINGLAB_A_COUNTERS_, name that of the specification. Text, JSON and
 * tests all use this list; it has the specification's order.
 */
/* clang-format off */
#define VLNL_COUNTERS(X)						\
	X(KICKS, "kicks",						\
	  "signals of the kick eventfd")				\
	X(KICKS_KVM, "kicks-kvm",					\
	  "kicks by a guest's doorbell, through an ioeventfd")	\
	X(KICKS_WRITE, "kicks-write",					\
	  "kicks by write(2)")						\
	X(KICKS_IO_URING, "kicks-io-uring",				\
	  "kicks by an io_uring write")					\
	X(KICKS_OTHER, "kicks-other",					\
	  "kicks by anything else in the kernel")			\
	X(KICK_COALESCED, "kick-coalesced",				\
	  "kicks that found an earlier one not yet taken")		\
	X(WAKES, "wakes",						\
	  "times the back-end took the kick")				\
	X(WAKES_READ, "wakes-read",					\
	  "wakes by a read of the kick eventfd")			\
	X(WAKES_VHOST, "wakes-vhost",	\
	  "wakes by vhost's worker")	\
	X(WAKES_IO_URING, "wakes-io-uring",				\
	  "wakes by an io_uring completion")				\
	X(WAKE_UNMATCHED, "wake-unmatched",				\
	  "wakes with no kick to take")					\
	X(WAKE_SPURIOUS, "wake-spurious",	\
	  "wakes of vhost's worker for nothing")	\
	X(WAKE_SUPERSEDED, "wake-superseded",				\
	  "wakes that led to no call before the next one")		\
	X(REQUEUES, "requeues",	\
	  "times vhost queued its handler by itself")	\
	X(TAKEN, "taken",	\
	  "descriptor chains vhost has taken")	\
	X(USED, "used",	\
	  "used elements vhost has pushed")	\
	X(NOTIFIES, "notifies",	\
	  "times vhost decided whether to call")	\
	X(NOTIFIES_SUPPRESSED_FLAGS, "notifies-suppressed-flags",	\
	  "calls the driver suppressed by its flag")	\
	X(NOTIFIES_SUPPRESSED_EVENT, "notifies-suppressed-event",	\
	  "calls that the event index suppressed")	\
	X(NOTIFIES_UNHEARD, "notifies-unheard",	\
	  "decisions whose outcome is not known")	\
	X(CALLS, "calls",						\
	  "signals of the call eventfd")				\
	X(CALLS_VHOST, "calls-vhost",					\
	  "calls by vhost")						\
	X(CALLS_WRITE, "calls-write",					\
	  "calls by write(2)")						\
	X(CALLS_IO_URING, "calls-io-uring",				\
	  "calls by an io_uring write")					\
	X(CALLS_OTHER, "calls-other",					\
	  "calls by anything else in the kernel")			\
	X(CALL_COALESCED, "call-coalesced",				\
	  "calls that found an earlier one not yet injected")		\
	X(CALL_UNMATCHED, "call-unmatched",				\
	  "calls that no open wake led to")				\
	X(INJECTS, "injects",						\
	  "times the interrupt was set in a vCPU's APIC")				\
	X(INJECTS_ATOMIC, "injects-atomic",				\
	  "injects at once, in the context of the call")		\
	X(INJECTS_DEFERRED, "injects-deferred",				\
	  "injects later, by KVM's irqfd work item")		\
	X(INJECT_COALESCED, "inject-coalesced",				\
	  "injects that found an earlier one not yet entered")		\
	X(INJECT_UNMATCHED, "inject-unmatched",				\
	  "injects that no open call led to")			\
	X(INJECT_ABANDONED, "inject-abandoned",				\
	  "injects whose vCPU ended before it entered")		\
	X(ENTRIES, "entries",						\
	  "guest entries that took an interrupt")			\
	X(EXIT_MISSED, "exit-missed",					\
	  "kicks by KVM whose exit was not seen on that CPU")	\
	X(VCPU_MISSED, "vcpu-missed",					\
	  "kicks by KVM and entries of uncounted vCPUs")	\
	X(MISSED, "missed",						\
	  "hits counted, not stamped, for want of a record")		\
	X(ACAUSAL, "acausal",						\
	  "spans that ended before they began: a bug here")

enum vlnl_counter {
#define VLNL_COUNTER_ENUM(attr, name, doc) VLNL_COUNTER_##attr,
	VLNL_COUNTERS(VLNL_COUNTER_ENUM)
#undef VLNL_COUNTER_ENUM
	VLNL_NR_COUNTERS
};

/* clang-format on */

/**
 * struct vlnl_counter_info - A counter's facts
 * @attr:	Attribute, VRINGLAB_A_COUNTERS_*.
 * @name:	As in the specification.
 * @doc:	What one count is.
 */
struct vlnl_counter_info {
	uint16_t attr;
	const char *name;
	const char *doc;
};

/** vlnl_counter_info - The facts, by enum vlnl_counter */
extern const struct vlnl_counter_info vlnl_counter_info[VLNL_NR_COUNTERS];

/*
 * The same for vCPUs: X(NAME, name, doc), NAME being that of the attribute less its
 * prefix VRINGLAB_A_VCPU_.
 */
/* clang-format off */
#define VLNL_VCPU_COUNTERS(X)						\
	X(ENTRIES, "entries",						\
	  "guest entries")						\
	X(EXITS, "exits",						\
	  "guest exits")						\
	X(EXITS_OTHER, "exits-other",					\
	  "exits for a reason without a counter")			\
	X(EXITS_UNKNOWN, "exits-unknown",				\
	  "exits whose reason could not be read")			\
	X(HALTS, "halts",						\
	  "times it halted and woke up")				\
	X(HALTS_BLOCKED, "halts-blocked",				\
	  "halts with its thread scheduled out")		\
	X(HALTS_SPURIOUS, "halts-spurious",				\
	  "halts it was woken from for nothing")		\
	X(HALT_NS, "halt-ns",						\
	  "nanoseconds in halts")					\
	X(HALT_POLLS_SUCCESS, "halt-polls-success",			\
	  "halts that a poll saw end")		\
	X(HALT_POLLS_FAIL, "halt-polls-fail",				\
	  "halts polled for in vain, and blocked")					\
	X(HALT_POLL_SUCCESS_NS, "halt-poll-success-ns",			\
	  "nanoseconds of successful polls")				\
	X(HALT_POLL_FAIL_NS, "halt-poll-fail-ns",			\
	  "nanoseconds of failed polls")				\
	X(HALT_WAIT_NS, "halt-wait-ns",					\
	  "nanoseconds blocked")

enum vlnl_vcpu_counter {
#define VLNL_VCPU_COUNTER_ENUM(attr, name, doc) VLNL_VCPU_COUNTER_##attr,
	VLNL_VCPU_COUNTERS(VLNL_VCPU_COUNTER_ENUM)
#undef VLNL_VCPU_COUNTER_ENUM
	VLNL_NR_VCPU_COUNTERS
};

/* clang-format on */

/** vlnl_vcpu_counter_info - The facts, by enum vlnl_vcpu_counter */
extern const struct vlnl_counter_info vlnl_vcpu_counter_info[VLNL_NR_VCPU_COUNTERS];

/* Spans and hops that this version knows. */
#define VLNL_NR_SPANS (VRINGLAB_SPAN_KICK_ENTRY + 1)
#define VLNL_NR_HOPS (VRINGLAB_HOP_ENTRY + 1)

/* A hop in a set of them. */
#define VLNL_HOP(hop) (UINT32_C(1) << (hop))

/**
 * vlnl_span_name() - A span's name in the specification
 * @span:	enum vringlab_span, or what a newer module sends.
 *
 * Return: the name, "unknown" for a number that is not known; so do the next.
 */
const char *vlnl_span_name(uint32_t span);

/**
 * vlnl_span_by_name() - The span of a name
 * @name:	As vlnl_span_name() has it.
 *
 * Return: enum vringlab_span, or -1 if no span is called so.
 */
int vlnl_span_by_name(const char *name);

/**
 * vlnl_hop_name() - A hop's name in the specification
 * @hop:	enum vringlab_hop, or what a newer module sends.
 */
const char *vlnl_hop_name(uint32_t hop);

/**
 * vlnl_backend_name() - A back-end kind's name in the specification
 * @backend:	enum vringlab_backend, or what a newer module sends.
 */
const char *vlnl_backend_name(uint32_t backend);

/**
 * vlnl_probe_type_name() - A probe type's name in the specification
 * @type:	enum vringlab_probe_type, or what a newer module sends.
 */
const char *vlnl_probe_type_name(uint32_t type);

/**
 * vlnl_probe_state_name() - A probe state's name in the specification
 * @state:	enum vringlab_probe_state, or what a newer module sends.
 */
const char *vlnl_probe_state_name(uint32_t state);

/**
 * vlnl_threshold_action_name() - A threshold action's name in the specification
 * @action:	One bit of enum vringlab_threshold_action, or what a newer module
 *		sends.
 */
const char *vlnl_threshold_action_name(uint32_t action);

/**
 * vlnl_isa_name() - An instruction set's name in the specification
 * @isa:	enum vringlab_isa, or what a newer module sends.
 */
const char *vlnl_isa_name(uint32_t isa);

/**
 * vlnl_exit_reason_name() - An exit reason's name, as the kernel's tracepoints have it
 * @isa:	enum vringlab_isa.
 * @code:	The reason.
 *
 * Return: the name, NULL for a code that <asm/vmx.h> and <asm/svm.h> do not name.
 */
const char *vlnl_exit_reason_name(uint32_t isa, uint32_t code);

/**
 * vlnl_open() - Open a socket and find the family
 * @nl:		Set on success only.
 * @err:	What went wrong, may be NULL.
 *
 * Return: 0, or
 * * %-ENOENT - the family is not there: vringlab.ko is not loaded, or this is
 *   not the initial network namespace
 * * %-EPROTO - the family is there and does not speak this version
 * * other - from socket(2), bind(2), sendmsg(2), recvmsg(2)
 */
int vlnl_open(struct vlnl **nl, struct vl_err *err);

/**
 * vlnl_close() - Close the socket
 * @nl:		Client; NULL is allowed.
 *
 * Virtqueues registered through it without @persist are deleted by the module.
 */
void vlnl_close(struct vlnl *nl);

/**
 * struct vlnl_vring_add - A registration
 * @label:	1 to 31 printable characters without space.
 * @backend:	What serves the virtqueue.
 * @kick_fd:	The kick eventfd; stays the caller's.
 * @call_fd:	The call eventfd; stays the caller's.
 * @pid:	Thread group of the back-end, 0 for the caller's.
 * @wake_user_data: user_data of the completion that takes a kick.
 * @has_wake_user_data: Whether @wake_user_data is given.
 * @persist:	Keep it when the socket closes.
 */
struct vlnl_vring_add {
	const char *label;
	enum vringlab_backend backend;
	int kick_fd;
	int call_fd;
	pid_t pid;
	uint64_t wake_user_data;
	bool has_wake_user_data;
	bool persist;
};

/**
 * vlnl_vring_add() - Register a virtqueue
 * @nl:		Client.
 * @req:	What to register.
 * @id:		Set on success only.
 * @err:	What went wrong, the module's extended ACK included; may be NULL.
 *
 * Return: 0, or a negative errno of the vring-add operation, among them
 * %-EPERM - CAP_NET_ADMIN is missing.
 */
int vlnl_vring_add(struct vlnl *nl, const struct vlnl_vring_add *req, uint32_t *id,
		   struct vl_err *err);

/**
 * vlnl_vring_del() - Delete a registration, its counters and histograms
 * @nl:		Client.
 * @id:		From vlnl_vring_add().
 * @err:	What went wrong, may be NULL.
 *
 * Return: 0, %-ENOENT for an unknown id, %-EPERM without CAP_NET_ADMIN.
 */
int vlnl_vring_del(struct vlnl *nl, uint32_t id, struct vl_err *err);

/* Of each, more than any VMM has for one eventfd. */
#define VLNL_FACTS_MAX 4

/**
 * struct vlnl_ioeventfd - Where a guest writes to kick
 * @address:	Guest-physical address, or with @pio the port.
 * @length:	Of the write in bytes; 0 for any.
 * @datamatch:	What must be written, with @has_datamatch.
 * @has_datamatch: Whether it matters.
 * @pio:	It is a port.
 */
struct vlnl_ioeventfd {
	uint64_t address;
	uint32_t length;
	uint64_t datamatch;
	bool has_datamatch;
	bool pio;
};

/**
 * struct vlnl_vring - A traced virtqueue
 * @id:		From vlnl_vring_add(), or found by the module.
 * @label:	Chosen by the registering program, or by the module.
 * @backend:	enum vringlab_backend, or what a newer module sends.
 * @pid:	Thread group of the back-end, in the initial PID namespace; 0 if there is
 *		none.
 * @wake_user_data: user_data of the completion that takes a kick.
 * @has_wake_user_data: Whether @wake_user_data was given.
 * @persist:	Whether it stays when the registering socket closes.
 * @found:	Nobody registered it.
 * @device:	Number of its device, 0 if none is known.
 * @queue:	Number in the device, with @device.
 * @size:	Descriptors, 0 if unknown.
 * @owner_pid:	Thread group that set it up, 0 if unknown.
 * @owner_comm:	Its name, with @owner_pid.
 * @kick_eventfd_id: As in /proc/PID/fdinfo, -1 if unknown.
 * @call_eventfd_id: Likewise.
 * @vm:		Number of its VM, 0 if none is known.
 * @vm_pid:	Thread group that has the VM, 0 if unknown.
 * @vcpu:	The vCPU that got its last interrupt, -1 if none did.
 * @ioeventfds:	What kicks it, as far as told.
 * @nr_ioeventfds: Count.
 * @gsis:	What its calls raise, as far as told.
 * @nr_gsis:	Count.
 */
struct vlnl_vring {
	uint32_t id;
	char label[VRINGLAB_LABEL_LEN];
	uint32_t backend;
	uint32_t pid;
	uint64_t wake_user_data;
	bool has_wake_user_data;
	bool persist;
	bool found;
	uint32_t device;
	uint32_t queue;
	uint32_t size;
	uint32_t owner_pid;
	char owner_comm[32];
	int64_t kick_eventfd_id;
	int64_t call_eventfd_id;
	uint32_t vm;
	uint32_t vm_pid;
	int64_t vcpu;
	struct vlnl_ioeventfd ioeventfds[VLNL_FACTS_MAX];
	unsigned int nr_ioeventfds;
	uint32_t gsis[VLNL_FACTS_MAX];
	unsigned int nr_gsis;
};

/**
 * struct vlnl_discover - Whether the module looks for virtqueues
 * @enabled:	It does.
 * @persist:	Until it is told to stop.
 * @lost:	What it found and could not keep.
 */
struct vlnl_discover {
	bool enabled;
	bool persist;
	uint64_t lost;
};

/**
 * struct vlnl_counters - Counters of one virtqueue
 * @vring_id:	The virtqueue.
 * @present:	Bit by enum vlnl_counter: whether the module has this counter.
 * @value:	By enum vlnl_counter; 0 where not present.
 */
struct vlnl_counters {
	uint32_t vring_id;
	uint64_t present;
	uint64_t value[VLNL_NR_COUNTERS];
};

/**
 * struct vlnl_hist - Histogram of one span of one virtqueue
 * @vring_id:	The virtqueue.
 * @span:	enum vringlab_span, or what a newer module sends.
 * @hist:	Nanoseconds.
 */
struct vlnl_hist {
	uint32_t vring_id;
	uint32_t span;
	struct vl_hist hist;
};

/**
 * struct vlnl_probe - A place the module can hook
 * @name:	Kernel function or tracepoint.
 * @module:	Module that holds it, empty for the kernel itself.
 * @type:	enum vringlab_probe_type, or what a newer module sends.
 * @hops:	The hops it serves, as VLNL_HOP(); those of a newer module that do
 *		not fit are left out.
 * @state:	enum vringlab_probe_state, likewise.
 * @error:	Positive errno with which attaching failed, or 0.
 */
struct vlnl_probe {
	char name[128];
	char module[64];
	uint32_t type;
	uint32_t hops;
	uint32_t state;
	uint32_t error;
};

/* More exit reasons than the module counts apart. */
#define VLNL_EXIT_REASONS_MAX 256

/**
 * struct vlnl_exit_reason - Exits for one reason
 * @code:	A number of the vCPU's instruction set.
 * @count:	Exits.
 */
struct vlnl_exit_reason {
	uint32_t code;
	uint64_t count;
};

/**
 * struct vlnl_vcpu - A vCPU that a virtqueue has to do with
 * @id:		Names it until it ends.
 * @vm:		The same for all vCPUs of one virtual machine.
 * @vcpu_id:	KVM's number within the virtual machine.
 * @pid:	Thread group that ran it first, in the initial PID namespace.
 * @tid:	Thread, likewise.
 * @isa:	enum vringlab_isa, or what a newer module sends.
 * @present:	Bit by enum vlnl_vcpu_counter: whether the module has this counter.
 * @value:	By enum vlnl_vcpu_counter; 0 where not present.
 * @reasons:	Those with at least one exit, in rising order of code.
 * @nr_reasons:	Count.
 */
struct vlnl_vcpu {
	uint32_t id;
	uint32_t vm;
	uint32_t vcpu_id;
	uint32_t pid;
	uint32_t tid;
	uint32_t isa;
	uint64_t present;
	uint64_t value[VLNL_NR_VCPU_COUNTERS];
	struct vlnl_exit_reason reasons[VLNL_EXIT_REASONS_MAX];
	unsigned int nr_reasons;
};

/**
 * vlnl_vring_dump() - List the registered virtqueues
 * @nl:		Client.
 * @vrings:	Set on success to an array that the caller frees with free().
 * @err:	What went wrong, may be NULL.
 *
 * A dump that changed underway is asked for again a few times.
 *
 * Return: the number of entries, or a negative errno; so do the other dumps.
 * * %-EINTR - it changed every time
 * * %-EPROTO - an answer lacks something or is malformed
 * * %-ENOMEM - no memory
 * * other - from the module, sendmsg(2) or recvmsg(2)
 */
int vlnl_vring_dump(struct vlnl *nl, struct vlnl_vring **vrings, struct vl_err *err);

/**
 * vlnl_counters_get() - Read the counters of one virtqueue
 * @nl:		Client.
 * @id:		From vlnl_vring_add() or vlnl_vring_dump().
 * @counters:	Set on success only.
 * @err:	What went wrong, may be NULL.
 *
 * Return: 0, %-ENOENT for an unknown id, or as vlnl_vring_dump().
 */
int vlnl_counters_get(struct vlnl *nl, uint32_t id, struct vlnl_counters *counters,
		      struct vl_err *err);

/**
 * vlnl_counters_dump() - Read the counters of all virtqueues
 * @nl:		Client.
 * @counters:	Set on success to an array that the caller frees with free().
 * @err:	What went wrong, may be NULL.
 *
 * Return: as vlnl_vring_dump().
 */
int vlnl_counters_dump(struct vlnl *nl, struct vlnl_counters **counters, struct vl_err *err);

/**
 * vlnl_hist_get() - Read one histogram
 * @nl:		Client.
 * @id:		Virtqueue.
 * @span:	The span.
 * @hist:	Set on success only.
 * @err:	What went wrong, may be NULL.
 *
 * Return: 0, %-ENOENT for an unknown id, %-EINVAL or %-ERANGE for an unknown
 * span, or as vlnl_vring_dump().
 */
int vlnl_hist_get(struct vlnl *nl, uint32_t id, enum vringlab_span span, struct vlnl_hist *hist,
		  struct vl_err *err);

/**
 * vlnl_hist_size() - The bytes that a histogram has of struct vlnl_hist
 * @hist:	Histogram; its buckets beyond those in use may not exist.
 */
static inline size_t vlnl_hist_size(const struct vlnl_hist *hist)
{
	return offsetof(struct vlnl_hist, hist.buckets) +
	       hist->hist.nr_buckets * sizeof(hist->hist.buckets[0]);
}

/**
 * vlnl_hist_next() - Where the next of packed histograms is
 * @hist:	The one before.
 */
static inline struct vlnl_hist *vlnl_hist_next(const struct vlnl_hist *hist)
{
	return (struct vlnl_hist *)((char *)(uintptr_t)hist + vlnl_hist_size(hist));
}

/**
 * vlnl_hist_dump() - Read the histograms of all spans of all virtqueues
 * @nl:		Client.
 * @hists:	Set on success to the first, which the caller frees with free(); to the
 *		others leads vlnl_hist_next(). Each is as long as vlnl_hist_size(), for
 *		there can be thousands, and most of their buckets are empty.
 * @err:	What went wrong, may be NULL.
 *
 * Return: as vlnl_vring_dump().
 */
int vlnl_hist_dump(struct vlnl *nl, struct vlnl_hist **hists, struct vl_err *err);

/**
 * vlnl_probe_dump() - List every place the module can hook
 * @nl:		Client.
 * @probes:	Set on success to an array that the caller frees with free().
 * @err:	What went wrong, may be NULL.
 *
 * Return: as vlnl_vring_dump().
 */
int vlnl_probe_dump(struct vlnl *nl, struct vlnl_probe **probes, struct vl_err *err);

/**
 * vlnl_discover_get() - Ask whether the module looks for virtqueues
 * @nl:		Client.
 * @discover:	Set on success only.
 * @err:	What went wrong, may be NULL.
 *
 * Return: 0, or as vlnl_vring_dump().
 */
int vlnl_discover_get(struct vlnl *nl, struct vlnl_discover *discover, struct vl_err *err);

/**
 * vlnl_discover_on() - Make the module look for virtqueues
 * @nl:		Client; until it is closed, if not @persist.
 * @persist:	Until vlnl_discover_off().
 * @err:	What went wrong, may be NULL.
 *
 * Tells it besides what this kernel's BTF knows, so that it finds what is there
 * already; without BTF, or where that fails, it finds what is set up from now on.
 *
 * Return: 0, or
 * * %-EPERM - CAP_NET_ADMIN is missing
 * * %-EOPNOTSUPP - ftrace refused every hook
 * * other - of the discover-set operation
 */
int vlnl_discover_on(struct vlnl *nl, bool persist, struct vl_err *err);

/**
 * vlnl_discover_off() - Make the module forget what it found, and stop
 * @nl:		Client.
 * @err:	What went wrong, may be NULL.
 *
 * Return: 0, %-EPERM without CAP_NET_ADMIN, or another errno of the operation.
 */
int vlnl_discover_off(struct vlnl *nl, struct vl_err *err);

/**
 * struct vlnl_layout - A member whose place the module wants to know
 * @generation:	Of the moment; a layout-set of another one is refused.
 * @name:	The structure and its member.
 * @module:	Module that has it, empty for the kernel itself.
 * @size:	In bytes, 0 for any.
 * @offset:	From the structure's begin, with @known.
 * @known:	Whether the module has been told.
 */
struct vlnl_layout {
	uint32_t generation;
	char name[64];
	char module[64];
	uint32_t size;
	uint32_t offset;
	bool known;
};

/**
 * vlnl_layout_dump() - List the members whose place the module wants to know
 * @nl:		Client.
 * @members:	Set on success to an array that the caller frees with free().
 * @err:	What went wrong, may be NULL.
 *
 * Return: as vlnl_vring_dump().
 */
int vlnl_layout_dump(struct vlnl *nl, struct vlnl_layout **members, struct vl_err *err);

/**
 * vlnl_layout_tell() - Tell the module all that this kernel's BTF knows of them
 * @nl:		Client.
 * @err:	What went wrong, may be NULL.
 *
 * To be repeated when a module of vhost or KVM was loaded. Members that the kernel
 * lacks, and those of modules that are not loaded, are left out.
 *
 * Return: how many members the module knows by this, or a negative errno
 * * %-ENOENT - the kernel has no BTF
 * * %-EPERM - CAP_NET_ADMIN is missing
 * * %-ESTALE - modules came and went all the time
 * * other - of the layout-set operation, or from reading the BTF
 */
int vlnl_layout_tell(struct vlnl *nl, struct vl_err *err);

/**
 * struct vlnl_hit - A span that was longer than a threshold
 * @threshold_id: The threshold.
 * @vring_id:	The vring; may be gone.
 * @span:	enum vringlab_span, or what a newer module sends.
 * @ns:		Its length.
 * @stamp_ns:	When it ended, as the trace events have it.
 */
struct vlnl_hit {
	uint32_t threshold_id;
	uint32_t vring_id;
	uint32_t span;
	uint64_t ns;
	uint64_t stamp_ns;
};

/**
 * vlnl_listen() - From now on hear of vrings that come and go, and of thresholds
 * @nl:		Client; from now on for vlnl_event_next() alone.
 * @err:	What went wrong, may be NULL.
 *
 * Return: 0, or
 * * %-EOPNOTSUPP - the module is too old to tell
 * * other - from setsockopt(2)
 */
int vlnl_listen(struct vlnl *nl, struct vl_err *err);

/**
 * enum vlnl_event_type - What a listener hears
 * @VLNL_EVENT_ADDED: A vring was registered.
 * @VLNL_EVENT_DELETED: A vring was deleted.
 * @VLNL_EVENT_HIT: A threshold with the action notify was hit.
 * @VLNL_EVENT_LOST: There was more than the socket had room for. All that was not
 *	yet read is dropped: what is true now is what a dump says that is begun now,
 *	and what is heard from now on.
 * @VLNL_EVENT_GONE: The module was unloaded, with all vrings.
 */
enum vlnl_event_type {
	VLNL_EVENT_ADDED,
	VLNL_EVENT_DELETED,
	VLNL_EVENT_HIT,
	VLNL_EVENT_LOST,
	VLNL_EVENT_GONE,
};

/**
 * struct vlnl_event - One of them
 * @type:	Which.
 * @vring:	The vring that was added or deleted; never with its user_data.
 * @hit:	The hit.
 */
struct vlnl_event {
	enum vlnl_event_type type;
	struct vlnl_vring vring;
	struct vlnl_hit hit;
};

/**
 * vlnl_event_next() - Wait for the next event
 * @nl:		Client that listens.
 * @event:	Set on success only.
 * @err:	What went wrong, may be NULL.
 *
 * Return: 0, %-EPROTO for a message that is malformed, or an errno of recvmsg(2).
 */
int vlnl_event_next(struct vlnl *nl, struct vlnl_event *event, struct vl_err *err);

/**
 * vlnl_vcpu_dump() - Read the counters of all vCPUs that a virtqueue has to do with
 * @nl:		Client.
 * @vcpus:	Set on success to an array that the caller frees with free().
 * @err:	What went wrong, may be NULL.
 *
 * Return: as vlnl_vring_dump().
 */
int vlnl_vcpu_dump(struct vlnl *nl, struct vlnl_vcpu **vcpus, struct vl_err *err);

/**
 * struct vlnl_interval - What one virtqueue did since its last reset
 * @vring_id:	The virtqueue.
 * @begin_ns:	When it began, on CLOCK_MONOTONIC.
 * @end_ns:	When it was read.
 * @counters:	Counters of this time only.
 * @hists:	Histograms of this time only.
 * @nr_hists:	Entries of @hists in use.
 */
struct vlnl_interval {
	uint32_t vring_id;
	uint64_t begin_ns;
	uint64_t end_ns;
	struct vlnl_counters counters;
	struct vlnl_hist hists[VLNL_NR_SPANS];
	unsigned int nr_hists;
};

/**
 * vlnl_interval_get() - Read what one virtqueue did since its last reset
 * @nl:		Client.
 * @id:		From vlnl_vring_add() or vlnl_vring_dump().
 * @reset:	End this interval and begin the next.
 * @interval:	Where to; not to be used on failure.
 * @err:	What went wrong, may be NULL.
 *
 * Return: 0, %-ENOENT for an unknown id, %-EPERM for @reset without
 * CAP_NET_ADMIN, or as vlnl_vring_dump().
 */
int vlnl_interval_get(struct vlnl *nl, uint32_t id, bool reset, struct vlnl_interval *interval,
		      struct vl_err *err);

/**
 * struct vlnl_threshold - A span's length that is not to be exceeded
 * @id:		From vlnl_threshold_add().
 * @vring_id:	The virtqueue, 0 for all.
 * @span:	enum vringlab_span, or what a newer module sends.
 * @ns:		Longer than this is a hit.
 * @actions:	Of enum vringlab_threshold_action, likewise.
 * @once:	Only the first hit is one.
 * @hits:	How often it was hit.
 * @lost:	Hits whose message could not be sent.
 */
struct vlnl_threshold {
	uint32_t id;
	uint32_t vring_id;
	uint32_t span;
	uint64_t ns;
	uint32_t actions;
	bool once;
	uint64_t hits;
	uint64_t lost;
};

/**
 * vlnl_threshold_add() - Add a threshold
 * @nl:		Client.
 * @threshold:	What to add; @threshold->id is set on success.
 * @err:	What went wrong, the module's extended ACK included; may be NULL.
 *
 * It stays until it is deleted, or its virtqueue is, or the module goes.
 *
 * Return: 0, or a negative errno of the threshold-add operation, among them
 * %-EPERM - CAP_NET_ADMIN is missing.
 */
int vlnl_threshold_add(struct vlnl *nl, struct vlnl_threshold *threshold, struct vl_err *err);

/**
 * vlnl_threshold_del() - Delete a threshold
 * @nl:		Client.
 * @id:		From vlnl_threshold_add().
 * @err:	What went wrong, may be NULL.
 *
 * Return: 0, %-ENOENT for an unknown id, %-EPERM without CAP_NET_ADMIN.
 */
int vlnl_threshold_del(struct vlnl *nl, uint32_t id, struct vl_err *err);

/**
 * vlnl_threshold_dump() - List the thresholds
 * @nl:		Client.
 * @thresholds:	Set on success to an array that the caller frees with free().
 * @err:	What went wrong, may be NULL.
 *
 * Return: as vlnl_vring_dump().
 */
int vlnl_threshold_dump(struct vlnl *nl, struct vlnl_threshold **thresholds, struct vl_err *err);

#endif /* VRINGLAB_NL_H */
