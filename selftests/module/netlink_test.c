// SPDX-License-Identifier: GPL-2.0-only
/*
 * The netlink contract: who may ask what, what each bad request is told, and
 * how long a registration lives. Documentation/netlink/specs/vringlab.yaml.
 */
#include <linux/capability.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "module.h"

/* More than any table of the module holds; a dump of it is many messages. */
#define MANY 65536
#define NR_STABLE 150

/* clang-format off */
FIXTURE(vring) {
	struct t_genl g;
	int kick;
	int call;
	struct t_vring v;
};

/* clang-format on */

FIXTURE_SETUP(vring)
{
	OPEN_OR_SKIP(&self->g);
	self->kick = new_eventfd(_metadata, 0);
	self->call = new_eventfd(_metadata, 0);
	self->v = (struct t_vring){
		.has = HAS(LABEL) | HAS(BACKEND) | HAS(KICK_FD) | HAS(CALL_FD),
		.label = "netlink.0",
		.backend = VRINGLAB_BACKEND_VHOST_USER,
		.kick_fd = self->kick,
		.call_fd = self->call,
	};
}

FIXTURE_TEARDOWN(vring)
{
	/* Of all answers of this test. */
	EXPECT_EQ(0u, self->g.leak);
	t_genl_close(&self->g);
	close(self->kick);
	close(self->call);
}

/*
 * The request is refused with this errno, in words or by naming what is missing,
 * pointing at this attribute (0: at none in particular).
 */
#define EXPECT_REFUSED(error, attr, call)                                                       \
	do {                                                                                    \
		int ret_ = (call);                                                              \
		EXPECT_EQ(-(error), ret_)                                                       \
		{                                                                               \
			TH_LOG("%s: %s", #call, self->g.ack_msg);                               \
		}                                                                               \
		EXPECT_TRUE(self->g.ack_msg[0] || self->g.ack_miss)                             \
		{                                                                               \
			TH_LOG("%s: refused without a word", #call);                            \
		}                                                                               \
		if (attr)                                                                       \
			EXPECT_TRUE((attr) == self->g.ack_attr || (attr) == self->g.ack_miss)   \
			{                                                                       \
				TH_LOG("points at %u, misses %u, not %u: %s", self->g.ack_attr, \
				       self->g.ack_miss, (attr), self->g.ack_msg);              \
			}                                                                       \
	} while (0)

/* How many virtqueues there are, the anchor and foreign ones included. */
static int nr_vrings(struct __test_metadata *_metadata, struct t_genl *g)
{
	int ret = t_vring_dump(g, NULL, 0);

	ASSERT_LE(0, ret);
	return ret;
}

TEST_F_TIMEOUT(vring, add_tells_the_id_and_get_describes_it, SLOW)
{
	struct t_vring got;

	vring_add(_metadata, &self->g, &self->v);
	ASSERT_EQ(0, t_vring_get(&self->g, self->v.id, &got));
	EXPECT_EQ(self->v.id, got.id);
	EXPECT_STREQ("netlink.0", got.label);
	EXPECT_EQ(VRINGLAB_BACKEND_VHOST_USER, got.backend);
	EXPECT_EQ((uint32_t)getpid(), got.pid);
	EXPECT_EQ(HAS(ID) | HAS(LABEL) | HAS(BACKEND) | HAS(PID), got.has & ~HAS(PAD));
}

TEST_F_TIMEOUT(vring, get_describes_all_that_was_given, SLOW)
{
	struct t_vring got;

	self->v.has |= HAS(WAKE_USER_DATA) | HAS(PERSIST) | HAS(PID);
	self->v.wake_user_data = 0x1122334455667788;
	self->v.pid = getppid();
	vring_add(_metadata, &self->g, &self->v);
	ASSERT_EQ(0, t_vring_get(&self->g, self->v.id, &got));
	EXPECT_EQ(0x1122334455667788u, got.wake_user_data);
	EXPECT_EQ((uint32_t)getppid(), got.pid);
	EXPECT_TRUE(got.has & HAS(PERSIST));
	EXPECT_EQ(0, t_vring_del(&self->g, self->v.id));
}

TEST_F_TIMEOUT(vring, backend_is_unknown_unless_given, SLOW)
{
	struct t_vring got;

	self->v.has &= ~HAS(BACKEND);
	vring_add(_metadata, &self->g, &self->v);
	ASSERT_EQ(0, t_vring_get(&self->g, self->v.id, &got));
	EXPECT_TRUE(got.has & HAS(BACKEND));
	EXPECT_EQ(VRINGLAB_BACKEND_UNKNOWN, got.backend);
}

TEST_F_TIMEOUT(vring, counters_and_hists_start_at_zero_and_are_complete, SLOW)
{
	struct t_stats s;
	int i;

	vring_add(_metadata, &self->g, &self->v);
	stats_get(_metadata, &self->g, self->v.id, &s);
	EXPECT_EQ(self->v.id, s.id);
	for (i = VRINGLAB_A_COUNTERS_KICKS; i <= VRINGLAB_A_COUNTERS_MAX; i++) {
		EXPECT_TRUE(s.has & (1ull << i))
		{
			TH_LOG("no counter %d", i);
		}
		EXPECT_EQ(0u, s.v[i])
		{
			TH_LOG("counter %d", i);
		}
	}
	for (i = 0; i < T_NR_SPANS; i++) {
		EXPECT_EQ((uint32_t)i, s.hist[i].span);
		EXPECT_EQ(0u, s.hist[i].count);
	}
	EXPECT_LAWFUL(&s);
}

TEST_F_TIMEOUT(vring, labels_of_1_to_31_printable_characters_are_taken, SLOW)
{
	static const char *const good[] = {
		"x", "!", "~", "a.b/c-d_e:0", "0123456789012345678901234567890",
	};
	struct t_vring got;
	size_t i;

	for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		strcpy(self->v.label, good[i]);
		vring_add(_metadata, &self->g, &self->v);
		ASSERT_EQ(0, t_vring_get(&self->g, self->v.id, &got));
		EXPECT_STREQ(good[i], got.label);
		EXPECT_EQ(0, t_vring_del(&self->g, self->v.id));
	}
}

TEST_F_TIMEOUT(vring, bad_labels_are_EINVAL, SLOW)
{
	static const char *const bad[] = {
		"",
		" ",
		"a b",
		"a\tb",
		"a\n",
		"\x7f",
		"\x80",
		"caf\xc3\xa9",
		"\x1b[31m",
		"01234567890123456789012345678901",
		"012345678901234567890123456789012345678901234567890123456789",
	};
	int before = nr_vrings(_metadata, &self->g);
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		strcpy(self->v.label, bad[i]);
		EXPECT_REFUSED(EINVAL, VRINGLAB_A_VRING_LABEL, t_vring_add(&self->g, &self->v));
	}
	EXPECT_EQ(before, nr_vrings(_metadata, &self->g));
}

