/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Internal types and prototypes of vringlab.ko.
 *
 * Three kinds of code meet here:
 *
 * - handlers (eventfd.c, io_uring.c, kvm*.c, vcpu*.c, vhost*.c), called from
 *   ftrace, kretprobes, tracepoints and a wait queue, in any context but NMI. They
 *   know kernel objects, not hops.
 * - the path (hops.c, pending.c, stats.c, threshold.c), called by handlers with
 *   preemption off. It knows vrings and hops. No lock, no allocation, no waiting.
 * - control (main.c, vring.c, hooks.c, netlink.c and others), in process context,
 *   under mutexes. What handlers have to tell it comes through found.c.
 */
#ifndef _VRINGLAB_H
#define _VRINGLAB_H

#include <linux/atomic.h>
#include <linux/bitops.h>
#include <linux/hash.h>
#include <linux/llist.h>
#include <linux/lockdep.h>
#include <linux/mutex.h>
#include <linux/percpu.h>
#include <linux/poll.h>
#include <linux/preempt.h>
#include <linux/rculist.h>
#include <linux/rcupdate.h>
#include <linux/types.h>
#include <linux/uidgid.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include <linux/vringlab.h>

#include "vhost.h"

struct eventfd_ctx;
struct file;
struct kvm;
struct kvm_vcpu;
struct netlink_ext_ack;
struct nlattr;
struct sk_buff;

/* Enough for every queue of a busy host; a stack bitmap of it is 128 bytes. */
#define VL_VRINGS_MAX 1024

#define VL_SPANS (VRINGLAB_SPAN_KICK_ENTRY + 1)

/* What a counter's attribute is summed from, or is. */
enum vl_counter {
	VL_KICKS_KVM,
	VL_KICKS_WRITE,
	VL_KICKS_IO_URING,
	VL_KICKS_OTHER,
	VL_KICK_COALESCED,
	VL_WAKES_READ,
	VL_WAKES_VHOST,
	VL_WAKES_IO_URING,
	VL_WAKE_UNMATCHED,
	VL_WAKE_SPURIOUS,
	VL_WAKE_SUPERSEDED,
	VL_REQUEUES,
	VL_TAKEN,
	VL_USED,
	VL_NOTIFIES,
	VL_NOTIFIES_SUPPRESSED_FLAGS,
	VL_NOTIFIES_SUPPRESSED_EVENT,
	VL_NOTIFIES_UNHEARD,
	VL_CALLS_VHOST,
	VL_CALLS_WRITE,
	VL_CALLS_IO_URING,
	VL_CALLS_OTHER,
	VL_CALL_COALESCED,
	VL_CALL_UNMATCHED,
	VL_INJECTS_ATOMIC,
	VL_INJECTS_DEFERRED,
	VL_INJECT_COALESCED,
	VL_INJECT_UNMATCHED,
	VL_INJECT_ABANDONED,
	VL_ENTRIES,
	VL_EXIT_MISSED,
	VL_VCPU_MISSED,
	VL_MISSED,
	VL_ACAUSAL,
	VL_COUNTERS
};

/* Who signalled or took; the trace events print these names. */
#define VL_SOURCES(EM, EM_LAST) \
	EM(OTHER, "other")      \
	EM(KVM, "kvm")          \
	EM(VHOST, "vhost")      \
	EM(WRITE, "write")      \
	EM(READ, "read")        \
	EM_LAST(IO_URING, "io_uring")

#define VL_SOURCE_ENUM(name, text) VL_SOURCE_##name,
enum vl_source { VL_SOURCES(VL_SOURCE_ENUM, VL_SOURCE_ENUM) VL_SOURCES_NR };

/**
 * struct vl_span_stats - One CPU's share of one span
 * @sum_ns:	Modulo 2^64.
 * @min_ns:	U64_MAX while nothing was recorded.
 * @max_ns:	0 while nothing was recorded.
 * @top_ns:	Up to here a value changes no @max_ns, see vl_stats_has_room(). Of a
 *		CPU's share only, not of a sum.
 * @buckets:	See hist.h. Their sum is the number of spans: no second counter
 *		that could disagree.
 */
struct vl_span_stats {
	u64 sum_ns;
	u64 min_ns;
	u64 max_ns;
	u64 top_ns;
	u64 buckets[VRINGLAB_HIST_BUCKETS];
};

/**
 * struct vl_stats - One CPU's share of a vring's counters
 * @counters:	By enum vl_counter.
 * @spans:	By enum vringlab_span.
 *
 * Written with this_cpu operations only, which are one instruction each: an
 * interrupt in between loses nothing.
 */
