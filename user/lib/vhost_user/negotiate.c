// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What is agreed on: features, and the device's status.
 */
#include <errno.h>

#include <linux/virtio_config.h>

#include <vringlab/err.h>

#include "backend.h"

/* VIRTIO 1.2, 2.1 "Device Status Field": 8 bits */
#define STATUS_MAX 0xffu

/* Bits that are the transport's, not the device's. */
static uint64_t transport_features(void)
{
	return vu_feature(VU_F_PROTOCOL_FEATURES) | vu_feature(VU_F_LOG_ALL);
}

static uint64_t offered_features(const struct vu_backend *be)
{
	return be->vdev->features | transport_features();
}

/* What every device can be served with. */
static const unsigned int always[] = {
	VU_PROTOCOL_F_MQ,
	VU_PROTOCOL_F_LOG_SHMFD,
	VU_PROTOCOL_F_REPLY_ACK,
	VU_PROTOCOL_F_BACKEND_REQ,
	VU_PROTOCOL_F_INFLIGHT_SHMFD,
	VU_PROTOCOL_F_RESET_DEVICE,
	VU_PROTOCOL_F_INBAND_NOTIFICATIONS,
	VU_PROTOCOL_F_CONFIGURE_MEM_SLOTS,
	VU_PROTOCOL_F_STATUS,
	VU_PROTOCOL_F_GET_VRING_BASE_INFLIGHT,
	VU_PROTOCOL_F_GET_VRING_BASE_SKIP_DRAIN,
};

static uint64_t feature_if(bool condition, unsigned int bit)
{
	return condition ? vu_feature(bit) : 0;
}

uint64_t offered_protocol_features(const struct vu_backend *be)
{
	const struct vdev *vdev = be->vdev;
	uint64_t features = 0;

	for (size_t i = 0; i < sizeof(always) / sizeof(always[0]); i++)
		features |= vu_feature(always[i]);
	features |= feature_if(vdev->config_size, VU_PROTOCOL_F_CONFIG);
	features |= feature_if(vdev->ops->send_rarp, VU_PROTOCOL_F_RARP);
	features |= feature_if(vdev->ops->set_mtu, VU_PROTOCOL_F_MTU);
	features |= feature_if(vdev->ops->save && vdev->ops->load, VU_PROTOCOL_F_DEVICE_STATE);
	features |= feature_if(be->config.postcopy, VU_PROTOCOL_F_PAGEFAULT);
	features |= feature_if(be->config.gpa_addresses, VU_PROTOCOL_F_GPA_ADDRESSES);
	return features;
}

int get_features(struct vu_backend *be, struct vu_msg *msg, struct vu_reply *reply,
		 struct vl_err *err)
{
	(void)msg;
	(void)err;
	reply->payload.u64 = offered_features(be);
	return 0;
}

static int check_features(const struct vu_backend *be, uint64_t features, struct vl_err *err)
{
	uint64_t unknown = features & ~offered_features(be);
	uint64_t changed = features ^ be->features;

	if (unknown)
		return vl_err_set(err, -EINVAL, "features 0x%llx were not offered",
				  (unsigned long long)unknown);
	/* "Migration": the log alone is turned on and off while rings run */
	changed &= ~transport_features();
	if (changed && !rings_are_stopped(be))
		return vl_err_set(err, -EBUSY, "features 0x%llx change while a vring is started",
				  (unsigned long long)changed);
	if (vu_has_feature(features, VU_F_LOG_ALL) && !log_is_on(be))
		return log_check_memory(be, &be->mem.table, err);
	return 0;
}

static int use_features(struct vu_backend *be, uint64_t features, struct vl_err *err)
{
	const struct vdev *vdev = be->vdev;
	bool iommu = vu_has_feature(features, VIRTIO_F_ACCESS_PLATFORM);
	/* told twice, a device would take it for another driver's, and forget this one's */
	bool told = be->told && !((features ^ be->features) & ~transport_features());

	if (iommu && !be->iotlb && vring_iotlb_create(&be->iotlb, VU_IOTLB_MAX))
		return vl_err_set(err, -ENOMEM, "out of memory for an IOTLB");
	if (rings_are_stopped(be))
		memory_use_iotlb(be, iommu);
	be->features = features;
	for (unsigned int i = 0; i < vdev->num_queues; i++)
		ring_update_log(&be->rings[i]);
	if (vdev->ops->set_features && !told)
		vdev->ops->set_features(vdev->dev, features & ~transport_features());
	be->told = true;
	return 0;
}

int set_features(struct vu_backend *be, struct vu_msg *msg, struct vu_reply *reply,
		 struct vl_err *err)
{
	uint64_t features = msg->payload.u64;
	int ret = check_features(be, features, err);