TEST_F_TIMEOUT(vring, label_without_terminating_zero_is_EINVAL_or_taken_whole, SLOW)
{
	struct nlmsghdr *nlh = t_genl_start(&self->g, VRINGLAB_CMD_VRING_ADD, NLM_F_ACK);
	struct t_vring all[2];
	int ret;

	mnl_attr_put_str(nlh, VRINGLAB_A_VRING_LABEL, "abcd");
	mnl_attr_put_u32(nlh, VRINGLAB_A_VRING_KICK_FD, self->kick);
	mnl_attr_put_u32(nlh, VRINGLAB_A_VRING_CALL_FD, self->call);
	ret = t_genl_call(&self->g, NULL, NULL);
	if (!ret) {
		ASSERT_EQ(2, t_vring_dump(&self->g, all, 2));
		EXPECT_STREQ("abcd", all[1].label);
		return;
	}
	EXPECT_EQ(-EINVAL, ret);
	EXPECT_NE(0, self->g.ack_msg[0]);
}

TEST_F_TIMEOUT(vring, missing_attributes_are_EINVAL_and_named, SLOW)
{
	static const uint32_t needed[] = {
		VRINGLAB_A_VRING_LABEL,
		VRINGLAB_A_VRING_KICK_FD,
		VRINGLAB_A_VRING_CALL_FD,
	};
	uint32_t has = self->v.has;
	struct nlmsghdr *nlh;
	size_t i;

	for (i = 0; i < sizeof(needed) / sizeof(needed[0]); i++) {
		self->v.has = has & ~(1u << needed[i]);
		EXPECT_REFUSED(EINVAL, needed[i], t_vring_add(&self->g, &self->v));
	}
	t_genl_start(&self->g, VRINGLAB_CMD_VRING_DEL, NLM_F_ACK);
	EXPECT_REFUSED(EINVAL, VRINGLAB_A_VRING_ID, t_genl_call(&self->g, NULL, NULL));
	t_genl_start(&self->g, VRINGLAB_CMD_VRING_GET, NLM_F_ACK);
	EXPECT_REFUSED(EINVAL, VRINGLAB_A_VRING_ID, t_genl_call(&self->g, NULL, NULL));
	t_genl_start(&self->g, VRINGLAB_CMD_COUNTERS_GET, NLM_F_ACK);
	EXPECT_REFUSED(EINVAL, VRINGLAB_A_COUNTERS_VRING_ID, t_genl_call(&self->g, NULL, NULL));
	nlh = t_genl_start(&self->g, VRINGLAB_CMD_HIST_GET, NLM_F_ACK);
	mnl_attr_put_u32(nlh, VRINGLAB_A_HIST_SPAN, VRINGLAB_SPAN_KICK_WAKE);
	EXPECT_REFUSED(EINVAL, VRINGLAB_A_HIST_VRING_ID, t_genl_call(&self->g, NULL, NULL));
}

TEST_F_TIMEOUT(vring, hist_get_without_a_span_is_EINVAL, SLOW)
{
	struct nlmsghdr *nlh;

	vring_add(_metadata, &self->g, &self->v);
	nlh = t_genl_start(&self->g, VRINGLAB_CMD_HIST_GET, NLM_F_ACK);
	mnl_attr_put_u32(nlh, VRINGLAB_A_HIST_VRING_ID, self->v.id);
	EXPECT_REFUSED(EINVAL, VRINGLAB_A_HIST_SPAN, t_genl_call(&self->g, NULL, NULL));
}

TEST_F_TIMEOUT(vring, values_outside_their_enum_are_ERANGE, SLOW)
{
	struct t_hist h;

	/* What only the module can find. */
	self->v.backend = VRINGLAB_BACKEND_KVM;
	EXPECT_REFUSED(ERANGE, VRINGLAB_A_VRING_BACKEND, t_vring_add(&self->g, &self->v));
	self->v.backend = UINT32_MAX;
	EXPECT_REFUSED(ERANGE, VRINGLAB_A_VRING_BACKEND, t_vring_add(&self->g, &self->v));
	self->v.backend = VRINGLAB_BACKEND_VHOST;
	vring_add(_metadata, &self->g, &self->v);
	EXPECT_REFUSED(ERANGE, VRINGLAB_A_HIST_SPAN,
		       t_hist_get(&self->g, self->v.id, T_NR_SPANS, &h));
	EXPECT_REFUSED(ERANGE, VRINGLAB_A_HIST_SPAN,
		       t_hist_get(&self->g, self->v.id, UINT32_MAX, &h));
}

