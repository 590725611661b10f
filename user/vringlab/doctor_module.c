// SPDX-License-Identifier: GPL-2.0-only
/*
 * vringlab.ko: is it loaded, and if not, would it be?
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <vringlab/err.h>
#include <vringlab/fd.h>
#include <vringlab/nl.h>

#include "doctor.h"

#define LOADED "/sys/module/vringlab"

static bool is_loaded(void)
{
	return !access(LOADED, F_OK);
}

static void look_at_loaded(struct doctor *d)
{
	bool loaded = is_loaded();
	struct doctor_finding *f;

	f = doctor_add(d, loaded ? DOCTOR_OK : DOCTOR_MISSING, "module", "loaded", "%s",
		       loaded ? "vringlab" : "vringlab is not loaded");
	f->needed = true;
	doctor_advise(
		f, "nothing is traced",
		"modprobe vringlab, or make module and insmod build/kmod/$(uname -r)/module/vringlab.ko");
}

static void look_at_version(struct doctor *d)
{
	struct doctor_finding *f;
	char version[64];

	if (doctor_read_line(LOADED "/version", version, sizeof(version)))
		snprintf(version, sizeof(version), "none");
	f = doctor_add(d, strcmp(version, VRINGLAB_VERSION) ? DOCTOR_LIMITED : DOCTOR_OK, "module",
		       "version", "%s, this command %s", version, VRINGLAB_VERSION);
	doctor_advise(f, "what one of the two does not know is not shown",
		      "install both anew, then rmmod vringlab && modprobe vringlab");
}

static void look_at_netlink(struct doctor *d)
{
	struct doctor_finding *f;
	struct vl_err err;
	struct vlnl *nl;
	int ret = vlnl_open(&nl, &err);

	if (!ret)
		vlnl_close(nl);
	f = doctor_add(d, ret ? DOCTOR_MISSING : DOCTOR_OK, "module", "netlink", "%s",
		       ret ? err.msg : "family " VRINGLAB_FAMILY_NAME " answers");
	f->needed = true;
	doctor_advise(f, "nothing can be registered or read",
		      ret == -ENOENT ? "run it in the initial network namespace" :
				       "install the module and this command anew");
}

/**
 * struct image - A module's file
 * @text:	Its bytes, NULL if it is packed or could not be read.
 * @size:	How many.
 */
struct image {
	const char *text;
	size_t size;
};

static int map_image(const char *path, struct image *image)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), ret = -EINVAL;
	struct stat st;
	void *text;

	if (fd < 0)
		return -errno;
	if (!fstat(fd, &st) && st.st_size > 0) {
		text = mmap(NULL, st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
		ret = text == MAP_FAILED ? -errno : 0;
	}
	vl_fd_close(&fd);
	if (ret)
		return ret;
	if (st.st_size < 4 || memcmp(text, "\177ELF", 4)) {
		munmap(text, st.st_size);
		return -ENOEXEC;
	}
	*image = (struct image){ .text = text, .size = st.st_size };
	return 0;
}

/* Its modinfo holds "vermagic=RELEASE and more". */
static bool is_for(const struct image *image, const char *release)
{
	char magic[96];

	snprintf(magic, sizeof(magic), "vermagic=%s ", release);
	return memmem(image->text, image->size, magic, strlen(magic));
}

static bool is_signed(const struct image *image)
{
	static const char mark[] = "~Module signature appended~\n";

	return image->size > sizeof(mark) - 1 &&
	       !memcmp(image->text + image->size - (sizeof(mark) - 1), mark, sizeof(mark) - 1);
}

/* @path is NULL where there is no file. */
static void look_at_signature(struct doctor *d, const char *path, const struct image *image)
{
	const char *why = doctor_must_be_signed();
	struct doctor_finding *f;

	if (!why)
		return;
	if (!image->text)
		f = doctor_add(d, DOCTOR_UNKNOWN, "module", "signature", "%s%s; %s",
			       path ? path : "none is installed",
			       path ? " is packed, or cannot be read" : "", why);
	else
		f = doctor_add(d, is_signed(image) ? DOCTOR_LIMITED : DOCTOR_MISSING, "module",
			       "signature", "%s is %ssigned; %s", path,
			       is_signed(image) ? "" : "not ", why);
	f->needed = !is_loaded();
	doctor_advise(
		f, "the kernel loads it only with a signature by a key that it trusts",
		"make modules_install SIGN_KEY= SIGN_CERT=, and enroll the certificate: mokutil --import");
}

static void look_at_file(struct doctor *d, const char *path)
{
	struct image image = { 0 };
	int ret = map_image(path, &image);
	struct doctor_finding *f;

	if (image.text && !is_for(&image, d->release))
		f = doctor_add(d, DOCTOR_LIMITED, "module", "installed", "%s is for another kernel",
			       path);
	else if (ret && ret != -ENOEXEC)
		f = doctor_add(d, DOCTOR_UNKNOWN, "module", "installed", "%s: %s", path,
			       vl_strerror(ret));
	else
		f = doctor_add(d, DOCTOR_OK, "module", "installed", "%s", path);
	doctor_advise(f, "modprobe cannot load it",
		      "make modules_install, or dkms install vringlab");
	look_at_signature(d, path, &image);
	if (image.text)
		munmap((void *)image.text, image.size);
}

static void look_at_installed(struct doctor *d)
{
	struct doctor_finding *f;
	char path[4200];
	int ret = doctor_kmod_installed(d, "vringlab", path, sizeof(path));

	if (ret > 0) {
		look_at_file(d, path);
		return;
	}
	f = doctor_add(d, ret ? DOCTOR_UNKNOWN : DOCTOR_LIMITED, "module", "installed",
		       "%s /lib/modules/%s%s%s", ret ? "no index in" : "not in", d->release,
		       ret ? ": " : "", ret ? vl_strerror(ret) : "");
	doctor_advise(f, "modprobe does not find it",
		      "make modules_install, or dkms install vringlab");
	look_at_signature(d, NULL, &(struct image){ 0 });
}

void doctor_look_at_module(struct doctor *d)
{
	look_at_loaded(d);
	if (is_loaded()) {
		look_at_version(d);
		look_at_netlink(d);
	}
	look_at_installed(d);
}
