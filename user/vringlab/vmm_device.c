// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <linux/virtio_ids.h>

#include <vringlab/backend_net.h>
#include <vringlab/err.h>
#include <vringlab/parse.h>

#include "vmm_device.h"

#define QUEUE_SIZE_MAX 32768u

/**
 * struct parser - A device that is being read
 * @dev:	Device.
 * @devs:	Those before it.
 * @nr:		Their number.
 * @own:	Key that only a device in the VMM or the kernel has, or NULL.
 * @err:	What is wrong.
 */
struct parser {
	struct vmm_device *dev;
	const struct vmm_device *devs;
	unsigned int nr;
	const char *own;
	struct vl_err *err;
};

/* Keys that stand alone, or with on or off. */
static bool is_flag(const char *key)
{
	static const char *const flags[] = { "direct", "null",	"packed", "read-only",
					     "ro",     "stdio", "vhost" };

	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++)
		if (!strcmp(flags[i], key))
			return true;
	return false;
}

static int bad(const struct parser *p, const char *key, const char *takes, const char *value)
{
	return vl_err_set(p->err, -EINVAL, "%s: %s takes %s, not '%s'", p->dev->opt.kind->name, key,
			  takes, value);
}

static bool name_ok(const char *name)
{
	size_t len = strlen(name);

	if (!len || len >= VMM_DEVICE_NAME_SIZE)
		return false;
	for (; *name; name++)
		if (*name <= ' ' || *name > '~' || *name == '.')
			return false;
	return true;
}

static bool is_taken(const struct parser *p, const char *name)
{
	for (unsigned int i = 0; i < p->nr; i++)
		if (!strcmp(p->devs[i].name, name))
			return true;
	return false;
}

static int take_id(struct parser *p, const char *value)
{
	if (!name_ok(value))
		return bad(p, "id", "1 to 15 printable characters without space or dot", value);
	if (is_taken(p, value))
		return bad(p, "id", "a name that no other device has", value);
	strcpy(p->dev->name, value);
	return 0;
}

static int take_queues(struct parser *p, const char *value)
{
	uint64_t max = p->dev->opt.kind->queues_max;
	char range[32];

	/* those of net are pairs, and more would not leave a transport room for others */
	if (max > BACKEND_NET_PAIRS_MAX)
		max = BACKEND_NET_PAIRS_MAX;
	snprintf(range, sizeof(range), "1 to %" PRIu64, max);
	return vl_parse_u64(value, 1, max, &p->dev->opt.queues) ? bad(p, "queues", range, value) :
								  0;
}

static int take_queue_size(struct parser *p, const char *value)
{
	uint64_t size;

	if (vl_parse_u64(value, 1, QUEUE_SIZE_MAX, &size) || size & (size - 1))
		return bad(p, "queue-size", "a power of 2, 1 to 32768", value);
	p->dev->queue_size = size;
	return 0;
}

static int take_transport(struct parser *p, const char *value)
{
	p->dev->mmio = !strcmp(value, "mmio");
	return p->dev->mmio || !strcmp(value, "pci") ? 0 :
						       bad(p, "transport", "pci or mmio", value);
}

/* Keys of the kind's own, those of `vringlab backend`. */
static int take_own(struct parser *p, const char *key, const char *value)
{
	const struct device_kind *kind = p->dev->opt.kind;
	const char *takes;

	if (!device_kind_has(kind, key))
		return vl_err_set(p->err, -EINVAL, "%s has no key '%s'", kind->name, key);
	/* config space of net is the VMM's in any case */
	if (strcmp(key, "mac") != 0 && strcmp(key, "mtu") != 0)
		p->own = key;
	takes = kind->take(&p->dev->opt, key, value);
	return takes ? bad(p, key, takes, value) : 0;
}

static int take_value(struct parser *p, const char *key, const char *value)
{
	if (!*value)
		return bad(p, key, "a value", value);
	if (!strcmp(key, "id"))
		return take_id(p, value);
	if (!strcmp(key, "queues"))
		return take_queues(p, value);
	if (!strcmp(key, "queue-size"))
		return take_queue_size(p, value);
	if (!strcmp(key, "transport"))
		return take_transport(p, value);
	if (strcmp(key, "socket") != 0)
		return take_own(p, key, value);
	p->dev->opt.socket = value;
	return 0;
}

