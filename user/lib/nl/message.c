// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Answers of the module, taken apart. Nothing is stored in the caller's struct
 * before all of a message is found good.
 */
#include <errno.h>
#include <string.h>

#include <libmnl/libmnl.h>
#include <linux/genetlink.h>

#include <vringlab/err.h>
#include <vringlab/nl_message.h>

#include "attr.h"
#include "internal.h"

#define GENL_OFFSET sizeof(struct genlmsghdr)

static int missing(const char *name, struct vl_err *err)
{
	return vl_err_set(err, -EPROTO, "the module's answer lacks %s, or has it in another form",
			  name);
}

/* A message shorter than its headers has no attributes: attr_ok() compares signed. */
static void index_attrs(const struct nlmsghdr *nlh, const struct nlattr **tb, unsigned int max)
{
	const struct nlattr *attr;

	memset(tb, 0, (max + 1) * sizeof(*tb));
	attr_for_each(attr, nlh, GENL_OFFSET)
		if (attr_type(attr) <= max)
			tb[attr_type(attr)] = attr;
}

static void index_nested(const struct nlattr *nest, const struct nlattr **tb, unsigned int max)
{
	const struct nlattr *attr;

	memset(tb, 0, (max + 1) * sizeof(*tb));
	attr_for_each_nested(attr, nest)
		if (attr_type(attr) <= max)
			tb[attr_type(attr)] = attr;
}

static int get_u32(const struct nlattr *attr, const char *name, uint32_t *value, struct vl_err *err)
{
	return attr_get(attr, value, sizeof(*value)) ? 0 : missing(name, err);
}

static int get_u64(const struct nlattr *attr, const char *name, uint64_t *value, struct vl_err *err)
{
	return attr_get(attr, value, sizeof(*value)) ? 0 : missing(name, err);
}

static int get_string(const struct nlattr *attr, const char *name, char *value, size_t size,
		      struct vl_err *err)
{
	size_t len;

	if (!attr)
		return missing(name, err);
	len = strnlen(mnl_attr_get_payload(attr), mnl_attr_get_payload_len(attr));
	if (!len || len >= size)
		return missing(name, err);
	memcpy(value, mnl_attr_get_payload(attr), len);
	value[len] = '\0';
	return 0;
}

/* Which attribute of the request, after its header, lies at @offset; 0 if none does. */
static unsigned int attr_at(const struct nlmsghdr *request, size_t header, uint32_t offset)
{
	const struct nlattr *attr;

	attr_for_each(attr, request, header)
		if ((const char *)attr - (const char *)request == offset)
			return attr_type(attr);
	return 0;
}

static int set_ack_err(int code, const struct nlattr **tb, const struct nlmsghdr *request,
		       size_t header, struct vl_err *err)
{
	char text[sizeof(err->msg)] = "";
	uint32_t offset = 0, type = 0;
	unsigned int at = 0;

	get_string(tb[NLMSGERR_ATTR_MSG], "", text, sizeof(text), NULL);
	if (!get_u32(tb[NLMSGERR_ATTR_OFFS], "", &offset, NULL))
		at = attr_at(request, header, offset);
	if (!text[0] && !get_u32(tb[NLMSGERR_ATTR_MISS_TYPE], "", &type, NULL))
		return vl_err_set(err, code, "the request lacks attribute %u", type);
	if (!text[0])
		strncpy(text, vl_strerror(code), sizeof(text) - 1);
	if (at)
		return vl_err_set(err, code, "%s (attribute %u of the request)", text, at);
	return vl_err_set(err, code, "%s", text);
}

int vlnl_parse_ack_after(const struct nlmsghdr *nlh, const struct nlmsghdr *request, size_t header,
			 struct vl_err *err)
{
	const struct nlattr *tb[NLMSGERR_ATTR_MAX + 1] = { NULL };
	const struct nlmsgerr *ack = mnl_nlmsg_get_payload(nlh);
	size_t offset = sizeof(int);
	const struct nlattr *attr;
	int code;

