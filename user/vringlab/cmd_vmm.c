// SPDX-License-Identifier: GPL-2.0-only
/*
 * vringlab vmm: run a micro-guest on KVM.
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include <vringlab/err.h>
#include <vringlab/parse.h>
#include <vringlab/vmm_storm.h>

#include "command.h"
#include "vmm.h"
#include "vmm_explain.h"

#define NSEC_PER_SEC 1000000000ull
#define TIMEOUT_MAX_NS (24 * 3600 * NSEC_PER_SEC)

#define DEFAULT_COUNT 1000u
#define DEFAULT_SIZE 64u
#define DEFAULT_QUEUE_SIZE 256u
#define DEFAULT_DEPTH 1u
#define DEFAULT_MEMORY (16ull << 20)

/* hello's page, and those below that vmm_guest_load() may use */
#define HELLO_MEMORY 0x20000u

static const struct guest {
	const char *name;
	int (*run)(const struct vmm_options *options);
	unsigned int timeout_s; /* default */
	uint64_t memory; /* default */
} guests[] = {
	{ "hello", vmm_run_hello, 10, HELLO_MEMORY },
	{ "ring-ping", vmm_run_ping, 120, DEFAULT_MEMORY },
	{ "exit-cost", vmm_run_exit_cost, 120, 0 },
	{ "irq-cost", vmm_run_irq_cost, 120, 0 },
	{ "doorbell-storm", vmm_run_storm, 120, 0 },
};

/* Bits for the rows above. */
enum {
	HELLO = 1 << 0,
	RING_PING = 1 << 1,
	EXIT_COST = 1 << 2,
	IRQ_COST = 1 << 3,
	STORM = 1 << 4,
};

#define NR_GUESTS (sizeof(guests) / sizeof(guests[0]))

enum {
	OPT_COUNT = 256,
	OPT_DEPTH,
	OPT_DOORBELL,
	OPT_DUMP_REGS,
	OPT_EVENTFDS,
	OPT_EXPLAIN,
	OPT_GUEST,
	OPT_IRQCHIP,
	OPT_JSON,
	OPT_KVM,
	OPT_MEMORY,
	OPT_QUEUE_SIZE,
	OPT_RECONNECT,
	OPT_SIZE,
	OPT_SOCKET,
	OPT_TIMEOUT,
	OPT_WAIT,
};

static const struct option long_options[] = {
	{ "count", required_argument, NULL, OPT_COUNT },
	{ "depth", required_argument, NULL, OPT_DEPTH },
	{ "doorbell", required_argument, NULL, OPT_DOORBELL },
	{ "dump-regs", no_argument, NULL, OPT_DUMP_REGS },
	{ "eventfds", required_argument, NULL, OPT_EVENTFDS },
	{ "explain", no_argument, NULL, OPT_EXPLAIN },
	{ "guest", required_argument, NULL, OPT_GUEST },
	{ "help", no_argument, NULL, 'h' },
	{ "irqchip", required_argument, NULL, OPT_IRQCHIP },
	{ "json", no_argument, NULL, OPT_JSON },
	{ "kvm", required_argument, NULL, OPT_KVM },
	{ "memory", required_argument, NULL, OPT_MEMORY },
	{ "queue-size", required_argument, NULL, OPT_QUEUE_SIZE },
	{ "reconnect", no_argument, NULL, OPT_RECONNECT },
	{ "size", required_argument, NULL, OPT_SIZE },
	{ "socket", required_argument, NULL, OPT_SOCKET },
	{ "timeout", required_argument, NULL, OPT_TIMEOUT },
	{ "wait", required_argument, NULL, OPT_WAIT },
	{ NULL, 0, NULL, 0 },
};

