// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <vringlab/vmm_guest.h>

#include "internal.h"

/* guests.S */
extern const uint8_t vmm_guest_hello_start[], vmm_guest_hello_end[];
extern const uint8_t vmm_guest_ring_ping_start[], vmm_guest_ring_ping_end[];

const struct vmm_guest_image *vmm_guest_find(const char *name)
{
	static struct vmm_guest_image images[] = {
		{ .name = "hello", .start = vmm_guest_hello_start },
		{ .name = "ring-ping", .start = vmm_guest_ring_ping_start, .long_mode = true },
	};

	/* differences of addresses are no constants in C */
	images[0].size = vmm_guest_hello_end - vmm_guest_hello_start;
	images[1].size = vmm_guest_ring_ping_end - vmm_guest_ring_ping_start;
	for (size_t i = 0; i < ARRAY_SIZE(images); i++)
		if (!strcmp(images[i].name, name))
			return &images[i];
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

int vmm_guest_exit(void *ctx, struct kvm_run *run, struct vl_err *err)
{
	struct vmm_guest_io *io = ctx;
	const uint8_t *data;

	if (run->exit_reason == KVM_EXIT_HLT && io->hlt_ends)
		return end(io, 0, err);
	if (run->exit_reason != KVM_EXIT_IO || run->io.size != 1 ||
	    run->io.direction != KVM_EXIT_IO_OUT)
		return VMM_EXIT_NOT_KNOWN;
	data = (const uint8_t *)run + run->io.data_offset;
	if (run->io.port == VMM_GUEST_CONSOLE_PORT)
		return console(io, data, run->io.count, err);
	if (run->io.port == VMM_GUEST_EXIT_PORT)
		return end(io, data[0], err);
	return VMM_EXIT_NOT_KNOWN;
}