struct vl_stats {
	u64 counters[VL_COUNTERS];
	struct vl_span_stats spans[VL_SPANS];
};

/**
 * struct vl_flight - What is known of one kick on its way
 * @exit_ns:	When the vCPU left the guest to kick.
 * @kick_ns:	When the kick eventfd was signalled.
 * @wake_ns:	When the back-end took it.
 * @call_ns:	When the call eventfd was signalled.
 * @inject_ns:	When the interrupt was set.
 *
 * 0 is what was not seen: a flight may begin at a call or an inject. Belongs to
 * whoever took it out of a stage.
 */
struct vl_flight {
	u64 exit_ns;
	u64 kick_ns;
	u64 wake_ns;
	u64 call_ns;
	u64 inject_ns;
} __aligned(64); /* so that its number takes no division */

/* -1 where one of the stamps is missing, and where it ended before it began. */
static inline s64 vl_flight_span(u64 from_ns, u64 to_ns)
{
	return from_ns && to_ns >= from_ns ? (s64)(to_ns - from_ns) : -1;
}

/* A stage points to the flight whose last stamp is of this hop. */
enum vl_stage { VL_STAGE_KICK, VL_STAGE_WAKE, VL_STAGE_CALL, VL_STAGE_INJECT, VL_STAGES };

/*
 * Four are at rest in stages; the others are in the hands of handlers, each of
 * which holds one at most.
 */
#define VL_FLIGHTS BITS_PER_LONG

enum vl_role { VL_ROLE_KICK, VL_ROLE_CALL, VL_ROLES };

struct vl_device;
struct vl_hit;
struct vl_vring;
struct vl_vring_req;

#define VL_NOTES 4

/**
 * struct vl_eventfd - An eventfd in its role for a vring
 * @node:	In the bucket of @ctx.
 * @ctx:	A reference is held until this is freed.
 * @role:	What it is to @vring.
 * @vring:	Which lives longer: both are freed after a grace period.
 * @fact:	A VM has it, see vm.c. Written under vl_vrings_lock.
 * @notes:	Of those who are about to signal it, see source.h.
 * @serial:	Never of another: tells whether it is the same that was seen before.
 * @wait:	Our entry in @wqh.
 * @wqh:	The eventfd's wait queue; lives as long as @ctx.
 * @rcu:	Frees it.
 */
struct vl_eventfd {
	struct hlist_node node;
	struct eventfd_ctx *ctx;
	enum vl_role role;
	struct vl_vring *vring;
	bool fact;
	unsigned long notes[VL_NOTES];
	u64 serial;
	wait_queue_entry_t wait;
	wait_queue_head_t *wqh;
	struct rcu_head rcu;
};

/**
 * struct vl_vring - One traced virtqueue
 * @flights:	Records; first, so that their addresses take no addition.
 * @stage:	Into @flights, NULL empty. Only xchg() to take and cmpxchg() from
 *		NULL to put, so a flight has one owner at any time.
 * @busy:	Which of @flights are in use.
 * @target:	vl_target() of the vCPU that got the last interrupt, 0 before the first.
 * @index:	Bit in the pending sets, slot in the table.
 * @stats:	Per CPU, since the last reset; replaced by vl_interval_reset().
 * @past:	All before the last reset, NULL before the first. Under vl_vrings_lock.
 * @reset_ns:	When @stats began. Under vl_vrings_lock.
 * @limit_ns:	By span: the lowest of its thresholds, S64_MAX if there is none.
 * @id:		Netlink's name for it.
 * @eventfds:	By enum vl_role; NULL for none. Handlers come from the eventfd to the
 *		vring.
 * @wake_node:	Lookup by @tgid and @user_data.
 * @user_data:	Of the io_uring completions that take kicks.
 * @tgid:	Thread group of the back-end, in the initial PID namespace.
 * @has_user_data: Whether @wake_node and @user_data are in use.
 * @persist:	Outlives the socket.
 * @backend:	enum vringlab_backend.
 * @portid:	The socket that registered it.
 * @label:	For people.
 * @vq_node:	Lookup by @vq.
 * @vq:		vhost's virtqueue, to be compared only; NULL while none is known.
 * @found:	By ourselves; it ends with what it is of.
 * @uid:	With @found, whose it is.
 * @device:	Whose it is; NULL while none is known.
 * @in_device:	In the list of @device's.
 * @queue:	Number of the virtqueue in @device.
 * @num:	Its size; 0 while unknown.
 * @vhost:	What vhost does on it.
 * @free_work:	Frees it, after a grace period.
 *
 * From @id on all but @stats to @limit_ns and @vhost is constant while it is published,
 * except that vl_vrings_lock protects @eventfds, @vq and what follows it.
 */