/* Options that not every guest has. */
static const struct {
	int opt;
	unsigned int guests;
} restricted[] = {
	{ OPT_COUNT, RING_PING | EXIT_COST | IRQ_COST | STORM },
	{ OPT_DEPTH, RING_PING },
	{ OPT_DOORBELL, RING_PING | STORM },
	{ OPT_EVENTFDS, STORM },
	{ OPT_IRQCHIP, HELLO },
	{ OPT_MEMORY, HELLO | RING_PING },
	{ OPT_QUEUE_SIZE, RING_PING },
	{ OPT_RECONNECT, RING_PING },
	{ OPT_SIZE, RING_PING },
	{ OPT_SOCKET, RING_PING },
	{ OPT_WAIT, RING_PING },
};

static void usage(FILE *f)
{
	fputs("usage: vringlab vmm --guest hello [OPTION]...\n"
	      "       vringlab vmm --guest ring-ping --socket PATH [OPTION]...\n"
	      "       vringlab vmm --guest exit-cost|irq-cost|doorbell-storm [OPTION]...\n\n"
	      "Runs a micro-guest on KVM. Its output goes to stdout, a report after it;\n"
	      "the exit code tells whether it succeeded.\n\n"
	      "  --guest hello       adds 2 and 2 in real mode and prints the sum\n"
	      "  --guest ring-ping   kicks a virtqueue and checks each answer\n"
	      "  --guest exit-cost   measures what each kind of exit takes\n"
	      "  --guest irq-cost    measures what an interrupt takes\n"
	      "  --guest doorbell-storm  rings doorbells as fast as it can\n"
	      "  --timeout DURATION  stop a guest that has not ended by then, in ns, us,\n"
	      "                      ms or s (default 120s; hello 10s)\n"
	      "  --kvm PATH          KVM device (default " VMM_KVM_PATH ")\n"
	      "  --dump-regs         print the registers to stderr, before and after\n"
	      "  --explain           tell each call to KVM as it happens; of hello also each\n"
	      "                      exit\n"
	      "  --json              report as JSON\n"
	      "  --help              print this\n\n"
	      "all but hello:\n"
	      "  --count N           iterations, for ring-ping each of them one kick, for\n"
	      "                      doorbell-storm doorbells (default 1000)\n\n"
	      "ring-ping and doorbell-storm:\n"
	      "  --doorbell pio|mmio kick by an I/O port or by memory (default pio)\n\n"
	      "doorbell-storm only:\n"
	      "  --eventfds N        doorbells, each with its eventfd (default 1)\n\n"
	      "hello and ring-ping:\n"
	      "  --memory SIZE       guest memory, K, M and G allowed (default 128K, 16M)\n\n"
	      "hello only:\n"
	      "  --irqchip none|lapic|pc  interrupt controllers in the kernel (default none)\n\n"
	      "ring-ping only:\n"
	      "  --socket PATH       vhost-user back-end that serves the virtqueue\n"
	      "  --reconnect         when the back-end is lost, go on with the next one there\n"
	      "  --size BYTES        of each buffer, K and M allowed (default 64)\n"
	      "  --queue-size N      descriptors, a power of two (default 256)\n"
	      "  --depth N           chains of two descriptors per kick (default 1)\n"
	      "  --wait halt|spin    how to wait for the interrupt (default halt)\n",
	      f);
}

/* The message for a number that vl_parse_*() has refused. */
static int bad_number(const char *option, const char *text, int code, const char *range)
{
	return usage_error("vmm", "--%s %s: %s; it takes %s", option, text,
			   code == -ERANGE ? "out of range" : "not a number", range);
}

static int parse_u32(const char *option, const char *text, uint32_t max, uint32_t *value)
{
	char range[64];
	uint64_t number;
	int ret = vl_parse_u64(text, 1, max, &number);

	if (ret) {
		snprintf(range, sizeof(range), "1 to %u", max);
		return bad_number(option, text, ret, range);
	}
	*value = number;
	return 0;
}

