// SPDX-License-Identifier: GPL-2.0-only
/* Requests of the vringlab family, see t_vring.h. */
#include <errno.h>
#include <string.h>

#include "t_vring.h"

#define BIT(n) (1ull << (n))

static void take_text(char *to, size_t size, const struct nlattr *attr)
{
	size_t len = mnl_attr_get_payload_len(attr);

	if (len >= size)
		len = size - 1;
	memcpy(to, mnl_attr_get_payload(attr), len);
	to[len] = 0;
}

static int take_ioeventfd_attr(const struct nlattr *attr, void *data)
{
	struct t_ioeventfd *io = data;

	switch (mnl_attr_get_type(attr)) {
	case VRINGLAB_A_IOEVENTFD_ADDRESS:
		io->address = mnl_attr_get_u64(attr);
		break;
	case VRINGLAB_A_IOEVENTFD_LENGTH:
		io->length = mnl_attr_get_u32(attr);
		break;
	case VRINGLAB_A_IOEVENTFD_DATAMATCH:
		io->has_datamatch = true;
		io->datamatch = mnl_attr_get_u64(attr);
		break;
	case VRINGLAB_A_IOEVENTFD_PIO:
		io->pio = true;
		break;
	}
	return MNL_CB_OK;
}

static void take_ioeventfd(const struct nlattr *nest, struct t_vring *v)
{
	if (v->nr_ioeventfds < T_FACTS)
		mnl_attr_parse_nested(nest, take_ioeventfd_attr, &v->ioeventfd[v->nr_ioeventfds]);
	v->nr_ioeventfds++;
}

static int take_irqfd_attr(const struct nlattr *attr, void *data)
{
	if (mnl_attr_get_type(attr) == VRINGLAB_A_IRQFD_GSI)
		*(uint32_t *)data = mnl_attr_get_u32(attr);
	return MNL_CB_OK;
}

static void take_irqfd(const struct nlattr *nest, struct t_vring *v)
{
	if (v->nr_irqfds < T_FACTS)
		mnl_attr_parse_nested(nest, take_irqfd_attr, &v->gsi[v->nr_irqfds]);
	v->nr_irqfds++;
}

static void take_discovered(const struct nlattr *attr, struct t_vring *v)
{
	switch (mnl_attr_get_type(attr)) {
	case VRINGLAB_A_VRING_DEVICE:
		v->device = mnl_attr_get_u32(attr);
		break;
	case VRINGLAB_A_VRING_QUEUE:
		v->queue = mnl_attr_get_u32(attr);
		break;
	case VRINGLAB_A_VRING_SIZE:
		v->size = mnl_attr_get_u32(attr);
		break;
	case VRINGLAB_A_VRING_OWNER_PID:
		v->owner_pid = mnl_attr_get_u32(attr);
		break;
	case VRINGLAB_A_VRING_OWNER_COMM:
		take_text(v->owner_comm, sizeof(v->owner_comm), attr);
		break;
	case VRINGLAB_A_VRING_KICK_EVENTFD_ID:
		v->kick_eventfd_id = mnl_attr_get_u32(attr);
		break;
	case VRINGLAB_A_VRING_CALL_EVENTFD_ID:
		v->call_eventfd_id = mnl_attr_get_u32(attr);
		break;
	case VRINGLAB_A_VRING_VM:
		v->vm = mnl_attr_get_u32(attr);
		break;
	case VRINGLAB_A_VRING_VM_PID:
		v->vm_pid = mnl_attr_get_u32(attr);
		break;
	case VRINGLAB_A_VRING_VCPU:
		v->vcpu = mnl_attr_get_u32(attr);
		break;
	case VRINGLAB_A_VRING_IOEVENTFD:
		take_ioeventfd(attr, v);
		break;
	case VRINGLAB_A_VRING_IRQFD:
		take_irqfd(attr, v);
		break;
	}
}

static int take_vring_attr(const struct nlattr *attr, void *data)
{
	struct t_vring *v = data;

	v->has |= BIT(mnl_attr_get_type(attr));
	switch (mnl_attr_get_type(attr)) {
	case VRINGLAB_A_VRING_ID:
		v->id = mnl_attr_get_u32(attr);
		break;
	case VRINGLAB_A_VRING_LABEL:
		take_text(v->label, sizeof(v->label), attr);
		break;
	case VRINGLAB_A_VRING_BACKEND:
		v->backend = mnl_attr_get_u32(attr);
		break;
	case VRINGLAB_A_VRING_PID:
		v->pid = mnl_attr_get_u32(attr);
		break;
	case VRINGLAB_A_VRING_WAKE_USER_DATA:
		v->wake_user_data = mnl_attr_get_u64(attr);
		break;
	default:
		take_discovered(attr, v);
	}
	return MNL_CB_OK;
}

