// SPDX-License-Identifier: GPL-2.0-only
/*
 * The guest is nobody to be trusted: what its tool writes to the ports is taken in
 * pieces of 4 bytes, whenever they come, and looked at when it says that it is done.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <vringlab/err.h>
#include <vringlab/loop_errand.h>
#include <vringlab/parse.h>
#include <vringlab/vmm_bus.h>
#include <vringlab/vmm_micro.h>

#include "vmm.h"
#include "vmm_bench_job.h"
#include "vmm_devices.h"
#include "vmm_echo.h"
#include "vmm_trace.h"

/* A network with room for both and no more has 30. */
#define PREFIX_MAX 30u

#define WORDS (sizeof(struct bench_result) / 4)

static const struct device_kind *const device_kinds[BENCH_KINDS] = {
	[BENCH_NET] = &device_net,
	[BENCH_BLK] = &device_blk,
	[BENCH_VSOCK] = &device_vsock,
};

const char *vmm_bench_kind_name(enum bench_kind kind)
{
	return device_kinds[kind]->name;
}

/* --- what is asked for ------------------------------------------------------------------ */

static int take_kind(struct vmm_bench_kinds *asked, const char *name, size_t len)
{
	for (uint32_t i = 0; i < BENCH_KINDS; i++) {
		const char *known = vmm_bench_kind_name(i);

		if (strlen(known) != len || strncmp(known, name, len))
			continue;
		for (unsigned int j = 0; j < asked->nr; j++)
			if (asked->kind[j] == i)
				return -EINVAL;
		asked->kind[asked->nr++] = i;
		return 0;
	}
	return -EINVAL;
}

int vmm_bench_parse(struct vmm_bench_kinds *asked, const char *text)
{
	struct vmm_bench_kinds new = { .nr = 0 };
	int ret = 0;

	while (!ret && text) {
		const char *end = strchrnul(text, ',');

		ret = take_kind(&new, text, end - text);
		text = *end ? end + 1 : NULL;
	}
	if (!ret)
		*asked = new;
	return ret;
}

/* The tool takes the first one that it finds. */
static int find_device(struct vmm_bench_job *job, const struct vmm_options *o, struct vl_err *err)
{
	const char *kind = vmm_bench_kind_name(job->kind);
	unsigned int nr = 0;

	for (unsigned int i = 0; i < o->nr_devices; i++) {
		if (o->devices[i].opt.kind != device_kinds[job->kind])
			continue;
		job->dev = &o->devices[i];
		nr++;
	}
	if (nr != 1)
		return vl_err_set(err, -EINVAL, "--bench %s needs one --device %s, not %u", kind,
				  kind, nr);
	if (job->kind == BENCH_VSOCK && job->dev->opt.socket)
		return vl_err_set(err, -EINVAL,
				  "--bench vsock needs the kernel's vsock, without socket");
	return 0;
}

/* "192.0.2.1/24": the guest is the host's neighbour. */
static int choose_addresses(struct bench_job *job, const char *text, struct vl_err *err)
{
	const char *slash = text ? strchr(text, '/') : NULL;
	char address[INET_ADDRSTRLEN] = "";
	struct in_addr host;
	uint64_t prefix;
	uint32_t mask, guest;

	if (slash && (size_t)(slash - text) < sizeof(address))
		memcpy(address, text, slash - text);
	if (inet_pton(AF_INET, address, &host) != 1 ||
	    vl_parse_u64(slash + 1, 1, PREFIX_MAX, &prefix))
		return vl_err_set(
			err, -EINVAL,
			"--bench net needs --device net,tap=NAME,address=A.B.C.D/LEN, LEN "
			"at most 30");
	mask = ~(uint32_t)0 << (32 - prefix);
	guest = ntohl(host.s_addr) + 1;
	/* not that of all, nor of the next network */
	if ((guest & ~mask) == ~mask || !(guest & ~mask))
		guest -= 2;
	job->host = host.s_addr;
	job->mask = htonl(mask);
	job->guest = htonl(guest);
	return 0;
}

static int plan(struct vmm_bench *b, const struct vmm_options *o, struct vl_err *err)
{
	int ret = 0;

	b->config.magic = BENCH_MAGIC;
	b->config.count = o->ping.count;
	for (unsigned int i = 0; i < o->bench.nr && !ret; i++) {
		struct vmm_bench_job *job = &b->jobs[b->nr_jobs++];
		struct bench_job *told = &b->config.jobs[b->config.nr++];

		job->kind = o->bench.kind[i];
		told->kind = job->kind;
		told->bytes = job->kind == BENCH_BLK ? BENCH_BLOCK_BYTES : BENCH_MESSAGE_BYTES;
		ret = find_device(job, o, err);
		if (!ret && job->kind == BENCH_NET)
			ret = choose_addresses(told, job->dev->opt.address, err);
	}
	return ret;
}

int vmm_bench_create(struct vmm_bench **bench, const struct vmm_options *options,
		     struct vl_err *err)
{
	struct vmm_bench *new = calloc(1, sizeof(*new));
	int ret;

