/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a guest sends, it gets back: on the host's side of its network, on the loop.
 */
#ifndef VRINGLAB_VMM_ECHO_H
#define VRINGLAB_VMM_ECHO_H

#include <netinet/in.h>
#include <stdint.h>

struct loop;
struct vl_err;
struct vmm_echo;

/**
 * vmm_echo_udp() - Send datagrams back
 * @echo:	Set on success only.
 * @loop:	Loop.
 * @here:	Address of this host's.
 * @peer:	Of the guest: others get no answer.
 * @port:	Set to the port, in the order of the network.
 * @err:	What went wrong.
 *
 * Return: 0, %-ENOMEM, or a negative errno of socket(2), bind(2) or loop_poll().
 */
int vmm_echo_udp(struct vmm_echo **echo, struct loop *loop, struct in_addr here,
		 struct in_addr peer, uint32_t *port, struct vl_err *err);

/**
 * vmm_echo_vsock() - Send the bytes of connections back, of one at a time
 * @echo:	Set on success only.
 * @loop:	Loop.
 * @cid:	The guest's: others are not answered.
 * @port:	Set to the port.
 * @err:	What went wrong.
 *
 * Return: 0, %-ENOMEM, or a negative errno of socket(2), bind(2) or loop_accept().
 */
int vmm_echo_vsock(struct vmm_echo **echo, struct loop *loop, uint32_t cid, uint32_t *port,
		   struct vl_err *err);

/** vmm_echo_destroy() - Close it; NULL is allowed. */
void vmm_echo_destroy(struct vmm_echo *echo);

#endif /* VRINGLAB_VMM_ECHO_H */