int t_vring_take(const struct nlmsghdr *nlh, void *data)
{
	memset(data, 0, sizeof(struct t_vring));
	return mnl_attr_parse(nlh, sizeof(struct genlmsghdr), take_vring_attr, data);
}

static int take_vring_id(const struct nlmsghdr *nlh, void *data)
{
	struct t_vring v = { 0 };

	t_vring_take(nlh, &v);
	*(uint32_t *)data = v.id;
	return MNL_CB_OK;
}

int t_vring_add(struct t_genl *g, struct t_vring *v)
{
	struct nlmsghdr *nlh = t_genl_start(g, VRINGLAB_CMD_VRING_ADD, NLM_F_ACK);

	if (v->has & BIT(VRINGLAB_A_VRING_LABEL))
		mnl_attr_put_strz(nlh, VRINGLAB_A_VRING_LABEL, v->label);
	if (v->has & BIT(VRINGLAB_A_VRING_BACKEND))
		mnl_attr_put_u32(nlh, VRINGLAB_A_VRING_BACKEND, v->backend);
	if (v->has & BIT(VRINGLAB_A_VRING_KICK_FD))
		mnl_attr_put_u32(nlh, VRINGLAB_A_VRING_KICK_FD, v->kick_fd);
	if (v->has & BIT(VRINGLAB_A_VRING_CALL_FD))
		mnl_attr_put_u32(nlh, VRINGLAB_A_VRING_CALL_FD, v->call_fd);
	if (v->has & BIT(VRINGLAB_A_VRING_PID))
		mnl_attr_put_u32(nlh, VRINGLAB_A_VRING_PID, v->pid);
	if (v->has & BIT(VRINGLAB_A_VRING_WAKE_USER_DATA))
		mnl_attr_put_u64(nlh, VRINGLAB_A_VRING_WAKE_USER_DATA, v->wake_user_data);
	if (v->has & BIT(VRINGLAB_A_VRING_PERSIST))
		mnl_attr_put(nlh, VRINGLAB_A_VRING_PERSIST, 0, NULL);
	v->id = 0;
	return t_genl_call(g, take_vring_id, &v->id);
}

int t_vring_del(struct t_genl *g, uint32_t id)
{
	struct nlmsghdr *nlh = t_genl_start(g, VRINGLAB_CMD_VRING_DEL, NLM_F_ACK);

	mnl_attr_put_u32(nlh, VRINGLAB_A_VRING_ID, id);
	return t_genl_call(g, NULL, NULL);
}

int t_vring_get(struct t_genl *g, uint32_t id, struct t_vring *v)
{
	struct nlmsghdr *nlh = t_genl_start(g, VRINGLAB_CMD_VRING_GET, NLM_F_ACK);

	mnl_attr_put_u32(nlh, VRINGLAB_A_VRING_ID, id);
	return t_genl_call(g, t_vring_take, v);
}

struct taken {
	unsigned int nr;
	unsigned int max;
	void *to;
};

static int take_dumped_vring(const struct nlmsghdr *nlh, void *data)
{
	struct taken *t = data;

	if (t->nr++ < t->max)
		return t_vring_take(nlh, (struct t_vring *)t->to + t->nr - 1);
	return MNL_CB_OK;
}

int t_vring_dump(struct t_genl *g, struct t_vring *v, unsigned int max)
{
	struct taken t = { .max = max, .to = v };
	int ret;

	t_genl_start(g, VRINGLAB_CMD_VRING_GET, NLM_F_DUMP);
	ret = t_genl_call(g, take_dumped_vring, &t);
	return ret ? ret : (int)t.nr;
}

static int take_discover_attr(const struct nlattr *attr, void *data)
{
	struct t_discover *d = data;

	switch (mnl_attr_get_type(attr)) {
	case VRINGLAB_A_DISCOVER_ENABLED:
		d->enabled = mnl_attr_get_u32(attr);
		break;
	case VRINGLAB_A_DISCOVER_PERSIST:
		d->persist = true;
		break;
	case VRINGLAB_A_DISCOVER_LOST:
		d->lost = mnl_attr_get_u64(attr);
		break;
	}
	return MNL_CB_OK;
}

static int take_discover(const struct nlmsghdr *nlh, void *data)
{
	memset(data, 0, sizeof(struct t_discover));
	return mnl_attr_parse(nlh, sizeof(struct genlmsghdr), take_discover_attr, data);
}