	if (!new)
		return vl_err_set(err, -ENOMEM, "no memory for a benchmark");
	pthread_mutex_init(&new->lock, NULL);
	ret = plan(new, options, err);
	if (!ret)
		ret = vmm_bench_pack(new, err);
	if (ret) {
		vmm_bench_destroy(new);
		return ret;
	}
	*bench = new;
	return 0;
}

const void *vmm_bench_initrd(const struct vmm_bench *bench, size_t *bytes)
{
	*bytes = bench->initrd_bytes;
	return bench->initrd;
}

static void free_reports(struct vmm_bench_job *job)
{
	for (unsigned int i = 0; i < job->nr_reports; i++)
		report_free(&job->reports[i]);
	free(job->reports);
	job->reports = NULL;
	job->nr_reports = 0;
}

void vmm_bench_destroy(struct vmm_bench *bench)
{
	if (!bench)
		return;
	for (unsigned int i = 0; i < bench->nr_jobs; i++) {
		vmm_echo_destroy(bench->jobs[i].echo);
		free_reports(&bench->jobs[i]);
	}
	pthread_mutex_destroy(&bench->lock);
	free(bench->initrd);
	free(bench);
}

/* --- what the tool tells ------------------------------------------------------------------ */

struct control_errand {
	struct vmm_bench *b;
	uint32_t control;
};

/* Another size than that of a result is none. */
static bool take_incoming(struct vmm_bench *b, struct bench_result *result)
{
	bool whole;

	pthread_mutex_lock(&b->lock);
	whole = b->nr_words == WORDS;
	if (whole)
		memcpy(result, b->incoming, sizeof(*result));
	b->nr_words = 0;
	pthread_mutex_unlock(&b->lock);
	return whole && result->magic == BENCH_MAGIC;
}

static void take_result(struct vmm_bench *b, struct vmm_bench_job *job)
{
	struct bench_result result;

	if (!take_incoming(b, &result) || result.kind != job->kind)
		return;
	vmm_micro_hist(&job->hist, &result.ns);
	job->step = result.step;
	job->error = result.error;
	job->done = true;
	b->current++;
}

/* On the loop's thread; the vCPU waits, so that nothing happens in between. */
static int do_control(void *ctx)
{
	struct control_errand *errand = ctx;
	struct vmm_bench *b = errand->b;
	struct vmm_bench_job *job = &b->jobs[b->current];

	if (b->current == b->nr_jobs)
		return 0;
	switch (errand->control) {
	case BENCH_BEGIN:
		vmm_trace_reset(b->trace, job->be);
		break;
	case BENCH_END:
		free_reports(job);
		vmm_trace_read(b->trace, job->be, &job->reports, &job->nr_reports);
		break;
	case BENCH_DONE:
		take_result(b, job);
		break;
	}
	return 0;
}

static void take_word(struct vmm_bench *b, uint32_t word)
{
	pthread_mutex_lock(&b->lock);
	if (b->nr_words < WORDS)
		b->incoming[b->nr_words++] = word;
	pthread_mutex_unlock(&b->lock);
}

static void port_write(void *ctx, uint64_t offset, const void *data, unsigned int len)
{
	struct control_errand errand = { .b = ctx };
	uint32_t word;

	if (len != sizeof(word) || offset % sizeof(word))
		return;
	memcpy(&word, data, sizeof(word));
	errand.control = word;
	if (offset)
		loop_errand(errand.b->errands, do_control, &errand);
	else
		take_word(errand.b, word);
}

static int open_echo(struct vmm_bench *b, unsigned int index, struct vl_err *err)
{
	struct vmm_bench_job *job = &b->jobs[index];
	struct bench_job *told = &b->config.jobs[index];
	struct in_addr here = { told->host }, peer = { told->guest };
	int ret = 0;

	if (job->kind == BENCH_NET)
		ret = vmm_echo_udp(&job->echo, b->loop, here, peer, &told->port, err);
	else if (job->kind == BENCH_VSOCK)
		ret = vmm_echo_vsock(&job->echo, b->loop, job->dev->opt.cid, &told->port, err);
	return ret ? vl_err_prefix(err, "--bench %s", vmm_bench_kind_name(job->kind)) : 0;
}

int vmm_bench_start(struct vmm_bench *bench, struct vmm *vm, struct loop *loop,
		    struct vmm_devices *devices, struct vmm_trace *trace, struct vl_err *err)
{
	static const struct vmm_range_ops ops = { .write = port_write };
	const struct vmm_range range = {
		VMM_BUS_PIO, BENCH_PORT, BENCH_PORTS, &ops, bench, "benchmark",
	};
	int ret = vmm_bus_add(vm, &range, err);

	bench->loop = loop;
	bench->errands = vmm_devices_errands(devices);
	bench->trace = trace;
	for (unsigned int i = 0; i < bench->nr_jobs && !ret; i++) {
		bench->jobs[i].be = vmm_devices_backend(devices, bench->jobs[i].dev);
		ret = open_echo(bench, i, err);
	}
	memcpy(bench->config_in_initrd, &bench->config, sizeof(bench->config));
	return ret;
}