TEST_F_TIMEOUT(vring, attributes_of_the_wrong_size_are_EINVAL, SLOW)
{
	static const uint16_t attrs[] = {
		VRINGLAB_A_VRING_BACKEND, VRINGLAB_A_VRING_KICK_FD,	   VRINGLAB_A_VRING_CALL_FD,
		VRINGLAB_A_VRING_PID,	  VRINGLAB_A_VRING_WAKE_USER_DATA,
	};
	struct nlmsghdr *nlh;
	size_t i;

	for (i = 0; i < sizeof(attrs) / sizeof(attrs[0]); i++) {
		nlh = t_genl_start(&self->g, VRINGLAB_CMD_VRING_ADD, NLM_F_ACK);
		mnl_attr_put_u16(nlh, attrs[i], 0);
		EXPECT_REFUSED(EINVAL, attrs[i], t_genl_call(&self->g, NULL, NULL));
	}
}

TEST_F_TIMEOUT(vring, attributes_a_request_does_not_have_are_EINVAL, SLOW)
{
	struct nlmsghdr *nlh;

	nlh = t_genl_start(&self->g, VRINGLAB_CMD_VRING_ADD, NLM_F_ACK);
	mnl_attr_put_u32(nlh, VRINGLAB_A_VRING_ID, 7);
	EXPECT_REFUSED(EINVAL, VRINGLAB_A_VRING_ID, t_genl_call(&self->g, NULL, NULL));
	nlh = t_genl_start(&self->g, VRINGLAB_CMD_VRING_ADD, NLM_F_ACK);
	mnl_attr_put_u32(nlh, VRINGLAB_A_VRING_MAX + 1, 7);
	EXPECT_REFUSED(EINVAL, VRINGLAB_A_VRING_MAX + 1, t_genl_call(&self->g, NULL, NULL));
	nlh = t_genl_start(&self->g, VRINGLAB_CMD_VRING_DEL, NLM_F_ACK);
	mnl_attr_put_strz(nlh, VRINGLAB_A_VRING_LABEL, "x");
	EXPECT_REFUSED(EINVAL, VRINGLAB_A_VRING_LABEL, t_genl_call(&self->g, NULL, NULL));
	nlh = t_genl_start(&self->g, VRINGLAB_CMD_COUNTERS_GET, NLM_F_ACK);
	mnl_attr_put_u64(nlh, VRINGLAB_A_COUNTERS_KICKS, 0);
	EXPECT_REFUSED(EINVAL, VRINGLAB_A_COUNTERS_KICKS, t_genl_call(&self->g, NULL, NULL));
}

TEST_F_TIMEOUT(vring, commands_that_are_not_there_are_EOPNOTSUPP, SLOW)
{
	t_genl_start(&self->g, VRINGLAB_CMD_MAX + 1, NLM_F_ACK);
	EXPECT_EQ(-EOPNOTSUPP, t_genl_call(&self->g, NULL, NULL));
	t_genl_start(&self->g, VRINGLAB_CMD_PROBE_GET, NLM_F_ACK);
	EXPECT_EQ(-EOPNOTSUPP, t_genl_call(&self->g, NULL, NULL));
	t_genl_start(&self->g, VRINGLAB_CMD_VRING_ADD, NLM_F_DUMP);
	EXPECT_EQ(-EOPNOTSUPP, t_genl_call(&self->g, NULL, NULL));
}

TEST_F_TIMEOUT(vring, unknown_ids_are_ENOENT, SLOW)
{
	struct t_vring got;
	struct t_stats s;
	struct t_hist h;
	uint32_t ids[3] = { 0, UINT32_MAX, 0 };
	size_t i;

	vring_add(_metadata, &self->g, &self->v);
	ASSERT_EQ(0, t_vring_del(&self->g, self->v.id));
	ids[2] = self->v.id;
	for (i = 0; i < 3; i++) {
		EXPECT_REFUSED(ENOENT, VRINGLAB_A_VRING_ID, t_vring_del(&self->g, ids[i]));
		EXPECT_REFUSED(ENOENT, VRINGLAB_A_VRING_ID, t_vring_get(&self->g, ids[i], &got));
		EXPECT_REFUSED(ENOENT, VRINGLAB_A_COUNTERS_VRING_ID,
			       t_counters_get(&self->g, ids[i], &s));
		EXPECT_REFUSED(ENOENT, VRINGLAB_A_HIST_VRING_ID,
			       t_hist_get(&self->g, ids[i], VRINGLAB_SPAN_KICK_WAKE, &h));
	}
}

TEST_F_TIMEOUT(vring, ids_are_not_reused, SLOW)
{
	uint32_t seen[100];
	int i, j;

	for (i = 0; i < 100; i++) {
		seen[i] = vring_add(_metadata, &self->g, &self->v);
		ASSERT_EQ(0, t_vring_del(&self->g, self->v.id));
		for (j = 0; j < i; j++)
			ASSERT_NE(seen[i], seen[j]);
	}
}

