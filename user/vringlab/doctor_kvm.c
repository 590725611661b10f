// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM and vhost. To open a device whose module is not loaded would load it, so that is
 * looked at first.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <linux/kvm.h>

#include <vringlab/err.h>
#include <vringlab/fd.h>

#include "doctor.h"

#define KVM "/dev/kvm"
/* Documentation/virt/kvm/api.rst, 4.1: "It is always 12". */
#define KVM_API 12

static const char no_guest[] = "no guest can be run here";
static const char load_kvm[] =
	"modprobe kvm_intel or kvm_amd, and enable VT-x or SVM in the firmware";

static bool is_there(const char *misc)
{
	char path[96];

	snprintf(path, sizeof(path), "/sys/class/misc/%s", misc);
	return !access(path, F_OK);
}

static void look_at_api(struct doctor *d, int fd)
{
	static const struct {
		int cap;
		const char *name;
		const char *costs;
	} caps[] = {
		{ KVM_CAP_IOEVENTFD, "ioeventfd", "doorbells are not kicks: each goes by the VMM" },
		{ KVM_CAP_IRQFD, "irqfd", "calls are not interrupts: each goes by the VMM" },
	};
	int version = ioctl(fd, KVM_GET_API_VERSION, 0);
	struct doctor_finding *f;

	f = doctor_add(d, version == KVM_API ? DOCTOR_OK : DOCTOR_MISSING, "kvm", "api",
		       "version %d", version);
	doctor_advise(f, no_guest, "use a kernel with KVM of its own");
	for (size_t i = 0; i < sizeof(caps) / sizeof(caps[0]); i++) {
		bool has = ioctl(fd, KVM_CHECK_EXTENSION, caps[i].cap) > 0;

		f = doctor_add(d, has ? DOCTOR_OK : DOCTOR_MISSING, "kvm", caps[i].name, "%s",
			       has ? "yes" : "no");
		doctor_advise(f, caps[i].costs, "use a kernel with CONFIG_HAVE_KVM_IRQCHIP");
	}
}

static void look_at_nested(struct doctor *d)
{
	static const char *const paths[] = { "/sys/module/kvm_intel/parameters/nested",
					     "/sys/module/kvm_amd/parameters/nested" };
	char value[8] = "";
	struct doctor_finding *f;
	bool on;

	for (size_t i = 0; i < 2; i++)
		if (!doctor_read_line(paths[i], value, sizeof(value)))
			break;
	on = value[0] == 'Y' || value[0] == '1';
	f = doctor_add(d,
		       on	? DOCTOR_OK :
		       value[0] ? DOCTOR_LIMITED :
				  DOCTOR_UNKNOWN,
		       "kvm", "nested", "%s",
		       on	? "on" :
		       value[0] ? "off" :
				  "not told by kvm_intel or kvm_amd");
	doctor_advise(f, "scripts/vm emulates its machines, which is slow",
		      "load kvm_intel or kvm_amd with nested=1");
}

void doctor_look_at_kvm(struct doctor *d)
{
	struct doctor_finding *f;
	int fd, code;

	if (!is_there("kvm")) {
		f = doctor_add(d, DOCTOR_MISSING, "kvm", "device", "KVM is not loaded");
		doctor_advise(f, no_guest, load_kvm);
		return;
	}
	fd = open(KVM, O_RDWR | O_CLOEXEC);
	code = fd < 0 ? errno : 0;
	f = doctor_add(d,
		       code == EACCES ? DOCTOR_LIMITED :
		       code	      ? DOCTOR_MISSING :
					DOCTOR_OK,
		       "kvm", "device", KVM "%s%s", code ? ": " : "",
		       code ? vl_strerror(code) : "");
	if (code == EACCES)
		doctor_advise(f, "this user can run no guest",
			      "join its group: usermod -aG kvm USER, and log in again");
	else
		doctor_advise(f, no_guest, load_kvm);
	if (fd >= 0)
		look_at_api(d, fd);
	vl_fd_close(&fd);
	look_at_nested(d);
}

static void look_at_device(struct doctor *d, const char *name, const char *module,
			   const char *costs, const char *load)
{
	int installed = doctor_kmod_installed(d, module, NULL, 0);
	struct doctor_finding *f;
	char path[96];

	if (!is_there(name)) {
		f = doctor_add(d, installed ? DOCTOR_LIMITED : DOCTOR_MISSING, "vhost", name,
			       "%s is %s", module, !installed ? "not installed" : "not loaded");
		doctor_advise(f, costs, installed ? load : "use a kernel that has it");
		return;
	}
	snprintf(path, sizeof(path), "/dev/%s", name);
	if (access(path, R_OK | W_OK))
		f = doctor_add(d, DOCTOR_LIMITED, "vhost", name, "%s: %s", path,
			       vl_strerror(errno));
	else
		f = doctor_add(d, DOCTOR_OK, "vhost", name, "%s", path);
	doctor_advise(f, "only others can use it here", "run it as root, or join its group");
}

void doctor_look_at_vhost(struct doctor *d)
{
	look_at_device(d, "vhost-net", "vhost_net", "no virtio-net served by the kernel",
		       "modprobe vhost_net");
	look_at_device(d, "vhost-vsock", "vhost_vsock", "no virtio-vsock served by the kernel",
		       "modprobe vhost_vsock");
	look_at_device(d, "vhost-scsi", "vhost_scsi", "no virtio-scsi served by the kernel",
		       "modprobe vhost_scsi");
}
