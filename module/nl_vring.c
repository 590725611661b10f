// SPDX-License-Identifier: GPL-2.0-only
/*
 * Vrings over netlink: vring-add, vring-del, vring-get.
 */
#include "vringlab.h"

#include <linux/ctype.h>
#include <linux/err.h>
#include <linux/eventfd.h>
#include <linux/file.h>
#include <linux/netlink.h>
#include <linux/pid.h>
#include <linux/sched.h>
#include <net/genetlink.h>
#include <net/netlink.h>

#include "found.h"
#include "layout.h"
#include "nl.h"

const struct nla_policy vl_nl_vring_add_policy[VL_NL_VRING_ADD_MAX + 1] = {
	[VRINGLAB_A_VRING_LABEL] = { .type = NLA_NUL_STRING, .len = VRINGLAB_LABEL_LEN - 1 },
	[VRINGLAB_A_VRING_BACKEND] = NLA_POLICY_MAX(NLA_U32, VRINGLAB_BACKEND_VMM),
	[VRINGLAB_A_VRING_KICK_FD] = { .type = NLA_U32 },
	[VRINGLAB_A_VRING_CALL_FD] = { .type = NLA_U32 },
	[VRINGLAB_A_VRING_PID] = { .type = NLA_U32 },
	[VRINGLAB_A_VRING_WAKE_USER_DATA] = { .type = NLA_U64 },
	[VRINGLAB_A_VRING_PERSIST] = { .type = NLA_FLAG },
};

const struct nla_policy vl_nl_vring_id_policy[VL_NL_VRING_ID_MAX + 1] = {
	[VRINGLAB_A_VRING_ID] = { .type = NLA_U32 },
};

static bool put_ioeventfd(struct sk_buff *skb, const struct vl_ioeventfd *io)
{
	struct nlattr *nest = nla_nest_start(skb, VRINGLAB_A_VRING_IOEVENTFD);

	if (!nest ||
	    nla_put_u64_64bit(skb, VRINGLAB_A_IOEVENTFD_ADDRESS, io->addr,
			      VRINGLAB_A_IOEVENTFD_PAD) ||
	    nla_put_u32(skb, VRINGLAB_A_IOEVENTFD_LENGTH, io->len) ||
	    (io->has_datamatch && nla_put_u64_64bit(skb, VRINGLAB_A_IOEVENTFD_DATAMATCH,
						    io->datamatch, VRINGLAB_A_IOEVENTFD_PAD)) ||
	    (io->pio && nla_put_flag(skb, VRINGLAB_A_IOEVENTFD_PIO)))
		return true;

	nla_nest_end(skb, nest);
	return false;
}

static bool put_irqfd(struct sk_buff *skb, u32 gsi)
{
	struct nlattr *nest = nla_nest_start(skb, VRINGLAB_A_VRING_IRQFD);

	if (!nest || nla_put_u32(skb, VRINGLAB_A_IRQFD_GSI, gsi))
		return true;

	nla_nest_end(skb, nest);
	return false;
}

/* A process may give one eventfd to KVM a thousand times; a message ends. */
#define FACTS_MAX 32

static bool put_facts(const struct vl_nl_reply *reply, const struct vl_eventfd *eventfd)
{
	struct sk_buff *skb = reply->skb;
	struct vl_fact *fact = NULL;
	unsigned int i;

	for (i = 0; i < FACTS_MAX && (fact = vl_fact_next(eventfd->ctx, fact)); i++)
		if (fact->role == VL_ROLE_KICK ? put_ioeventfd(skb, &fact->io) :
						 put_irqfd(skb, fact->gsi))
			return true;

	return false;
}

static const struct vl_vm *vm_of(const struct vl_vring *vring)
{
	struct vl_fact *fact;
	enum vl_role role;

	for (role = 0; role < VL_ROLES; role++) {
		if (!vring->eventfds[role])
			continue;
		fact = vl_fact_next(vring->eventfds[role]->ctx, NULL);
		if (fact)
			return fact->vm;
	}
	return NULL;
}

static bool put_vm(const struct vl_nl_reply *reply, const struct vl_vring *vring)
{
	const struct vl_vm *vm = vm_of(vring);
	struct sk_buff *skb = reply->skb;
	u64 target = READ_ONCE(vring->target);
	enum vl_role role;

	if ((vm && (nla_put_u32(skb, VRINGLAB_A_VRING_VM, vm->id) ||
		    (vm->tgid && nla_put_u32(skb, VRINGLAB_A_VRING_VM_PID, vm->tgid)))) ||
	    (target && nla_put_u32(skb, VRINGLAB_A_VRING_VCPU, vl_target_vcpu(target))))
		return true;

	for (role = 0; role < VL_ROLES && reply->admin; role++)
		if (vring->eventfds[role] && put_facts(reply, vring->eventfds[role]))
			return true;

	return false;
}