TEST_F_TIMEOUT(vring, fds_that_are_none_are_EBADF, SLOW)
{
	int gone = new_eventfd(_metadata, 0);

	close(gone);
	self->v.kick_fd = gone;
	EXPECT_REFUSED(EBADF, VRINGLAB_A_VRING_KICK_FD, t_vring_add(&self->g, &self->v));
	self->v.kick_fd = UINT32_MAX;
	EXPECT_REFUSED(EBADF, VRINGLAB_A_VRING_KICK_FD, t_vring_add(&self->g, &self->v));
	self->v.kick_fd = self->kick;
	self->v.call_fd = gone;
	EXPECT_REFUSED(EBADF, VRINGLAB_A_VRING_CALL_FD, t_vring_add(&self->g, &self->v));
	self->v.call_fd = 1u << 31;
	EXPECT_REFUSED(EBADF, VRINGLAB_A_VRING_CALL_FD, t_vring_add(&self->g, &self->v));
	/* What was refused holds nothing: the good fds are still free. */
	self->v.call_fd = self->call;
	vring_add(_metadata, &self->g, &self->v);
}

TEST_F_TIMEOUT(vring, fds_that_are_no_eventfds_are_EINVAL, SLOW)
{
	int pipe_fds[2];
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	ASSERT_LE(0, null);
	ASSERT_EQ(0, pipe2(pipe_fds, O_CLOEXEC));
	self->v.kick_fd = null;
	EXPECT_REFUSED(EINVAL, VRINGLAB_A_VRING_KICK_FD, t_vring_add(&self->g, &self->v));
	self->v.kick_fd = self->kick;
	self->v.call_fd = pipe_fds[1];
	EXPECT_REFUSED(EINVAL, VRINGLAB_A_VRING_CALL_FD, t_vring_add(&self->g, &self->v));
	self->v.call_fd = mnl_socket_get_fd(self->g.nl);
	EXPECT_REFUSED(EINVAL, VRINGLAB_A_VRING_CALL_FD, t_vring_add(&self->g, &self->v));
	self->v.call_fd = self->call;
	vring_add(_metadata, &self->g, &self->v);
}

TEST_F_TIMEOUT(vring, one_eventfd_for_kick_and_call_is_EINVAL, SLOW)
{
	int again = dup(self->kick);

	self->v.call_fd = self->kick;
	EXPECT_REFUSED(EINVAL, VRINGLAB_A_VRING_CALL_FD, t_vring_add(&self->g, &self->v));
	ASSERT_LE(0, again);
	self->v.call_fd = again;
	EXPECT_REFUSED(EINVAL, VRINGLAB_A_VRING_CALL_FD, t_vring_add(&self->g, &self->v));
	self->v.call_fd = self->call;
	vring_add(_metadata, &self->g, &self->v);
}

TEST_F_TIMEOUT(vring, a_registered_eventfd_is_EEXIST, SLOW)
{
	int other = new_eventfd(_metadata, 0);
	int before, kick_again = dup(self->kick);

	ASSERT_LE(0, kick_again);
	vring_add(_metadata, &self->g, &self->v);
	before = nr_vrings(_metadata, &self->g);

	self->v.call_fd = other;
	EXPECT_REFUSED(EEXIST, VRINGLAB_A_VRING_KICK_FD, t_vring_add(&self->g, &self->v));
	self->v.kick_fd = kick_again;
	EXPECT_REFUSED(EEXIST, VRINGLAB_A_VRING_KICK_FD, t_vring_add(&self->g, &self->v));
	self->v.kick_fd = self->call;
	EXPECT_REFUSED(EEXIST, VRINGLAB_A_VRING_KICK_FD, t_vring_add(&self->g, &self->v));
	self->v.kick_fd = other;
	self->v.call_fd = self->kick;
	EXPECT_REFUSED(EEXIST, VRINGLAB_A_VRING_CALL_FD, t_vring_add(&self->g, &self->v));
	self->v.call_fd = self->call;
	EXPECT_REFUSED(EEXIST, VRINGLAB_A_VRING_CALL_FD, t_vring_add(&self->g, &self->v));
	EXPECT_EQ(before, nr_vrings(_metadata, &self->g));
}

TEST_F_TIMEOUT(vring, a_deleted_eventfd_can_be_registered_at_once, SLOW)
{
	uint32_t first = vring_add(_metadata, &self->g, &self->v);

	ASSERT_EQ(0, t_vring_del(&self->g, first));
	EXPECT_NE(first, vring_add(_metadata, &self->g, &self->v));
}

TEST_F_TIMEOUT(vring, a_pid_that_is_none_is_ESRCH, SLOW)
{
	pid_t child = fork_child();
	int status;

	ASSERT_LE(0, child);
	if (!child)
		_exit(0);
	ASSERT_EQ(child, waitpid(child, &status, 0));
	self->v.has |= HAS(PID);
	self->v.pid = child;
	EXPECT_REFUSED(ESRCH, VRINGLAB_A_VRING_PID, t_vring_add(&self->g, &self->v));
	self->v.pid = INT32_MAX;
	EXPECT_REFUSED(ESRCH, VRINGLAB_A_VRING_PID, t_vring_add(&self->g, &self->v));
	self->v.pid = UINT32_MAX;
	EXPECT_REFUSED(ESRCH, VRINGLAB_A_VRING_PID, t_vring_add(&self->g, &self->v));
}