static int parse_choice(const char *option, const char *text, const char *first, const char *second,
			bool *is_second)
{
	*is_second = !strcmp(text, second);
	if (*is_second || !strcmp(text, first))
		return 0;
	return usage_error("vmm", "--%s %s: it takes %s or %s", option, text, first, second);
}

static int parse_count(const char *text, uint64_t *count)
{
	int ret = vl_parse_u64(text, 1, VMM_MICRO_COUNT_MAX, count);

	return ret ? bad_number("count", text, ret, "1 to 4294967296") : 0;
}

static int parse_size(const char *text, uint32_t *size)
{
	uint64_t bytes;
	int ret = vl_parse_size(text, 1, VMM_RING_PING_SIZE_MAX, &bytes);

	if (ret)
		return bad_number("size", text, ret, "1 to 1M");
	*size = bytes;
	return 0;
}

static int parse_memory(const char *text, uint64_t *memory)
{
	int ret = vl_parse_size(text, HELLO_MEMORY, VMM_MICRO_MEMORY_MAX, memory);

	return ret ? bad_number("memory", text, ret, "128K to 3G") : 0;
}

static int parse_irqchip(const char *text, struct vmm_options *o)
{
	o->hello.has_irqchip = true;
	if (!strcmp(text, "lapic"))
		o->hello.irqchip = VMM_IRQCHIP_LAPIC;
	else if (!strcmp(text, "pc"))
		o->hello.irqchip = VMM_IRQCHIP_PC;
	else if (!strcmp(text, "none"))
		o->hello.has_irqchip = false;
	else
		return usage_error("vmm", "--irqchip %s: it takes none, lapic or pc", text);
	return 0;
}

static int parse_timeout(const char *text, uint64_t *timeout_ns)
{
	int ret = vl_parse_duration_ns(text, 1, TIMEOUT_MAX_NS, timeout_ns);

	return ret ? bad_number("timeout", text, ret, "1ns to 86400s, with the unit") : 0;
}

/* Options that only some guests have. */
static int parse_guest_option(int opt, const char *name, struct vmm_options *o)
{
	bool second = false;
	int ret = 0;

	switch (opt) {
	case OPT_COUNT:
		ret = parse_count(optarg, &o->ping.count);
		break;
	case OPT_DEPTH:
		ret = parse_u32(name, optarg, VMM_RING_PING_QUEUE_MAX / 2, &o->ping.depth);
		break;
	case OPT_DOORBELL:
		ret = parse_choice(name, optarg, "pio", "mmio", &second);
		o->ping.doorbell = second ? VMM_BUS_MMIO : VMM_BUS_PIO;
		break;
	case OPT_EVENTFDS:
		ret = parse_u32(name, optarg, VMM_STORM_EVENTFDS_MAX, &o->eventfds);
		break;
	case OPT_IRQCHIP:
		ret = parse_irqchip(optarg, o);
		break;
	case OPT_MEMORY:
		ret = parse_memory(optarg, &o->memory);
		break;
	case OPT_QUEUE_SIZE:
		ret = parse_u32(name, optarg, VMM_RING_PING_QUEUE_MAX, &o->ping.queue_size);
		break;
	case OPT_RECONNECT:
		o->reconnect = true;
		break;
	case OPT_SIZE:
		ret = parse_size(optarg, &o->ping.payload_bytes);
		break;
	case OPT_SOCKET:
		o->socket = optarg;
		break;
	case OPT_WAIT:
		ret = parse_choice(name, optarg, "halt", "spin", &o->ping.spin);
		break;
	}
	o->given |= 1u << (opt - OPT_COUNT);
	return ret;
}

static int parse_option(int opt, const char *name, struct vmm_options *o)
{
	switch (opt) {
	case OPT_DUMP_REGS:
		o->dump_regs = true;
		return 0;
	case OPT_EXPLAIN:
		o->explain = true;
		return 0;
	case OPT_GUEST:
		o->guest = optarg;
		return 0;
	case OPT_JSON:
		o->json = true;
		return 0;
	case OPT_KVM:
		o->kvm_path = optarg;
		return 0;
	case OPT_TIMEOUT:
		return parse_timeout(optarg, &o->timeout_ns);
	}
	return parse_guest_option(opt, name, o);
}

