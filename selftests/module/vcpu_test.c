// SPDX-License-Identifier: GPL-2.0-only
/*
 * vCPUs: what the module counts of them, against what their guest did and what KVM
 * itself counts.
 */
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/syscall.h>

#include <json-c/json.h>

#include <vringlab/err.h>
#include <vringlab/nl.h>

#include "machine.h"
#include "t_vcpu.h"

extern const char guest_start[], guest_mix[], guest_hypercall[], guest_irq[], guest_end[];

static const struct code guest = { guest_start, guest_end, guest_irq };

/* What the guest is to do, in this order, before it writes the exit port. */
struct todo {
	uint32_t pio;
	uint32_t mmio;
	uint32_t cpuid;
	uint32_t hypercall;
	uint32_t hlt;
};

#define TASKS 0x2100u

/* ds: doorbell page, es: APIC, cs: all memory. */
/* clang-format off */
asm(".pushsection .rodata\n"
	".code16\n"
	"guest_start:\n"
	"guest_mix:\n"
	"1:	cmpl $0, %cs:0x2100\n"
	"	jz 2f\n"
	"	mov $0x510, %dx\n"
	"	out %ax, %dx\n"
	"	decl %cs:0x2100\n"
	"	jmp 1b\n"
	"2:	cmpl $0, %cs:0x2104\n"
	"	jz 3f\n"
	"	mov %ax, 0\n"
	"	decl %cs:0x2104\n"
	"	jmp 2b\n"
	"3:	cmpl $0, %cs:0x2108\n"
	"	jz 4f\n"
	"	xor %eax, %eax\n"
	"	cpuid\n"
	"	decl %cs:0x2108\n"
	"	jmp 3b\n"
	"4:	cmpl $0, %cs:0x210c\n"
	"	jz 5f\n"
	"	mov $1, %eax\n" /* KVM_HC_VAPIC_POLL_IRQ: does nothing */
	"guest_hypercall:\n"
	"	.byte 0x0f, 0x01, 0xd9\n" /* vmmcall */
	"	decl %cs:0x210c\n"
	"	jmp 4b\n"
	"5:	cmpl $0, %cs:0x2110\n"
	"	jz 6f\n"
	"	movb $1, %cs:0x2004\n" /* tells that the hlt is next */
	"	sti\n"
	"	hlt\n"
	"	cli\n"
	"	decl %cs:0x2110\n"
	"	jmp 5b\n"
	"6:	mov $0xf4, %dx\n"
	"	out %al, %dx\n"
	"	jmp guest_mix\n"
	"guest_irq:\n"
	"	incl %cs:0x2000\n"
	"	movl $0, %es:0xb0\n"
	"	iretw\n"
	"guest_end:\n"
	".code64\n"
	".popsection\n");

/* clang-format on */

/* Exit reasons of both kinds of processor, Intel's and AMD's manuals. */
enum reason { HLT, CPUID, HYPERCALL, PIO, MMIO };

static const uint16_t codes[][3] = {
	[HLT] = { [VRINGLAB_ISA_VMX] = 12, [VRINGLAB_ISA_SVM] = 0x78 },
	[CPUID] = { [VRINGLAB_ISA_VMX] = 10, [VRINGLAB_ISA_SVM] = 0x72 },
	[HYPERCALL] = { [VRINGLAB_ISA_VMX] = 18, [VRINGLAB_ISA_SVM] = 0x81 },
	[PIO] = { [VRINGLAB_ISA_VMX] = 30, [VRINGLAB_ISA_SVM] = 0x7b },
	[MMIO] = { [VRINGLAB_ISA_VMX] = 49, [VRINGLAB_ISA_SVM] = 0x400 },
};

/* Ours and KVM's, of one moment at which the vCPU does not run. */
struct sight {
	struct t_vcpu c;
	uint64_t exits;
	uint64_t hlts;
	uint64_t attempted;
	uint64_t successful;
	uint64_t success_ns;
	uint64_t fail_ns;
	uint64_t wait_ns;
};

/* clang-format off */
FIXTURE(vcpu) {
	struct t_genl g;
	struct machine m;
	struct vcpu c;
	int stats;
	int kick;
	int call;
	struct t_vring v;
	struct t_stats s;
	uint32_t id;
	struct sight before;
	struct sight after;
};

/* clang-format on */

static pid_t tid(void)
{
	return syscall(SYS_gettid);
}

