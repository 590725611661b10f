// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <vringlab/err.h>
#include <vringlab/nl.h>
#include <vringlab/virtio_backend.h>

#include "report.h"
#include "trace.h"
#include "vmm_trace.h"

struct traced {
	const struct virtio_backend *be;
	unsigned int index;
	uint32_t id; /* 0: not registered */
};

/**
 * struct vmm_trace - What is registered
 * @nl:		Module.
 * @required:	What cannot be registered is told.
 * @queues:	Virtqueues that have been served.
 * @nr:		Of @queues.
 */
struct vmm_trace {
	struct vlnl *nl;
	bool required;
	struct traced *queues;
	unsigned int nr;
};

static int open_module(struct vmm_trace *trace, bool vhost, struct vl_err *err)
{
	int ret = trace_open(&trace->nl, err);

	return ret || !vhost ? ret : vlnl_discover_on(trace->nl, false, err);
}

int vmm_trace_open(struct vmm_trace **trace, bool required, bool vhost, struct vl_err *err)
{
	struct vmm_trace *new = calloc(1, sizeof(*new));
	int ret;

	if (!new)
		return vl_err_set(err, -ENOMEM, "no memory for tracing");
	new->required = required;
	ret = open_module(new, vhost, err);
	if (ret) {
		vmm_trace_close(new);
		new = NULL;
	}
	if (ret && required)
		return ret;
	*trace = new;
	return 0;
}

/* Its place, which may be a new one. NULL without memory. */
static struct traced *place(struct vmm_trace *trace, const struct virtio_backend *be,
			    unsigned int index)
{
	struct traced *queues = trace->queues;

	for (unsigned int i = 0; i < trace->nr; i++)
		if (queues[i].be == be && queues[i].index == index)
			return &queues[i];
	queues = reallocarray(queues, trace->nr + 1, sizeof(*queues));
	if (!queues)
		return NULL;
	trace->queues = queues;
	queues[trace->nr] = (struct traced){ .be = be, .index = index };
	return &queues[trace->nr++];
}

static int add(struct vmm_trace *trace, const struct virtio_queue *queue, struct traced *traced,
	       struct vl_err *err)
{
	const struct virtio_backend *be = traced->be;
	struct virtio_server server = { .backend = VRINGLAB_BACKEND_UNKNOWN };
	char label[VRINGLAB_LABEL_LEN], name[16];
	struct vlnl_vring_add add = {
		.label = label,
		.kick_fd = queue->kick_fd,
		.call_fd = queue->call_fd,
	};

	if (be->ops->get_server)
		be->ops->get_server(be, queue->index, &server);
	add.backend = server.backend;
	add.pid = server.pid;
	add.wake_user_data = server.user_data;
	add.has_wake_user_data = server.has_user_data;
	snprintf(label, sizeof(label), "%s.%s", be->name, be->queue_name(be, queue->index, name));
	return vlnl_vring_add(trace->nl, &add, &traced->id, err);
}

void vmm_trace_queue(struct vmm_trace *trace, const struct virtio_backend *be,
		     const struct virtio_queue *queue)
{
	struct traced *traced = trace ? place(trace, be, queue->index) : NULL;
	struct vl_err err;
	int ret;

	if (!traced)
		return;
	/* how its kicks are taken has changed */
	if (traced->id)
		vlnl_vring_del(trace->nl, traced->id, NULL);
	traced->id = 0;
	ret = add(trace, queue, traced, &err);
	/* of a back-end that traces it the module knows more than we can tell */
	if (ret && ret != -EEXIST && trace->required)
		fprintf(stderr, "vringlab: not traced: %s\n", err.msg);
}

static int read_queue(struct vmm_trace *trace, const struct traced *traced,
		      enum report_period period, struct report *report)
{
	char id[16];
	struct vl_err err;
	int ret;

	snprintf(id, sizeof(id), "%u", traced->id);
	ret = report_read_from(report, trace->nl, id, period, &err);
	if (ret)
		fprintf(stderr, "vringlab: no counters of vring %s: %s\n", id, err.msg);
	return ret;
}

void vmm_trace_reset(struct vmm_trace *trace, const struct virtio_backend *be)
{
	for (unsigned int i = 0; trace && i < trace->nr; i++) {
		struct report report;

		if (trace->queues[i].be == be && trace->queues[i].id &&
		    !read_queue(trace, &trace->queues[i], REPORT_RESET, &report))
			report_free(&report);
	}
}

void vmm_trace_read(struct vmm_trace *trace, const struct virtio_backend *be,
		    struct report **reports, unsigned int *nr)
{
	*nr = 0;
	*reports = trace ? calloc(trace->nr ? trace->nr : 1, sizeof(**reports)) : NULL;
	for (unsigned int i = 0; *reports && i < trace->nr; i++)
		if (trace->queues[i].be == be && trace->queues[i].id &&
		    !read_queue(trace, &trace->queues[i], REPORT_SINCE_RESET, &(*reports)[*nr]))
			++*nr;
}

void vmm_trace_close(struct vmm_trace *trace)
{
	if (!trace)
		return;
	vlnl_close(trace->nl);
	free(trace->queues);
	free(trace);
}
