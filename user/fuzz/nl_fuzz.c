// SPDX-License-Identifier: GPL-2.0-only
/* What a kernel answers over netlink, of any version of the module. */
#include <libmnl/libmnl.h>

#include <vringlab/err.h>
#include <vringlab/nl_message.h>

#include "fuzz.h"

/*
 * Of its own size, for AddressSanitizer to see what is read beyond it; aligned, which
 * is how far libmnl reads.
 */
static struct nlmsghdr *message(struct fuzz_input *in)
{
	size_t size = in->size < sizeof(struct nlmsghdr) ? sizeof(struct nlmsghdr) : in->size;
	struct nlmsghdr *nlh = malloc(MNL_ALIGN(size));

	FUZZ_CHECK(nlh);
	memset(nlh, 0, MNL_ALIGN(size));
	fuzz_take(in, nlh, size);
	nlh->nlmsg_len = size;
	FUZZ_CHECK(mnl_nlmsg_ok(nlh, size));
	return nlh;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = { data, size }, tail = fuzz_split(&in);
	struct nlmsghdr *nlh = message(&in), *request = message(&tail);
	struct vlnl_counters counters;
	struct vlnl_layout layout;
	struct vlnl_vring vring;
	struct vlnl_discover discover;
	static struct vlnl_interval interval;
	struct vlnl_threshold threshold;
	struct vlnl_vcpu vcpu;
	struct vlnl_probe probe;
	struct vlnl_hist hist;
	struct vlnl_hit hit;
	struct vl_err err;
	uint32_t id;

	vlnl_parse_ack(nlh, request, &err);
	vlnl_parse_vring_id(nlh, &id, &err);
	vlnl_parse_counters(nlh, &counters, &err);
	vlnl_parse_hist(nlh, &hist, &err);
	if (!vlnl_parse_vcpu(nlh, &vcpu, &err))
		FUZZ_CHECK(vcpu.nr_reasons <= VLNL_EXIT_REASONS_MAX);
	if (!vlnl_parse_vring(nlh, &vring, &err))
		FUZZ_CHECK(memchr(vring.label, '\0', sizeof(vring.label)) &&
			   memchr(vring.owner_comm, '\0', sizeof(vring.owner_comm)) &&
			   vring.nr_ioeventfds <= VLNL_FACTS_MAX &&
			   vring.nr_gsis <= VLNL_FACTS_MAX);
	if (!vlnl_parse_interval(nlh, &interval, &err))
		FUZZ_CHECK(interval.nr_hists <= VLNL_NR_SPANS);
	vlnl_parse_threshold(nlh, &threshold, &err);
	vlnl_parse_threshold_id(nlh, &id, &err);
	vlnl_parse_hit(nlh, &hit, &err);
	vlnl_parse_discover(nlh, &discover, &err);
	if (!vlnl_parse_layout(nlh, &layout, &err))
		FUZZ_CHECK(memchr(layout.name, '\0', sizeof(layout.name)) &&
			   memchr(layout.module, '\0', sizeof(layout.module)));
	if (!vlnl_parse_probe(nlh, &probe, &err))
		FUZZ_CHECK(memchr(probe.name, '\0', sizeof(probe.name)) &&
			   memchr(probe.module, '\0', sizeof(probe.module)));
	free(nlh);
	free(request);
	return 0;
}