static bool put_eventfd_ids(struct sk_buff *skb, const struct vl_vring *vring)
{
	static const u16 attrs[VL_ROLES] = {
		[VL_ROLE_KICK] = VRINGLAB_A_VRING_KICK_EVENTFD_ID,
		[VL_ROLE_CALL] = VRINGLAB_A_VRING_CALL_EVENTFD_ID,
	};
	enum vl_role role;
	u32 id;

	for (role = 0; role < VL_ROLES; role++)
		if (vring->eventfds[role] &&
		    vl_layout_read(vring->eventfds[role]->ctx, VL_LAYOUT_EVENTFD_ID, &id,
				   sizeof(id)) &&
		    nla_put_u32(skb, attrs[role], id))
			return true;

	return false;
}

static bool put_owner(struct sk_buff *skb, pid_t tgid, const char *comm)
{
	return tgid && (nla_put_u32(skb, VRINGLAB_A_VRING_OWNER_PID, tgid) ||
			nla_put_string(skb, VRINGLAB_A_VRING_OWNER_COMM, comm));
}

static bool put_of_device(struct sk_buff *skb, const struct vl_vring *vring)
{
	const struct vl_device *device = vring->device;

	return nla_put_u32(skb, VRINGLAB_A_VRING_DEVICE, device->id) ||
	       nla_put_u32(skb, VRINGLAB_A_VRING_QUEUE, vring->queue) ||
	       (vring->num && nla_put_u32(skb, VRINGLAB_A_VRING_SIZE, vring->num)) ||
	       put_owner(skb, device->tgid, device->comm);
}

static bool put_discovered(const struct vl_nl_reply *reply, const struct vl_vring *vring)
{
	struct sk_buff *skb = reply->skb;
	const struct vl_vm *vm = vm_of(vring);

	if (vring->found && nla_put_flag(skb, VRINGLAB_A_VRING_FOUND))
		return true;
	if (vring->device ? put_of_device(skb, vring) : vm && put_owner(skb, vm->tgid, vm->comm))
		return true;
	if (reply->admin && put_eventfd_ids(skb, vring))
		return true;
	return put_vm(reply, vring);
}

/* One answer describes it, and what is told of it unasked. */
int vl_nl_vring_fill(const struct vl_nl_reply *reply, const struct vl_vring *vring,
		     unsigned int cmd)
{
	struct sk_buff *skb = reply->skb;
	void *hdr = vl_nl_begin(reply, cmd);

	if (!hdr)
		return -EMSGSIZE;

	return vl_nl_end(reply, hdr,
			 nla_put_u32(skb, VRINGLAB_A_VRING_ID, vring->id) ||
				 nla_put_string(skb, VRINGLAB_A_VRING_LABEL, vring->label) ||
				 nla_put_u32(skb, VRINGLAB_A_VRING_BACKEND, vring->backend) ||
				 (vring->tgid &&
				  nla_put_u32(skb, VRINGLAB_A_VRING_PID, vring->tgid)) ||
				 (reply->admin && vring->has_user_data &&
				  nla_put_u64_64bit(skb, VRINGLAB_A_VRING_WAKE_USER_DATA,
						    vring->user_data, VRINGLAB_A_VRING_PAD)) ||
				 (vring->persist && !vring->found &&
				  nla_put_flag(skb, VRINGLAB_A_VRING_PERSIST)) ||
				 put_discovered(reply, vring));
}

static int fill_vring(const struct vl_nl_reply *reply, const struct vl_vring *vring,
		      unsigned int unused)
{
	return vl_nl_vring_fill(reply, vring, VRINGLAB_CMD_VRING_GET);
}

int vl_nl_vring_get(struct sk_buff *skb, struct genl_info *info)
{
	struct nlattr *id = vl_nl_require(info, VRINGLAB_A_VRING_ID);

	return id ? vl_nl_get(skb, info, id, fill_vring, 0, NLMSG_GOODSIZE) : -EINVAL;
}

int vl_nl_vring_dump(struct sk_buff *skb, struct netlink_callback *cb)
{
	return vl_nl_dump_vrings(skb, cb, fill_vring, 1);
}

static int parse_label(struct genl_info *info, struct vl_vring_req *req)
{
	struct nlattr *attr = vl_nl_require(info, VRINGLAB_A_VRING_LABEL);
	const char *c;

	if (!attr)
		return -EINVAL;

	nla_strscpy(req->label, attr, sizeof(req->label));
	for (c = req->label; isascii(*c) && isgraph(*c); c++)
		;
	if (*c || c == req->label) {
		NL_SET_ERR_MSG_ATTR(info->extack, attr,
				    "a label is 1 to 31 printable ASCII characters without space");
		return -EINVAL;
	}

	return 0;
}