int t_discover_get(struct t_genl *g, struct t_discover *d)
{
	t_genl_start(g, VRINGLAB_CMD_DISCOVER_GET, NLM_F_ACK);
	return t_genl_call(g, take_discover, d);
}

int t_discover_set(struct t_genl *g, bool enabled, bool persist)
{
	struct nlmsghdr *nlh = t_genl_start(g, VRINGLAB_CMD_DISCOVER_SET, NLM_F_ACK);

	mnl_attr_put_u32(nlh, VRINGLAB_A_DISCOVER_ENABLED, enabled);
	if (persist)
		mnl_attr_put(nlh, VRINGLAB_A_DISCOVER_PERSIST, 0, NULL);
	return t_genl_call(g, NULL, NULL);
}

static void take_hop(struct t_probe *p, uint32_t hop)
{
	p->hops |= 1u << (hop < 31 ? hop : 31);
	p->nr_hops++;
}

static int take_probe_attr(const struct nlattr *attr, void *data)
{
	struct t_probe *p = data;

	switch (mnl_attr_get_type(attr)) {
	case VRINGLAB_A_PROBE_NAME:
		take_text(p->name, sizeof(p->name), attr);
		break;
	case VRINGLAB_A_PROBE_MODULE:
		take_text(p->module, sizeof(p->module), attr);
		break;
	case VRINGLAB_A_PROBE_TYPE:
		p->type = mnl_attr_get_u32(attr);
		break;
	case VRINGLAB_A_PROBE_HOP:
		take_hop(p, mnl_attr_get_u32(attr));
		break;
	case VRINGLAB_A_PROBE_STATE:
		p->state = mnl_attr_get_u32(attr);
		break;
	case VRINGLAB_A_PROBE_ERRNO:
		p->error = mnl_attr_get_u32(attr);
		break;
	}
	return MNL_CB_OK;
}

static int take_dumped_probe(const struct nlmsghdr *nlh, void *data)
{
	struct taken *t = data;
	struct t_probe *p = (struct t_probe *)t->to + t->nr;

	if (t->nr++ >= t->max)
		return MNL_CB_OK;
	memset(p, 0, sizeof(*p));
	return mnl_attr_parse(nlh, sizeof(struct genlmsghdr), take_probe_attr, p);
}

int t_probe_dump(struct t_genl *g, struct t_probe *p, unsigned int max)
{
	struct taken t = { .max = max, .to = p };
	int ret;

	t_genl_start(g, VRINGLAB_CMD_PROBE_GET, NLM_F_DUMP);
	ret = t_genl_call(g, take_dumped_probe, &t);
	return ret ? ret : (int)t.nr;
}

static int take_counter(const struct nlattr *attr, void *data)
{
	uint16_t type = mnl_attr_get_type(attr);
	struct t_stats *s = data;

	if (type == VRINGLAB_A_COUNTERS_VRING_ID)
		s->id = mnl_attr_get_u32(attr);
	else if (type == VRINGLAB_A_COUNTERS_PAD)
		return MNL_CB_OK;
	else if (type <= VRINGLAB_A_COUNTERS_MAX &&
		 mnl_attr_get_payload_len(attr) == sizeof(uint64_t))
		s->v[type] = mnl_attr_get_u64(attr);
	else
		return MNL_CB_ERROR;
	s->has |= BIT(type);
	return MNL_CB_OK;
}

static int take_counters(const struct nlmsghdr *nlh, void *data)
{
	return mnl_attr_parse(nlh, sizeof(struct genlmsghdr), take_counter, data);
}

int t_counters_get(struct t_genl *g, uint32_t id, struct t_stats *s)
{
	struct nlmsghdr *nlh;

	memset(s, 0, sizeof(*s));
	nlh = t_genl_start(g, VRINGLAB_CMD_COUNTERS_GET, NLM_F_ACK);
	mnl_attr_put_u32(nlh, VRINGLAB_A_COUNTERS_VRING_ID, id);
	return t_genl_call(g, take_counters, s);
}

static int take_bucket(const struct nlattr *nest, struct t_hist *h)
{
	const struct nlattr *attr;

	if (h->nr_buckets == VRINGLAB_HIST_BUCKETS)
		return MNL_CB_ERROR;
	mnl_attr_for_each_nested(attr, nest) {
		if (mnl_attr_get_type(attr) == VRINGLAB_A_BUCKET_INDEX)
			h->bucket[h->nr_buckets].index = mnl_attr_get_u32(attr);
		else if (mnl_attr_get_type(attr) == VRINGLAB_A_BUCKET_COUNT)
			h->bucket[h->nr_buckets].count = mnl_attr_get_u64(attr);
	}
	h->nr_buckets++;
	return MNL_CB_OK;
}