TEST_F_TIMEOUT(vring, a_pid_is_of_the_callers_namespace_and_shown_in_the_initial_one, SLOW)
{
	struct t_vring got;
	struct t_genl g;
	pid_t child;
	int ready[2], ret = 0;
	char go;

	ASSERT_EQ(0, pipe2(ready, O_CLOEXEC));
	ASSERT_EQ(0, unshare(CLONE_NEWPID));
	child = fork_child();
	ASSERT_LE(0, child);
	if (!child) {
		/* Persistent, so that the parent need not race with our end. */
		self->v.has |= HAS(PID) | HAS(PERSIST);
		self->v.pid = 1;
		ret = t_genl_open(&g, VRINGLAB_FAMILY_NAME);
		if (!ret)
			ret = t_vring_add(&g, &self->v);
		if (write(ready[1], &ret, sizeof(ret)) != sizeof(ret) ||
		    write(ready[1], &self->v.id, sizeof(self->v.id)) < 0)
			_exit(1);
		close(ready[1]);
		pause();
	}
	close(ready[1]);
	ASSERT_EQ(0, t_read_until(ready[0], &ret, sizeof(ret), T_DEADLINE_MS));
	ASSERT_EQ(0, ret);
	ASSERT_EQ(0, t_read_until(ready[0], &self->v.id, sizeof(self->v.id), T_DEADLINE_MS));
	EXPECT_EQ(0, t_vring_get(&self->g, self->v.id, &got));
	EXPECT_EQ((uint32_t)child, got.pid);
	EXPECT_EQ(0, t_vring_del(&self->g, self->v.id));
	kill(child, SIGKILL);
	EXPECT_EQ(child, waitpid(child, NULL, 0));
	EXPECT_NE(1, read(ready[0], &go, 1));
}

static int drop_net_admin(void)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];

	if (syscall(SYS_capget, &head, data))
		return -errno;
	data[0].effective &= ~(1u << CAP_NET_ADMIN);
	data[0].permitted &= ~(1u << CAP_NET_ADMIN);
	data[0].inheritable &= ~(1u << CAP_NET_ADMIN);
	return syscall(SYS_capset, &head, data) ? -errno : 0;
}

/* What a caller without privilege may not, and may. */
static void expect_read_only(struct __test_metadata *_metadata, struct t_genl *g, uint32_t id,
			     struct t_vring *v)
{
	struct t_probe probes[8];
	struct t_vring got;
	struct t_stats s;

	EXPECT_EQ(-EPERM, t_vring_add(g, v));
	EXPECT_EQ(-EPERM, t_vring_del(g, id));
	EXPECT_EQ(0, t_vring_get(g, id, &got));
	EXPECT_EQ(0u, got.has & HAS(WAKE_USER_DATA));
	EXPECT_LT(0, t_vring_dump(g, &got, 1));
	EXPECT_EQ(0u, got.has & HAS(WAKE_USER_DATA));
	EXPECT_EQ(0, t_stats_get(g, id, &s));
	EXPECT_LT(0, t_probe_dump(g, probes, 8));
}

TEST_F_TIMEOUT(vring, without_CAP_NET_ADMIN_writes_are_EPERM_and_reads_work, SLOW)
{
	struct t_vring own;
	struct t_genl g;
	uint32_t id;

	self->v.has |= HAS(WAKE_USER_DATA);
	self->v.wake_user_data = 0x1122334455667788;
	id = vring_add(_metadata, &self->g, &self->v);
	own = self->v;
	own.kick_fd = new_eventfd(_metadata, 0);
	own.call_fd = new_eventfd(_metadata, 0);
	/* Each test is a process of its own: this one does not get it back. */
	ASSERT_EQ(0, drop_net_admin());
	/* Opened with the capability, used without it. */
	expect_read_only(_metadata, &self->g, id, &own);
	ASSERT_EQ(0, t_genl_open(&g, VRINGLAB_FAMILY_NAME));
	expect_read_only(_metadata, &g, id, &own);
	EXPECT_EQ(0u, g.leak);
	t_genl_close(&g);
}

TEST_F_TIMEOUT(vring, root_of_another_user_namespace_is_without_privilege, SLOW)
{
	struct t_vring own;
	struct t_genl g;
	uint32_t id;

	self->v.has |= HAS(WAKE_USER_DATA);
	self->v.wake_user_data = 0x1122334455667788;
	id = vring_add(_metadata, &self->g, &self->v);
	own = self->v;
	own.kick_fd = new_eventfd(_metadata, 0);
	own.call_fd = new_eventfd(_metadata, 0);
	if (unshare(CLONE_NEWUSER))
		SKIP(return, "needs user namespaces: sysctl user.max_user_namespaces");
	ASSERT_EQ(0, t_genl_open(&g, VRINGLAB_FAMILY_NAME));
	expect_read_only(_metadata, &g, id, &own);
	t_genl_close(&g);
}

TEST_F_TIMEOUT(vring, closing_the_socket_deletes_its_vrings, SLOW)
{
	struct t_vring got, second = self->v;
	struct t_genl g;

	second.kick_fd = new_eventfd(_metadata, 0);
	second.call_fd = new_eventfd(_metadata, 0);
	ASSERT_EQ(0, t_genl_open(&g, VRINGLAB_FAMILY_NAME));
	vring_add(_metadata, &self->g, &self->v);
	vring_add(_metadata, &g, &second);
	t_genl_close(&g);
	EXPECT_TRUE(EVENTUALLY(t_vring_get(&self->g, second.id, &got) == -ENOENT));
	/* Ours is none of its business. */
	EXPECT_EQ(0, t_vring_get(&self->g, self->v.id, &got));
}