static void look(struct __test_metadata *_metadata, struct t_genl *g, uint32_t id, int stats,
		 struct sight *s)
{
	ASSERT_EQ(0, t_vcpu_get(g, id, &s->c));
	ASSERT_EQ(0, t_kvm_stat(stats, "exits", &s->exits));
	ASSERT_EQ(0, t_kvm_stat(stats, "halt_exits", &s->hlts));
	ASSERT_EQ(0, t_kvm_stat(stats, "halt_attempted_poll", &s->attempted));
	ASSERT_EQ(0, t_kvm_stat(stats, "halt_successful_poll", &s->successful));
	ASSERT_EQ(0, t_kvm_stat(stats, "halt_poll_success_ns", &s->success_ns));
	ASSERT_EQ(0, t_kvm_stat(stats, "halt_poll_fail_ns", &s->fail_ns));
	ASSERT_EQ(0, t_kvm_stat(stats, "halt_wait_ns", &s->wait_ns));
}

static volatile struct todo *todo(const struct machine *m)
{
	return (struct todo *)(m->mem + TASKS);
}

static volatile unsigned char *halting(const struct machine *m)
{
	return m->mem + COUNT + 4;
}

static void set_halt_poll(struct __test_metadata *_metadata, struct machine *m, uint64_t max_ns)
{
	struct kvm_enable_cap cap = { .cap = KVM_CAP_HALT_POLL, .args = { max_ns } };

	kvm_ioctl(m->vm, KVM_ENABLE_CAP, &cap);
}

/* Where the reason of an exit is, only user space can know. */
static void tell_layout(struct __test_metadata *_metadata)
{
	struct vl_err err;
	struct vlnl *nl;

	ASSERT_EQ(0, vlnl_open(&nl, &err));
	ASSERT_LT(0, vlnl_layout_tell(nl, &err))
	{
		TH_LOG("%s", err.msg);
	}
	vlnl_close(nl);
}

/* The machine and its vCPU, on the eventfds that are there. */
static void start_machine(struct __test_metadata *_metadata, FIXTURE_DATA(vcpu) * self)
{
	machine_init(_metadata, &self->m, &guest);
	if (t_kmod_vendor() && !strcmp(t_kmod_vendor(), "kvm_intel"))
		self->m.mem[CODE + (guest_hypercall - guest_start) + 2] = 0xc1; /* vmcall */
	set_halt_poll(_metadata, &self->m, 0);
	add_ioeventfd(_metadata, &self->m, self->kick, true, 2);
	add_ioeventfd(_metadata, &self->m, self->kick, false, 2);
	set_route(_metadata, &self->m, true, VECTOR);
	set_irqfd(_metadata, &self->m, self->call, 0);
	vcpu_init(_metadata, &self->m, &self->c, 0, guest_mix, 0, 0);
	self->stats = kvm_ioctl(self->c.fd, KVM_GET_STATS_FD, 0);
}

FIXTURE_SETUP(vcpu)
{
	OPEN_OR_SKIP(&self->g);
	OPEN_KVM_OR_SKIP(&self->m);
	tell_layout(_metadata);
	self->kick = new_eventfd(_metadata, EFD_NONBLOCK);
	self->call = new_eventfd(_metadata, EFD_NONBLOCK);
	start_machine(_metadata, self);
	register_vring(_metadata, &self->g, self->kick, self->call, &self->v);
}

FIXTURE_TEARDOWN(vcpu)
{
	stats_get(_metadata, &self->g, self->v.id, &self->s);
	EXPECT_LAWFUL(&self->s);
	EXPECT_STREQ("", t_vcpu_broken(&self->after.c));
	if (_metadata->exit_code)
		t_vcpu_print(&self->after.c);
	EXPECT_EQ(0u, self->g.leak);
	close(self->stats);
	vcpu_exit(&self->m, &self->c);
	machine_exit(&self->m);
	t_genl_close(&self->g);
}

/* A kick of each kind, and the vCPU is known. */
static void get_known(struct __test_metadata *_metadata, FIXTURE_DATA(vcpu) * self)
{
	pin(_metadata, 0);
	*todo(&self->m) = (struct todo){ .pio = 1, .mmio = 1, .cpuid = 1, .hypercall = 1 };
	vcpu_run(_metadata, &self->c);
	ASSERT_TRUE(EVENTUALLY(t_vcpu_find(&self->g, tid(), 0, &self->before.c) > 0));
	self->id = T_VCPU(&self->before.c, ID);
	look(_metadata, &self->g, self->id, self->stats, &self->before);
}

