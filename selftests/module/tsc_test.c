// SPDX-License-Identifier: GPL-2.0-only
/*
 * Causality, by a clock that is not the module's: the guest reads the TSC before its
 * doorbell and in its interrupt handler. All the module has stamped in between must
 * lie between the two, and take no longer.
 */
#include <inttypes.h>
#include <x86intrin.h>

#include "machine.h"
#include "t_trace.h"

#define ROUNDS 100
#define STAMPS 0x3000u /* two of 8 bytes a round */
#define INSTANCE "/instances/vringlab_tsc"

extern const char guest_start[], guest_round[], guest_irq[], guest_end[];

static const struct code guest = { guest_start, guest_end, guest_irq };

/* ebx: the round's stamps. Only the first interrupt of a round counts. */
/* clang-format off */
asm(".pushsection .rodata\n"
	".code16\n"
	"guest_start:\n"
	"guest_round:\n"
	"	lfence\n"
	"	rdtsc\n"
	"	mov %eax, %cs:(%bx)\n"
	"	mov %edx, %cs:4(%bx)\n"
	"	mov $0x510, %dx\n"
	"	out %ax, %dx\n"
	"	mov $0xf4, %dx\n"
	"	out %al, %dx\n"
	"	movb $1, %cs:0x2004\n"
	"	sti\n"
	"	nop\n"
	"	nop\n"
	"	cli\n"
	"	jmp guest_round\n"
	"guest_irq:\n"
	"	cmpb $0, %cs:0x2004\n"
	"	jz 1f\n"
	"	movb $0, %cs:0x2004\n"
	"	lfence\n"
	"	rdtsc\n"
	"	mov %eax, %cs:8(%bx)\n"
	"	mov %edx, %cs:12(%bx)\n"
	"	add $16, %bx\n"
	"	incl %cs:0x2000\n"
	"1:	movl $0, %es:0xb0\n"
	"	iretw\n"
	"guest_end:\n"
	".code64\n"
	".popsection\n");

/* clang-format on */

/* The two clocks at one moment: @ns was read between @first and @last. */
struct moment {
	uint64_t first;
	uint64_t ns;
	uint64_t last;
};

struct round {
	uint64_t doorbell; /* by the guest, as the host's TSC */
	uint64_t kick; /* by the trace clock */
	uint64_t inject;
	uint64_t entry;
	uint64_t interrupt;
	uint64_t spans_ns;
};

/* clang-format off */
FIXTURE(tsc) {
	struct t_genl g;
	struct machine m;
	struct vcpu c;
	int kick;
	int call;
	struct t_vring v;
	struct t_stats s;
	char dir[128];
	struct moment begin;
	struct moment end;
	struct round round[ROUNDS + 2];
	int nr_kicks;
	int nr_injects;
	int nr_entries;
};

/* clang-format on */

FIXTURE_SETUP(tsc)
{
	OPEN_OR_SKIP(&self->g);
	OPEN_KVM_OR_SKIP(&self->m);
	if (!t_tracefs())
		SKIP(return, "needs tracefs: mount -t tracefs nodev /sys/kernel/tracing");
	snprintf(self->dir, sizeof(self->dir), "%s%s", t_tracefs(), INSTANCE);
	rmdir(self->dir);
	ASSERT_EQ(0, mkdir(self->dir, 0700));
	ASSERT_EQ(0, t_trace_put_in(self->dir, "trace_clock", "x86-tsc"));
	machine_init(_metadata, &self->m, &guest);
	self->kick = new_eventfd(_metadata, 0);
	self->call = new_eventfd(_metadata, EFD_NONBLOCK);
	add_ioeventfd(_metadata, &self->m, self->kick, true, 2);
	set_route(_metadata, &self->m, true, VECTOR);
	set_irqfd(_metadata, &self->m, self->call, 0);
	register_vring(_metadata, &self->g, self->kick, self->call, &self->v);
	vcpu_init(_metadata, &self->m, &self->c, 0, guest_round, 0, STAMPS);
	pin(_metadata, 0);
}

FIXTURE_TEARDOWN(tsc)
{
	t_trace_put_in(self->dir, "events/vringlab/enable", "0");
	EXPECT_EQ(0, rmdir(self->dir));
	vcpu_exit(&self->m, &self->c);
	machine_exit(&self->m);
	t_genl_close(&self->g);
}

static struct moment now(void)
{
	struct timespec ts;
	struct moment m;

	m.first = __rdtsc();
	_mm_lfence();
	clock_gettime(CLOCK_MONOTONIC, &ts);
	_mm_lfence();
	m.last = __rdtsc();
	m.ns = ts.tv_sec * 1000000000ull + ts.tv_nsec;
	return m;
}

/* What KVM adds to the host's TSC for the guest. */
static int tsc_offset(int vcpu, uint64_t *offset)
{
	struct kvm_device_attr attr = {
		.group = KVM_VCPU_TSC_CTRL,
		.attr = KVM_VCPU_TSC_OFFSET,
		.addr = (uintptr_t)offset,
	};

	return ioctl(vcpu, KVM_GET_DEVICE_ATTR, &attr) ? -errno : 0;
}