TEST_F_TIMEOUT(vring, the_end_of_the_process_deletes_its_vrings, SLOW)
{
	struct t_vring got;
	int ready[2];
	pid_t child;

	ASSERT_EQ(0, pipe2(ready, O_CLOEXEC));
	child = fork_child();
	ASSERT_LE(0, child);
	if (!child) {
		struct t_genl g;

		if (t_genl_open(&g, VRINGLAB_FAMILY_NAME) || t_vring_add(&g, &self->v) ||
		    write(ready[1], &self->v.id, sizeof(self->v.id)) < 0)
			_exit(1);
		pause();
	}
	ASSERT_EQ(0, t_read_until(ready[0], &self->v.id, sizeof(self->v.id), T_DEADLINE_MS));
	EXPECT_EQ(0, t_vring_get(&self->g, self->v.id, &got));
	ASSERT_EQ(0, kill(child, SIGKILL));
	ASSERT_EQ(child, waitpid(child, NULL, 0));
	EXPECT_TRUE(EVENTUALLY(t_vring_get(&self->g, self->v.id, &got) == -ENOENT));
}

TEST_F_TIMEOUT(vring, a_persistent_one_survives_its_socket, SLOW)
{
	struct t_vring got, other = self->v;
	struct t_genl g;
	struct t_stats s;

	other.kick_fd = new_eventfd(_metadata, 0);
	other.call_fd = new_eventfd(_metadata, 0);
	self->v.has |= HAS(PERSIST);
	ASSERT_EQ(0, t_genl_open(&g, VRINGLAB_FAMILY_NAME));
	vring_add(_metadata, &g, &self->v);
	vring_add(_metadata, &g, &other);
	t_genl_close(&g);
	/* The other's end is the proof that the socket's has been dealt with. */
	EXPECT_TRUE(EVENTUALLY(t_vring_get(&self->g, other.id, &got) == -ENOENT));
	EXPECT_EQ(0, t_vring_get(&self->g, self->v.id, &got));
	ASSERT_EQ(0, eventfd_write(self->kick, 1));
	stats_get(_metadata, &self->g, self->v.id, &s);
	EXPECT_EQ(1u, T_CNT(&s, KICKS));
	EXPECT_EQ(0, t_vring_del(&self->g, self->v.id));
}

TEST_F_TIMEOUT(vring, another_socket_may_delete_it, SLOW)
{
	struct t_vring got;
	struct t_genl g;

	vring_add(_metadata, &self->g, &self->v);
	ASSERT_EQ(0, t_genl_open(&g, VRINGLAB_FAMILY_NAME));
	EXPECT_EQ(0, t_vring_del(&g, self->v.id));
	EXPECT_EQ(-ENOENT, t_vring_get(&self->g, self->v.id, &got));
	EXPECT_EQ(-ENOENT, t_vring_del(&self->g, self->v.id));
	t_genl_close(&g);
}

TEST_F_TIMEOUT(vring, closed_eventfds_stay_registered_until_deleted, SLOW)
{
	struct t_vring got;
	struct t_stats s;

	vring_add(_metadata, &self->g, &self->v);
	ASSERT_EQ(0, eventfd_write(self->kick, 1));
	close(self->kick);
	close(self->call);
	EXPECT_EQ(0, t_vring_get(&self->g, self->v.id, &got));
	stats_get(_metadata, &self->g, self->v.id, &s);
	EXPECT_EQ(1u, T_CNT(&s, KICKS));
	EXPECT_EQ(0, t_vring_del(&self->g, self->v.id));
}

/* clang-format off */
FIXTURE(dump) {
	struct t_genl g;
	struct t_genl other;
	struct t_vring stable[NR_STABLE];
	uint32_t spare[NR_STABLE];
};

/* clang-format on */

static int add_new(struct t_genl *g, struct t_vring *v, const char *label)
{
	int kick = eventfd(0, EFD_CLOEXEC);
	int call = eventfd(0, EFD_CLOEXEC);
	int ret;

	*v = (struct t_vring){
		.has = HAS(LABEL) | HAS(KICK_FD) | HAS(CALL_FD),
		.kick_fd = kick,
		.call_fd = call,
	};
	strcpy(v->label, label);
	ret = t_vring_add(g, v);
	close(kick);
	close(call);
	return ret;
}

FIXTURE_SETUP(dump)
{
	struct t_vring v;
	int i;

	OPEN_OR_SKIP(&self->g);
	ASSERT_EQ(0, t_genl_open(&self->other, VRINGLAB_FAMILY_NAME));
	for (i = 0; i < NR_STABLE; i++) {
		ASSERT_EQ(0, add_new(&self->other, &v, "spare"));
		self->spare[i] = v.id;
		ASSERT_EQ(0, add_new(&self->g, &self->stable[i], "stable"));
	}
}

FIXTURE_TEARDOWN(dump)
{
	struct t_vring v;

	EXPECT_EQ(0u, self->g.leak);
	t_genl_close(&self->g);
	t_genl_close(&self->other);
	EXPECT_EQ(0, t_genl_open(&self->g, VRINGLAB_FAMILY_NAME));
	EXPECT_TRUE(EVENTUALLY(t_vring_dump(&self->g, &v, 1) == 1));
	t_genl_close(&self->g);
}

struct seen {
	FIXTURE_DATA(dump) * self;
	unsigned int messages;
	unsigned int times[NR_STABLE];
	unsigned int per_vring;
	bool meddle;
};