/* What came in between. */
#define VCPU(name) (T_VCPU(&self->after.c, name) - T_VCPU(&self->before.c, name))
#define EXPECT_VCPU(expected, name) EXPECT_EQ((uint64_t)(expected), VCPU(name))
#define EXPECT_KVM(name, stat) EXPECT_VCPU(self->after.stat - self->before.stat, name)
#define EXPECT_REASON(expected, name) EXPECT_EQ((uint64_t)(expected), nr_exits(self, name))

static uint64_t nr_exits(const FIXTURE_DATA(vcpu) * self, enum reason reason)
{
	uint16_t code = codes[reason][T_VCPU(&self->after.c, ISA)];

	return self->after.c.reason[code] - self->before.c.reason[code];
}

static void expect_kvm_agrees(struct __test_metadata *_metadata, FIXTURE_DATA(vcpu) * self)
{
	EXPECT_KVM(EXITS, exits);
	EXPECT_VCPU(VCPU(EXITS), ENTRIES);
	EXPECT_KVM(HALT_POLLS_SUCCESS, successful);
	EXPECT_EQ(self->after.attempted - self->before.attempted,
		  VCPU(HALT_POLLS_SUCCESS) + VCPU(HALT_POLLS_FAIL));
	EXPECT_KVM(HALT_POLL_SUCCESS_NS, success_ns);
	EXPECT_KVM(HALT_POLL_FAIL_NS, fail_ns);
	EXPECT_KVM(HALT_WAIT_NS, wait_ns);
}

TEST_F_TIMEOUT(vcpu, every_exit_is_counted_by_its_reason, SLOW)
{
	const struct todo n = { .pio = 300, .mmio = 200, .cpuid = 150, .hypercall = 120 };

	get_known(_metadata, self);
	*todo(&self->m) = n;
	vcpu_run(_metadata, &self->c);
	look(_metadata, &self->g, self->id, self->stats, &self->after);
	expect_kvm_agrees(_metadata, self);
	/* And one by which this program was told that it is done. */
	EXPECT_REASON(n.pio + 1, PIO);
	EXPECT_REASON(n.mmio, MMIO);
	EXPECT_REASON(n.cpuid, CPUID);
	EXPECT_REASON(n.hypercall, HYPERCALL);
	EXPECT_REASON(0, HLT);
	EXPECT_VCPU(0, EXITS_OTHER);
	EXPECT_VCPU(0, EXITS_UNKNOWN);
	EXPECT_VCPU(0, HALTS);
	EXPECT_VCPU(0, HALT_NS);
	stats_get(_metadata, &self->g, self->v.id, &self->s);
	/* The first kicks: a kick is needed to become known. */
	EXPECT_EQ(2 + n.pio + n.mmio, T_CNT(&self->s, KICKS_KVM));
	EXPECT_LE(1u, T_CNT(&self->s, VCPU_MISSED));
	EXPECT_GE(2u, T_CNT(&self->s, VCPU_MISSED));
}

struct waker {
	struct __test_metadata *metadata;
	struct machine *m;
	int stats;
	int call;
	unsigned int nr;
	bool blocked; /* call only when it is */
	pid_t vcpu;
	uint64_t sleeps;
};

/* How often the thread has gone to sleep; 0 if that cannot be read. */
static uint64_t nr_sleeps(pid_t thread)
{
	char path[64], line[256];
	uint64_t nr = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/self/task/%d/status", thread);
	file = fopen(path, "re");
	if (!file)
		return 0;
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, "voluntary_ctxt_switches: %" SCNu64, &nr) == 1)
			break;
	fclose(file);
	return nr;
}

/*
 * KVM says that it blocks before it looks once more whether it has to: one that a call
 * finds there has not slept.
 */
static bool is_blocked(struct waker *w)
{
	uint64_t value, sleeps = nr_sleeps(w->vcpu);

	if (t_kvm_stat(w->stats, "blocking", &value) || !value || sleeps == w->sleeps)
		return false;
	w->sleeps = sleeps;
	return true;
}

static void *wake(void *data)
{
	struct __test_metadata *_metadata = ((struct waker *)data)->metadata;
	struct waker *w = data;
	unsigned int i;

	pin(_metadata, sysconf(_SC_NPROCESSORS_ONLN) - 1);
	for (i = 0; i < w->nr; i++) {
		ASSERT_TRUE(EVENTUALLY(*halting(w->m)));
		*halting(w->m) = 0;
		if (w->blocked)
			ASSERT_TRUE(EVENTUALLY(is_blocked(w)));
		ASSERT_EQ(0, eventfd_write(w->call, 1));
	}
	return NULL;
}

