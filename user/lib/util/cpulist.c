// SPDX-License-Identifier: LGPL-2.1-or-later
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <vringlab/cpulist.h>

/* One number, of decimal digits only; @text is put behind it. */
static int take_number(const char **text, unsigned long *number)
{
	char *end;

	if (!isdigit((unsigned char)**text))
		return -EINVAL;
	*number = strtoul(*text, &end, 10);
	*text = end;
	return *number < VL_CPUS_MAX ? 0 : -ERANGE;
}

/* What may follow the first number of a range. */
static int take_optional(const char **text, char mark, unsigned long *number)
{
	if (**text != mark)
		return 0;
	++*text;
	return take_number(text, number);
}

static int take_range(const char **text, unsigned long *first, unsigned long *last,
		      unsigned long *step)
{
	int ret = take_number(text, first);

	*last = *first;
	*step = 1;
	if (ret || **text != '-')
		return ret;
	ret = take_optional(text, '-', last);
	if (!ret)
		ret = take_optional(text, ':', step);
	return ret || (*first <= *last && *step) ? ret : -EINVAL;
}

int vl_cpulist_parse(const char *text, unsigned int *cpus, unsigned int max)
{
	unsigned long first, last, step;
	unsigned int nr = 0;

	for (;; text++) {
		int ret = take_range(&text, &first, &last, &step);

		if (ret)
			return ret;
		for (; first <= last; first += step) {
			if (nr == max)
				return -E2BIG;
			cpus[nr++] = first;
		}
		if (*text != ',')
			return *text ? -EINVAL : (int)nr;
	}
}

static unsigned int last_of_range(const cpu_set_t *set, unsigned int cpu)
{
	while (cpu + 1 < VL_CPUS_MAX && CPU_ISSET(cpu + 1, set))
		cpu++;
	return cpu;
}

const char *vl_cpulist_print(const cpu_set_t *set, char *text, size_t size)
{
	size_t len = 0;

	text[0] = '\0';
	for (unsigned int cpu = 0; cpu < VL_CPUS_MAX && len < size; cpu++) {
		unsigned int last;

		if (!CPU_ISSET(cpu, set))
			continue;
		last = last_of_range(set, cpu);
		len += snprintf(text + len, size - len, last > cpu ? "%s%u-%u" : "%s%u",
				len ? "," : "", cpu, last);
		cpu = last;
	}
	return text;
}