	if (mnl_nlmsg_get_payload_len(nlh) < offset)
		return vl_err_set(err, -EPROTO, "the kernel's answer is cut short");
	/* An end of dump begins with the same field, and has no more of them. */
	code = ack->error;
	if (code >= 0)
		return 0;
	if (nlh->nlmsg_type == NLMSG_ERROR) {
		offset = sizeof(*ack);
		if (mnl_nlmsg_get_payload_len(nlh) < offset)
			return vl_err_set(err, -EPROTO, "the kernel's answer is cut short");
		/* The request comes back too, unless NLM_F_CAPPED. */
		if (!(nlh->nlmsg_flags & NLM_F_CAPPED))
			offset += MNL_ALIGN(mnl_nlmsg_get_payload_len(&ack->msg));
	}
	if (nlh->nlmsg_flags & NLM_F_ACK_TLVS && mnl_nlmsg_get_payload_len(nlh) >= offset)
		attr_for_each(attr, nlh, offset)
			if (attr_type(attr) <= NLMSGERR_ATTR_MAX)
				tb[attr_type(attr)] = attr;
	return set_ack_err(code, tb, request, header, err);
}

int vlnl_parse_ack(const struct nlmsghdr *nlh, const struct nlmsghdr *request, struct vl_err *err)
{
	return vlnl_parse_ack_after(nlh, request, GENL_OFFSET, err);
}

/* One that may be absent. */
static int get_optional(const struct nlattr *attr, const char *name, uint32_t *value,
			struct vl_err *err)
{
	return attr ? get_u32(attr, name, value, err) : 0;
}

static int get_or_none(const struct nlattr *attr, const char *name, int64_t *value,
		       struct vl_err *err)
{
	uint32_t number = 0;
	int ret = get_optional(attr, name, &number, err);

	if (!ret)
		*value = attr ? (int64_t)number : -1;
	return ret;
}

static int get_ioeventfd(const struct nlattr *nest, struct vlnl_ioeventfd *io, struct vl_err *err)
{
	const struct nlattr *tb[VRINGLAB_A_IOEVENTFD_MAX + 1];
	int ret;

	index_nested(nest, tb, VRINGLAB_A_IOEVENTFD_MAX);
	ret = get_u64(tb[VRINGLAB_A_IOEVENTFD_ADDRESS], "address", &io->address, err);
	if (!ret)
		ret = get_u32(tb[VRINGLAB_A_IOEVENTFD_LENGTH], "length", &io->length, err);
	io->has_datamatch = tb[VRINGLAB_A_IOEVENTFD_DATAMATCH];
	if (!ret && io->has_datamatch)
		ret = get_u64(tb[VRINGLAB_A_IOEVENTFD_DATAMATCH], "datamatch", &io->datamatch, err);
	io->pio = tb[VRINGLAB_A_IOEVENTFD_PIO];
	return ret;
}

static int get_gsi(const struct nlattr *nest, uint32_t *gsi, struct vl_err *err)
{
	const struct nlattr *tb[VRINGLAB_A_IRQFD_MAX + 1];

	index_nested(nest, tb, VRINGLAB_A_IRQFD_MAX);
	return get_u32(tb[VRINGLAB_A_IRQFD_GSI], "gsi", gsi, err);
}

static int get_facts(const struct nlmsghdr *nlh, struct vlnl_vring *v, struct vl_err *err)
{
	const struct nlattr *attr;
	int ret = 0;

	attr_for_each(attr, nlh, GENL_OFFSET) {
		if (attr_type(attr) == VRINGLAB_A_VRING_IOEVENTFD &&
		    v->nr_ioeventfds < VLNL_FACTS_MAX)
			ret = get_ioeventfd(attr, &v->ioeventfds[v->nr_ioeventfds++], err);
		if (attr_type(attr) == VRINGLAB_A_VRING_IRQFD && v->nr_gsis < VLNL_FACTS_MAX)
			ret = get_gsi(attr, &v->gsis[v->nr_gsis++], err);
		if (ret)
			return ret;
	}
	return 0;
}

