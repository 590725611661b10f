// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <vringlab/vmm_guest.h>

#include "internal.h"

/* guests.S */
#define GUEST(symbol) vmm_guest_##symbol##_start[], vmm_guest_##symbol##_end[]
extern const uint8_t GUEST(doorbell_storm), GUEST(exit_cost), GUEST(hello);
extern const uint8_t GUEST(hostile), GUEST(irq_cost), GUEST(ring_ping);
#undef GUEST

const struct vmm_guest_image *vmm_guest_find(const char *name)
{
	static struct vmm_guest_image images[] = {
#define GUEST(text, symbol, is_long) \
	{ .name = text, .start = vmm_guest_##symbol##_start, .long_mode = is_long }
		GUEST("doorbell-storm", doorbell_storm, true),
		GUEST("exit-cost", exit_cost, true),
		GUEST("hello", hello, false),
		GUEST("hostile", hostile, true),
		GUEST("irq-cost", irq_cost, true),
		GUEST("ring-ping", ring_ping, true),
#undef GUEST
	};
	static const uint8_t *const ends[] = {
		vmm_guest_doorbell_storm_end, vmm_guest_exit_cost_end, vmm_guest_hello_end,
		vmm_guest_hostile_end,	      vmm_guest_irq_cost_end,  vmm_guest_ring_ping_end,
	};

	for (size_t i = 0; i < ARRAY_SIZE(images); i++) {
		if (strcmp(images[i].name, name))
			continue;
		/* differences of addresses are no constants in C */
		images[i].size = ends[i] - images[i].start;
		return &images[i];
	}
	return NULL;
}

int vmm_guest_io_flush(struct vmm_guest_io *io, struct vl_err *err)
{
	size_t done = 0;

	while (io->console_fd >= 0 && done < io->line_len) {
		ssize_t ret = write(io->console_fd, io->line + done, io->line_len - done);

		if (ret >= 0)
			done += ret;
		else if (errno != EINTR)
			return vl_err_set(err, -errno, "cannot write the guest's output: %s",
					  vl_strerror(errno));
	}
	io->line_len = 0;
	return 0;
}

static int console(struct vmm_guest_io *io, const uint8_t *bytes, size_t nr, struct vl_err *err)
{
	for (size_t i = 0; i < nr; i++) {
		int ret;

		io->line[io->line_len++] = bytes[i];
		if (bytes[i] != '\n' && io->line_len < sizeof(io->line))
			continue;
		ret = vmm_guest_io_flush(io, err);
		if (ret)
			return ret;
	}
	return VMM_EXIT_HANDLED;
}

static int end(struct vmm_guest_io *io, uint8_t status, struct vl_err *err)
{
	int ret = vmm_guest_io_flush(io, err);

	if (ret)
		return ret;
	io->status = status;
	io->ended = true;
	return VMM_EXIT_GUEST_DONE;
}

/* What is for neither of the two devices. */
static int others(struct vmm_guest_io *io, struct kvm_run *run, struct vl_err *err)
{
	return io->bus ? vmm_bus_exit(io->bus, run, err) : VMM_EXIT_NOT_KNOWN;
}

int vmm_guest_exit(void *ctx, struct kvm_run *run, struct vl_err *err)
{
	struct vmm_guest_io *io = ctx;
	const uint8_t *data;

	if (run->exit_reason == KVM_EXIT_HLT && io->hlt_ends)
		return end(io, 0, err);
	if (run->exit_reason != KVM_EXIT_IO || run->io.size != 1 ||
	    run->io.direction != KVM_EXIT_IO_OUT)
		return others(io, run, err);
	data = (const uint8_t *)run + run->io.data_offset;
	if (run->io.port == VMM_GUEST_CONSOLE_PORT)
		return console(io, data, run->io.count, err);
	if (run->io.port == VMM_GUEST_EXIT_PORT)
		return end(io, data[0], err);
	return others(io, run, err);
}