static int take_hist_attr(const struct nlattr *attr, void *data)
{
	struct t_hist *h = data;

	h->has |= BIT(mnl_attr_get_type(attr));
	switch (mnl_attr_get_type(attr)) {
	case VRINGLAB_A_HIST_SPAN:
		h->span = mnl_attr_get_u32(attr);
		break;
	case VRINGLAB_A_HIST_COUNT:
		h->count = mnl_attr_get_u64(attr);
		break;
	case VRINGLAB_A_HIST_SUM_NS:
		h->sum_ns = mnl_attr_get_u64(attr);
		break;
	case VRINGLAB_A_HIST_MIN_NS:
		h->min_ns = mnl_attr_get_u64(attr);
		break;
	case VRINGLAB_A_HIST_MAX_NS:
		h->max_ns = mnl_attr_get_u64(attr);
		break;
	case VRINGLAB_A_HIST_SUB_BITS:
		h->sub_bits = mnl_attr_get_u32(attr);
		break;
	case VRINGLAB_A_HIST_BUCKET:
		return take_bucket(attr, h);
	}
	return MNL_CB_OK;
}

static int take_hist(const struct nlmsghdr *nlh, void *data)
{
	return mnl_attr_parse(nlh, sizeof(struct genlmsghdr), take_hist_attr, data);
}

int t_hist_get(struct t_genl *g, uint32_t id, uint32_t span, struct t_hist *h)
{
	struct nlmsghdr *nlh;

	memset(h, 0, sizeof(*h));
	nlh = t_genl_start(g, VRINGLAB_CMD_HIST_GET, NLM_F_ACK);
	mnl_attr_put_u32(nlh, VRINGLAB_A_HIST_VRING_ID, id);
	mnl_attr_put_u32(nlh, VRINGLAB_A_HIST_SPAN, span);
	return t_genl_call(g, take_hist, h);
}

int t_stats_get(struct t_genl *g, uint32_t id, struct t_stats *s)
{
	int span, ret;

	ret = t_counters_get(g, id, s);
	for (span = 0; !ret && span < T_NR_SPANS; span++)
		ret = t_hist_get(g, id, span, &s->hist[span]);
	return ret;
}

static int take_counter_of_interval(const struct nlattr *attr, void *data)
{
	struct t_interval *i = data;

	return take_counter(attr, &i->s);
}

static int take_hist_of_interval(const struct nlattr *nest, struct t_interval *i)
{
	struct t_hist h = { 0 };

	if (mnl_attr_parse_nested(nest, take_hist_attr, &h) != MNL_CB_OK || h.span >= T_NR_SPANS)
		return MNL_CB_ERROR;
	/* Told once, for all of them. */
	h.has |= BIT(VRINGLAB_A_HIST_VRING_ID);
	i->s.hist[h.span] = h;
	i->nr_hists++;
	return MNL_CB_OK;
}

static int take_interval_attr(const struct nlattr *attr, void *data)
{
	struct t_interval *i = data;

	i->has |= BIT(mnl_attr_get_type(attr));
	switch (mnl_attr_get_type(attr)) {
	case VRINGLAB_A_INTERVAL_VRING_ID:
		i->s.id = mnl_attr_get_u32(attr);
		break;
	case VRINGLAB_A_INTERVAL_BEGIN_NS:
		i->begin_ns = mnl_attr_get_u64(attr);
		break;
	case VRINGLAB_A_INTERVAL_END_NS:
		i->end_ns = mnl_attr_get_u64(attr);
		break;
	case VRINGLAB_A_INTERVAL_COUNTERS:
		return mnl_attr_parse_nested(attr, take_counter_of_interval, i);
	case VRINGLAB_A_INTERVAL_HIST:
		return take_hist_of_interval(attr, i);
	}
	return MNL_CB_OK;
}

static int take_interval(const struct nlmsghdr *nlh, void *data)
{
	return mnl_attr_parse(nlh, sizeof(struct genlmsghdr), take_interval_attr, data);
}

int t_interval_get(struct t_genl *g, uint32_t id, bool reset, struct t_interval *i)
{
	struct nlmsghdr *nlh;

	memset(i, 0, sizeof(*i));
	nlh = t_genl_start(g, reset ? VRINGLAB_CMD_INTERVAL_RESET : VRINGLAB_CMD_INTERVAL_GET,
			   NLM_F_ACK);
	mnl_attr_put_u32(nlh, VRINGLAB_A_INTERVAL_VRING_ID, id);
	return t_genl_call(g, take_interval, i);
}
