// SPDX-License-Identifier: GPL-2.0-only
/*
 * bench-attach: how long the module takes to attach its hooks, and to detach them.
 *
 *   bench-attach MODULE RUNS
 *
 * To be run in a VM whose clock is its instruction counter (scripts/vm --icount), so
 * that the machine's load does not matter: waiting takes as long as anywhere, and an
 * instruction is a nanosecond. First the hooks of the path, by a vring, then those of
 * discovery as well. Prints the lines that bench-report reads, but only `pair`,
 * against the limits.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <vringlab/err.h>
#include <vringlab/nl.h>

#include "common.h"
#include "tracer.h"

#define ATTACH_LIMIT_NS 1e9
#define DETACH_LIMIT_NS 0.5e9
#define POLL_US 1000

static unsigned int nr_attached(struct vlnl *nl)
{
	struct vlnl_probe *probes;
	unsigned int attached = 0;
	struct vl_err err;
	int nr = vlnl_probe_dump(nl, &probes, &err);

	if (nr < 0)
		die("%s", err.msg);
	for (int i = 0; i < nr; i++)
		attached += probes[i].state == VRINGLAB_PROBE_STATE_ATTACHED;
	free(probes);
	return attached;
}

/* The module detaches in a worker. */
static void wait_detached(struct vlnl *nl)
{
	while (nr_attached(nl))
		usleep(POLL_US);
}

static void print_pair(const char *name, uint64_t begin, double limit)
{
	printf("pair\t%s\t%.0f\t%.0f\n", name, (double)(now_ns() - begin), limit);
}

static void expect_attached(struct vlnl *nl, const char *what)
{
	unsigned int nr = nr_attached(nl);

	if (!nr)
		die("%s attached no hook", what);
	fprintf(stderr, "%s: %u hooks\n", what, nr);
}

static void time_vring(struct vlnl *nl)
{
	const struct vlnl_vring_add add = {
		.label = "bench",
		.backend = VRINGLAB_BACKEND_VHOST_USER,
		.kick_fd = eventfd(0, EFD_CLOEXEC),
		.call_fd = eventfd(0, EFD_CLOEXEC),
	};
	uint64_t begin = now_ns();
	struct vl_err err;
	uint32_t id;

	if (vlnl_vring_add(nl, &add, &id, &err))
		die("%s", err.msg);
	print_pair("vring-add", begin, ATTACH_LIMIT_NS);
	expect_attached(nl, "a vring");

	begin = now_ns();
	if (vlnl_vring_del(nl, id, &err))
		die("%s", err.msg);
	wait_detached(nl);
	print_pair("vring-del", begin, DETACH_LIMIT_NS);
	close(add.kick_fd);
	close(add.call_fd);
}

static void time_discovery(struct vlnl *nl)
{
	uint64_t begin = now_ns();
	struct vl_err err;

	if (vlnl_discover_on(nl, false, &err))
		die("%s", err.msg);
	print_pair("discover-on", begin, ATTACH_LIMIT_NS);
	expect_attached(nl, "discovery");

	begin = now_ns();
	if (vlnl_discover_off(nl, &err))
		die("%s", err.msg);
	wait_detached(nl);
	print_pair("discover-off", begin, DETACH_LIMIT_NS);
}

int main(int argc, char **argv)
{
	int runs = argc == 3 ? atoi(argv[2]) : 0;
	struct vl_err err;
	struct vlnl *nl;

	if (runs <= 0) {
		fputs("usage: bench-attach MODULE RUNS\n", stderr);
		return 2;
	}
	module_load(argv[1]);
	if (vlnl_open(&nl, &err))
		die("%s", err.msg);
	for (int i = 0; i < runs; i++) {
		time_vring(nl);
		time_discovery(nl);
	}
	vlnl_close(nl);
	module_unload();
	return 0;
}
