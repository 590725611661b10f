// SPDX-License-Identifier: GPL-2.0-only
#include <stdio.h>
#include <string.h>

#include <json-c/json.h>
#include <linux/virtio_ids.h>

#include <vringlab/link.h>
#include <vringlab/parse.h>
#include <vringlab/vdev_net.h>

#include "device.h"
#include "json_add.h"

static const char *const net_options[] = {
	"tap", "null", "generate", "bridge", "address", "mac", "mtu", NULL,
};

static const char net_usage[] =
	"  --tap NAME       packets come from and go to this tap; made if it is not there\n"
	"  --bridge NAME    put the tap into this bridge\n"
	"  --address A/N    give the tap this address and network\n"
	"  --mtu N          of the tap, and the driver is told (default: the tap's)\n"
	"  --mac ADDRESS    the driver's (default: it chooses one)\n"
	"  --null           no tap: what is transmitted is copied and forgotten\n"
	"  --generate N     with --null: receive frames of N bytes, 60 to 65550\n";

static bool parse_mac(const char *arg, uint8_t mac[6])
{
	int end = 0;

	return sscanf(arg, "%2hhx:%2hhx:%2hhx:%2hhx:%2hhx:%2hhx%n", &mac[0], &mac[1], &mac[2],
		      &mac[3], &mac[4], &mac[5], &end) == 6 &&
	       end == 17 && !arg[end] && !(mac[0] & 1);
}

/* As the kernel has them, and no pattern, to which it would give a number. */
static bool is_link_name(const char *arg)
{
	size_t len = strlen(arg);

	return len && len < IFNAMSIZ && !strpbrk(arg, "/:% \t\n") && strcmp(arg, ".") != 0 &&
	       strcmp(arg, "..") != 0;
}

/* Of the options that are text; returns what it should be. */
static const char *take_text(struct device_options *opt, const char *name, const char *arg)
{
	struct rtnl_addr addr;

	if (!strcmp(name, "address")) {
		opt->address = arg;
		return rtnl_addr_parse(arg, &addr) ? "an address as 192.0.2.1/24" : NULL;
	}
	if (!strcmp(name, "tap"))
		opt->tap = arg;
	else
		opt->bridge = arg;
	return is_link_name(arg) ? NULL : "an interface's name, 1 to 15 characters";
}

static const char *net_take(struct device_options *opt, const char *name, const char *arg)
{
	if (!strcmp(name, "generate"))
		return vl_parse_u64(arg, VDEV_NET_FRAME_MIN, VDEV_NET_FRAME_MAX, &opt->generate) ?
			       "60 to 65550" :
			       NULL;
	if (!strcmp(name, "mtu"))
		return vl_parse_u64(arg, VDEV_NET_MTU_MIN, VDEV_NET_MTU_MAX, &opt->mtu) ?
			       "68 to 65535" :
			       NULL;
	if (!strcmp(name, "mac")) {
		opt->has_mac = parse_mac(arg, opt->mac);
		return opt->has_mac ? NULL : "a unicast address as 02:00:00:00:00:01";
	}
	if (strcmp(name, "null") != 0)
		return take_text(opt, name, arg);
	opt->null = true;
	return NULL;
}

static const char *net_check(const struct device_options *opt)
{
	if (!opt->tap == !opt->null)
		return "net needs --tap NAME, or --null";
	if (opt->tap && opt->generate)
		return "--generate goes with --null, not with --tap";
	if (opt->null && (opt->bridge || opt->address))
		return "--bridge and --address are a tap's, not those of --null";
	return NULL;
}

static int net_create(struct vdev **vdev, struct loop *loop, const struct device_options *opt,
		      struct vl_err *err)
{
	const struct vdev_net_config config = {
		.tap = opt->tap,
		.generate = opt->generate,
		.bridge = opt->bridge,
		.address = opt->address,
		.mac = opt->has_mac ? opt->mac : NULL,
		.mtu = opt->mtu,
		.num_pairs = opt->queues,
	};

	return vdev_net_create(vdev, loop, &config, err);
}

static struct json_object *net_stats(const struct vdev *vdev)
{
	struct json_object *o = json_object_new_object();
	struct vdev_net_stats s;

	vdev_net_get_stats(vdev, &s);
	json_add_u64(o, "rx-packets", s.rx_packets);
	json_add_u64(o, "rx-bytes", s.rx_bytes);
	json_add_u64(o, "rx-merged", s.rx_merged);
	json_add_u64(o, "rx-offloads", s.rx_offloads);
	json_add_u64(o, "rx-waits", s.rx_waits);
	json_add_u64(o, "rx-dropped", s.rx_dropped);
	json_add_u64(o, "tx-packets", s.tx_packets);
	json_add_u64(o, "tx-bytes", s.tx_bytes);
	json_add_u64(o, "tx-offloads", s.tx_offloads);
	json_add_u64(o, "tx-refused", s.tx_refused);
	json_add_u64(o, "tx-failed", s.tx_failed);
	json_add_u64(o, "tx-discarded", s.tx_discarded);
	return o;
}

const struct device_kind device_net = {
	.name = "net",
	.device_id = VIRTIO_ID_NET,
	.help = "a network interface: --tap NAME, or --null for one that leads nowhere",
	.queues_max = VDEV_NET_PAIRS_MAX,
	.options = net_options,
	.usage = net_usage,
	.take = net_take,
	.check = net_check,
	.create = net_create,
	.destroy = vdev_net_destroy,
	.stats = net_stats,
};