static void run_with_waker(struct __test_metadata *_metadata, FIXTURE_DATA(vcpu) * self,
			   unsigned int nr, bool blocked)
{
	struct waker w = {
		.metadata = _metadata,
		.m = &self->m,
		.stats = self->stats,
		.call = self->call,
		.nr = nr,
		.blocked = blocked,
		.vcpu = tid(),
		.sleeps = nr_sleeps(tid()),
	};
	pthread_t thread;

	*halting(&self->m) = 0;
	*todo(&self->m) = (struct todo){ .hlt = nr };
	ASSERT_EQ(0, pthread_create(&thread, NULL, wake, &w));
	vcpu_run(_metadata, &self->c);
	ASSERT_EQ(0, pthread_join(thread, NULL));
	look(_metadata, &self->g, self->id, self->stats, &self->after);
}

TEST_F_TIMEOUT(vcpu, every_halt_that_blocks_is_one, SLOW)
{
	const unsigned int nr = 100;

	get_known(_metadata, self);
	run_with_waker(_metadata, self, nr, true);
	expect_kvm_agrees(_metadata, self);
	EXPECT_REASON(nr, HLT);
	EXPECT_VCPU(nr, HALTS);
	EXPECT_VCPU(nr, HALTS_BLOCKED);
	EXPECT_VCPU(0, HALTS_SPURIOUS);
	EXPECT_VCPU(0, HALT_POLLS_SUCCESS);
	EXPECT_VCPU(0, HALT_POLLS_FAIL);
	/* Without polls, blocked is all it is. */
	EXPECT_VCPU(VCPU(HALT_NS), HALT_WAIT_NS);
	EXPECT_LT(0u, VCPU(HALT_NS));
	stats_get(_metadata, &self->g, self->v.id, &self->s);
	EXPECT_EQ(nr, T_CNT(&self->s, ENTRIES));
}

TEST_F_TIMEOUT(vcpu, polls_for_the_end_of_a_halt_are_counted_by_result, SLOW)
{
	const unsigned int nr = 60;

	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		SKIP(return, "needs 2 CPUs: scripts/vm --smp 2");
	get_known(_metadata, self);
	set_halt_poll(_metadata, &self->m, 10000000);
	run_with_waker(_metadata, self, nr, false);
	expect_kvm_agrees(_metadata, self);
	EXPECT_EQ(nr, self->after.hlts - self->before.hlts);
	EXPECT_LT(0u, VCPU(HALT_POLLS_SUCCESS));
	EXPECT_LT(0u, VCPU(HALT_POLL_SUCCESS_NS));
}

/* The record ends with the vCPU, not with the virtqueue. */
TEST_F_TIMEOUT(vcpu, it_is_gone_when_kvm_has_destroyed_it, SLOW)
{
	struct t_vcpu c;
	uint32_t id;

	get_known(_metadata, self);
	id = self->id;
	EXPECT_EQ((uint64_t)getpid(), T_VCPU(&self->before.c, PID));
	close(self->stats);
	vcpu_exit(&self->m, &self->c);
	machine_exit(&self->m);
	ASSERT_TRUE(EVENTUALLY(t_vcpu_get(&self->g, id, &c) == -ENOENT));
	EXPECT_STREQ("no vCPU has this id", self->g.ack_msg);
	/* The next one is another, even if it is where this one was. */
	OPEN_KVM_OR_SKIP(&self->m);
	start_machine(_metadata, self);
	get_known(_metadata, self);
	EXPECT_LT(id, self->id);
}

/* What vring-get says of the machine that runs now; 0 while it says nothing. */
static uint32_t vm_of(struct t_genl *g, uint32_t id)
{
	struct t_vring v;

	return !t_vring_get(g, id, &v) && v.has & HAS(VM) ? v.vm : 0;
}

static void expect_one_number(struct __test_metadata *_metadata, FIXTURE_DATA(vcpu) * self,
			      uint32_t vm)
{
	EXPECT_TRUE(EVENTUALLY(vm_of(&self->g, self->v.id) == vm))
	{
		TH_LOG("vring-get says %u, vcpu-get %u", vm_of(&self->g, self->v.id), vm);
	}
}