struct vl_vring {
	struct vl_flight flights[VL_FLIGHTS] ____cacheline_aligned;
	struct vl_flight *stage[VL_STAGES] ____cacheline_aligned;
	unsigned long busy;
	u64 target;
	unsigned int index;
	u32 id;
	struct vl_stats __percpu *stats;
	struct vl_stats *past;
	u64 reset_ns;
	s64 limit_ns[VL_SPANS];

	struct vl_eventfd *eventfds[VL_ROLES];
	struct hlist_node wake_node;
	u64 user_data;
	pid_t tgid;
	bool has_user_data;
	bool persist;
	u32 backend;
	u32 portid;
	char label[VRINGLAB_LABEL_LEN];
	struct hlist_node vq_node;
	const void *vq;
	bool found;
	kuid_t uid;
	struct vl_device *device;
	struct list_head in_device;
	u32 queue;
	u32 num;
	struct vl_vhost vhost;
	struct rcu_work free_work;
};

/**
 * vl_path_enter() - Begin to use vrings in a handler
 *
 * Preemption off is an RCU read side, which synchronize_rcu() waits for, and
 * keeps per-CPU state this CPU's. Needed on every kernel: ftrace callbacks do not
 * run with preemption off, and tracepoint callbacks not any more.
 */
static inline void vl_path_enter(void)
{
	preempt_disable_notrace();
}

static inline void vl_path_leave(void)
{
	preempt_enable_notrace();
}

/* The same under the lock of an eventfd: interrupts are off, but for PREEMPT_RT. */
static inline void vl_path_enter_locked(void)
{
	if (IS_ENABLED(CONFIG_PREEMPT_RT))
		vl_path_enter();
}

static inline void vl_path_leave_locked(void)
{
	if (IS_ENABLED(CONFIG_PREEMPT_RT))
		vl_path_leave();
}

/* ctx.c */

void vl_ctx_measure(struct file *file);
void vl_ctx_seen(struct file *file) __cold;
void vl_ctx_begin(void);
bool vl_ctx_measured(void);
bool vl_ctx_get(struct eventfd_ctx *ctx);
wait_queue_head_t *vl_ctx_wait_queue(struct eventfd_ctx *ctx);

/* discover.c */

/* For handlers; control asks vl_discovering(). */
extern bool vl_discover_on;

int vl_discover_set(bool on, bool persist, u32 portid, struct netlink_ext_ack *extack);
void vl_discover_release(u32 portid);
bool vl_discovering(void);
bool vl_discover_persists(void);
void vl_discover_exit(void);

/* eventfd.c */

struct vl_eventfd *vl_eventfd_new(struct vl_vring *vring, enum vl_role role,
				  struct eventfd_ctx *ctx);
void vl_eventfd_free(struct vl_eventfd *eventfd);
void vl_eventfd_watch(struct vl_eventfd *eventfd, struct file *file);
void vl_eventfd_unwatch(struct vl_eventfd *eventfd);
void vl_eventfd_irqfd_woken(struct vl_eventfd *eventfd, const wait_queue_entry_t *irqfd) __cold;
void vl_eventfd_give_way(struct eventfd_ctx *ctx);

/* hooks.c */

/**
 * struct vl_probe_info - A probe, for netlink
 * @name:	Function or tracepoint.
 * @module:	NULL for the kernel itself.
 * @type:	How it is hooked.
 * @hops:	What for: bits by enum vringlab_hop.
 * @state:	Whether it works.
 * @error:	Positive errno, with %VRINGLAB_PROBE_STATE_FAILED.
 */
struct vl_probe_info {
	const char *name;
	const char *module;
	enum vringlab_probe_type type;
	unsigned long hops;
	enum vringlab_probe_state state;
	int error;
};

unsigned long vl_hooks_missed(void);
int vl_hooks_init(void);
void vl_hooks_exit(void);
int vl_hooks_get(struct netlink_ext_ack *extack);
void vl_hooks_put(void);
int vl_hooks_discover(struct netlink_ext_ack *extack);
void vl_hooks_undiscover(void);
bool vl_hooks_info(unsigned int i, struct vl_probe_info *info);
unsigned long vl_hooks_irqfd_inject(void);
bool vl_hooks_is_eventfd_write(unsigned long func);
bool vl_hooks_vhost_worker_queue(void);
bool vl_hooks_add_irqfd(void);
bool vl_hooks_vcpu_destroy(void);

