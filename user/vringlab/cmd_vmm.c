// SPDX-License-Identifier: GPL-2.0-only
/*
 * vringlab vmm: run Linux or a micro-guest on KVM.
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
#include "vmm_sandbox.h"

#define NSEC_PER_SEC 1000000000ull
#define TIMEOUT_MAX_NS (24 * 3600 * NSEC_PER_SEC)

#define DEFAULT_COUNT 1000u
#define DEFAULT_DEPTH 1u
#define DEFAULT_CPUS 1u

/* hello's page, and those below that vmm_guest_load() may use */
#define HELLO_MEMORY 0x20000u
#define PING_MEMORY (16ull << 20)
#define LINUX_MEMORY (256ull << 20)

#define PAGE_BYTES 4096u

/*
 * @selector is how the command line asks for it; a timeout of 0 is none. The last three
 * are of those that have a choice of memory.
 */
static const struct guest {
	const char *name;
	const char *selector;
	int (*run)(const struct vmm_options *options);
	unsigned int timeout_s;
	uint64_t memory;
	uint64_t memory_min;
	uint64_t memory_max;
	const char *memory_range;
} guests[] = {
	{ "hello", "--guest hello", vmm_run_hello, 10, HELLO_MEMORY, HELLO_MEMORY,
	  VMM_MICRO_MEMORY_MAX, "128K to 3G" },
	{ "ring-ping", "--guest ring-ping", vmm_run_ping, 120, PING_MEMORY, VMM_MICRO_MEMORY_MIN,
	  VMM_MICRO_MEMORY_MAX, "2M to 3G" },
	{ "exit-cost", "--guest exit-cost", vmm_run_exit_cost, 120, 0, 0, 0, NULL },
	{ "irq-cost", "--guest irq-cost", vmm_run_irq_cost, 120, 0, 0, 0, NULL },
	{ "doorbell-storm", "--guest doorbell-storm", vmm_run_storm, 120, 0, 0, 0, NULL },
	{ "linux", "--kernel", vmm_run_linux, 0, LINUX_MEMORY, MACHINE_MEMORY_MIN, UINT64_MAX,
	  "2M to what the host has" },
};

/* Bits for the rows above. */
enum {
	HELLO = 1 << 0,
	RING_PING = 1 << 1,
	EXIT_COST = 1 << 2,
	IRQ_COST = 1 << 3,
	STORM = 1 << 4,
	LINUX = 1 << 5,
	MICRO = LINUX - 1,
};

#define NR_GUESTS (sizeof(guests) / sizeof(guests[0]))

enum {
	OPT_APPEND = 256,
	OPT_BENCH,
	OPT_COUNT,
	OPT_CPUS,
	OPT_DEPTH,
	OPT_DEVICE,
	OPT_DOORBELL,
	OPT_DUMP_REGS,
	OPT_EVENTFDS,
	OPT_EXPLAIN,
	OPT_GUEST,
	OPT_HOUSE_KEEPING,
	OPT_INITRD,
	OPT_IRQCHIP,
	OPT_JSON,
	OPT_KERNEL,
	OPT_KVM,
	OPT_MEMORY,
	OPT_NO_SANDBOX,
	OPT_PAGES,
	OPT_PIN,
	OPT_PRIORITY,
	OPT_QUEUE_SIZE,
	OPT_RECONNECT,
	OPT_SIZE,
	OPT_SOCKET,
	OPT_TIMEOUT,
	OPT_TRACE,
	OPT_WAIT,
};