static int get_found(const struct nlattr **tb, struct vlnl_vring *v, struct vl_err *err)
{
	int ret = get_optional(tb[VRINGLAB_A_VRING_DEVICE], "device", &v->device, err);

	if (!ret)
		ret = get_optional(tb[VRINGLAB_A_VRING_QUEUE], "queue", &v->queue, err);
	if (!ret)
		ret = get_optional(tb[VRINGLAB_A_VRING_SIZE], "size", &v->size, err);
	if (!ret)
		ret = get_optional(tb[VRINGLAB_A_VRING_OWNER_PID], "owner-pid", &v->owner_pid, err);
	if (!ret && tb[VRINGLAB_A_VRING_OWNER_COMM])
		ret = get_string(tb[VRINGLAB_A_VRING_OWNER_COMM], "owner-comm", v->owner_comm,
				 sizeof(v->owner_comm), err);
	if (!ret)
		ret = get_or_none(tb[VRINGLAB_A_VRING_KICK_EVENTFD_ID], "kick-eventfd-id",
				  &v->kick_eventfd_id, err);
	if (!ret)
		ret = get_or_none(tb[VRINGLAB_A_VRING_CALL_EVENTFD_ID], "call-eventfd-id",
				  &v->call_eventfd_id, err);
	if (!ret)
		ret = get_optional(tb[VRINGLAB_A_VRING_VM], "vm", &v->vm, err);
	if (!ret)
		ret = get_optional(tb[VRINGLAB_A_VRING_VM_PID], "vm-pid", &v->vm_pid, err);
	if (!ret)
		ret = get_or_none(tb[VRINGLAB_A_VRING_VCPU], "vcpu", &v->vcpu, err);
	v->found = tb[VRINGLAB_A_VRING_FOUND];
	return ret;
}

int vlnl_parse_vring(const struct nlmsghdr *nlh, struct vlnl_vring *vring, struct vl_err *err)
{
	const struct nlattr *tb[VRINGLAB_A_VRING_MAX + 1];
	struct vlnl_vring v = { 0 };
	int ret;

	index_attrs(nlh, tb, VRINGLAB_A_VRING_MAX);
	ret = get_u32(tb[VRINGLAB_A_VRING_ID], "id", &v.id, err);
	if (!ret)
		ret = get_string(tb[VRINGLAB_A_VRING_LABEL], "label", v.label, sizeof(v.label),
				 err);
	if (!ret)
		ret = get_u32(tb[VRINGLAB_A_VRING_BACKEND], "backend", &v.backend, err);
	if (!ret)
		ret = get_optional(tb[VRINGLAB_A_VRING_PID], "pid", &v.pid, err);
	if (!ret && tb[VRINGLAB_A_VRING_WAKE_USER_DATA]) {
		v.has_wake_user_data = true;
		ret = get_u64(tb[VRINGLAB_A_VRING_WAKE_USER_DATA], "wake-user-data",
			      &v.wake_user_data, err);
	}
	if (!ret)
		ret = get_found(tb, &v, err);
	if (!ret)
		ret = get_facts(nlh, &v, err);
	if (ret)
		return ret;
	v.persist = tb[VRINGLAB_A_VRING_PERSIST];
	*vring = v;
	return 0;
}

int vlnl_parse_discover(const struct nlmsghdr *nlh, struct vlnl_discover *discover,
			struct vl_err *err)
{
	const struct nlattr *tb[VRINGLAB_A_DISCOVER_MAX + 1];
	struct vlnl_discover d = { 0 };
	uint32_t enabled = 0;
	int ret;

	index_attrs(nlh, tb, VRINGLAB_A_DISCOVER_MAX);
	ret = get_u32(tb[VRINGLAB_A_DISCOVER_ENABLED], "enabled", &enabled, err);
	if (!ret)
		ret = get_u64(tb[VRINGLAB_A_DISCOVER_LOST], "lost", &d.lost, err);
	if (ret)
		return ret;
	d.enabled = enabled;
	d.persist = tb[VRINGLAB_A_DISCOVER_PERSIST];
	*discover = d;
	return 0;
}

int vlnl_parse_vring_id(const struct nlmsghdr *nlh, uint32_t *id, struct vl_err *err)
{
	const struct nlattr *tb[VRINGLAB_A_VRING_MAX + 1];

	index_attrs(nlh, tb, VRINGLAB_A_VRING_MAX);
	return get_u32(tb[VRINGLAB_A_VRING_ID], "id", id, err);
}