static int note_stable(struct seen *s, uint32_t id)
{
	int i;

	for (i = 0; i < NR_STABLE; i++)
		if (s->self->stable[i].id == id)
			s->times[i]++;
	/* In the middle of the dump, once: half go, as many new ones come. */
	if (s->meddle && s->messages++ == 5) {
		struct t_vring v;

		for (i = 0; i < NR_STABLE; i += 2)
			if (t_vring_del(&s->self->other, s->self->spare[i]) ||
			    add_new(&s->self->other, &v, "spare"))
				return MNL_CB_ERROR;
	}
	return MNL_CB_OK;
}

/* In each set of attributes the id has the same number. */
static int note_message(const struct nlmsghdr *nlh, void *data)
{
	const struct nlattr *attr;

	mnl_attr_for_each(attr, nlh, sizeof(struct genlmsghdr))
		if (mnl_attr_get_type(attr) == VRINGLAB_A_VRING_ID)
			return note_stable(data, mnl_attr_get_u32(attr));
	return MNL_CB_ERROR;
}

static void expect_each_once(struct __test_metadata *_metadata, struct seen *s, uint8_t cmd)
{
	int i, ret;

	t_genl_start(&s->self->g, cmd, NLM_F_DUMP);
	ret = t_genl_call(&s->self->g, note_message, s);
	/* EINTR is how a dump says that it is not one moment's picture. */
	if (ret != -EINTR)
		ASSERT_EQ(0, ret);
	for (i = 0; i < NR_STABLE; i++)
		EXPECT_EQ(s->per_vring, s->times[i])
		{
			TH_LOG("stable vring %d of %d, command %u", i, NR_STABLE, cmd);
		}
}

TEST_F_TIMEOUT(dump, shows_each_vring_once, SLOW)
{
	struct seen s = { .self = self, .per_vring = 1 };

	expect_each_once(_metadata, &s, VRINGLAB_CMD_VRING_GET);
	EXPECT_EQ(0, self->g.dump_intr);
}

TEST_F_TIMEOUT(dump, shows_each_vrings_counters_once, SLOW)
{
	struct seen s = { .self = self, .per_vring = 1 };

	expect_each_once(_metadata, &s, VRINGLAB_CMD_COUNTERS_GET);
}

TEST_F_TIMEOUT(dump, shows_each_vrings_six_hists_once, SLOW)
{
	struct seen s = { .self = self, .per_vring = T_NR_SPANS };

	expect_each_once(_metadata, &s, VRINGLAB_CMD_HIST_GET);
}

TEST_F_TIMEOUT(dump, neither_loses_nor_repeats_a_vring_when_others_come_and_go, SLOW)
{
	static const uint8_t cmds[] = { VRINGLAB_CMD_VRING_GET, VRINGLAB_CMD_COUNTERS_GET,
					VRINGLAB_CMD_HIST_GET };
	int i;

	for (i = 0; i < 3; i++) {
		struct seen s = { .self = self, .meddle = i == 0, .per_vring = i == 2 ? 6 : 1 };

		expect_each_once(_metadata, &s, cmds[i]);
	}
}

struct churn {
	struct t_genl g;
	volatile bool stop;
	unsigned long rounds;
	int ret;
};

static void *churn(void *data)
{
	struct churn *c = data;
	struct t_vring v[8];
	int i;

	while (!c->stop && !c->ret) {
		for (i = 0; i < 8 && !c->ret; i++)
			c->ret = add_new(&c->g, &v[i], "churn");
		while (i-- > 0 && !c->ret)
			c->ret = t_vring_del(&c->g, v[i].id);
		c->rounds++;
	}
	return NULL;
}

TEST_F_TIMEOUT(dump, holds_while_another_thread_adds_and_deletes, SLOW)
{
	struct churn *c = calloc(1, sizeof(*c));
	pthread_t thread;
	int i;

	ASSERT_NE(NULL, c);
	ASSERT_EQ(0, t_genl_open(&c->g, VRINGLAB_FAMILY_NAME));
	ASSERT_EQ(0, pthread_create(&thread, NULL, churn, c));
	for (i = 0; i < 20; i++) {
		struct seen s = { .self = self, .per_vring = 1 };

		expect_each_once(_metadata, &s,
				 i & 1 ? VRINGLAB_CMD_COUNTERS_GET : VRINGLAB_CMD_VRING_GET);
	}
	c->stop = true;
	ASSERT_EQ(0, pthread_join(thread, NULL));
	EXPECT_EQ(0, c->ret);
	EXPECT_LT(0ul, c->rounds);
	EXPECT_EQ(0u, c->g.leak);
	t_genl_close(&c->g);
	free(c);
}

/* clang-format off */
FIXTURE(limit) {
	struct t_genl g;
};

/* clang-format on */

FIXTURE_SETUP(limit)
{
	OPEN_OR_SKIP(&self->g);
}

FIXTURE_TEARDOWN(limit)
{
	t_genl_close(&self->g);
}