/* Returns 0 to go on, EXIT_USAGE, or -1 after --help. */
static int parse_options(int argc, char **argv, struct vmm_options *o)
{
	int index = 0, opt, ret;

	opterr = 0;
	while ((opt = getopt_long(argc, argv, "+:h", long_options, &index)) != -1) {
		if (opt == 'h') {
			usage(stdout);
			return -1;
		}
		if (opt == ':' || opt == '?')
			return option_error("vmm", opt, argv);
		ret = parse_option(opt, long_options[index].name, o);
		if (ret)
			return ret;
	}
	if (optind < argc)
		return usage_error("vmm", "'%s' is no option", argv[optind]);
	return 0;
}

static const char *option_name(int opt)
{
	const struct option *o = long_options;

	while (o->val != opt)
		o++;
	return o->name;
}

/* An option given that the guest does not have. */
static int foreign_option(int opt, unsigned int allowed)
{
	char names[128] = "";

	for (size_t i = 0; i < NR_GUESTS; i++) {
		size_t len = strlen(names);

		if (allowed >> i & 1)
			snprintf(names + len, sizeof(names) - len, "%s%s", len ? " or " : "",
				 guests[i].name);
	}
	return usage_error("vmm", "--%s is for --guest %s only", option_name(opt), names);
}

/* What can be said about the options only together. */
static int check_options(const struct vmm_options *o, const struct guest *guest)
{
	bool ping = !strcmp(guest->name, "ring-ping");
	struct vl_err err;

	for (size_t i = 0; i < sizeof(restricted) / sizeof(restricted[0]); i++)
		if (o->given >> (restricted[i].opt - OPT_COUNT) & 1 &&
		    !(restricted[i].guests >> (guest - guests) & 1))
			return foreign_option(restricted[i].opt, restricted[i].guests);
	if (o->explain && o->json)
		return usage_error("vmm", "--explain and --json exclude each other");
	if (ping && !o->socket)
		return usage_error("vmm", "--guest ring-ping needs --socket PATH");
	if (ping && vmm_ring_ping_validate(&o->ping, &err))
		return usage_error("vmm", "%s", err.msg);
	return 0;
}

static int run_guest(struct vmm_options *o, const struct guest *guest)
{
	int ret;

	if (!o->timeout_ns)
		o->timeout_ns = guest->timeout_s * NSEC_PER_SEC;
	if (!o->memory)
		o->memory = guest->memory;
	o->ping.memory = o->memory;
	ret = check_options(o, guest);
	if (ret)
		return ret;
	if (o->explain)
		vmm_explain_start(guest->run == vmm_run_hello);
	return guest->run(o);
}

int cmd_vmm(int argc, char **argv)
{
	struct vmm_options options = {
		.eventfds = 1,
		.ping = {
			.count = DEFAULT_COUNT,
			.payload_bytes = DEFAULT_SIZE,
			.queue_size = DEFAULT_QUEUE_SIZE,
			.depth = DEFAULT_DEPTH,
		},
	};
	int ret;

	ret = parse_options(argc, argv, &options);
	if (ret)
		return ret < 0 ? EXIT_OK : ret;
	if (!options.guest)
		return usage_error("vmm",
				   "which guest? --guest hello or --guest ring-ping, for example");
	for (size_t i = 0; i < NR_GUESTS; i++)
		if (!strcmp(options.guest, guests[i].name))
			return run_guest(&options, &guests[i]);
	return usage_error("vmm",
			   "no guest '%s': there are hello, ring-ping, exit-cost, irq-cost and "
			   "doorbell-storm",
			   options.guest);
}
