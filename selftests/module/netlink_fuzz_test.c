// SPDX-License-Identifier: GPL-2.0-only
/*
 * Messages that are made as the family's policies say, and then spoilt: in length,
 * type, nesting, values, flags and headers. Each is answered; what is refused is
 * refused in words and changes nothing, and whatever is taken leaves the module as
 * it was once the socket is closed.
 *
 * $VRINGLAB_FUZZ_N says how many, $VRINGLAB_FUZZ_SEED makes them the same again.
 */
#include <sys/socket.h>

#include "netlink.h"
#include "t_policy.h"

#define DEFAULT_N 20000
/* One message in so many is looked at: a dump of everything costs what hundreds do. */
#define LOOK_EVERY 64
#define NR_FDS 6
#define NR_IDS 8
/* A sequence number that no spoilt message has but by chance in 2^32. */
#define SENTINEL_SEQ 0x5e47131eu

/* clang-format off */
FIXTURE(fuzz) {
	struct t_genl g;
	struct t_genl looker;
	struct t_policy p;
	int fds[NR_FDS];
	uint32_t ids[NR_IDS];
	uint32_t anchor;
	uint64_t random;
	uint64_t state;
	bool stale;
	unsigned long refused;
	unsigned long taken;
	unsigned long unanswered;
};

/* clang-format on */

static uint64_t env_or(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);

	return text && *text ? strtoull(text, NULL, 0) : otherwise;
}

/* xorshift64* */
static uint64_t any(FIXTURE_DATA(fuzz) * self)
{
	self->random ^= self->random >> 12;
	self->random ^= self->random << 25;
	self->random ^= self->random >> 27;
	return self->random * 0x2545f4914f6cdd1dull;
}

static uint32_t below(FIXTURE_DATA(fuzz) * self, uint32_t limit)
{
	return (any(self) >> 32) % limit;
}

static bool one_in(FIXTURE_DATA(fuzz) * self, uint32_t chances)
{
	return !below(self, chances);
}

/* Of an id, an fd, an enum, a limit, or nothing in particular. */
static uint64_t any_number(FIXTURE_DATA(fuzz) * self, const struct t_policy_attr *attr)
{
	uint64_t number;

	switch (below(self, 6)) {
	case 0:
		number = self->ids[below(self, NR_IDS)];
		break;
	case 1:
	case 2:
		number = self->fds[below(self, NR_FDS)];
		break;
	case 3:
		number = attr->min + below(self, 8);
		break;
	case 4:
		number = attr->max - below(self, 2);
		break;
	default:
		number = any(self);
	}
	/* Without the anchor hooks would come and go with each message: seconds each. */
	return (uint32_t)number == self->anchor ? number + 1 : number;
}

static bool has_room(const struct nlmsghdr *nlh, size_t len)
{
	return nlh->nlmsg_len + NLA_HDRLEN + len + 64 < T_GENL_BUF;
}

static void put_table(FIXTURE_DATA(fuzz) * self, struct nlmsghdr *nlh, int table, int depth);

static void put_attr(FIXTURE_DATA(fuzz) * self, struct nlmsghdr *nlh, uint16_t type,
		     const struct t_policy_attr *attr, int depth)
{
	unsigned int size = t_policy_size(attr->type);
	uint64_t number = any_number(self, attr);
	struct nlattr *nest;
	char text[40];

	if (!has_room(nlh, sizeof(text)))
		return;
	if (size) {
		mnl_attr_put(nlh, type, size, &number);
	} else if (attr->type == NL_ATTR_TYPE_NESTED && depth) {
		nest = mnl_attr_nest_start(nlh, type);
		put_table(self, nlh, attr->nested, depth - 1);
		mnl_attr_nest_end(nlh, nest);
	} else if (attr->type == NL_ATTR_TYPE_FLAG) {
		mnl_attr_put(nlh, type, 0, NULL);
	} else {
		snprintf(text, sizeof(text), "fuzz.%u", below(self, 100));
		mnl_attr_put_strz(nlh, type, text);
	}
}

/* Most of what it takes. */
static void put_table(FIXTURE_DATA(fuzz) * self, struct nlmsghdr *nlh, int table, int depth)
{
	uint16_t type;

	for (type = 1; table >= 0 && type < T_POLICY_ATTRS; type++)
		if (self->p.attrs[table][type].type != NL_ATTR_TYPE_INVALID && !one_in(self, 6))
			put_attr(self, nlh, type, &self->p.attrs[table][type], depth);
}