static int parse_counts(const struct nlattr **tb, struct vlnl_counters *c, struct vl_err *err)
{
	int ret = 0;

	for (unsigned int i = 0; !ret && i < VLNL_NR_COUNTERS; i++) {
		const struct vlnl_counter_info *info = &vlnl_counter_info[i];

		if (!tb[info->attr])
			continue;
		ret = get_u64(tb[info->attr], info->name, &c->value[i], err);
		c->present |= UINT64_C(1) << i;
	}
	return ret;
}

int vlnl_parse_counters(const struct nlmsghdr *nlh, struct vlnl_counters *counters,
			struct vl_err *err)
{
	const struct nlattr *tb[VRINGLAB_A_COUNTERS_MAX + 1];
	struct vlnl_counters c = { 0 };
	int ret;

	index_attrs(nlh, tb, VRINGLAB_A_COUNTERS_MAX);
	ret = get_u32(tb[VRINGLAB_A_COUNTERS_VRING_ID], "vring-id", &c.vring_id, err);
	if (!ret)
		ret = parse_counts(tb, &c, err);
	if (ret)
		return ret;
	*counters = c;
	return 0;
}

static int add_bucket(struct vl_hist *hist, const struct nlattr *nest, struct vl_err *err)
{
	const struct nlattr *tb[VRINGLAB_A_BUCKET_MAX + 1];
	struct vl_hist_bucket b;
	int ret;

	index_nested(nest, tb, VRINGLAB_A_BUCKET_MAX);
	ret = get_u32(tb[VRINGLAB_A_BUCKET_INDEX], "a bucket's index", &b.index, err);
	if (!ret)
		ret = get_u64(tb[VRINGLAB_A_BUCKET_COUNT], "a bucket's count", &b.count, err);
	if (ret)
		return ret;
	if (b.index >= vl_hist_nr_indices(hist->sub_bits))
		return vl_err_set(err, -EPROTO, "bucket %u of the module's answer is none",
				  b.index);
	if (hist->nr_buckets && b.index <= hist->buckets[hist->nr_buckets - 1].index)
		return vl_err_set(err, -EPROTO, "bucket %u of the module's answer is out of order",
				  b.index);
	if (hist->nr_buckets == VL_HIST_BUCKETS_MAX)
		return vl_err_set(err, -EPROTO, "the module's answer has more than %u buckets",
				  VL_HIST_BUCKETS_MAX);
	hist->buckets[hist->nr_buckets++] = b;
	return 0;
}

static int parse_hist_head(const struct nlattr **tb, struct vlnl_hist *h, struct vl_err *err)
{
	int ret;

	ret = get_u32(tb[VRINGLAB_A_HIST_SPAN], "span", &h->span, err);
	if (!ret)
		ret = get_u64(tb[VRINGLAB_A_HIST_COUNT], "count", &h->hist.count, err);
	if (!ret)
		ret = get_u64(tb[VRINGLAB_A_HIST_SUM_NS], "sum-ns", &h->hist.sum, err);
	if (!ret && h->hist.count)
		ret = get_u64(tb[VRINGLAB_A_HIST_MIN_NS], "min-ns", &h->hist.min, err);
	if (!ret && h->hist.count)
		ret = get_u64(tb[VRINGLAB_A_HIST_MAX_NS], "max-ns", &h->hist.max, err);
	if (!ret)
		ret = get_u32(tb[VRINGLAB_A_HIST_SUB_BITS], "sub-bits", &h->hist.sub_bits, err);
	if (!ret && h->hist.sub_bits > VL_HIST_SUB_BITS_MAX)
		ret = vl_err_set(err, -EPROTO, "sub-bits %u of the module's answer is none",
				 h->hist.sub_bits);
	return ret;
}

int vlnl_parse_hist(const struct nlmsghdr *nlh, struct vlnl_hist *hist, struct vl_err *err)
{
	const struct nlattr *tb[VRINGLAB_A_HIST_MAX + 1];
	const struct nlattr *attr;
	struct vlnl_hist h;
	int ret;

	/* Of thousands of histograms most buckets are never touched. */
	memset(&h, 0, offsetof(struct vlnl_hist, hist.buckets));
	index_attrs(nlh, tb, VRINGLAB_A_HIST_MAX);
	ret = get_u32(tb[VRINGLAB_A_HIST_VRING_ID], "vring-id", &h.vring_id, err);
	if (!ret)
		ret = parse_hist_head(tb, &h, err);
	if (ret)
		return ret;
	attr_for_each(attr, nlh, GENL_OFFSET) {
		if (attr_type(attr) != VRINGLAB_A_HIST_BUCKET)
			continue;
		ret = add_bucket(&h.hist, attr, err);
		if (ret)
			return ret;
	}
	memcpy(hist, &h, vlnl_hist_size(&h));
	return 0;
}

