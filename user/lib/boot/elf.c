// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * An ELF image: its segments by their physical addresses, and its PVH entry.
 */
#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <vringlab/err.h>

#include "internal.h"

/* Far more than a kernel has. */
#define PROGRAM_HEADERS_MAX 128u
#define NOTES_BYTES_MAX 0x10000u

/* xen/include/public/elfnote.h: the address of the 32-bit entry. */
#define XEN_ELFNOTE_PHYS32_ENTRY 18u

/* COMMAND_LINE_SIZE of the kernel for x86, without the end. */
#define PVH_CMDLINE_MAX 2047u

static int truncated(const struct boot_image *image, const char *what, struct vl_err *err)
{
	return vl_err_set(err, -ENODATA, "%s is truncated: its %s end behind the file", image->path,
			  what);
}

static int lies(const struct boot_image *image, const char *what, struct vl_err *err)
{
	return vl_err_set(err, -EBADMSG, "%s: %s cannot be", image->path, what);
}

static bool in_file(const struct boot_image *image, uint64_t offset, uint64_t bytes)
{
	return offset <= image->bytes && bytes <= image->bytes - offset;
}

static int check_header(const struct boot_image *image, const Elf64_Ehdr *elf, struct vl_err *err)
{
	if (elf->e_ident[EI_CLASS] != ELFCLASS64 || elf->e_ident[EI_DATA] != ELFDATA2LSB ||
	    elf->e_machine != EM_X86_64)
		return vl_err_set(err, -EOPNOTSUPP, "%s is not for x86-64", image->path);
	if (elf->e_type != ET_EXEC && elf->e_type != ET_DYN)
		return vl_err_set(err, -EOPNOTSUPP, "%s is no executable ELF image", image->path);
	if (elf->e_phentsize != sizeof(Elf64_Phdr))
		return lies(image, "the size of its program headers", err);
	if (!elf->e_phnum || elf->e_phnum > PROGRAM_HEADERS_MAX)
		return lies(image, "the number of its program headers", err);
	if (!in_file(image, elf->e_phoff, elf->e_phnum * sizeof(Elf64_Phdr)))
		return truncated(image, "program headers", err);
	return 0;
}

static int add_segment(struct boot_image *image, const Elf64_Phdr *phdr, struct vl_err *err)
{
	struct boot_segment segment = {
		.offset = phdr->p_offset,
		.file_bytes = phdr->p_filesz,
		.gpa = phdr->p_paddr,
		.memory_bytes = phdr->p_memsz,
	};

	if (segment.file_bytes > segment.memory_bytes)
		return lies(image, "a segment with more bytes in the file than in memory", err);
	if (!in_file(image, segment.offset, segment.file_bytes))
		return truncated(image, "segments", err);
	return segment.memory_bytes ? boot_image_add(image, &segment, err) : 0;
}

/* The entry in one of @notes; returns 1 if it is there. */
static int find_entry(const struct boot_image *image, const uint8_t *notes, uint64_t bytes,
		      uint64_t *entry, struct vl_err *err)
{
	uint64_t at = 0;

	while (bytes - at >= sizeof(Elf64_Nhdr)) {
		uint64_t name_bytes, desc_bytes;
		Elf64_Nhdr note;

		memcpy(&note, notes + at, sizeof(note));
		at += sizeof(note);
		/* both are padded to 4 bytes */
		name_bytes = ((uint64_t)note.n_namesz + 3) & ~3ull;
		desc_bytes = ((uint64_t)note.n_descsz + 3) & ~3ull;
		if (name_bytes > bytes - at || desc_bytes > bytes - at - name_bytes)
			return lies(image, "a note longer than its segment", err);
		if (note.n_type == XEN_ELFNOTE_PHYS32_ENTRY && note.n_namesz == sizeof("Xen") &&
		    !memcmp(notes + at, "Xen", sizeof("Xen"))) {
			if (note.n_descsz != 4 && note.n_descsz != 8)
				return lies(image, "the size of its PVH entry", err);
			*entry = 0;
			memcpy(entry, notes + at + name_bytes, note.n_descsz);
			return 1;
		}
		at += name_bytes + desc_bytes;
	}
	return 0;
}

static int read_notes(const struct boot_image *image, const Elf64_Phdr *phdr, uint64_t *entry,
		      struct vl_err *err)
{
	uint8_t *notes;
	int ret;

	if (phdr->p_filesz > NOTES_BYTES_MAX)
		return lies(image, "the size of its notes", err);
	if (!in_file(image, phdr->p_offset, phdr->p_filesz))
		return truncated(image, "notes", err);
	notes = malloc(phdr->p_filesz + 1);
	if (!notes)
		return vl_err_set(err, -ENOMEM, "no memory for the notes of %s", image->path);
	ret = boot_file_read(image->fd, image->path, phdr->p_offset, notes, phdr->p_filesz, err);
	if (!ret)
		ret = find_entry(image, notes, phdr->p_filesz, entry, err);
	free(notes);
	return ret;
}

/* Code that is in the file, not in what is filled with zeros. */
static bool is_code(const struct boot_image *image, uint64_t gpa)
{
	for (unsigned int i = 0; i < image->nr_segments; i++) {
		const struct boot_segment *segment = &image->segment[i];

		if (gpa >= segment->gpa && gpa - segment->gpa < segment->file_bytes)
			return true;
	}
	return false;
}

/* First, for it tells a kernel from a program. */
static int check_notes(struct boot_image *image, const Elf64_Phdr *phdrs, unsigned int nr,
		       uint64_t *entry, struct vl_err *err)
{
	int ret = 0;

	for (unsigned int i = 0; !ret && i < nr; i++)
		if (phdrs[i].p_type == PT_NOTE)
			ret = read_notes(image, &phdrs[i], entry, err);
	if (!ret)
		return vl_err_set(err, -EOPNOTSUPP,
				  "%s has no PVH entry: use one with CONFIG_PVH, or a bzImage",
				  image->path);
	return ret < 0 ? ret : 0;
}

static int check_programs(struct boot_image *image, const Elf64_Ehdr *elf, struct vl_err *err)
{
	Elf64_Phdr phdrs[PROGRAM_HEADERS_MAX];
	uint64_t entry;
	int ret;

	ret = boot_file_read(image->fd, image->path, elf->e_phoff, phdrs,
			     elf->e_phnum * sizeof(phdrs[0]), err);
	if (!ret)
		ret = check_notes(image, phdrs, elf->e_phnum, &entry, err);
	for (unsigned int i = 0; !ret && i < elf->e_phnum; i++)
		if (phdrs[i].p_type == PT_LOAD)
			ret = add_segment(image, &phdrs[i], err);
	if (ret)
		return ret;
	if (!is_code(image, entry))
		return lies(image, "a PVH entry outside of the segments", err);
	image->entry_gpa = entry;
	return 0;
}

int boot_elf_check(struct boot_image *image, struct vl_err *err)
{
	Elf64_Ehdr elf;
	int ret;

	if (image->bytes < sizeof(elf))
		return truncated(image, "headers", err);
	ret = boot_file_read(image->fd, image->path, 0, &elf, sizeof(elf), err);
	if (ret)
		return ret;
	ret = check_header(image, &elf, err);
	if (ret)
		return ret;
	ret = check_programs(image, &elf, err);
	if (ret)
		return ret;
	image->format = BOOT_PVH;
	image->initrd_max = UINT32_MAX;
	image->cmdline_max = PVH_CMDLINE_MAX;
	return 0;
}