static struct nlmsghdr *good_message(FIXTURE_DATA(fuzz) * self)
{
	const struct t_policy_op *op = &self->p.ops[below(self, self->p.nr_ops)];
	bool dump = !(op->flags & GENL_CMD_CAP_DO) ||
		    (op->flags & GENL_CMD_CAP_DUMP && one_in(self, 8));
	struct nlmsghdr *nlh = t_genl_start(&self->g, op->cmd, dump ? NLM_F_DUMP : NLM_F_ACK);

	if (!dump)
		put_table(self, nlh, op->doit, 3);
	return nlh;
}

static void spoil_bytes(FIXTURE_DATA(fuzz) * self, struct nlmsghdr *nlh)
{
	size_t head = NLMSG_HDRLEN, len = nlh->nlmsg_len - head;
	unsigned int i, nr = 1 + below(self, 8);

	for (i = 0; len && i < nr; i++)
		((char *)nlh)[head + below(self, len)] = any(self);
}

/* One of its attributes, or where the next one would be. */
static struct nlattr *any_attr(FIXTURE_DATA(fuzz) * self, struct nlmsghdr *nlh)
{
	struct nlattr *attr;

	mnl_attr_for_each(attr, nlh, sizeof(struct genlmsghdr))
		if (one_in(self, 3))
			return attr;
	return mnl_nlmsg_get_payload_tail(nlh);
}

static void spoil_attr(FIXTURE_DATA(fuzz) * self, struct nlmsghdr *nlh)
{
	struct nlattr *attr = any_attr(self, nlh);
	size_t room = (char *)nlh + T_GENL_BUF - (char *)attr;

	if (room < NLA_HDRLEN)
		return;
	switch (below(self, 4)) {
	case 0:
		attr->nla_len = below(self, 2) ? below(self, 64) : any(self);
		break;
	case 1:
		attr->nla_type = below(self, 2) ? below(self, 70) : any(self);
		break;
	case 2:
		attr->nla_type ^= one_in(self, 2) ? NLA_F_NESTED : NLA_F_NET_BYTEORDER;
		break;
	case 3:
		attr->nla_len += below(self, 9) - 4;
		break;
	}
}

/* A copy of what is there, behind it; or garbage. */
static void grow(FIXTURE_DATA(fuzz) * self, struct nlmsghdr *nlh)
{
	size_t room = T_GENL_BUF - nlh->nlmsg_len, head = NLMSG_HDRLEN + GENL_HDRLEN;
	size_t len = one_in(self, 16) ? below(self, room) : below(self, 32), i;
	char *tail = mnl_nlmsg_get_payload_tail(nlh);

	if (len > room - NLMSG_ALIGNTO)
		return;
	for (i = 0; i < len; i++)
		tail[i] = nlh->nlmsg_len > head && one_in(self, 2) ?
				  ((char *)nlh)[head + i % (nlh->nlmsg_len - head)] :
				  (char)any(self);
	if (nlh->nlmsg_len > head && one_in(self, 2)) {
		len = nlh->nlmsg_len - head;
		if (len > room - NLMSG_ALIGNTO)
			return;
		memmove(tail, (char *)nlh + head, len);
	}
	nlh->nlmsg_len = NLMSG_ALIGN(nlh->nlmsg_len) + len;
}

static void spoil_header(FIXTURE_DATA(fuzz) * self, struct nlmsghdr *nlh)
{
	struct genlmsghdr *genl = mnl_nlmsg_get_payload(nlh);

	switch (below(self, 5)) {
	case 0:
		/* No other family of this machine is asked. */
		nlh->nlmsg_type = below(self, NLMSG_MIN_TYPE);
		break;
	case 1:
		nlh->nlmsg_flags = any(self);
		break;
	case 2:
		genl->cmd = any(self);
		break;
	case 3:
		genl->version = any(self);
		break;
	case 4:
		genl->reserved = any(self);
		break;
	}
}

static void spoil(FIXTURE_DATA(fuzz) * self, struct nlmsghdr *nlh)
{
	switch (below(self, 6)) {
	case 0:
		spoil_bytes(self, nlh);
		break;
	case 1:
		grow(self, nlh);
		break;
	case 2:
		spoil_header(self, nlh);
		break;
	default:
		spoil_attr(self, nlh);
	}
}

struct verdict {
	bool dumping;
	bool over;
	int nr;
	int error;
	bool has_text;
	bool wordless;
};