static int parse_nested_hist(const struct nlattr *nest, struct vlnl_hist *h, struct vl_err *err)
{
	const struct nlattr *tb[VRINGLAB_A_HIST_MAX + 1];
	const struct nlattr *attr;
	int ret;

	index_nested(nest, tb, VRINGLAB_A_HIST_MAX);
	ret = parse_hist_head(tb, h, err);
	attr_for_each_nested(attr, nest)
		if (!ret && attr_type(attr) == VRINGLAB_A_HIST_BUCKET)
			ret = add_bucket(&h->hist, attr, err);
	return ret;
}

static int parse_nested_counters(const struct nlattr *nest, struct vlnl_counters *c,
				 struct vl_err *err)
{
	const struct nlattr *tb[VRINGLAB_A_COUNTERS_MAX + 1];

	if (!nest)
		return missing("counters", err);
	index_nested(nest, tb, VRINGLAB_A_COUNTERS_MAX);
	return parse_counts(tb, c, err);
}

/* Those of spans that are not known here, of a newer module, are left out. */
static int parse_interval_hists(const struct nlmsghdr *nlh, struct vlnl_interval *interval,
				struct vl_err *err)
{
	const struct nlattr *attr;

	attr_for_each(attr, nlh, GENL_OFFSET) {
		struct vlnl_hist *h = &interval->hists[interval->nr_hists];

		if (attr_type(attr) != VRINGLAB_A_INTERVAL_HIST ||
		    interval->nr_hists == VLNL_NR_SPANS)
			continue;
		if (parse_nested_hist(attr, h, err))
			return -EPROTO;
		h->vring_id = interval->vring_id;
		interval->nr_hists++;
	}
	return 0;
}

int vlnl_parse_interval(const struct nlmsghdr *nlh, struct vlnl_interval *interval,
			struct vl_err *err)
{
	const struct nlattr *tb[VRINGLAB_A_INTERVAL_MAX + 1];
	int ret;

	memset(interval, 0, sizeof(*interval));
	index_attrs(nlh, tb, VRINGLAB_A_INTERVAL_MAX);
	ret = get_u32(tb[VRINGLAB_A_INTERVAL_VRING_ID], "vring-id", &interval->vring_id, err);
	if (!ret)
		ret = get_u64(tb[VRINGLAB_A_INTERVAL_BEGIN_NS], "begin-ns", &interval->begin_ns,
			      err);
	if (!ret)
		ret = get_u64(tb[VRINGLAB_A_INTERVAL_END_NS], "end-ns", &interval->end_ns, err);
	if (!ret)
		ret = parse_nested_counters(tb[VRINGLAB_A_INTERVAL_COUNTERS], &interval->counters,
					    err);
	interval->counters.vring_id = interval->vring_id;
	return ret ? ret : parse_interval_hists(nlh, interval, err);
}

int vlnl_parse_threshold_id(const struct nlmsghdr *nlh, uint32_t *id, struct vl_err *err)
{
	const struct nlattr *tb[VRINGLAB_A_THRESHOLD_MAX + 1];

	index_attrs(nlh, tb, VRINGLAB_A_THRESHOLD_MAX);
	return get_u32(tb[VRINGLAB_A_THRESHOLD_ID], "id", id, err);
}

int vlnl_parse_threshold(const struct nlmsghdr *nlh, struct vlnl_threshold *threshold,
			 struct vl_err *err)
{
	const struct nlattr *tb[VRINGLAB_A_THRESHOLD_MAX + 1];
	struct vlnl_threshold t = { 0 };
	int ret;