/* By its vCPU it is known first, by its eventfds then, and then the other way round. */
TEST_F_TIMEOUT(vcpu, a_vm_has_one_number_and_no_other_has_it_later, SLOW)
{
	uint32_t vm, last;
	int i;

	get_known(_metadata, self);
	last = T_VCPU(&self->before.c, VM);
	ASSERT_EQ(0, t_discover_set(&self->g, true, false));
	/* Shows the module what is to be known of all eventfds. */
	ASSERT_EQ(0, eventfd_write(new_eventfd(_metadata, EFD_NONBLOCK), 1));
	EXPECT_TRUE(EVENTUALLY(!eventfd_write(self->call, 1) && vm_of(&self->g, self->v.id)));
	expect_one_number(_metadata, self, last);

	for (i = 0; i < 8; i++) {
		close(self->stats);
		vcpu_exit(&self->m, &self->c);
		machine_exit(&self->m);
		OPEN_KVM_OR_SKIP(&self->m);
		start_machine(_metadata, self);
		ASSERT_TRUE(EVENTUALLY((vm = vm_of(&self->g, self->v.id)) > last));
		get_known(_metadata, self);
		EXPECT_EQ(vm, T_VCPU(&self->before.c, VM));
		expect_one_number(_metadata, self, vm);
		last = vm;
	}
}

/*
 * One machine gone, the next one on the same eventfds: an interrupt that no vCPU took
 * must not be in the way of those that follow.
 */
TEST_F_TIMEOUT(vcpu, an_interrupt_ends_with_the_vcpu_that_did_not_take_it, SLOW)
{
	int i;

	for (i = 1; i <= 3; i++) {
		ASSERT_EQ(0, eventfd_write(self->call, 1));
		close(self->stats);
		vcpu_exit(&self->m, &self->c);
		machine_exit(&self->m);
		stats_get(_metadata, &self->g, self->v.id, &self->s);
		EXPECT_EQ((uint64_t)i, T_CNT(&self->s, INJECTS));
		EXPECT_EQ((uint64_t)i, T_CNT(&self->s, INJECT_ABANDONED));
		EXPECT_EQ(0u, T_CNT(&self->s, INJECT_COALESCED));
		OPEN_KVM_OR_SKIP(&self->m);
		start_machine(_metadata, self);
	}
	ASSERT_EQ(0, eventfd_write(self->call, 1));
	vcpu_run(_metadata, &self->c);
	stats_get(_metadata, &self->g, self->v.id, &self->s);
	EXPECT_EQ(1u, T_CNT(&self->s, ENTRIES));
	EXPECT_EQ(1u, T_SPAN(&self->s, INJECT_ENTRY)->count);
}

TEST_F_TIMEOUT(vcpu, requests_are_checked, SLOW)
{
	struct t_genl *g = &self->g;
	struct nlmsghdr *nlh;
	struct t_vcpu c;

	t_genl_start(g, VRINGLAB_CMD_VCPU_GET, NLM_F_ACK);
	EXPECT_EQ(-EINVAL, t_genl_call(g, NULL, NULL));
	EXPECT_EQ(VRINGLAB_A_VCPU_ID, g->ack_miss);
	EXPECT_EQ(-ENOENT, t_vcpu_get(g, 0, &c));
	EXPECT_EQ(VRINGLAB_A_VCPU_ID, g->ack_attr);
	EXPECT_EQ(-ENOENT, t_vcpu_get(g, UINT32_MAX, &c));
	nlh = t_genl_start(g, VRINGLAB_CMD_VCPU_GET, NLM_F_ACK);
	mnl_attr_put_u32(nlh, VRINGLAB_A_VCPU_VM, 1);
	EXPECT_EQ(-EINVAL, t_genl_call(g, NULL, NULL));
	EXPECT_STRNE("", g->ack_msg);
	nlh = t_genl_start(g, VRINGLAB_CMD_VCPU_GET, NLM_F_DUMP);
	mnl_attr_put_u32(nlh, VRINGLAB_A_VCPU_ID, 1);
	/* Without words up to 6.1, which gives the start of a dump no place for them. */
	EXPECT_EQ(-EINVAL, t_genl_call(g, NULL, NULL));
}

#define V(name) (1u << VRINGLAB_A_VCPU_##name)
#define V_WHO (V(ID) | V(VM) | V(VCPU_ID) | V(PID) | V(TID) | V(ISA))