static int take_flag(struct parser *p, const char *key, const char *value)
{
	bool on = !value || !strcmp(value, "on");

	if (!on && strcmp(value, "off") != 0)
		return bad(p, key, "on or off", value);
	if (!strcmp(key, "packed")) {
		p->dev->packed = on;
		return 0;
	}
	if (!strcmp(key, "vhost") && p->dev->opt.kind == &device_net) {
		p->dev->no_vhost = !on;
		p->own = key;
		return 0;
	}
	if (!strcmp(key, "ro"))
		key = "read-only";
	return on || !device_kind_has(p->dev->opt.kind, key) ? take_own(p, key, "") : 0;
}

static int take_key(struct parser *p, char *text)
{
	char *value = strchr(text, '=');

	if (value)
		*value++ = '\0';
	if (!*text)
		return vl_err_set(p->err, -EINVAL, "%s: a key is missing", p->dev->opt.kind->name);
	if (is_flag(text))
		return take_flag(p, text, value);
	return take_value(p, text, value ? value : "");
}

/* Cuts the next piece off, where commas that are written twice are one. NULL at the end. */
static char *next_piece(char **rest)
{
	char *piece = *rest, *to = piece;

	if (!piece)
		return NULL;
	for (const char *from = piece;; from++) {
		if (from[0] == ',' && from[1] == ',') {
			from++;
		} else if (!*from || *from == ',') {
			*rest = *from ? (char *)from + 1 : NULL;
			*to = '\0';
			return piece;
		}
		*to++ = *from;
	}
}

/* The kind's own words are those of options, with dashes in front. */
static int say_wrong(const struct parser *p, const char *wrong)
{
	char text[160];
	size_t len = 0;

	for (; *wrong && len < sizeof(text) - 1; wrong++) {
		if (wrong[0] == '-' && wrong[1] == '-')
			wrong += 2;
		text[len++] = *wrong;
	}
	text[len] = '\0';
	return vl_err_set(p->err, -EINVAL, "%s, or socket PATH", text);
}

static int check(const struct parser *p)
{
	const struct device_options *opt = &p->dev->opt;
	const char *wrong = NULL;

	if (opt->socket && p->own)
		return vl_err_set(p->err, -EINVAL,
				  "%s: with socket the back-end's process has '%s', not this one",
				  opt->kind->name, p->own);
	if (!opt->socket && opt->kind->check)
		wrong = opt->kind->check(opt);
	if (wrong)
		return say_wrong(p, wrong);
	if (p->dev->packed && vmm_device_has_vhost(p->dev))
		return vl_err_set(
			p->err, -EINVAL,
			"%s: packed is not for vhost in the kernel, which has only split virtqueues",
			opt->kind->name);
	return 0;
}

static void choose_name(struct parser *p)
{
	for (unsigned int i = 0; !*p->dev->name; i++) {
		char name[VMM_DEVICE_NAME_SIZE];

		snprintf(name, sizeof(name), "%s%u", p->dev->opt.kind->name, i);
		if (!is_taken(p, name))
			strcpy(p->dev->name, name);
	}
}

static int parse(struct parser *p)
{
	char *rest = p->dev->text, *piece = next_piece(&rest);
	int ret = 0;

	p->dev->opt.kind = device_kind_find(piece);
	if (!p->dev->opt.kind || !p->dev->opt.kind->device_id)
		return vl_err_set(p->err, -EINVAL,
				  "no device '%s': there are net, blk, vsock, rng and console",
				  piece);
	while (!ret && (piece = next_piece(&rest)))
		ret = take_key(p, piece);
	if (!ret)
		ret = check(p);
	if (!ret)
		choose_name(p);
	return ret;
}

int vmm_device_parse(struct vmm_device *devs, unsigned int nr, const char *text, struct vl_err *err)
{
	struct vmm_device dev = { .opt = { .queues = 1, .group = -1 }, .text = strdup(text) };
	struct parser p = { .dev = &dev, .devs = devs, .nr = nr, .err = err };
	int ret;

	if (!dev.text)
		return vl_err_set(err, -ENOMEM, "out of memory");
	ret = parse(&p);
	if (ret) {
		vl_err_prefix(err, "--device %s", text);
		vmm_device_free(&dev);
		return ret;
	}
	devs[nr] = dev;
	return 0;
}

bool vmm_device_has_vhost(const struct vmm_device *dev)
{
	const struct device_options *opt = &dev->opt;

	if (opt->socket)
		return false;
	return opt->kind == &device_vsock ||
	       (opt->kind == &device_net && opt->tap && !dev->no_vhost);
}

void vmm_device_free(struct vmm_device *dev)
{
	free(dev->text);
	dev->text = NULL;
}
