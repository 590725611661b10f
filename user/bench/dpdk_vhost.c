// SPDX-License-Identifier: GPL-2.0-only
/*
 * bench-dpdk-vhost: a network device on DPDK's vhost library that sleeps until a kick,
 * and forgets what is transmitted: the peer of `vringlab backend net --null`.
 *
 *   bench-dpdk-vhost CPU SOCKET
 *
 * The library does all of the protocol and of the ring. What is ours is the wait, which
 * is epoll and a read of the kick eventfd, as its users do that have no CPU to spare.
 */
#include <errno.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <rte_eal.h>
#include <rte_mbuf.h>
#include <rte_vhost.h>

#include "common.h"

#define TX_QUEUE 1
#define BURST 32u
#define NR_MBUFS 1024u

/* Written by the library's thread: a device came, or went. */
static int changed = -1;
static int vid = -1;

static int new_device(int id)
{
	__atomic_store_n(&vid, id, __ATOMIC_RELEASE);
	signal_eventfd(changed);
	return 0;
}

static void destroy_device(int id)
{
	(void)id;
	__atomic_store_n(&vid, -1, __ATOMIC_RELEASE);
	signal_eventfd(changed);
}

static const struct rte_vhost_device_ops ops = {
	.new_device = new_device,
	.destroy_device = destroy_device,
};

/* Not constant: the library may sort them. */
static char options[][16] = {
	"--no-huge", "-m", "64", "--no-pci", "--no-telemetry", "--no-shconf", "--log-level=4", "-l",
};

static void start_dpdk(char *name, char *cpu)
{
	char *args[ARRAY_SIZE(options) + 3] = { name };

	for (size_t i = 0; i < ARRAY_SIZE(options); i++)
		args[i + 1] = options[i];
	args[ARRAY_SIZE(options) + 1] = cpu;
	if (rte_eal_init(ARRAY_SIZE(options) + 2, args) < 0)
		die("rte_eal_init failed");
}

static void start_vhost(const char *path)
{
	int ret = rte_vhost_driver_register(path, 0);

	if (!ret)
		ret = rte_vhost_driver_callback_register(path, &ops);
	if (!ret)
		ret = rte_vhost_driver_start(path);
	if (ret)
		die("%s: the vhost library cannot serve it", path);
}

static void drain(int id, struct rte_mempool *pool)
{
	struct rte_mbuf *packets[BURST];
	unsigned int nr;

	while ((nr = rte_vhost_dequeue_burst(id, TX_QUEUE, pool, packets, BURST)))
		for (unsigned int i = 0; i < nr; i++)
			rte_pktmbuf_free(packets[i]);
}

/* What came before kicks were wanted has none. */
static void serve(int id, struct rte_mempool *pool)
{
	drain(id, pool);
	rte_vhost_enable_guest_notification(id, TX_QUEUE, 1);
	drain(id, pool);
}

/* The device's kick eventfd, or -1. */
static int watch(int epfd, int id, int old_kick)
{
	struct epoll_event event = { .events = EPOLLIN };
	struct rte_vhost_vring vring;

	if (old_kick >= 0)
		epoll_ctl(epfd, EPOLL_CTL_DEL, old_kick, NULL);
	if (id < 0 || rte_vhost_get_vhost_vring(id, TX_QUEUE, &vring))
		return -1;
	event.data.fd = vring.kickfd;
	/* it may be another of the same number, still there */
	if (epoll_ctl(epfd, EPOLL_CTL_ADD, vring.kickfd, &event) && errno != EEXIST)
		die_errno(errno, "epoll_ctl");
	return vring.kickfd;
}

static void run(struct rte_mempool *pool)
{
	struct epoll_event event = { .events = EPOLLIN, .data.fd = changed };
	int epfd = epoll_create1(EPOLL_CLOEXEC);
	int kick = -1, id = -1;

	if (epfd < 0 || epoll_ctl(epfd, EPOLL_CTL_ADD, changed, &event))
		die_errno(errno, "epoll");
	for (;;) {
		if (epoll_wait(epfd, &event, 1, -1) != 1)
			die_errno(errno, "epoll_wait");
		drain_eventfd(event.data.fd);
		if (event.data.fd == changed) {
			id = __atomic_load_n(&vid, __ATOMIC_ACQUIRE);
			kick = watch(epfd, id, kick);
		}
		if (id >= 0)
			serve(id, pool);
	}
}

int main(int argc, char **argv)
{
	struct rte_mempool *pool;

	if (argc != 3) {
		fputs("usage: bench-dpdk-vhost CPU SOCKET\n", stderr);
		return 2;
	}
	changed = eventfd(0, EFD_CLOEXEC);
	if (changed < 0)
		die_errno(errno, "eventfd");
	start_dpdk(argv[0], argv[1]);
	pool = rte_pktmbuf_pool_create("packets", NR_MBUFS, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE,
				       SOCKET_ID_ANY);
	if (!pool)
		die("no memory for packets");
	start_vhost(argv[2]);
	run(pool);
}
