// SPDX-License-Identifier: GPL-2.0-only
/*
 * Locks: a port's own is taken first, then the console's; the console calls the port
 * with none held.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <vringlab/err.h>
#include <vringlab/fd.h>
#include <vringlab/serial.h>
#include <vringlab/sigpipe.h>

#include "vmm_console.h"
#include "vmm_terminal.h"

#define OUT_BYTES 65536u
#define IN_BYTES 256u

/* A pipe that is ready takes as much without making us wait: pipe(7), PIPE_BUF. */
#define WRITE_MAX 4096u

#define ESCAPE 0x01 /* Ctrl-A */

struct vmm_console {
	struct loop *loop;
	struct serial *serial;
	loop_fn *stop;
	void *stop_ctx;
	int wake_fd;
	int error; /* of the output */
	bool is_raw;
	bool escaped;
	struct loop_op *wake;
	struct loop_op *readable;
	struct loop_op *writable;
	/* what the port had no room for */
	unsigned int in_first;
	unsigned int in_nr;
	uint8_t in[IN_BYTES];
	pthread_mutex_t lock; /* protects the following */
	bool woken;
	bool was_full;
	unsigned int out_first;
	unsigned int out_nr;
	uint8_t out[OUT_BYTES];
};

static void wake(struct vmm_console *console)
{
	uint64_t one = 1;

	/* a counter that is full is not 0 either */
	(void)!write(console->wake_fd, &one, sizeof(one));
}

bool vmm_console_tx(void *ctx, uint8_t byte)
{
	struct vmm_console *console = ctx;
	bool has_room, first;

	pthread_mutex_lock(&console->lock);
	/* a guest that does not look whether there is room loses it */
	if (console->out_nr < OUT_BYTES)
		console->out[(console->out_first + console->out_nr++) % OUT_BYTES] = byte;
	has_room = console->out_nr < OUT_BYTES;
	if (!has_room)
		console->was_full = true;
	first = !console->woken;
	console->woken = true;
	pthread_mutex_unlock(&console->lock);
	if (first)
		wake(console);
	return has_room;
}

void vmm_console_rx_room(void *ctx)
{
	wake(ctx);
}

/* What is to be written next, as far as it is in one piece. */
static unsigned int next_output(struct vmm_console *console, const uint8_t **bytes)
{
	unsigned int nr;

	pthread_mutex_lock(&console->lock);
	nr = console->out_nr;
	if (nr > OUT_BYTES - console->out_first)
		nr = OUT_BYTES - console->out_first;
	*bytes = console->out + console->out_first;
	if (!nr)
		console->woken = false;
	pthread_mutex_unlock(&console->lock);
	return nr < WRITE_MAX ? nr : WRITE_MAX;
}

static void output_done(struct vmm_console *console, unsigned int nr)
{
	bool was_full;

	pthread_mutex_lock(&console->lock);
	console->out_first = (console->out_first + nr) % OUT_BYTES;
	console->out_nr -= nr;
	was_full = console->was_full;
	console->was_full = false;
	pthread_mutex_unlock(&console->lock);
	if (was_full && console->serial)
		serial_tx_ready(console->serial);
}

static bool is_ready(int fd, short events, int timeout_ms)
{
	struct pollfd poll_fd = { .fd = fd, .events = events };

	return poll(&poll_fd, 1, timeout_ms) > 0;
}

/* After an error all further output is dropped. */
static void write_output(struct vmm_console *console, const uint8_t *bytes, unsigned int nr)
{
	ssize_t ret = nr;

	if (!console->error)
		ret = write(STDOUT_FILENO, bytes, nr);
	if (ret >= 0) {
		output_done(console, ret);
	} else if (errno != EINTR && errno != EAGAIN) {
		console->error = -errno;
		console->stop(console->stop_ctx, console->error);
	}
}

static void on_writable(void *ctx, int res);

static void flush(struct vmm_console *console)
{
	const uint8_t *bytes;
	unsigned int nr;

	while ((nr = next_output(console, &bytes))) {
		if (!console->error && !is_ready(STDOUT_FILENO, POLLOUT, 0)) {
			if (!console->writable)
				loop_poll(console->loop, STDOUT_FILENO, POLLOUT, on_writable,
					  console, &console->writable);
			return;
		}
		write_output(console, bytes, nr);
	}
	loop_op_remove(&console->writable);
}