	(void)reply;
	if (!ret)
		ret = use_features(be, features, err);
	if (ret || vu_has_feature(features, VU_F_PROTOCOL_FEATURES))
		return ret;
	/* "Ring states": then there is no SET_VRING_ENABLE, and all are enabled now */
	for (unsigned int i = 0; i < be->vdev->num_queues && !ret; i++)
		ret = ring_set_enabled(&be->rings[i], true, err);
	return ret;
}

int set_owner(struct vu_backend *be, struct vu_msg *msg, struct vu_reply *reply, struct vl_err *err)
{
	/* the session is the connection */
	(void)be;
	(void)msg;
	(void)reply;
	(void)err;
	return 0;
}

int reset_owner(struct vu_backend *be, struct vu_msg *msg, struct vu_reply *reply,
		struct vl_err *err)
{
	(void)msg;
	(void)reply;
	/* deprecated; "ignore, or disable all rings" */
	for (unsigned int i = 0; i < be->vdev->num_queues; i++)
		ring_set_enabled(&be->rings[i], false, err);
	return 0;
}

int get_protocol_features(struct vu_backend *be, struct vu_msg *msg, struct vu_reply *reply,
			  struct vl_err *err)
{
	(void)msg;
	(void)err;
	reply->payload.u64 = offered_protocol_features(be);
	return 0;
}

int set_protocol_features(struct vu_backend *be, struct vu_msg *msg, struct vu_reply *reply,
			  struct vl_err *err)
{
	uint64_t features = msg->payload.u64;
	uint64_t unknown = features & ~offered_protocol_features(be);
	uint64_t changed = features ^ be->protocol_features;
	int ret;

	(void)reply;
	if (unknown)
		return vl_err_set(err, -EINVAL, "protocol features 0x%llx were not offered",
				  (unsigned long long)unknown);
	ret = vu_protocol_features_check(features, err);
	/* "back-end should close the connection if the feature is set without" */
	if (ret && vu_has_feature(features, VU_PROTOCOL_F_INBAND_NOTIFICATIONS) &&
	    !(vu_has_feature(features, VU_PROTOCOL_F_BACKEND_REQ) &&
	      vu_has_feature(features, VU_PROTOCOL_F_REPLY_ACK)))
		return vl_err_set(
			err, -ECONNABORTED,
			"INBAND_NOTIFICATIONS without BACKEND_REQ and REPLY_ACK, which it needs");
	if (ret)
		return ret;
	if (vu_has_feature(changed, VU_PROTOCOL_F_GPA_ADDRESSES) && be->mem.table.nr)
		return vl_err_set(err, -EBUSY, "GPA_ADDRESSES changes after memory was set");
	be->protocol_features = features;
	be->mem.gpa_addresses = vu_has_feature(features, VU_PROTOCOL_F_GPA_ADDRESSES);
	return 0;
}

int get_queue_num(struct vu_backend *be, struct vu_msg *msg, struct vu_reply *reply,
		  struct vl_err *err)
{
	(void)msg;
	(void)err;
	reply->payload.u64 = be->vdev->num_queues;
	return 0;
}

/* Nothing is in flight; features, memory and the connection stay. */
static int reset_done(struct vu_backend *be, struct vu_msg *msg, struct vu_reply *reply,
		      struct vl_err *err)
{
	const struct vdev *vdev = be->vdev;

	(void)msg;
	(void)reply;
	(void)err;
	for (unsigned int i = 0; i < vdev->num_queues; i++) {
		ring_stop(&be->rings[i]);
		ring_reset(&be->rings[i]);
	}
	be->status = 0;
	if (vdev->ops->reset)
		vdev->ops->reset(vdev->dev);
	if (vdev->ops->set_features)
		vdev->ops->set_features(vdev->dev, be->features & ~transport_features());
	return 0;
}

int reset_device(struct vu_backend *be, struct vu_msg *msg, struct vu_reply *reply,
		 struct vl_err *err)
{
	rings_quiesce(be, true);
	return backend_wait(be, msg, reply, err, rings_are_idle, reset_done);
}

int set_status(struct vu_backend *be, struct vu_msg *msg, struct vu_reply *reply,
	       struct vl_err *err)
{
	uint64_t status = msg->payload.u64;

	if (status > STATUS_MAX)
		return vl_err_set(err, -EINVAL, "status 0x%llx has more than 8 bits",
				  (unsigned long long)status);
	/* VIRTIO 1.2, 2.1.2: "0 ... to reset the device" */
	if (!status)
		return reset_device(be, msg, reply, err);
	be->status = status;
	return 0;
}

int get_status(struct vu_backend *be, struct vu_msg *msg, struct vu_reply *reply,
	       struct vl_err *err)
{
	(void)msg;
	(void)err;
	reply->payload.u64 = be->status;
	return 0;
}
