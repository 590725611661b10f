// SPDX-License-Identifier: GPL-2.0-only
/* A kernel image: what is accepted can be loaded, whatever its headers say. */
#include <sys/mman.h>
#include <unistd.h>

#include <vringlab/boot.h>
#include <vringlab/err.h>
#include <vringlab/pc.h>

#include "fuzz.h"

#define KERNEL_MIN_GPA 0x100000ull

static void check_segment(const struct boot_image *image, unsigned int i)
{
	const struct boot_segment *s = &image->segment[i];

	FUZZ_CHECK(s->file_bytes <= s->memory_bytes);
	FUZZ_CHECK(s->offset <= image->bytes && s->file_bytes <= image->bytes - s->offset);
	FUZZ_CHECK(s->gpa >= KERNEL_MIN_GPA && s->gpa < PC_LOW_MEMORY_MAX);
	FUZZ_CHECK(s->memory_bytes <= PC_LOW_MEMORY_MAX - s->gpa);
	FUZZ_CHECK(image->end_gpa >= s->gpa + s->memory_bytes);
	while (i--)
		FUZZ_CHECK(s->gpa >= image->segment[i].gpa + image->segment[i].memory_bytes ||
			   image->segment[i].gpa >= s->gpa + s->memory_bytes);
}

static void check_image(const struct boot_image *image)
{
	bool is_code = false;

	FUZZ_CHECK(image->nr_segments > 0 && image->nr_segments <= BOOT_SEGMENTS_MAX);
	for (unsigned int i = 0; i < image->nr_segments; i++) {
		const struct boot_segment *s = &image->segment[i];

		check_segment(image, i);
		if (image->entry_gpa >= s->gpa && image->entry_gpa - s->gpa < s->file_bytes)
			is_code = true;
	}
	FUZZ_CHECK(is_code);
	FUZZ_CHECK(image->cmdline_max > 0 && image->cmdline_max < 0x10000);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct vl_err err = { 0 };
	struct boot_image image;
	char path[64];
	int fd, ret;

	fd = memfd_create("image", MFD_CLOEXEC);
	FUZZ_CHECK(fd >= 0 && write(fd, data, size) == (ssize_t)size);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	ret = boot_image_open(&image, path, &err);
	FUZZ_CHECK(ret == err.code);
	if (!ret) {
		check_image(&image);
		boot_image_close(&image);
	}
	close(fd);
	return 0;
}