static const struct option long_options[] = {
	{ "append", required_argument, NULL, OPT_APPEND },
	{ "bench", required_argument, NULL, OPT_BENCH },
	{ "count", required_argument, NULL, OPT_COUNT },
	{ "cpus", required_argument, NULL, OPT_CPUS },
	{ "depth", required_argument, NULL, OPT_DEPTH },
	{ "device", required_argument, NULL, OPT_DEVICE },
	{ "doorbell", required_argument, NULL, OPT_DOORBELL },
	{ "dump-regs", no_argument, NULL, OPT_DUMP_REGS },
	{ "eventfds", required_argument, NULL, OPT_EVENTFDS },
	{ "explain", no_argument, NULL, OPT_EXPLAIN },
	{ "guest", required_argument, NULL, OPT_GUEST },
	{ "help", no_argument, NULL, 'h' },
	{ "house-keeping", required_argument, NULL, OPT_HOUSE_KEEPING },
	{ "initrd", required_argument, NULL, OPT_INITRD },
	{ "irqchip", required_argument, NULL, OPT_IRQCHIP },
	{ "json", no_argument, NULL, OPT_JSON },
	{ "kernel", required_argument, NULL, OPT_KERNEL },
	{ "kvm", required_argument, NULL, OPT_KVM },
	{ "memory", required_argument, NULL, OPT_MEMORY },
	{ "no-sandbox", no_argument, NULL, OPT_NO_SANDBOX },
	{ "pages", required_argument, NULL, OPT_PAGES },
	{ "pin", required_argument, NULL, OPT_PIN },
	{ "priority", required_argument, NULL, OPT_PRIORITY },
	{ "queue-size", required_argument, NULL, OPT_QUEUE_SIZE },
	{ "reconnect", no_argument, NULL, OPT_RECONNECT },
	{ "size", required_argument, NULL, OPT_SIZE },
	{ "socket", required_argument, NULL, OPT_SOCKET },
	{ "timeout", required_argument, NULL, OPT_TIMEOUT },
	{ "trace", no_argument, NULL, OPT_TRACE },
	{ "wait", required_argument, NULL, OPT_WAIT },
	{ NULL, 0, NULL, 0 },
};

/* Options that not every guest has. */
static const struct {
	int opt;
	unsigned int guests;
} restricted[] = {
	{ OPT_APPEND, LINUX },
	{ OPT_BENCH, LINUX },
	{ OPT_COUNT, RING_PING | EXIT_COST | IRQ_COST | STORM | LINUX },
	{ OPT_CPUS, LINUX },
	{ OPT_DEPTH, RING_PING },
	{ OPT_DEVICE, RING_PING | LINUX },
	{ OPT_DOORBELL, RING_PING | STORM },
	{ OPT_EVENTFDS, STORM },
	{ OPT_EXPLAIN, MICRO },
	{ OPT_INITRD, LINUX },
	{ OPT_IRQCHIP, HELLO },
	{ OPT_MEMORY, HELLO | RING_PING | LINUX },
	{ OPT_PAGES, LINUX },
	{ OPT_QUEUE_SIZE, RING_PING },
	{ OPT_RECONNECT, RING_PING },
	{ OPT_SIZE, RING_PING },
	{ OPT_SOCKET, RING_PING },
	{ OPT_TRACE, RING_PING | LINUX },
	{ OPT_WAIT, RING_PING },
};

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

static int parse_pages(const char *text, enum vmm_pages *pages)
{
	static const char *const names[] = {
		[VMM_PAGES_BASE] = "base",
		[VMM_PAGES_THP] = "thp",
		[VMM_PAGES_HUGETLB] = "hugetlb",
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(text, names[i]))
			continue;
		*pages = i;
		return 0;
	}
	return usage_error("vmm", "--pages %s: it takes base, thp or hugetlb", text);
}