/* Refusals of netlink itself, which come before the family is asked: see netlink.rst. */
static bool may_be_wordless(FIXTURE_DATA(fuzz) * self, const struct nlmsghdr *request, int error)
{
	const struct genlmsghdr *genl = mnl_nlmsg_get_payload(request);
	const struct t_policy_op *op;

	if (error == -EOPNOTSUPP) {
		op = t_policy_op(&self->p, genl->cmd);
		return !op || !(op->flags & ((request->nlmsg_flags & NLM_F_DUMP) == NLM_F_DUMP ?
						     GENL_CMD_CAP_DUMP :
						     GENL_CMD_CAP_DO));
	}
	/* 6.1 gives the start of a dump, which finds attributes, no room for words. */
	if (error == -EINVAL && (request->nlmsg_flags & NLM_F_DUMP) == NLM_F_DUMP)
		return true;
	return request->nlmsg_len < NLMSG_HDRLEN + GENL_HDRLEN ||
	       request->nlmsg_type != self->g.family;
}

static void take_error(FIXTURE_DATA(fuzz) * self, const struct nlmsghdr *nlh, struct verdict *v)
{
	const struct nlmsgerr *e = mnl_nlmsg_get_payload(nlh);
	bool has_text = nlh->nlmsg_flags & NLM_F_ACK_TLVS;

	v->nr++;
	if (!e->error)
		return;
	v->error = e->error;
	/* Messages that another one's length has hidden are none of ours. */
	if (!has_text && e->msg.nlmsg_seq == self->g.seq &&
	    !may_be_wordless(self, (const void *)self->g.request, e->error))
		v->wordless = true;
}

/* What came, up to the sentinel's acknowledgement and the end of a dump. */
static int take_answers(FIXTURE_DATA(fuzz) * self, struct verdict *v)
{
	const struct nlmsghdr *nlh;
	int len;

	len = mnl_socket_recvfrom(self->g.nl, self->g.answer, sizeof(self->g.answer));
	if (len < 0)
		return -errno;
	for (nlh = (const void *)self->g.answer; mnl_nlmsg_ok(nlh, len);
	     nlh = mnl_nlmsg_next(nlh, &len)) {
		if (nlh->nlmsg_seq == SENTINEL_SEQ) {
			v->over = true;
			continue;
		}
		if (nlh->nlmsg_flags & NLM_F_MULTI)
			v->dumping = nlh->nlmsg_type != NLMSG_DONE;
		if (nlh->nlmsg_type == NLMSG_ERROR)
			take_error(self, nlh, v);
		else
			v->nr++;
	}
	return 0;
}

/* Acknowledged by netlink itself, whatever the message before it was. */
static int send_sentinel(FIXTURE_DATA(fuzz) * self)
{
	struct nlmsghdr nlh = {
		.nlmsg_len = sizeof(nlh),
		.nlmsg_type = NLMSG_NOOP,
		.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK,
		.nlmsg_seq = SENTINEL_SEQ,
	};

	return mnl_socket_sendto(self->g.nl, &nlh, sizeof(nlh)) < 0 ? -errno : 0;
}

/* Also cut, so that its header says more than there is. */
static int send_spoilt(FIXTURE_DATA(fuzz) * self, const struct nlmsghdr *nlh)
{
	size_t len = nlh->nlmsg_len;

	if (one_in(self, 32))
		len = below(self, len + 1);
	if (send(mnl_socket_get_fd(self->g.nl), nlh, len, 0) < 0)
		return -errno;
	return 0;
}

static void judge(struct __test_metadata *_metadata, FIXTURE_DATA(fuzz) * self,
		  const struct verdict *v)
{
	const struct nlmsghdr *nlh = (const void *)self->g.request;
	const unsigned char *bytes = (const void *)nlh;
	char hex[3 * 96 + 1] = "";
	unsigned int i;

	if (v->error)
		self->refused++;
	else if (v->nr)
		self->taken++;
	else
		self->unanswered++;
	EXPECT_FALSE(v->wordless)
	{
		for (i = 0; i < nlh->nlmsg_len && i < 96; i++)
			sprintf(hex + 3 * i, "%02x ", bytes[i]);
		TH_LOG("refused without a word: %s: %s", strerror(-v->error), hex);
	}
}

/* The message's answer, or an errno of the system call. */
static int exchange(FIXTURE_DATA(fuzz) * self, struct verdict *v)
{
	const struct nlmsghdr *nlh = (const void *)self->g.request;
	int ret = send_spoilt(self, nlh);

	*v = (struct verdict){ 0 };
	if (ret) {
		v->nr = 1;
		v->error = ret;
		return 0;
	}
	ret = send_sentinel(self);
	while (!ret && (!v->over || v->dumping))
		ret = take_answers(self, v);
	return ret;
}

/* Without the request in each refusal, which would not fit where it is long. */
static int open_socket(struct t_genl *g)
{
	int one = 1, ret = t_genl_open(g, VRINGLAB_FAMILY_NAME);

	if (!ret && mnl_socket_setsockopt(g->nl, NETLINK_CAP_ACK, &one, sizeof(one)))
		ret = -errno;
	return ret;
}

