// SPDX-License-Identifier: GPL-2.0-only
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/if_ether.h>
#include <linux/if_packet.h>

#include <vringlab/fd.h>
#include <vringlab/link.h>

#include "t.h"
#include "t_tap.h"

/* Or the host has something to say on each new interface. */
static void silence_ipv6(const char *interface)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/sys/net/ipv6/conf/%s/disable_ipv6", interface);
	f = fopen(path, "we");
	if (!f)
		return;
	fputs("1", f);
	fclose(f);
}

static int set_up(struct t_tap *tap)
{
	struct rtnl *rtnl;
	int ret = rtnl_open(&rtnl, &tap->err);

	if (ret)
		return ret;
	ret = rtnl_link_set_up(rtnl, tap->name, true, &tap->err);
	rtnl_close(rtnl);
	return ret;
}

static int open_socket(struct t_tap *tap)
{
	const struct sockaddr_ll addr = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(T_TAP_PROTOCOL),
		.sll_ifindex = (int)if_nametoindex(tap->name),
	};

	tap->sock = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	if (tap->sock < 0 || bind(tap->sock, (const struct sockaddr *)&addr, sizeof(addr)))
		return vl_err_set(&tap->err, -errno, "packet socket: %s", strerror(errno));
	return 0;
}

int t_tap_open(struct t_tap *tap, unsigned int nr)
{
	int ret;

	memset(tap, 0, sizeof(*tap));
	strcpy(tap->name, "vltap%d");
	tap->sock = -1;
	ret = tap_open(tap->name, tap->fds, nr, &tap->err);
	if (ret)
		return ret;
	tap->nr = nr;
	silence_ipv6(tap->name);
	ret = set_up(tap);
	return ret ? ret : open_socket(tap);
}

void t_tap_close(struct t_tap *tap)
{
	if (tap->nr)
		vl_fd_close(&tap->sock);
	while (tap->nr)
		vl_fd_close(&tap->fds[--tap->nr]);
}

void t_tap_frame(uint8_t *frame, uint32_t len, uint32_t number)
{
	static const uint8_t head[ETH_HLEN] = {
		2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, T_TAP_PROTOCOL >> 8, T_TAP_PROTOCOL & 0xff,
	};
	uint32_t x = number * 2654435761u + len;

	memcpy(frame, head, sizeof(head));
	for (uint32_t i = sizeof(head); i < len; i++) {
		x = x * 1664525u + 1013904223u;
		frame[i] = x >> 24;
	}
}

bool t_tap_is_frame(const uint8_t *frame, uint32_t len, uint32_t number)
{
	uint8_t wanted[T_TAP_FRAME_MAX];

	t_tap_frame(wanted, len, number);
	return !memcmp(frame, wanted, len);
}

int t_tap_send(const struct t_tap *tap, uint32_t len, uint32_t number)
{
	uint8_t frame[T_TAP_FRAME_MAX];

	t_tap_frame(frame, len, number);
	return send(tap->sock, frame, len, 0) == (ssize_t)len ? 0 : -errno;
}

int t_tap_expect(const struct t_tap *tap, uint32_t len, uint32_t number)
{
	uint8_t frame[T_TAP_FRAME_MAX];
	ssize_t got;
	int ret = t_poll_until(tap->sock, T_DEADLINE_MS);

	if (ret)
		return ret;
	got = recv(tap->sock, frame, sizeof(frame), MSG_TRUNC);
	if (got < 0)
		return -errno;
	return got == (ssize_t)len && t_tap_is_frame(frame, len, number) ? 0 : -EBADMSG;
}

bool t_tap_is_silent(const struct t_tap *tap)
{
	return t_poll_until(tap->sock, 0) == -ETIMEDOUT;
}