TEST_F_TIMEOUT(limit, is_ENOSPC_and_deleting_one_makes_room_for_one, SLOW)
{
	int before = nr_vrings(_metadata, &self->g);
	struct t_vring v, last = { 0 };
	struct t_genl other;
	int nr, ret = 0;

	for (nr = 0; nr < MANY && !ret; nr++) {
		ret = add_new(&self->g, &v, "many");
		if (!ret)
			last = v;
	}
	nr--;
	TH_LOG("%d virtqueues, then: %s", before + nr, self->g.ack_msg);
	ASSERT_EQ(-ENOSPC, ret);
	EXPECT_NE(0, self->g.ack_msg[0]);
	EXPECT_EQ(before + nr, nr_vrings(_metadata, &self->g));
	EXPECT_EQ(0, t_vring_del(&self->g, last.id));
	/* What handlers may still use is given back a moment later. */
	EXPECT_TRUE(EVENTUALLY(!add_new(&self->g, &v, "many")));
	EXPECT_EQ(-ENOSPC, add_new(&self->g, &v, "many"));
	ASSERT_EQ(0, t_genl_open(&other, VRINGLAB_FAMILY_NAME));
	t_genl_close(&self->g);
	EXPECT_TRUE(EVENTUALLY(t_vring_dump(&other, &v, 1) == before));
	EXPECT_TRUE(EVENTUALLY(!add_new(&other, &v, "after")));
	t_genl_close(&other);
}

/* clang-format off */
FIXTURE(probes) {
	struct t_genl g;
	struct t_probe p[128];
	int nr;
};

/* clang-format on */

FIXTURE_SETUP(probes)
{
	OPEN_OR_SKIP(&self->g);
	/* Some are attached only then. */
	ASSERT_EQ(0, t_discover_set(&self->g, true, false));
	self->nr = t_probe_dump(&self->g, self->p, 128);
	ASSERT_LT(0, self->nr);
	ASSERT_GE(128, self->nr);
}

FIXTURE_TEARDOWN(probes)
{
	EXPECT_EQ(0u, self->g.leak);
	t_genl_close(&self->g);
}

TEST_F_TIMEOUT(probes, none_is_idle_or_failed_while_vrings_are_looked_for, SLOW)
{
	int i, attached = 0;

	for (i = 0; i < self->nr; i++) {
		const struct t_probe *p = &self->p[i];

		EXPECT_LE(p->type, (uint32_t)VRINGLAB_PROBE_TYPE_RETURN);
		EXPECT_TRUE(p->state == VRINGLAB_PROBE_STATE_ATTACHED ||
			    p->state == VRINGLAB_PROBE_STATE_ABSENT)
		{
			TH_LOG("%s is in state %u, errno %u", p->name, p->state, p->error);
		}
		EXPECT_EQ(0u, p->error);
		attached += p->state == VRINGLAB_PROBE_STATE_ATTACHED;
	}
	EXPECT_LT(0, attached);
}

static uint32_t documented_hops(const char *name)
{
#define HOP(hop) (1u << VRINGLAB_HOP_##hop)
	static const struct {
		const char *name;
		uint32_t hops;
	} known[] = {
		{ "eventfd_signal_mask", HOP(KICK) | HOP(CALL) },
		{ "eventfd_write", HOP(KICK) | HOP(CALL) },
		{ "irqfd_wakeup", HOP(CALL) | HOP(INJECT) },
		{ "handle_tx_kick", HOP(WAKE) },
		{ "handle_rx_kick", HOP(WAKE) },
		{ "vhost_vsock_handle_tx_kick", HOP(WAKE) },
		{ "vhost_vsock_handle_rx_kick", HOP(WAKE) },
		{ "vhost_scsi_ctl_handle_kick", HOP(WAKE) },
		{ "vhost_scsi_evt_handle_kick", HOP(WAKE) },
		{ "vhost_scsi_handle_kick", HOP(WAKE) },
		{ "handle_vq_kick", HOP(WAKE) },
		{ "vhost_add_used_and_signal", HOP(CALL) },
		{ "vhost_add_used_and_signal_n", HOP(CALL) },
		{ "vhost_signal", HOP(CALL) },
		{ "irqfd_inject", HOP(INJECT) },
		{ "add_wait_queue_priority_exclusive", HOP(KICK) },
		{ "io_uring_complete", HOP(WAKE) },
		{ "kvm_exit", HOP(EXIT) },
		{ "kvm_apic_accept_irq", HOP(INJECT) },
		{ "kvm_entry", HOP(ENTRY) },
	};
	size_t i;

	for (i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (!strcmp(known[i].name, name))
			return known[i].hops;
	return 0;
#undef HOP
}

/* As Documentation/hops.rst has it. */
TEST_F_TIMEOUT(probes, each_names_every_hop_it_serves_once, SLOW)
{
	uint32_t all = 0;
	int i;

	for (i = 0; i < self->nr; i++) {
		const struct t_probe *p = &self->p[i];

		EXPECT_EQ(documented_hops(p->name), p->hops)
		{
			TH_LOG("%s", p->name);
		}
		EXPECT_EQ((unsigned int)__builtin_popcount(p->hops), p->nr_hops);
		all |= p->hops;
	}
	/* No hop is without one. */
	EXPECT_EQ((1u << (VRINGLAB_HOP_ENTRY + 1)) - 1, all);
}

TEST_F_TIMEOUT(probes, each_is_listed_once, SLOW)
{
	int i, j;

	for (i = 0; i < self->nr; i++)
		for (j = 0; j < i; j++)
			EXPECT_FALSE(!strcmp(self->p[i].name, self->p[j].name) &&
				     self->p[i].type == self->p[j].type &&
				     !strcmp(self->p[i].module, self->p[j].module))
			{
				TH_LOG("%s twice", self->p[i].name);
			}
}

USE_MODULE_WITH_ANCHOR

TEST_HARNESS_MAIN