static uint64_t number_after(const char *line, const char *key)
{
	const char *at = strstr(line, key);

	return at ? strtoull(at + strlen(key), NULL, 10) : UINT64_MAX;
}

/* "TASK-PID [CPU] FLAGS TIME: EVENT: FIELDS", the time being the TSC. */
static void take_line(FIXTURE_DATA(tsc) * self, const char *line)
{
	const char *event = strstr(line, ": ");
	const char *time = event;
	uint64_t tsc;

	while (time && time > line && time[-1] != ' ')
		time--;
	if (!time)
		return;
	tsc = strtoull(time, NULL, 10);
	if (!strncmp(event, ": kick:", 7) && self->nr_kicks < ROUNDS) {
		self->round[self->nr_kicks].spans_ns += number_after(line, " exit_kick_ns=");
		self->round[self->nr_kicks++].kick = tsc;
	} else if (!strncmp(event, ": inject:", 9) && self->nr_injects < ROUNDS) {
		self->round[self->nr_injects++].inject = tsc;
	} else if (!strncmp(event, ": entry:", 8) && self->nr_entries < ROUNDS) {
		self->round[self->nr_entries].spans_ns += number_after(line, " kick_entry_ns=");
		self->round[self->nr_entries++].entry = tsc;
	}
}

static void take_trace(struct __test_metadata *_metadata, FIXTURE_DATA(tsc) * self)
{
	char path[256], line[1024], ours[32];
	FILE *f;

	snprintf(ours, sizeof(ours), " vring=%u ", self->v.id);
	snprintf(path, sizeof(path), "%s/trace", self->dir);
	f = fopen(path, "re");
	ASSERT_NE(NULL, f);
	while (fgets(line, sizeof(line), f))
		if (line[0] != '#' && strstr(line, ours))
			take_line(self, line);
	fclose(f);
}

static void run(struct __test_metadata *_metadata, FIXTURE_DATA(tsc) * self)
{
	eventfd_t value;
	int i;

	self->begin = now();
	vcpu_run(_metadata, &self->c);
	for (i = 0; i < ROUNDS; i++) {
		ASSERT_EQ(0, eventfd_read(self->kick, &value));
		ASSERT_EQ(0, eventfd_write(self->call, 1));
		vcpu_run(_metadata, &self->c);
	}
	self->end = now();
}

static void take_stamps(FIXTURE_DATA(tsc) * self, uint64_t offset)
{
	const uint64_t *stamps = (const uint64_t *)(self->m.mem + STAMPS);
	int i;

	for (i = 0; i < ROUNDS; i++) {
		self->round[i].doorbell = stamps[2 * i] - offset;
		self->round[i].interrupt = stamps[2 * i + 1] - offset;
	}
}

TEST_F_TIMEOUT(tsc, the_guest_brackets_what_the_module_has_stamped, SLOW)
{
	uint64_t offset;
	double ns;
	int i;

	if (tsc_offset(self->c.fd, &offset))
		SKIP(return, "needs KVM_VCPU_TSC_OFFSET: a kernel from 5.16 on");
	ASSERT_EQ(0, t_trace_put_in(self->dir, "events/vringlab/enable", "1"));
	run(_metadata, self);
	ASSERT_EQ(ROUNDS, (int)*(volatile uint32_t *)(self->m.mem + COUNT));
	take_trace(_metadata, self);
	take_stamps(self, offset);
	ASSERT_EQ(ROUNDS, self->nr_kicks);
	ASSERT_EQ(ROUNDS, self->nr_injects);
	ASSERT_EQ(ROUNDS, self->nr_entries);
	/* At most so long is a cycle: the shortest way between two moments. */
	ns = (double)(self->end.ns - self->begin.ns) / (double)(self->end.first - self->begin.last);
	for (i = 0; i < ROUNDS; i++) {
		const struct round *r = &self->round[i];

		EXPECT_LT(self->begin.first, r->doorbell);
		EXPECT_LT(r->doorbell, r->kick);
		EXPECT_LT(r->kick, r->inject);
		EXPECT_LT(r->inject, r->entry);
		EXPECT_LT(r->entry, r->interrupt);
		EXPECT_GT(self->end.last, r->interrupt);
		/* From the exit of the doorbell to the entry with its interrupt. */
		EXPECT_GE((uint64_t)((double)(r->interrupt - r->doorbell) * ns), r->spans_ns)
		{
			TH_LOG("round %d: %" PRIu64 " cycles of %d ps, %" PRIu64 " ns", i,
			       r->interrupt - r->doorbell, (int)(ns * 1000), r->spans_ns);
		}
	}
	stats_get(_metadata, &self->g, self->v.id, &self->s);
	EXPECT_LAWFUL(&self->s);
	EXPECT_EQ(ROUNDS, (int)T_SPAN(&self->s, KICK_ENTRY)->count);
}

USE_MODULE_WITH_ANCHOR

TEST_HARNESS_MAIN