static int parse_pid(struct genl_info *info, struct vl_vring_req *req)
{
	struct nlattr *attr = info->attrs[VRINGLAB_A_VRING_PID];
	struct task_struct *task;

	req->tgid = task_tgid_nr(current);
	if (!attr)
		return 0;

	rcu_read_lock();
	task = pid_task(find_vpid(nla_get_u32(attr)), PIDTYPE_TGID);
	if (task)
		req->tgid = task_tgid_nr(task);
	rcu_read_unlock();

	if (!task) {
		NL_SET_ERR_MSG_ATTR(info->extack, attr, "no process has this pid");
		return -ESRCH;
	}
	return 0;
}

static struct file *parse_eventfd(struct genl_info *info, unsigned int type)
{
	struct nlattr *attr = vl_nl_require(info, type);
	struct file *file;

	if (!attr)
		return ERR_PTR(-EINVAL);

	file = eventfd_fget(nla_get_u32(attr));
	if (file == ERR_PTR(-EBADF))
		NL_SET_ERR_MSG_ATTR(info->extack, attr, "not an open file descriptor");
	else if (IS_ERR(file))
		NL_SET_ERR_MSG_ATTR(info->extack, attr, "not an eventfd");

	return file;
}

/* An eventfd's file holds its context in private_data, one for one. */
static bool same_eventfd(struct file *a, struct file *b)
{
	return a->private_data == b->private_data;
}

static int parse_eventfds(struct genl_info *info, struct vl_vring_req *req)
{
	struct file *kick, *call;

	kick = parse_eventfd(info, VRINGLAB_A_VRING_KICK_FD);
	if (IS_ERR(kick))
		return PTR_ERR(kick);

	call = parse_eventfd(info, VRINGLAB_A_VRING_CALL_FD);
	if (IS_ERR(call)) {
		fput(kick);
		return PTR_ERR(call);
	}

	if (same_eventfd(kick, call)) {
		NL_SET_ERR_MSG_ATTR(info->extack, info->attrs[VRINGLAB_A_VRING_CALL_FD],
				    "kick and call are the same eventfd");
		fput(call);
		fput(kick);
		return -EINVAL;
	}

	req->files[VL_ROLE_KICK] = kick;
	req->files[VL_ROLE_CALL] = call;
	return 0;
}

static int reply_id(struct genl_info *info, struct sk_buff *skb, u32 id)
{
	void *hdr;

	hdr = genlmsg_put_reply(skb, info, &vl_nl_family, 0, VRINGLAB_CMD_VRING_ADD);
	if (!hdr || nla_put_u32(skb, VRINGLAB_A_VRING_ID, id)) {
		nlmsg_free(skb);
		return -EMSGSIZE;
	}
	genlmsg_end(skb, hdr);

	return genlmsg_reply(skb, info);
}

static int vring_add(struct genl_info *info, const struct vl_vring_req *req)
{
	struct sk_buff *skb;
	u32 id;
	int ret;

	skb = genlmsg_new(nla_total_size(sizeof(id)), GFP_KERNEL);
	if (!skb)
		return -ENOMEM;

	ret = vl_vring_add(req, &id, info->extack);
	if (ret) {
		nlmsg_free(skb);
		return ret;
	}

	/* Who can't be told the id can't delete it. */
	ret = reply_id(info, skb, id);
	if (ret)
		vl_vring_del(id);
	return ret;
}

int vl_nl_vring_add(struct sk_buff *skb, struct genl_info *info)
{
	struct nlattr **attrs = info->attrs;
	struct vl_vring_req req = {
		.portid = info->snd_portid,
		.attrs[VL_ROLE_KICK] = attrs[VRINGLAB_A_VRING_KICK_FD],
		.attrs[VL_ROLE_CALL] = attrs[VRINGLAB_A_VRING_CALL_FD],
		.user_data_attr = attrs[VRINGLAB_A_VRING_WAKE_USER_DATA],
	};
	int ret;

	ret = parse_label(info, &req);
	if (ret)
		return ret;
	ret = parse_pid(info, &req);
	if (ret)
		return ret;

	if (attrs[VRINGLAB_A_VRING_BACKEND])
		req.backend = nla_get_u32(attrs[VRINGLAB_A_VRING_BACKEND]);
	if (attrs[VRINGLAB_A_VRING_WAKE_USER_DATA]) {
		req.user_data = nla_get_u64(attrs[VRINGLAB_A_VRING_WAKE_USER_DATA]);
		req.has_user_data = true;
	}
	req.persist = nla_get_flag(attrs[VRINGLAB_A_VRING_PERSIST]);

	ret = parse_eventfds(info, &req);
	if (ret)
		return ret;

	ret = vring_add(info, &req);
	fput(req.files[VL_ROLE_CALL]);
	fput(req.files[VL_ROLE_KICK]);

	return ret;
}

int vl_nl_vring_del(struct sk_buff *skb, struct genl_info *info)
{
	struct nlattr *id = vl_nl_require(info, VRINGLAB_A_VRING_ID);
	int ret;

	if (!id)
		return -EINVAL;

	ret = vl_vring_del(nla_get_u32(id));
	if (ret)
		NL_SET_ERR_MSG_ATTR(info->extack, id, "no vring has this id");
	return ret;
}