static int parse_device(const char *text, struct vmm_options *o)
{
	struct vl_err err;

	if (o->nr_devices == VMM_DEVICES_MAX)
		return usage_error("vmm", "--device %s: a machine has at most %u", text,
				   VMM_DEVICES_MAX);
	if (vmm_device_parse(o->devices, o->nr_devices, text, &err))
		return usage_error("vmm", "%s", err.msg);
	o->nr_devices++;
	return 0;
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

/* What Linux has, and of which ring-ping has some. */
static int parse_linux_option(int opt, const char *name, struct vmm_options *o)
{
	switch (opt) {
	case OPT_APPEND:
		o->append = optarg;
		return 0;
	case OPT_BENCH:
		if (!vmm_bench_parse(&o->bench, optarg))
			return 0;
		return usage_error("vmm",
				   "--bench %s: it takes net, blk and vsock, each once, "
				   "with commas between",
				   optarg);
	case OPT_CPUS:
		return parse_u32(name, optarg, MACHINE_CPUS_MAX, &o->cpus);
	case OPT_DEVICE:
		return parse_device(optarg, o);
	case OPT_INITRD:
		o->initrd = optarg;
		return 0;
	case OPT_PAGES:
		return parse_pages(optarg, &o->pages);
	case OPT_TRACE:
		o->trace = true;
		return 0;
	}
	return 0;
}

/* What some micro-guests have. */
static int parse_micro_option(int opt, const char *name, struct vmm_options *o)
{
	bool second = false;
	int ret;

	switch (opt) {
	case OPT_COUNT:
		return parse_count(optarg, &o->ping.count);
	case OPT_DEPTH:
		return parse_u32(name, optarg, VMM_RING_PING_QUEUE_MAX / 2, &o->ping.depth);
	case OPT_DOORBELL:
		ret = parse_choice(name, optarg, "pio", "mmio", &second);
		o->has_doorbell = true;
		o->ping.doorbell = second ? VMM_BUS_MMIO : VMM_BUS_PIO;
		return ret;
	case OPT_EVENTFDS:
		return parse_u32(name, optarg, VMM_STORM_EVENTFDS_MAX, &o->eventfds);
	case OPT_EXPLAIN:
		o->explain = true;
		return 0;
	case OPT_IRQCHIP:
		return parse_irqchip(optarg, o);
	case OPT_QUEUE_SIZE:
		return parse_u32(name, optarg, VMM_RING_PING_QUEUE_MAX, &o->ping.queue_size);
	case OPT_RECONNECT:
		o->reconnect = true;
		return 0;
	case OPT_SIZE:
		return parse_size(optarg, &o->ping.payload_bytes);
	case OPT_SOCKET:
		o->socket = optarg;
		return 0;
	case OPT_WAIT:
		return parse_choice(name, optarg, "halt", "spin", &o->ping.spin);
	}
	return parse_linux_option(opt, name, o);
}

static int parse_option(int opt, const char *name, struct vmm_options *o)
{
	o->given |= 1u << (opt - OPT_APPEND);
	switch (opt) {
	case OPT_DUMP_REGS:
		o->dump_regs = true;
		return 0;
	case OPT_GUEST:
		o->guest = optarg;
		return 0;
	case OPT_JSON:
		o->json = true;
		return 0;
	case OPT_KERNEL:
		o->kernel = optarg;
		return 0;
	case OPT_KVM:
		o->kvm_path = optarg;
		return 0;
	case OPT_HOUSE_KEEPING:
		return vmm_threads_parse_house_keeping(&o->threads, optarg);
	case OPT_MEMORY:
		o->memory_text = optarg;
		return 0;
	case OPT_NO_SANDBOX:
		o->no_sandbox = true;
		return 0;
	case OPT_PIN:
		return vmm_threads_parse_pin(&o->threads, optarg);
	case OPT_PRIORITY:
		return vmm_threads_parse_priority(&o->threads, optarg);
	case OPT_TIMEOUT:
		return parse_timeout(optarg, &o->timeout_ns);
	}
	return parse_micro_option(opt, name, o);
}

/* Returns 0 to go on, EXIT_USAGE, or -1 after --help. */
static int parse_options(int argc, char **argv, struct vmm_options *o)
{
	int index = 0, opt, ret;

	opterr = 0;
	while ((opt = getopt_long(argc, argv, "+:h", long_options, &index)) != -1) {
		if (opt == 'h') {
			vmm_usage(stdout);
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
	char names[160] = "";

	for (size_t i = 0; i < NR_GUESTS; i++) {
		size_t len = strlen(names);

		if (allowed >> i & 1)
			snprintf(names + len, sizeof(names) - len, "%s%s", len ? " or " : "",
				 guests[i].selector);
	}
	return usage_error("vmm", "--%s is for %s only", option_name(opt), names);
}

static int check_foreign(const struct vmm_options *o, const struct guest *guest)
{
	for (size_t i = 0; i < sizeof(restricted) / sizeof(restricted[0]); i++)
		if (o->given >> (restricted[i].opt - OPT_APPEND) & 1 &&
		    !(restricted[i].guests >> (guest - guests) & 1))
			return foreign_option(restricted[i].opt, restricted[i].guests);
	return 0;
}

static int parse_memory(struct vmm_options *o, const struct guest *guest)
{
	const char *text = o->memory_text;
	int ret;

	o->memory = guest->memory;
	if (!text)
		return 0;
	ret = vl_parse_size(text, guest->memory_min, guest->memory_max, &o->memory);
	if (ret)
		return bad_number("memory", text, ret, guest->memory_range);
	if (guest->run != vmm_run_linux)
		return 0;
	if (o->memory % PAGE_BYTES)
		return usage_error("vmm", "--memory %s: it takes whole pages of 4K", text);
	if (o->pages == VMM_PAGES_HUGETLB && o->memory % VMM_HUGE_PAGE_SIZE)
		return usage_error("vmm", "--memory %s: hugetlb takes whole pages of 2M", text);
	return 0;
}

/* What can be said about the options only together. */
static int check_options(struct vmm_options *o, const struct guest *guest)
{
	if (o->given >> (OPT_COUNT - OPT_APPEND) & 1 && o->kernel && !o->bench.nr)
		return usage_error("vmm", "--count is for a kernel with --bench only");
	if (o->explain && o->json)
		return usage_error("vmm", "--explain and --json exclude each other");
	return guest->run == vmm_run_ping ? vmm_ping_check_options(o) : 0;
}

static int run_guest(struct vmm_options *o, const struct guest *guest)
{
	struct vl_err err;
	int ret;

	if (!o->timeout_ns)
		o->timeout_ns = guest->timeout_s * NSEC_PER_SEC;
	ret = check_foreign(o, guest);
	if (ret)
		return ret;
	ret = parse_memory(o, guest);
	if (ret)
		return ret;
	o->ping.memory = o->memory;
	ret = check_options(o, guest);
	if (!ret)
		ret = vmm_threads_start(&o->threads, o->cpus);
	if (ret)
		return ret;
	if (vmm_sandbox_check(o, &err))
		return fail(&err, EXIT_UNSUPPORTED);
	if (o->explain)
		vmm_explain_start(guest->run == vmm_run_hello);
	return guest->run(o);
}

static int run_chosen(struct vmm_options *o)
{
	if (o->kernel && o->guest)
		return usage_error("vmm", "--kernel and --guest: which of the two?");
	if (o->kernel)
		o->guest = "linux";
	else if (!o->guest)
		return usage_error("vmm", "--kernel FILE, --guest hello or --guest ring-ping?");
	for (size_t i = 0; i < NR_GUESTS; i++)
		if (!strcmp(o->guest, guests[i].name) &&
		    (o->kernel || guests[i].run != vmm_run_linux))
			return run_guest(o, &guests[i]);
	return usage_error("vmm",
			   "no guest '%s': there are hello, ring-ping, exit-cost, irq-cost and "
			   "doorbell-storm",
			   o->guest);
}

int cmd_vmm(int argc, char **argv)
{
	struct vmm_options options = {
		.no_sandbox = VMM_HAS_NO_SANDBOX,
		.eventfds = 1,
		.cpus = DEFAULT_CPUS,
		.ping = {
			.count = DEFAULT_COUNT,
			.depth = DEFAULT_DEPTH,
		},
	};
	int ret;

	ret = parse_options(argc, argv, &options);
	if (!ret)
		ret = run_chosen(&options);
	else if (ret < 0)
		ret = EXIT_OK;
	for (unsigned int i = 0; i < options.nr_devices; i++)
		vmm_device_free(&options.devices[i]);
	return ret;
}
