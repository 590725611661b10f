/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The netlink family's own: answers and dumps (nl_reply.c), and the operations
 * that netlink.c lists, by the noun they are about.
 */
#ifndef _VRINGLAB_NL_H
#define _VRINGLAB_NL_H

#include <linux/types.h>

#include <linux/vringlab.h>

struct genl_family;
struct genl_info;
struct genl_multicast_group;
struct netlink_callback;
struct nla_policy;
struct nlattr;
struct sk_buff;
struct vl_span_stats;
struct vl_vring;

extern struct genl_family vl_nl_family;

/**
 * struct vl_nl_reply - Where a message goes
 * @skb:	Message buffer.
 * @portid:	To whom.
 * @seq:	Of the request.
 * @flags:	NLM_F_MULTI in dumps.
 * @admin:	Whoever asks has CAP_NET_ADMIN.
 * @cb:		The dump, NULL if it is none.
 */
struct vl_nl_reply {
	struct sk_buff *skb;
	u32 portid;
	u32 seq;
	int flags;
	bool admin;
	struct netlink_callback *cb;
};

/**
 * struct vl_nl_dump - Where a dump goes on
 * @id:		Vring (or probe), the first that is not yet done.
 * @arg:	Span of that vring, likewise.
 */
struct vl_nl_dump {
	unsigned long id;
	unsigned int arg;
};

typedef int (*vl_nl_fill_t)(const struct vl_nl_reply *reply, const struct vl_vring *vring,
			    unsigned int arg);

/* nl_reply.c */

void *vl_nl_begin(const struct vl_nl_reply *reply, u8 cmd);
int vl_nl_end(const struct vl_nl_reply *reply, void *hdr, bool err);
struct nlattr *vl_nl_require(struct genl_info *info, unsigned int attr);
int vl_nl_get(struct sk_buff *skb, struct genl_info *info, const struct nlattr *id,
	      vl_nl_fill_t fill, unsigned int arg, size_t size);
struct vl_nl_dump *vl_nl_dump_of(struct netlink_callback *cb);
int vl_nl_dump_start(struct netlink_callback *cb);
struct vl_nl_reply vl_nl_dump_reply(struct sk_buff *skb, struct netlink_callback *cb);
int vl_nl_dump_vrings(struct sk_buff *skb, struct netlink_callback *cb, vl_nl_fill_t fill,
		      unsigned int nr_args);

/* nl_ntf.c */

enum { VL_NL_GROUP_VRINGS, VL_NL_GROUP_THRESHOLD, VL_NL_GROUPS };

extern const struct genl_multicast_group vl_nl_groups[VL_NL_GROUPS];

void vl_nl_listen(bool listen);

/* nl_vring.c */

#define VL_NL_VRING_ADD_MAX VRINGLAB_A_VRING_PERSIST
#define VL_NL_VRING_ID_MAX VRINGLAB_A_VRING_ID

extern const struct nla_policy vl_nl_vring_add_policy[VL_NL_VRING_ADD_MAX + 1];
extern const struct nla_policy vl_nl_vring_id_policy[VL_NL_VRING_ID_MAX + 1];

int vl_nl_vring_fill(const struct vl_nl_reply *reply, const struct vl_vring *vring,
		     unsigned int cmd);
int vl_nl_vring_get(struct sk_buff *skb, struct genl_info *info);
int vl_nl_vring_dump(struct sk_buff *skb, struct netlink_callback *cb);
int vl_nl_vring_add(struct sk_buff *skb, struct genl_info *info);
int vl_nl_vring_del(struct sk_buff *skb, struct genl_info *info);

/* nl_counters.c */

#define VL_NL_COUNTERS_MAX VRINGLAB_A_COUNTERS_VRING_ID

extern const struct nla_policy vl_nl_counters_policy[VL_NL_COUNTERS_MAX + 1];