/* interval.c */

/**
 * struct vl_interval - What a vring did between two moments
 * @begin_ns:	Its registration or the reset before.
 * @end_ns:	When it was read.
 * @stats:	What was recorded in between.
 */
struct vl_interval {
	u64 begin_ns;
	u64 end_ns;
	struct vl_stats stats;
};

void vl_interval_get(const struct vl_vring *vring, struct vl_interval *interval);
int vl_interval_reset(struct vl_vring *vring, struct vl_interval *interval);
void vl_interval_exit(void);

/* kvm.c */

struct kvm_vcpu *vl_kvm_exit_vcpu(void) __cold;

/* Of vring.c, which has more below. */
extern struct mutex vl_vrings_lock;

/* lookup.c */

#define VL_EVENTFD_BITS 10

extern struct hlist_head vl_eventfds[1 << VL_EVENTFD_BITS];

static inline struct hlist_head *vl_lookup_bucket(const struct eventfd_ctx *ctx)
{
	return &vl_eventfds[hash_ptr(ctx, VL_EVENTFD_BITS)];
}

/* False for nearly all eventfds that are no vring's; needs no RCU. */
static inline bool vl_lookup_maybe(const struct eventfd_ctx *ctx)
{
	return unlikely(!hlist_empty(vl_lookup_bucket(ctx)));
}

/* Under RCU or vl_vrings_lock. */
static inline struct vl_eventfd *vl_lookup_eventfd(const struct eventfd_ctx *ctx)
{
	struct vl_eventfd *eventfd;

	hlist_for_each_entry_rcu(eventfd, vl_lookup_bucket(ctx), node,
				 lockdep_is_held(&vl_vrings_lock))
		if (likely(eventfd->ctx == ctx))
			return eventfd;

	return NULL;
}

int vl_lookup_add_eventfd(struct vl_eventfd *eventfd);
void vl_lookup_del_eventfd(struct vl_eventfd *eventfd);
int vl_lookup_add_wake(struct vl_vring *vring);
void vl_lookup_del_wake(struct vl_vring *vring);
struct vl_vring *vl_lookup_wake(u64 user_data);
int vl_lookup_set_vq(struct vl_vring *vring, const void *vq);
struct vl_vring *vl_lookup_vq(const void *vq);

/* netlink.c */

int vl_netlink_init(void);
void vl_netlink_exit(void);

/* nl_ntf.c */

void vl_nl_vring_changed(u8 cmd, const struct vl_vring *vring);

/* nl_threshold.c */

int vl_nl_threshold_notify(const struct vl_hit *hit);

/* pending.c */

/**
 * vl_target() - A vCPU in one word
 * @kvm:	Its VM.
 * @vcpu_id:	Less than 2^16, see KVM_MAX_VCPU_IDS.
 *
 * The pointer's upper 16 bits are the same in all kernel pointers (with five
 * page table levels: in all that are not petabytes apart).
 */
static inline u64 vl_target(const struct kvm *kvm, u32 vcpu_id)
{
	return (u64)(unsigned long)kvm << 16 | (u16)vcpu_id;
}

static inline u32 vl_target_vcpu(u64 target)
{
	return (u16)target;
}

void vl_pending_abandon(u64 target);
void vl_pending_del(struct vl_vring *vring);

/* share.c */

int vl_share_take(kuid_t uid);
void vl_share_give(kuid_t uid);

/* source.c */

void vl_source_forget(void);

/* stats.c */

struct vl_stats __percpu *vl_stats_alloc(void);
s64 vl_stats_span(struct vl_stats __percpu *stats, enum vringlab_span span, u64 from_ns, u64 to_ns);
void vl_stats_clear(struct vl_stats *stats);
void vl_stats_add(struct vl_stats *sum, const struct vl_stats *stats);
void vl_stats_read_counters(const struct vl_vring *vring, u64 counters[VL_COUNTERS]);
void vl_stats_read_span(const struct vl_vring *vring, enum vringlab_span span,
			struct vl_span_stats *sum);
u64 vl_stats_count(const struct vl_span_stats *s);

/* threshold.c */

#define VL_THRESHOLDS_MAX 64

/**
 * struct vl_threshold_req - What netlink asks for, and tells
 * @vring_id:	0 for all.
 * @span:	enum vringlab_span.
 * @actions:	Of enum vringlab_threshold_action.
 * @ns:		Longer than this is a hit.
 * @once:	Only the first hit counts.
 */
