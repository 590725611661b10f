/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the module's answers hold, taken out of one message: pure, no socket.
 *
 * The kernel is trusted, its version is not: unknown attributes are passed
 * over, one that is missing, too short or out of bounds is %-EPROTO.
 */
#ifndef VRINGLAB_NL_MESSAGE_H
#define VRINGLAB_NL_MESSAGE_H

#include <stddef.h>

#include <vringlab/nl.h>

struct nlmsghdr;

/**
 * vlnl_parse_ack() - Read a netlink error, acknowledgement or end of dump
 * @nlh:	NLMSG_ERROR or NLMSG_DONE; the caller checked mnl_nlmsg_ok().
 * @request:	The request it answers, to name the attribute that is at fault.
 * @err:	Set on failure to the extended ACK's text, or that of the errno.
 *
 * Return: 0 for an acknowledgement, the negative errno it carries, or %-EPROTO
 * for a message too short to carry one.
 */
int vlnl_parse_ack(const struct nlmsghdr *nlh, const struct nlmsghdr *request, struct vl_err *err);

/**
 * vlnl_parse_vring() - Take a virtqueue out of a vring-get answer
 * @nlh:	The answer; so it is for the next.
 * @vring:	Set on success only.
 * @err:	Which attribute is at fault, may be NULL.
 *
 * Return: 0 or %-EPROTO; so do the next.
 */
int vlnl_parse_vring(const struct nlmsghdr *nlh, struct vlnl_vring *vring, struct vl_err *err);

/**
 * vlnl_parse_vring_id() - Take the new id out of a vring-add answer
 * @nlh:	The answer.
 * @id:		Set on success only.
 * @err:	Which attribute is at fault, may be NULL.
 */
int vlnl_parse_vring_id(const struct nlmsghdr *nlh, uint32_t *id, struct vl_err *err);

/**
 * vlnl_parse_counters() - Take counters out of a counters-get answer
 * @nlh:	The answer.
 * @counters:	Set on success only.
 * @err:	Which attribute is at fault, may be NULL.
 */
int vlnl_parse_counters(const struct nlmsghdr *nlh, struct vlnl_counters *counters,
			struct vl_err *err);

/**
 * vlnl_parse_hist() - Take a histogram out of a hist-get answer
 * @nlh:	The answer.
 * @hist:	Set on success only.
 * @err:	Which attribute is at fault, may be NULL.
 */
int vlnl_parse_hist(const struct nlmsghdr *nlh, struct vlnl_hist *hist, struct vl_err *err);

/**
 * vlnl_parse_probe() - Take a probe out of a probe-get answer
 * @nlh:	The answer.
 * @probe:	Set on success only.
 * @err:	Which attribute is at fault, may be NULL.
 */
int vlnl_parse_probe(const struct nlmsghdr *nlh, struct vlnl_probe *probe, struct vl_err *err);

/**
 * vlnl_parse_discover() - Take the state out of a discover-get answer
 * @nlh:	The answer.
 * @discover:	Set on success only.
 * @err:	Which attribute is at fault, may be NULL.
 */
int vlnl_parse_discover(const struct nlmsghdr *nlh, struct vlnl_discover *discover,
			struct vl_err *err);

/**
 * vlnl_parse_layout() - Take a member out of a layout-get answer
 * @nlh:	The answer.
 * @layout:	Set on success only.
 * @err:	Which attribute is at fault, may be NULL.
 */
int vlnl_parse_layout(const struct nlmsghdr *nlh, struct vlnl_layout *layout, struct vl_err *err);

/**
 * vlnl_parse_vcpu() - Take a vCPU out of a vcpu-get answer
 * @nlh:	The answer.
 * @vcpu:	Set on success only.
 * @err:	Which attribute is at fault, may be NULL.
 */
int vlnl_parse_vcpu(const struct nlmsghdr *nlh, struct vlnl_vcpu *vcpu, struct vl_err *err);

/**
 * vlnl_parse_interval() - Take an interval out of an interval-get answer
 * @nlh:	The answer.
 * @interval:	Where to; not to be used on failure, for it is too large to copy.
 * @err:	Which attribute is at fault, may be NULL.
 */
int vlnl_parse_interval(const struct nlmsghdr *nlh, struct vlnl_interval *interval,
			struct vl_err *err);

/**
 * vlnl_parse_threshold() - Take a threshold out of a threshold-get answer
 * @nlh:	The answer.
 * @threshold:	Set on success only.
 * @err:	Which attribute is at fault, may be NULL.
 */
int vlnl_parse_threshold(const struct nlmsghdr *nlh, struct vlnl_threshold *threshold,
			 struct vl_err *err);

/**
 * vlnl_parse_threshold_id() - Take the new id out of a threshold-add answer
 * @nlh:	The answer.
 * @id:		Set on success only.
 * @err:	Which attribute is at fault, may be NULL.
 */
int vlnl_parse_threshold_id(const struct nlmsghdr *nlh, uint32_t *id, struct vl_err *err);

/**
 * vlnl_parse_hit() - Take a hit out of a threshold-ntf
 * @nlh:	The notification.
 * @hit:	Set on success only.
 * @err:	Which attribute is at fault, may be NULL.
 */
int vlnl_parse_hit(const struct nlmsghdr *nlh, struct vlnl_hit *hit, struct vl_err *err);

#endif /* VRINGLAB_NL_MESSAGE_H */