/* From the side, a guest's exits and halts tell what it does. */
TEST_F_TIMEOUT(vcpu, others_are_told_who_it_is_and_not_what_it_does, SLOW)
{
	struct t_genl g;
	struct t_vcpu c;

	get_known(_metadata, self);
	ASSERT_EQ(0, drop_net_admin());
	ASSERT_EQ(0, t_genl_open(&g, VRINGLAB_FAMILY_NAME));
	ASSERT_EQ(0, t_vcpu_get(&g, self->id, &c));
	EXPECT_EQ(V_WHO, c.has);
	EXPECT_EQ(0u, c.nr_reasons);
	EXPECT_EQ(T_VCPU(&self->before.c, VM), T_VCPU(&c, VM));
	EXPECT_EQ((uint64_t)tid(), T_VCPU(&c, TID));
	EXPECT_EQ((int)self->id, t_vcpu_find(&g, tid(), 0, &c));
	EXPECT_EQ(V_WHO, c.has);
	/* Nor by a socket that was opened with the capability. */
	ASSERT_EQ(0, t_vcpu_get(&self->g, self->id, &c));
	EXPECT_EQ(V_WHO, c.has);
	t_genl_close(&g);
}

/* The object of our thread in what `vringlab stat --vcpus --json` prints. */
static struct json_object *stat_json(struct __test_metadata *_metadata, struct json_object **root)
{
	const char *const argv[] = { t_vringlab(), "stat", "--vcpus", "--json", NULL };
	struct t_child child = T_CHILD_NONE;
	struct json_object *vcpus, *field;
	static char text[1 << 16];
	size_t i, len = 0;
	ssize_t got;

	ASSERT_EQ(0, t_child_start(&child, argv));
	while ((got = read(child.out, text + len, sizeof(text) - 1 - len)) > 0)
		len += got;
	ASSERT_EQ(0, t_child_wait(&child, T_DEADLINE_MS));
	t_child_kill(&child);
	*root = json_tokener_parse(text);
	ASSERT_TRUE(json_object_object_get_ex(*root, "vcpus", &vcpus));
	for (i = 0; i < json_object_array_length(vcpus); i++) {
		struct json_object *vcpu = json_object_array_get_idx(vcpus, i);

		if (json_object_object_get_ex(vcpu, "tid", &field) &&
		    json_object_get_int(field) == tid())
			return vcpu;
	}
	return NULL;
}

static uint64_t number(struct json_object *o, const char *key)
{
	struct json_object *field;

	return json_object_object_get_ex(o, key, &field) ? json_object_get_uint64(field) :
							   UINT64_MAX;
}

TEST_F_TIMEOUT(vcpu, the_command_says_what_the_module_says, SLOW)
{
	struct json_object *root, *vcpu, *counters, *reasons;
	size_t i;

	if (access(t_vringlab(), X_OK))
		SKIP(return, "needs the command: set VRINGLAB=, or make user");
	get_known(_metadata, self);
	*todo(&self->m) = (struct todo){ .pio = 3, .cpuid = 5 };
	vcpu_run(_metadata, &self->c);
	look(_metadata, &self->g, self->id, self->stats, &self->after);
	vcpu = stat_json(_metadata, &root);
	ASSERT_NE(NULL, vcpu);
	EXPECT_EQ(self->id, number(vcpu, "id"));
	EXPECT_EQ(T_VCPU(&self->after.c, VM), number(vcpu, "vm"));
	ASSERT_TRUE(json_object_object_get_ex(vcpu, "counters", &counters));
	EXPECT_EQ(T_VCPU(&self->after.c, ENTRIES), number(counters, "entries"));
	EXPECT_EQ(T_VCPU(&self->after.c, EXITS), number(counters, "exits"));
	EXPECT_EQ(T_VCPU(&self->after.c, HALT_NS), number(counters, "halt-ns"));
	ASSERT_TRUE(json_object_object_get_ex(vcpu, "exit-reasons", &reasons));
	ASSERT_EQ(self->after.c.nr_reasons, json_object_array_length(reasons));
	for (i = 0; i < self->after.c.nr_reasons; i++) {
		struct json_object *reason = json_object_array_get_idx(reasons, i), *name;

		EXPECT_EQ(self->after.c.reason[number(reason, "code")], number(reason, "count"));
		EXPECT_TRUE(json_object_object_get_ex(reason, "name", &name) && name);
	}
	json_object_put(root);
}

USE_MODULE_WITH_ANCHOR

TEST_HARNESS_MAIN