/* As if nothing had been: what was taken goes, the persistent too. */
static void start_over(struct __test_metadata *_metadata, FIXTURE_DATA(fuzz) * self)
{
	struct t_vring own, v[64];
	uint32_t seq = self->g.seq;
	bool anchored = false;
	int i, nr;

	t_genl_close(&self->g);
	ASSERT_EQ(0, open_socket(&self->g));
	self->g.seq = seq;
	nr = t_vring_dump(&self->looker, v, 64);
	for (i = 0; i < nr && i < 64; i++) {
		if (v[i].id == self->anchor)
			anchored = true;
		else
			t_vring_del(&self->looker, v[i].id);
	}
	if (!anchored) {
		ASSERT_EQ(0, add_new(&self->looker, &own, "anchor"));
		self->anchor = own.id;
	}
	ASSERT_TRUE(EVENTUALLY(nr_vrings(_metadata, &self->looker) == 1));
	for (i = 0; i < NR_IDS / 2; i++) {
		ASSERT_EQ(0, add_new(&self->g, &own, "own"));
		self->ids[i] = own.id;
	}
	self->stale = true;
}

FIXTURE_SETUP(fuzz)
{
	struct t_vring anchor;
	int i, pipe_fds[2];

	OPEN_OR_SKIP(&self->g);
	ASSERT_EQ(0, t_genl_open(&self->looker, VRINGLAB_FAMILY_NAME));
	ASSERT_EQ(0, t_policy_read(&self->p, VRINGLAB_FAMILY_NAME));
	ASSERT_EQ(1, t_vring_dump(&self->looker, &anchor, 1));
	self->anchor = anchor.id;
	for (i = 0; i < NR_FDS - 2; i++)
		self->fds[i] = new_eventfd(_metadata, EFD_NONBLOCK);
	ASSERT_EQ(0, pipe2(pipe_fds, O_CLOEXEC));
	self->fds[NR_FDS - 2] = pipe_fds[0];
	self->fds[NR_FDS - 1] = -1;
	self->random = env_or("VRINGLAB_FUZZ_SEED", time(NULL) | 1) | 1;
	TH_LOG("VRINGLAB_FUZZ_SEED=%llu", (unsigned long long)self->random);
	start_over(_metadata, self);
}

FIXTURE_TEARDOWN(fuzz)
{
	t_genl_close(&self->g);
	t_genl_close(&self->looker);
}

/* What was taken is where the next refusals begin. */
static void look(struct __test_metadata *_metadata, FIXTURE_DATA(fuzz) * self)
{
	if (self->stale)
		ASSERT_EQ(0, t_policy_sum(&self->p, &self->looker, &self->state));
	self->stale = false;
}

/* All refusals since the last look, if nothing was taken in between. */
static void expect_unchanged(struct __test_metadata *_metadata, FIXTURE_DATA(fuzz) * self)
{
	uint64_t state;

	ASSERT_EQ(0, t_policy_sum(&self->p, &self->looker, &state));
	EXPECT_EQ(self->state, state)
	{
		TH_LOG("a refused message has changed something");
	}
}

/* Whatever its command says now. */
static bool may_have_changed(FIXTURE_DATA(fuzz) * self)
{
	const struct genlmsghdr *genl =
		mnl_nlmsg_get_payload((const struct nlmsghdr *)self->g.request);
	const struct t_policy_op *op = t_policy_op(&self->p, genl->cmd);

	return !op || op->flags & GENL_ADMIN_PERM;
}

TEST_F_TIMEOUT(fuzz, every_message_is_answered_and_a_refused_one_changes_nothing, 10000)
{
	uint64_t i, n = env_or("VRINGLAB_FUZZ_N", DEFAULT_N);
	unsigned int spoilt;

	for (i = 0; i < n && _metadata->exit_code == KSFT_PASS; i++) {
		struct nlmsghdr *nlh = good_message(self);
		bool looks = one_in(self, LOOK_EVERY);
		struct verdict v;

		if (looks)
			look(_metadata, self);
		for (spoilt = below(self, 4); spoilt; spoilt--)
			spoil(self, nlh);
		ASSERT_EQ(0, exchange(self, &v));
		judge(_metadata, self, &v);
		if (v.error && looks)
			expect_unchanged(_metadata, self);
		else if (!v.error && may_have_changed(self))
			self->stale = true;
		if (i % 512 == 511)
			start_over(_metadata, self);
	}
	TH_LOG("%lu refused, %lu taken, %lu not heard by netlink", self->refused, self->taken,
	       self->unanswered);
	EXPECT_LT(n / 8, self->refused);
	EXPECT_LT(n / 64, self->taken);
}

USE_MODULE_WITH_ANCHOR

TEST_HARNESS_MAIN