	index_attrs(nlh, tb, VRINGLAB_A_THRESHOLD_MAX);
	ret = get_u32(tb[VRINGLAB_A_THRESHOLD_ID], "id", &t.id, err);
	if (!ret && tb[VRINGLAB_A_THRESHOLD_VRING_ID])
		ret = get_u32(tb[VRINGLAB_A_THRESHOLD_VRING_ID], "vring-id", &t.vring_id, err);
	if (!ret)
		ret = get_u32(tb[VRINGLAB_A_THRESHOLD_SPAN], "span", &t.span, err);
	if (!ret)
		ret = get_u64(tb[VRINGLAB_A_THRESHOLD_NS], "ns", &t.ns, err);
	if (!ret)
		ret = get_u32(tb[VRINGLAB_A_THRESHOLD_ACTIONS], "actions", &t.actions, err);
	if (!ret)
		ret = get_u64(tb[VRINGLAB_A_THRESHOLD_HITS], "hits", &t.hits, err);
	if (!ret)
		ret = get_u64(tb[VRINGLAB_A_THRESHOLD_LOST], "lost", &t.lost, err);
	if (ret)
		return ret;
	t.once = tb[VRINGLAB_A_THRESHOLD_ONCE];
	*threshold = t;
	return 0;
}

int vlnl_parse_hit(const struct nlmsghdr *nlh, struct vlnl_hit *hit, struct vl_err *err)
{
	const struct nlattr *tb[VRINGLAB_A_HIT_MAX + 1];
	struct vlnl_hit h;
	int ret;

	index_attrs(nlh, tb, VRINGLAB_A_HIT_MAX);
	ret = get_u32(tb[VRINGLAB_A_HIT_THRESHOLD_ID], "threshold-id", &h.threshold_id, err);
	if (!ret)
		ret = get_u32(tb[VRINGLAB_A_HIT_VRING_ID], "vring-id", &h.vring_id, err);
	if (!ret)
		ret = get_u32(tb[VRINGLAB_A_HIT_SPAN], "span", &h.span, err);
	if (!ret)
		ret = get_u64(tb[VRINGLAB_A_HIT_NS], "ns", &h.ns, err);
	if (!ret)
		ret = get_u64(tb[VRINGLAB_A_HIT_STAMP_NS], "stamp-ns", &h.stamp_ns, err);
	if (!ret)
		*hit = h;
	return ret;
}

/* There is one attribute for each hop, and none for a probe that serves no hop. */
static int parse_hops(const struct nlmsghdr *nlh, uint32_t *hops, struct vl_err *err)
{
	const struct nlattr *attr;
	uint32_t hop = 0;

	attr_for_each(attr, nlh, GENL_OFFSET) {
		if (attr_type(attr) != VRINGLAB_A_PROBE_HOP)
			continue;
		if (get_u32(attr, "hop", &hop, err))
			return -EPROTO;
		if (hop < 32)
			*hops |= VLNL_HOP(hop);
	}
	return 0;
}

int vlnl_parse_probe(const struct nlmsghdr *nlh, struct vlnl_probe *probe, struct vl_err *err)
{
	const struct nlattr *tb[VRINGLAB_A_PROBE_MAX + 1];
	struct vlnl_probe p = { .error = 0 };
	int ret;

	index_attrs(nlh, tb, VRINGLAB_A_PROBE_MAX);
	ret = get_string(tb[VRINGLAB_A_PROBE_NAME], "name", p.name, sizeof(p.name), err);
	if (!ret && tb[VRINGLAB_A_PROBE_MODULE])
		ret = get_string(tb[VRINGLAB_A_PROBE_MODULE], "module", p.module, sizeof(p.module),
				 err);
	if (!ret)
		ret = get_u32(tb[VRINGLAB_A_PROBE_TYPE], "type", &p.type, err);
	if (!ret)
		ret = parse_hops(nlh, &p.hops, err);
	if (!ret)
		ret = get_u32(tb[VRINGLAB_A_PROBE_STATE], "state", &p.state, err);
	if (!ret && tb[VRINGLAB_A_PROBE_ERRNO])
		ret = get_u32(tb[VRINGLAB_A_PROBE_ERRNO], "errno", &p.error, err);
	if (ret)
		return ret;
	*probe = p;
	return 0;
}