bool vl_nl_put_counters(struct sk_buff *skb, const u64 *counters);
int vl_nl_counters_get(struct sk_buff *skb, struct genl_info *info);
int vl_nl_counters_dump(struct sk_buff *skb, struct netlink_callback *cb);

/* nl_hist.c */

#define VL_NL_HIST_MAX VRINGLAB_A_HIST_SPAN

extern const struct nla_policy vl_nl_hist_policy[VL_NL_HIST_MAX + 1];

/* What vl_nl_put_hist() puts at most: a histogram in which no bucket is empty. */
#define VL_NL_BUCKET_SIZE \
	(nla_total_size(nla_total_size(sizeof(u32)) + nla_total_size_64bit(sizeof(u64))))
#define VL_NL_HIST_SIZE                                                            \
	(2 * nla_total_size(sizeof(u32)) + 4 * nla_total_size_64bit(sizeof(u64)) + \
	 VRINGLAB_HIST_BUCKETS * VL_NL_BUCKET_SIZE)

bool vl_nl_put_hist(struct sk_buff *skb, u32 span, const struct vl_span_stats *sum);
int vl_nl_hist_get(struct sk_buff *skb, struct genl_info *info);
int vl_nl_hist_dump_start(struct netlink_callback *cb);
int vl_nl_hist_dump(struct sk_buff *skb, struct netlink_callback *cb);

/* nl_discover.c */

#define VL_NL_DISCOVER_MAX VRINGLAB_A_DISCOVER_PERSIST

extern const struct nla_policy vl_nl_discover_policy[VL_NL_DISCOVER_MAX + 1];

int vl_nl_discover_get(struct sk_buff *skb, struct genl_info *info);
int vl_nl_discover_set(struct sk_buff *skb, struct genl_info *info);

/* nl_layout.c */

#define VL_NL_LAYOUT_MAX VRINGLAB_A_LAYOUT_OFFSET

extern const struct nla_policy vl_nl_layout_policy[VL_NL_LAYOUT_MAX + 1];

int vl_nl_layout_dump(struct sk_buff *skb, struct netlink_callback *cb);
int vl_nl_layout_set(struct sk_buff *skb, struct genl_info *info);

/* nl_interval.c */

#define VL_NL_INTERVAL_MAX VRINGLAB_A_INTERVAL_VRING_ID

extern const struct nla_policy vl_nl_interval_policy[VL_NL_INTERVAL_MAX + 1];

int vl_nl_interval(struct sk_buff *skb, struct genl_info *info);

/* nl_probe.c */

int vl_nl_probe_dump(struct sk_buff *skb, struct netlink_callback *cb);

/* nl_vcpu.c */

#define VL_NL_VCPU_MAX VRINGLAB_A_VCPU_ID

extern const struct nla_policy vl_nl_vcpu_policy[VL_NL_VCPU_MAX + 1];

int vl_nl_vcpu_get(struct sk_buff *skb, struct genl_info *info);
int vl_nl_vcpu_dump_start(struct netlink_callback *cb);
int vl_nl_vcpu_dump(struct sk_buff *skb, struct netlink_callback *cb);

/* nl_threshold.c */

#define VL_NL_THRESHOLD_ADD_MAX VRINGLAB_A_THRESHOLD_ONCE
#define VL_NL_THRESHOLD_ID_MAX VRINGLAB_A_THRESHOLD_ID

extern const struct nla_policy vl_nl_threshold_add_policy[VL_NL_THRESHOLD_ADD_MAX + 1];
extern const struct nla_policy vl_nl_threshold_id_policy[VL_NL_THRESHOLD_ID_MAX + 1];

int vl_nl_threshold_get(struct sk_buff *skb, struct genl_info *info);
int vl_nl_threshold_dump(struct sk_buff *skb, struct netlink_callback *cb);
int vl_nl_threshold_add(struct sk_buff *skb, struct genl_info *info);
int vl_nl_threshold_del(struct sk_buff *skb, struct genl_info *info);

#endif /* _VRINGLAB_NL_H */
