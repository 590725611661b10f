// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What the module tells: one object, or a dump of all into an array.
 */
#include <errno.h>
#include <stdlib.h>

#include <vringlab/err.h>
#include <vringlab/nl_message.h>

#include "internal.h"

/* How often a dump is begun again because the list changed meanwhile. */
#define DUMP_TRIES 8

/* What grows with the answers of a dump. */
struct array {
	vlnl_answer_fn parse; /* writes one item */
	size_t item_size;
	size_t (*used_size)(const void *item); /* of items that are not all as long */
	size_t nr;
	size_t used;
	size_t room;
	char *items;
};

static int append(const struct nlmsghdr *nlh, void *data, struct vl_err *err)
{
	struct array *a = data;
	void *item;
	int ret;

	if (a->room - a->used < a->item_size) {
		size_t room = a->room ? 2 * a->room : 16 * a->item_size;
		char *items = realloc(a->items, room);

		if (!items)
			return vl_err_set(err, -ENOMEM, "no memory for %zu entries", a->nr + 1);
		a->items = items;
		a->room = room;
	}
	item = a->items + a->used;
	ret = a->parse(nlh, item, err);
	if (ret)
		return ret;
	a->used += a->used_size ? a->used_size(item) : a->item_size;
	a->nr++;
	return 0;
}

/* Returns the number of items; *items is the caller's to free. */
static int dump(struct vlnl *nl, uint8_t cmd, const char *what, struct array *a, void **items,
		struct vl_err *err)
{
	int ret = -EINTR;

	for (int i = 0; ret == -EINTR && i < DUMP_TRIES; i++) {
		struct nlmsghdr *nlh =
			vlnl_request(nl, nl->family, cmd, VRINGLAB_FAMILY_VERSION, NLM_F_DUMP);

		a->nr = 0;
		a->used = 0;
		ret = vlnl_transact(nl, nlh, append, a, err);
	}
	if (ret) {
		free(a->items);
		vl_err_prefix(err, "cannot list the %s", what);
		return ret;
	}
	*items = a->items;
	return a->nr;
}

static int parse_vring(const struct nlmsghdr *nlh, void *item, struct vl_err *err)
{
	return vlnl_parse_vring(nlh, item, err);
}

static int parse_counters(const struct nlmsghdr *nlh, void *item, struct vl_err *err)
{
	return vlnl_parse_counters(nlh, item, err);
}

static int parse_hist(const struct nlmsghdr *nlh, void *item, struct vl_err *err)
{
	return vlnl_parse_hist(nlh, item, err);
}

static int parse_probe(const struct nlmsghdr *nlh, void *item, struct vl_err *err)
{
	return vlnl_parse_probe(nlh, item, err);
}

static int parse_vcpu(const struct nlmsghdr *nlh, void *item, struct vl_err *err)
{
	return vlnl_parse_vcpu(nlh, item, err);
}

static int parse_interval(const struct nlmsghdr *nlh, void *item, struct vl_err *err)
{
	return vlnl_parse_interval(nlh, item, err);
}

static int parse_threshold(const struct nlmsghdr *nlh, void *item, struct vl_err *err)
{
	return vlnl_parse_threshold(nlh, item, err);
}

int vlnl_vring_dump(struct vlnl *nl, struct vlnl_vring **vrings, struct vl_err *err)
{
	struct array a = { .parse = parse_vring, .item_size = sizeof(**vrings) };

	return dump(nl, VRINGLAB_CMD_VRING_GET, "vrings", &a, (void **)vrings, err);
}

int vlnl_counters_dump(struct vlnl *nl, struct vlnl_counters **counters, struct vl_err *err)
{
	struct array a = { .parse = parse_counters, .item_size = sizeof(**counters) };

	return dump(nl, VRINGLAB_CMD_COUNTERS_GET, "counters", &a, (void **)counters, err);
}

static size_t hist_size(const void *item)
{
	return vlnl_hist_size(item);
}

int vlnl_hist_dump(struct vlnl *nl, struct vlnl_hist **hists, struct vl_err *err)
{
	struct array a = {
		.parse = parse_hist,
		.item_size = sizeof(**hists),
		.used_size = hist_size,
	};

	return dump(nl, VRINGLAB_CMD_HIST_GET, "histograms", &a, (void **)hists, err);
}

static int parse_layout(const struct nlmsghdr *nlh, void *item, struct vl_err *err)
{
	return vlnl_parse_layout(nlh, item, err);
}

int vlnl_layout_dump(struct vlnl *nl, struct vlnl_layout **members, struct vl_err *err)
{
	struct array a = { .parse = parse_layout, .item_size = sizeof(**members) };

	return dump(nl, VRINGLAB_CMD_LAYOUT_GET, "members", &a, (void **)members, err);
}

