/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Inside of the back-end: the connection, its rings, and what they share.
 *
 *	backend.c	messages come in, answers go out, the connection ends
 *	negotiate.c	features, owner, status, reset
 *	memory.c	memory table, slots, IOTLB, postcopy's part of them
 *	config.c	config space, and what only network devices have
 *	migrate.c	dirty log, inflight region
 *	state.c		device state
 *	postcopy.c	userfaultfd
 *	channel.c	messages to the front-end
 *	ring.c		life of a ring: start, stop, quiesce
 *	ring_set.c	what messages set of it
 *	ring_fd.c	kick, call, err
 *	ring_run.c	kick, process, call
 */
#ifndef VHOST_USER_BACKEND_H
#define VHOST_USER_BACKEND_H

#include <vringlab/err.h>
#include <vringlab/loop.h>
#include <vringlab/loop_rw.h>
#include <vringlab/loop_spin.h>
#include <vringlab/vhost_user_backend.h>
#include <vringlab/vhost_user_conn.h>
#include <vringlab/vhost_user_mem.h>

/**
 * struct vu_ring - One virtqueue, "Ring states"
 * @be:		Whose.
 * @queue:	As the device sees it; has the index, and enabled.
 * @num:	Queue size; 0 before SET_VRING_NUM.
 * @base:	Where to start, as in SET_VRING_BASE.
 * @addr:	Where it lies.
 * @has_addr:	@addr is set.
 * @has_base:	@base is set, or was told by a stop.
 * @wanted:	SET_VRING_KICK or VRING_KICK came since the ring was stopped.
 * @started:	@dev is valid, and the device knows the ring.
 * @quiesced:	Started, and the device was told to take no more.
 * @broken:	Its contents were bad; nothing is taken from it until it is stopped.
 * @stale:	Its addresses have to be resolved again.
 * @missing:	Waits for the translation in @miss.
 * @kicks_off:	The driver may have been told not to kick.
 * @announced:	The observer knows the eventfds.
 * @polled:	There will be no kicks: it is looked at from time to time.
 * @waiting:	The device goes on by itself.
 * @miss_due:	The front-end has to be asked for @miss.
 * @call_due:	A call is to be sent as a message.
 * @err_due:	An error is to be sent as a message.
 * @miss:	Translation that is lacking.
 * @kick_fd:	-1 for none, as the following.
 * @call_fd:	Call eventfd.
 * @err_fd:	Error eventfd.
 * @kick:	Watch on @kick_fd.
 * @call:	Signals @call_fd.
 * @err:	Signals @err_fd.
 * @poll:	Timer of a ring that is @polled.
 * @poll_ns:	Its delay.
 * @run:	Looks at the ring when the events that are there have been handled.
 * @settle:	Calls the driver for what was pushed meanwhile.
 * @spinner:	Looks at the ring while the loop spins.
 * @dev:	Device side.
 * @stats:	Counters; the rest of it is filled in when asked for.
 */
struct vu_ring {
	struct vu_backend *be;
	struct vdev_queue queue;
	unsigned int num;
	uint32_t base;
	struct vu_vring_addr addr;
	bool has_addr;
	bool has_base;
	bool wanted;
	bool started;
	bool quiesced;
	bool broken;
	bool stale;
	bool missing;
	bool kicks_off;
	bool announced;
	bool polled;
	bool waiting;
	bool miss_due;
	bool call_due;
	bool err_due;
	struct vring_mem_miss miss;
	int kick_fd;
	int call_fd;
	int err_fd;
	struct loop_op *kick;
	struct loop_eventfd *call;
	struct loop_eventfd *err;
	struct loop_op *poll;
	uint64_t poll_ns;
	struct loop_task run;
	struct loop_task settle;
	struct loop_spinner spinner;
	struct vring_dev dev;
	struct vu_vring_stats stats;
};

/**
 * struct vu_reply - An answer
 * @payload:	Of the type that the table says.
 * @size:	Bytes of it.
 * @fd:		Sent with it and then closed; -1 for none.
 * @due:	An answer to a message that else has none of its own.
 */
struct vu_reply {
	union vu_payload payload;
	uint32_t size;
	int fd;
	bool due;
};