struct vl_threshold_req {
	u32 vring_id;
	u32 span;
	u32 actions;
	s64 ns;
	bool once;
};

/**
 * struct vl_threshold - A span's length that is not to be exceeded
 * @node:	Of all, in rising order of @id. Under vl_vrings_lock, and RCU.
 * @rcu:	Frees it.
 * @req:	As asked for.
 * @id:		Netlink's name for it.
 * @fired:	Bit 0: has been hit; for @req.once.
 * @hits:	How often.
 * @lost:	Messages that could not be sent.
 */
struct vl_threshold {
	struct list_head node;
	struct rcu_head rcu;
	struct vl_threshold_req req;
	u32 id;
	unsigned long fired;
	atomic64_t hits;
	atomic64_t lost;
};

/**
 * struct vl_hit - One hit, for whoever listens
 * @node:	Of those that wait to be sent.
 * @id:		The threshold.
 * @vring_id:	The vring.
 * @span:	enum vringlab_span.
 * @ns:		Its length.
 * @stamp_ns:	When it ended.
 */
struct vl_hit {
	struct llist_node node;
	u32 id;
	u32 vring_id;
	u32 span;
	s64 ns;
	u64 stamp_ns;
};

void vl_threshold_apply(struct vl_vring *vring);
void vl_threshold_hit(struct vl_vring *vring, enum vringlab_span span, s64 ns, u64 now) __cold;
int vl_threshold_add(const struct vl_threshold_req *req, u32 *id, struct netlink_ext_ack *extack);
int vl_threshold_del(u32 id);
void vl_threshold_del_vring(u32 vring_id);
const struct vl_threshold *vl_threshold_next(u64 id);
unsigned int vl_threshold_generation(void);
void vl_threshold_mute(void);
void vl_threshold_exit(void);

static __always_inline bool vl_threshold_is_hit(const struct vl_vring *vring,
						enum vringlab_span span, s64 ns)
{
	/* Racy: a limit that is just being set may count from the next span on. */
	return unlikely(ns > data_race(vring->limit_ns[span]));
}

static inline void vl_threshold_check(struct vl_vring *vring, enum vringlab_span span, s64 ns,
				      u64 now)
{
	if (vl_threshold_is_hit(vring, span, ns))
		vl_threshold_hit(vring, span, ns, now);
}

/* vring.c */

/**
 * struct vl_vring_req - What netlink asks for
 * @files:	Eventfds by enum vl_role; vl_vring_add() takes its own references.
 *		NULL for none.
 * @attrs:	Where each is from, to be named in an error.
 * @user_data_attr: Likewise.
 * @label:	For people.
 * @backend:	enum vringlab_backend.
 * @tgid:	In the initial PID namespace.
 * @user_data:	With @has_user_data.
 * @has_user_data: Kicks are taken by io_uring completions.
 * @persist:	Outlive the socket.
 * @found:	Nobody asked for it. Then, neither @persist nor @portid says anything.
 * @uid:	With @found, of the process that it is of.
 * @portid:	The socket.
 */
struct vl_vring_req {
	struct file *files[VL_ROLES];
	const struct nlattr *attrs[VL_ROLES];
	const struct nlattr *user_data_attr;
	char label[VRINGLAB_LABEL_LEN];
	u32 backend;
	pid_t tgid;
	u64 user_data;
	bool has_user_data;
	bool persist;
	bool found;
	kuid_t uid;
	u32 portid;
};

extern struct vl_vring __rcu *vl_vrings[VL_VRINGS_MAX];

int vl_vrings_init(void);
void vl_vrings_exit(void);
int vl_vring_add(const struct vl_vring_req *req, u32 *id, struct netlink_ext_ack *extack);
struct vl_vring *vl_vring_new(const struct vl_vring_req *req, struct netlink_ext_ack *extack);
void vl_vring_end(struct vl_vring *vring);
int vl_vring_del(u32 id);
void vl_vring_del_portid(u32 portid);
struct vl_vring *vl_vring_find(u32 id);
struct vl_vring *vl_vring_next(unsigned long *id);
int vl_vring_set_eventfd(struct vl_vring *vring, enum vl_role role, struct file *file);
int vl_vring_set_eventfd_ctx(struct vl_vring *vring, enum vl_role role, struct eventfd_ctx *ctx);
unsigned int vl_vrings_generation(void);
void vl_vrings_changed(void);

#endif /* _VRINGLAB_H */