int vlnl_probe_dump(struct vlnl *nl, struct vlnl_probe **probes, struct vl_err *err)
{
	struct array a = { .parse = parse_probe, .item_size = sizeof(**probes) };

	return dump(nl, VRINGLAB_CMD_PROBE_GET, "probes", &a, (void **)probes, err);
}

int vlnl_vcpu_dump(struct vlnl *nl, struct vlnl_vcpu **vcpus, struct vl_err *err)
{
	struct array a = { .parse = parse_vcpu, .item_size = sizeof(**vcpus) };

	return dump(nl, VRINGLAB_CMD_VCPU_GET, "vCPUs", &a, (void **)vcpus, err);
}

int vlnl_threshold_dump(struct vlnl *nl, struct vlnl_threshold **thresholds, struct vl_err *err)
{
	struct array a = { .parse = parse_threshold, .item_size = sizeof(**thresholds) };

	return dump(nl, VRINGLAB_CMD_THRESHOLD_GET, "thresholds", &a, (void **)thresholds, err);
}

/* An object and whether an answer has brought it. */
struct single {
	vlnl_answer_fn parse;
	void *item;
	bool seen;
};

static int take_single(const struct nlmsghdr *nlh, void *data, struct vl_err *err)
{
	struct single *s = data;

	s->seen = true;
	return s->parse(nlh, s->item, err);
}

static int get(struct vlnl *nl, struct nlmsghdr *request, struct single *s, struct vl_err *err)
{
	int ret = vlnl_transact(nl, request, take_single, s, err);

	if (!ret && !s->seen)
		ret = vl_err_set(err, -EPROTO, "the module gave no answer");
	return ret;
}

int vlnl_counters_get(struct vlnl *nl, uint32_t id, struct vlnl_counters *counters,
		      struct vl_err *err)
{
	struct single s = { .parse = parse_counters, .item = counters };
	struct nlmsghdr *nlh;
	int ret;

	nlh = vlnl_request(nl, nl->family, VRINGLAB_CMD_COUNTERS_GET, VRINGLAB_FAMILY_VERSION,
			   NLM_F_ACK);
	if (!mnl_attr_put_u32_check(nlh, VLNL_SEND_SIZE, VRINGLAB_A_COUNTERS_VRING_ID, id))
		return vl_err_set(err, -EMSGSIZE, "request too long");
	ret = get(nl, nlh, &s, err);
	if (ret)
		vl_err_prefix(err, "cannot read the counters of vring %u", id);
	return ret;
}

int vlnl_hist_get(struct vlnl *nl, uint32_t id, enum vringlab_span span, struct vlnl_hist *hist,
		  struct vl_err *err)
{
	struct single s = { .parse = parse_hist, .item = hist };
	struct nlmsghdr *nlh;
	int ret;

	nlh = vlnl_request(nl, nl->family, VRINGLAB_CMD_HIST_GET, VRINGLAB_FAMILY_VERSION,
			   NLM_F_ACK);
	if (!mnl_attr_put_u32_check(nlh, VLNL_SEND_SIZE, VRINGLAB_A_HIST_VRING_ID, id) ||
	    !mnl_attr_put_u32_check(nlh, VLNL_SEND_SIZE, VRINGLAB_A_HIST_SPAN, span))
		return vl_err_set(err, -EMSGSIZE, "request too long");
	ret = get(nl, nlh, &s, err);
	if (ret)
		vl_err_prefix(err, "cannot read the histogram %s of vring %u", vlnl_span_name(span),
			      id);
	return ret;
}

int vlnl_interval_get(struct vlnl *nl, uint32_t id, bool reset, struct vlnl_interval *interval,
		      struct vl_err *err)
{
	struct single s = { .parse = parse_interval, .item = interval };
	struct nlmsghdr *nlh;
	int ret;

	nlh = vlnl_request(nl, nl->family,
			   reset ? VRINGLAB_CMD_INTERVAL_RESET : VRINGLAB_CMD_INTERVAL_GET,
			   VRINGLAB_FAMILY_VERSION, NLM_F_ACK);
	if (!mnl_attr_put_u32_check(nlh, VLNL_SEND_SIZE, VRINGLAB_A_INTERVAL_VRING_ID, id))
		return vl_err_set(err, -EMSGSIZE, "request too long");
	ret = get(nl, nlh, &s, err);
	if (ret)
		vl_err_prefix(err, "cannot %s vring %u", reset ? "reset" : "read", id);
	return ret;
}