/* Most translations that are kept; what is more has to be asked for again. */
#define VU_IOTLB_MAX 4096u

/* A handler's answer comes when backend_wait()'s condition holds. */
#define VU_LATER 1

typedef int vu_handler_fn(struct vu_backend *be, struct vu_msg *msg, struct vu_reply *reply,
			  struct vl_err *err);
typedef bool vu_ready_fn(const struct vu_backend *be);

/**
 * struct vu_channel - The way to the front-end ("Back-end message types")
 * @conn:	Its connection, NULL for none.
 * @sending:	A message is under way.
 * @awaited:	The message whose reply is due, 0 for none.
 * @deadline:	Until when.
 * @config_due:	The config space has changed.
 * @turn:	Ring to begin with next.
 * @pump:	Sends what is due.
 */
struct vu_channel {
	struct vu_conn *conn;
	bool sending;
	uint32_t awaited;
	struct loop_op *deadline;
	bool config_due;
	unsigned int turn;
	struct loop_task pump;
};

/**
 * struct vu_state - A transfer of device state
 * @active:	Under way.
 * @checked:	There is no transfer whose end was not asked for.
 * @load:	From the front-end, not to it.
 * @cancelled:	To end early.
 * @result:	Of the last one.
 * @fd:		Pipe, -1 for none.
 * @file:	@fd.
 * @rw:		Read or write that is under way.
 * @iov:	What it reads or writes.
 * @buf:	State.
 * @len:	Bytes of it, as far as known.
 * @done:	Bytes written.
 * @deadline:	For progress.
 */
struct vu_state {
	bool active;
	bool checked;
	bool load;
	bool cancelled;
	int result;
	int fd;
	struct loop_rw_file file;
	struct loop_rw rw;
	struct iovec iov;
	uint8_t *buf;
	size_t len;
	size_t done;
	struct loop_op *deadline;
};

/**
 * struct vu_inflight_area - The inflight regions of all queues
 * @map:	Mapping.
 * @queues:	How many.
 * @num:	Size of each queue.
 * @packed:	Format.
 */
struct vu_inflight_area {
	struct vu_mapping map;
	unsigned int queues;
	unsigned int num;
	bool packed;
};

/**
 * struct vu_postcopy - Migration that goes on after the device has
 * @ufd:	userfaultfd, -1 before POSTCOPY_ADVISE.
 * @listening:	After POSTCOPY_LISTEN: memory that is mapped is to be registered.
 * @bases_sent:	The front-end was told where, and has not said that it knows.
 */
struct vu_postcopy {
	int ufd;
	bool listening;
	bool bases_sent;
};

struct vu_backend {
	struct loop *loop;
	struct vdev *vdev;
	struct vu_backend_config config;
	struct vu_conn *conn;
	uint64_t features;
	/* the device knows them */
	bool told;
	uint64_t protocol_features;
	uint8_t status;

	struct vu_mem mem;
	struct vu_mem *next_mem;
	/* a mapped file was truncated: by the SIGBUS handler */
	volatile sig_atomic_t faulted;
	struct vring_iotlb *iotlb;
	struct vu_mapping log_map;
	struct vring_log log;
	int log_fd;
	struct loop_eventfd *log_call;
	struct vu_inflight_area inflight;
	struct vu_postcopy postcopy;
	struct vu_state state;
	struct vu_channel channel;

	/* the message that waits, what for, and what comes then */
	struct vu_msg held;
	vu_ready_fn *ready;
	vu_handler_fn *then;
	struct loop_op *hangup;
	struct loop_task advance;
	/* open until the reply is out */
	int reply_fd;

	bool closing;
	struct vl_err closed;
	struct vu_ring rings[];
};

static inline bool has_feature(const struct vu_backend *be, unsigned int bit)
{
	return vu_has_feature(be->features, bit);
}

static inline bool has_protocol(const struct vu_backend *be, unsigned int bit)
{
	return vu_has_feature(be->protocol_features, bit);
}

/* backend.c */
int backend_wait(struct vu_backend *be, struct vu_msg *msg, struct vu_reply *reply,
		 struct vl_err *err, vu_ready_fn *ready, vu_handler_fn *then);
