// SPDX-License-Identifier: GPL-2.0-only
#include <stddef.h>
#include <string.h>

#include "device.h"

static const struct device_kind *const kinds[] = {
	&device_loopback, &device_null,	   &device_blk,	  &device_net,
	&device_rng,	  &device_console, &device_vsock,
};

const struct device_kind *device_kind_at(unsigned int i)
{
	return i < sizeof(kinds) / sizeof(kinds[0]) ? kinds[i] : NULL;
}

const struct device_kind *device_kind_find(const char *name)
{
	const struct device_kind *kind;

	for (unsigned int i = 0; (kind = device_kind_at(i)); i++)
		if (!strcmp(kind->name, name))
			return kind;
	return NULL;
}

bool device_kind_has(const struct device_kind *kind, const char *option)
{
	for (const char *const *o = kind->options; o && *o; o++)
		if (!strcmp(*o, option))
			return true;
	return false;
}