static void on_writable(void *ctx, int res)
{
	(void)res;
	flush(ctx);
}

/* Takes the escapes out. Returns how many bytes are left. */
static unsigned int filter(struct vmm_console *console, uint8_t *bytes, unsigned int nr)
{
	unsigned int kept = 0;

	if (!console->is_raw)
		return nr;
	for (unsigned int i = 0; i < nr; i++) {
		bool escaped = console->escaped;

		console->escaped = !escaped && bytes[i] == ESCAPE;
		if (console->escaped)
			continue;
		if (escaped && bytes[i] == 'x')
			console->stop(console->stop_ctx, 0);
		else
			bytes[kept++] = bytes[i];
	}
	return kept;
}

/* Returns whether there may be more. */
static bool read_input(struct vmm_console *console)
{
	ssize_t ret;

	if (!console->readable || !is_ready(STDIN_FILENO, POLLIN, 0))
		return false;
	ret = read(STDIN_FILENO, console->in, IN_BYTES);
	if (ret < 0 && errno == EINTR)
		return true;
	if (ret <= 0) {
		/* its end, or a terminal that was hung up: the guest runs on */
		loop_op_remove(&console->readable);
		return false;
	}
	console->in_first = 0;
	console->in_nr = filter(console, console->in, ret);
	return true;
}

static void pump(struct vmm_console *console)
{
	do {
		size_t taken = serial_receive(console->serial, console->in + console->in_first,
					      console->in_nr);

		console->in_first += taken;
		console->in_nr -= taken;
	} while (!console->in_nr && read_input(console));
}

static void on_readable(void *ctx, int res)
{
	(void)res;
	pump(ctx);
}

static void on_wake(void *ctx, int res)
{
	(void)res;
	flush(ctx);
	pump(ctx);
}

int vmm_console_create(struct vmm_console **console, struct loop *loop, loop_fn *stop, void *ctx,
		       struct vl_err *err)
{
	struct vmm_console *new = calloc(1, sizeof(*new));
	int ret;

	if (!new)
		return vl_err_set(err, -ENOMEM, "no memory for the console");
	vl_sigpipe_hold();
	pthread_mutex_init(&new->lock, NULL);
	new->loop = loop;
	new->stop = stop;
	new->stop_ctx = ctx;
	new->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (new->wake_fd < 0) {
		ret = vl_err_set(err, -errno, "eventfd: %s", vl_strerror(errno));
		vmm_console_destroy(new, false, NULL);
		return ret;
	}
	*console = new;
	return 0;
}

int vmm_console_start(struct vmm_console *console, struct serial *serial, struct vl_err *err)
{
	int ret;

	console->serial = serial;
	ret = loop_poll(console->loop, console->wake_fd, POLLIN, on_wake, console, &console->wake);
	if (!ret)
		ret = loop_poll(console->loop, STDIN_FILENO, POLLIN, on_readable, console,
				&console->readable);
	if (ret)
		return vl_err_set(err, ret, "cannot watch the console: %s", vl_strerror(ret));
	if (!terminal_is_ours(STDIN_FILENO))
		return 0;
	console->is_raw = true;
	return terminal_set_raw(STDIN_FILENO, err);
}

int vmm_console_destroy(struct vmm_console *console, bool wait, struct vl_err *err)
{
	const uint8_t *bytes;
	unsigned int nr;
	int error;

	if (!console)
		return 0;
	console->serial = NULL;
	while ((nr = next_output(console, &bytes)) && (wait || is_ready(STDOUT_FILENO, POLLOUT, 0)))
		write_output(console, bytes, nr);
	terminal_restore();
	loop_op_remove(&console->wake);
	loop_op_remove(&console->readable);
	loop_op_remove(&console->writable);
	vl_fd_close(&console->wake_fd);
	vl_sigpipe_release();
	pthread_mutex_destroy(&console->lock);
	error = console->error;
	free(console);
	if (error)
		vl_err_set(err, error, "cannot write the guest's output: %s", vl_strerror(error));
	return error;
}