void backend_advance(struct vu_backend *be);
void backend_close(struct vu_backend *be, const struct vl_err *err);
void backend_tell_refused(const struct vu_backend *be, const struct vl_err *err);

/* negotiate.c */
uint64_t offered_protocol_features(const struct vu_backend *be);
vu_handler_fn get_features, set_features, set_owner, reset_owner, get_protocol_features,
	set_protocol_features, get_queue_num, reset_device, set_status, get_status;

/* memory.c */
void memory_reset(struct vu_backend *be);
void memory_use_iotlb(struct vu_backend *be, bool use);
bool memory_takes_header(const struct vu_backend *be, const struct vu_header *hdr);
vu_handler_fn set_mem_table, get_max_mem_slots, add_mem_reg, rem_mem_reg, iotlb_msg;

/* config.c */
vu_handler_fn get_config, set_config, net_set_mtu, send_rarp;

/* migrate.c */
void migrate_reset(struct vu_backend *be);
bool log_is_on(const struct vu_backend *be);
int log_check_memory(const struct vu_backend *be, const struct vring_mem *mem, struct vl_err *err);
void log_tell(const struct vu_backend *be);
int inflight_region(const struct vu_backend *be, const struct vu_ring *ring, void **region);
vu_handler_fn set_log_base, set_log_fd, get_inflight_fd, set_inflight_fd;

/* state.c */
void state_init(struct vu_state *state);
void state_reset(struct vu_backend *be);
bool state_is_idle(const struct vu_backend *be);
vu_handler_fn set_device_state_fd, check_device_state;

/* postcopy.c */
bool postcopy_works(void);
void postcopy_reset(struct vu_backend *be);
int postcopy_register(struct vu_backend *be, struct vl_err *err);
vu_handler_fn postcopy_advise, postcopy_listen, postcopy_end;

/* channel.c */
void channel_init(struct vu_backend *be);
void channel_close(struct vu_backend *be);
void channel_pump(struct vu_backend *be);
vu_handler_fn set_backend_req_fd;

/* ring.c */
void ring_init(struct vu_ring *ring, struct vu_backend *be, unsigned int index);
int ring_start(struct vu_ring *ring);
int ring_refresh(struct vu_ring *ring);
void ring_quiesce(struct vu_ring *ring, bool cancel);
void ring_resume(struct vu_ring *ring);
void ring_stop(struct vu_ring *ring);
void ring_reset(struct vu_ring *ring);
void ring_fail(struct vu_ring *ring, int code);
uint32_t ring_base(const struct vu_ring *ring);
void ring_poke(struct vu_ring *ring);
int ring_resolve(const struct vu_ring *ring, const struct vring_mem *mem,
		 struct vring_layout *layout, struct vring_mem_miss *miss, struct vl_err *err);
void ring_update_log(struct vu_ring *ring);
void ring_miss(struct vu_ring *ring, struct vring_mem_miss miss);
void rings_quiesce(struct vu_backend *be, bool cancel);
void rings_resume(struct vu_backend *be);
vu_ready_fn rings_are_idle, rings_are_stopped;

/* ring_set.c */
int ring_set_enabled(struct vu_ring *ring, bool enabled, struct vl_err *err);
vu_handler_fn set_vring_num, set_vring_addr, set_vring_base, get_vring_base,
	get_vring_base_skip_drain, set_vring_enable, vring_kick;

/* ring_fd.c */
int eventfd_check(int fd, struct vl_err *err);
int ring_announce(struct vu_ring *ring, struct vl_err *err);
void ring_put_kick(struct vu_ring *ring);
void ring_put_call(struct vu_ring *ring);
void ring_put_err(struct vu_ring *ring);
vu_handler_fn set_vring_fd;

/* ring_run.c */
void ring_run(void *ctx, int res);
void ring_settle(void *ctx, int res);
void ring_kicked(void *ctx, int res);
bool ring_spin(void *ctx);
bool ring_arm(void *ctx);
void ring_disarm(void *ctx);
void ring_polled(void *ctx, int res);
void ring_poll_start(struct vu_ring *ring);
void ring_call(struct vu_ring *ring);
void ring_tell_err(struct vu_ring *ring);

#endif /* VHOST_USER_BACKEND_H */