int vlnl_parse_layout(const struct nlmsghdr *nlh, struct vlnl_layout *layout, struct vl_err *err)
{
	const struct nlattr *tb[VRINGLAB_A_LAYOUT_MAX + 1];
	struct vlnl_layout l = { .generation = 0 };
	int ret;

	index_attrs(nlh, tb, VRINGLAB_A_LAYOUT_MAX);
	ret = get_u32(tb[VRINGLAB_A_LAYOUT_GENERATION], "generation", &l.generation, err);
	if (!ret)
		ret = get_string(tb[VRINGLAB_A_LAYOUT_NAME], "name", l.name, sizeof(l.name), err);
	if (!ret && tb[VRINGLAB_A_LAYOUT_MODULE])
		ret = get_string(tb[VRINGLAB_A_LAYOUT_MODULE], "module", l.module, sizeof(l.module),
				 err);
	if (!ret)
		ret = get_u32(tb[VRINGLAB_A_LAYOUT_SIZE], "size", &l.size, err);
	if (!ret && tb[VRINGLAB_A_LAYOUT_OFFSET]) {
		l.known = true;
		ret = get_u32(tb[VRINGLAB_A_LAYOUT_OFFSET], "offset", &l.offset, err);
	}
	if (ret)
		return ret;
	*layout = l;
	return 0;
}

static int add_reason(struct vlnl_vcpu *vcpu, const struct nlattr *nest, struct vl_err *err)
{
	const struct nlattr *tb[VRINGLAB_A_EXIT_REASON_MAX + 1];
	struct vlnl_exit_reason r;
	int ret;

	index_nested(nest, tb, VRINGLAB_A_EXIT_REASON_MAX);
	ret = get_u32(tb[VRINGLAB_A_EXIT_REASON_CODE], "an exit reason's code", &r.code, err);
	if (!ret)
		ret = get_u64(tb[VRINGLAB_A_EXIT_REASON_COUNT], "an exit reason's count", &r.count,
			      err);
	if (ret)
		return ret;
	if (vcpu->nr_reasons == VLNL_EXIT_REASONS_MAX)
		return vl_err_set(err, -EPROTO, "the module's answer has more than %u exit reasons",
				  VLNL_EXIT_REASONS_MAX);
	vcpu->reasons[vcpu->nr_reasons++] = r;
	return 0;
}

static int parse_vcpu_head(const struct nlattr **tb, struct vlnl_vcpu *v, struct vl_err *err)
{
	int ret = get_u32(tb[VRINGLAB_A_VCPU_ID], "id", &v->id, err);

	if (!ret)
		ret = get_u32(tb[VRINGLAB_A_VCPU_VM], "vm", &v->vm, err);
	if (!ret)
		ret = get_u32(tb[VRINGLAB_A_VCPU_VCPU_ID], "vcpu-id", &v->vcpu_id, err);
	if (!ret)
		ret = get_u32(tb[VRINGLAB_A_VCPU_PID], "pid", &v->pid, err);
	if (!ret)
		ret = get_u32(tb[VRINGLAB_A_VCPU_TID], "tid", &v->tid, err);
	if (!ret)
		ret = get_u32(tb[VRINGLAB_A_VCPU_ISA], "isa", &v->isa, err);
	for (unsigned int i = 0; !ret && i < VLNL_NR_VCPU_COUNTERS; i++) {
		const struct vlnl_counter_info *info = &vlnl_vcpu_counter_info[i];

		if (!tb[info->attr])
			continue;
		ret = get_u64(tb[info->attr], info->name, &v->value[i], err);
		v->present |= UINT64_C(1) << i;
	}
	return ret;
}

int vlnl_parse_vcpu(const struct nlmsghdr *nlh, struct vlnl_vcpu *vcpu, struct vl_err *err)
{
	const struct nlattr *tb[VRINGLAB_A_VCPU_MAX + 1];
	struct vlnl_vcpu v = { 0 };
	const struct nlattr *attr;
	int ret;

	index_attrs(nlh, tb, VRINGLAB_A_VCPU_MAX);
	ret = parse_vcpu_head(tb, &v, err);
	if (ret)
		return ret;
	attr_for_each(attr, nlh, GENL_OFFSET) {
		if (attr_type(attr) != VRINGLAB_A_VCPU_EXIT_REASON)
			continue;
		ret = add_reason(&v, attr, err);
		if (ret)
			return ret;
	}
	*vcpu = v;
	return 0;
}
