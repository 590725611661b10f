// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <vringlab/fd.h>
#include <vringlab/vmm_storm.h>

#include "../../guest/storm.h"
#include "internal.h"

/* Bytes from one doorbell to the next, and of each write. */
#define STRIDE 2u

static uint64_t doorbell(const struct vmm_storm *storm, unsigned int i)
{
	uint64_t first = storm->config.bus == VMM_BUS_PIO ? VMM_MICRO_DOORBELL_PORT :
							    VMM_MICRO_DOORBELL_GPA;

	return first + i * STRIDE;
}

static int attach(struct vmm_storm *storm, unsigned int i, struct vl_err *err)
{
	struct vmm_ioeventfd io = {
		.bus = storm->config.bus,
		.addr = doorbell(storm, i),
		.len = STRIDE,
	};
	int ret = vmm_micro_eventfd(&storm->fd[i], err);

	if (ret)
		return ret;
	io.fd = storm->fd[i];
	return vmm_ioeventfd_attach(storm->micro.vm, &io, err);
}

static void write_param(struct vmm_storm *storm)
{
	storm->param = storm->micro.param;
	*storm->param = (struct storm_param){
		.head = {
			.magic = STORM_MAGIC,
			.version = STORM_VERSION,
			.size = sizeof(*storm->param),
		},
		.doorbells = storm->config.count,
		.addr = doorbell(storm, 0),
		.stride = STRIDE,
		.nr = storm->config.nr,
		.mmio = storm->config.bus == VMM_BUS_MMIO,
	};
}

static void take(struct vmm_storm *storm, unsigned int i)
{
	eventfd_t events;

	if (eventfd_read(storm->fd[i], &events))
		return;
	storm->taken[i] += events;
	storm->wakes++;
}

static void *take_thread(void *arg)
{
	struct vmm_storm *storm = arg;
	unsigned int nr = storm->config.nr;
	struct pollfd fds[VMM_STORM_EVENTFDS_MAX + 1];

	for (unsigned int i = 0; i < nr; i++)
		fds[i] = (struct pollfd){ .fd = storm->fd[i], .events = POLLIN };
	fds[nr] = (struct pollfd){ .fd = storm->stop_fd, .events = POLLIN };
	while (poll(fds, nr + 1, -1) > 0 && !fds[nr].revents)
		for (unsigned int i = 0; i < nr; i++)
			if (fds[i].revents)
				take(storm, i);
	return NULL;
}

static int create(struct vmm_storm *storm, struct vl_err *err)
{
	int ret;

	ret = vmm_micro_create(&storm->micro, storm->config.kvm_path, VMM_MICRO_MEMORY_MIN,
			       VMM_IRQCHIP_LAPIC, err);
	for (unsigned int i = 0; !ret && i < storm->config.nr; i++)
		ret = attach(storm, i, err);
	if (!ret)
		ret = vmm_micro_eventfd(&storm->stop_fd, err);
	if (ret)
		return ret;
	write_param(storm);
	return vmm_micro_add_vcpu(&storm->micro, "doorbell-storm", err);
}

int vmm_storm_create(struct vmm_storm *storm, const struct vmm_storm_config *config,
		     struct vl_err *err)
{
	int ret;

	*storm = (struct vmm_storm){ .config = *config, .stop_fd = -1 };
	for (unsigned int i = 0; i < VMM_STORM_EVENTFDS_MAX; i++)
		storm->fd[i] = -1;
	ret = create(storm, err);
	if (ret)
		vmm_storm_destroy(storm);
	return ret;
}

int vmm_storm_start(struct vmm_storm *storm, struct vl_err *err)
{
	int ret;

	ret = vmm_thread_create(&storm->thread, take_thread, storm);
	if (ret)
		return vl_err_set(err, ret, "cannot start a thread: %s", vl_strerror(ret));
	storm->started = true;
	return 0;
}

void vmm_storm_settle(struct vmm_storm *storm)
{
	if (storm->started) {
		eventfd_write(storm->stop_fd, 1);
		pthread_join(storm->thread, NULL);
		storm->started = false;
	}
	for (unsigned int i = 0; i < storm->config.nr; i++)
		take(storm, i);
}

void vmm_storm_destroy(struct vmm_storm *storm)
{
	if (storm->started)
		vmm_storm_settle(storm);
	vmm_micro_destroy(&storm->micro);
	for (unsigned int i = 0; i < storm->config.nr; i++)
		vl_fd_close(&storm->fd[i]);
	vl_fd_close(&storm->stop_fd);
}

void vmm_storm_result(const struct vmm_storm *storm, struct vmm_storm_result *result)
{
	*result = (struct vmm_storm_result){
		.rung = storm->param->rung,
		.wakes = storm->wakes,
		.cycles = storm->param->cycles,
		.tsc_khz = vmm_vcpu_tsc_khz(storm->micro.vcpu),
	};
	for (unsigned int i = 0; i < storm->config.nr; i++)
		result->taken += storm->taken[i];
}

int vmm_storm_check(const struct vmm_storm *storm, uint8_t status, struct vl_err *err)
{
	const struct vmm_storm_config *c = &storm->config;
	int ret = vmm_micro_check(&storm->micro, status, err);

	if (ret)
		return ret;
	if (storm->param->rung != c->count)
		return vl_err_set(err, -EPROTO, "%" PRIu64 " of %" PRIu64 " doorbells were rung",
				  storm->param->rung, c->count);
	for (unsigned int i = 0; i < c->nr; i++) {
		/* in turn: the first ones may have one more */
		uint64_t expected = c->count / c->nr + (i < c->count % c->nr);

		if (storm->taken[i] != expected)
			return vl_err_set(err, -EPROTO,
					  "eventfd %u was signalled %" PRIu64 " times for %" PRIu64
					  " doorbells",
					  i, storm->taken[i], expected);
	}
	return 0;
}
