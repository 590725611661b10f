// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/btf.h>
#include <bpf/libbpf.h>

#include <vringlab/btf.h>
#include <vringlab/err.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* More modules than have structures that anybody asks for. */
#define MODULES_MAX 8
/* Anonymous structures in one another; C sets no limit, the kernel's code does. */
#define DEPTH_MAX 8

struct module_btf {
	char name[64];
	struct btf *btf;
};

struct vl_btf {
	char dir[PATH_MAX];
	struct btf *kernel;
	struct module_btf modules[MODULES_MAX];
	unsigned int nr_modules;
};

/* What libbpf would print is in the errno, as far as it matters. */
static int silent(enum libbpf_print_level level, const char *format, va_list args)
{
	(void)level;
	(void)format;
	(void)args;
	return 0;
}

static int load(const struct vl_btf *b, const char *name, struct btf **btf, struct vl_err *err)
{
	char path[PATH_MAX + 64];
	struct btf *new;

	snprintf(path, sizeof(path), "%s/%s", b->dir, name);
	new = btf__parse_split(path, b->kernel);
	if (!new)
		return vl_err_set(err, -errno, "cannot read BTF in %s: %s", path,
				  vl_strerror(errno));
	*btf = new;
	return 0;
}

int vl_btf_open(struct vl_btf **btf, const char *dir, struct vl_err *err)
{
	struct vl_btf *b = calloc(1, sizeof(*b));
	int ret;

	if (!b)
		return vl_err_set(err, -ENOMEM, "no memory for the kernel's BTF");
	libbpf_set_print(silent);
	snprintf(b->dir, sizeof(b->dir), "%s", dir);
	ret = load(b, "vmlinux", &b->kernel, err);
	if (ret == -ENOENT)
		vl_err_set(err, ret, "%s/vmlinux is not there: %s", dir,
			   "use a kernel with CONFIG_DEBUG_INFO_BTF=y");
	if (ret) {
		vl_btf_close(b);
		return ret;
	}
	*btf = b;
	return 0;
}

void vl_btf_close(struct vl_btf *btf)
{
	if (!btf)
		return;
	for (unsigned int i = 0; i < btf->nr_modules; i++)
		btf__free(btf->modules[i].btf);
	btf__free(btf->kernel);
	free(btf);
}

/* A module that is built in has its structures in the kernel's own BTF. */
static bool is_built_in(const char *module)
{
	char path[128];

	snprintf(path, sizeof(path), "/sys/module/%s", module);
	if (access(path, F_OK))
		return false;
	strncat(path, "/initstate", sizeof(path) - strlen(path) - 1);
	return access(path, F_OK);
}

static int load_module(struct vl_btf *b, const char *module, struct btf **btf, struct vl_err *err)
{
	struct module_btf *m = &b->modules[b->nr_modules];
	int ret;

	if (strlen(module) >= sizeof(m->name) || strchr(module, '/'))
		return vl_err_set(err, -EINVAL, "'%s' is no module's name", module);
	if (b->nr_modules == ARRAY_SIZE(b->modules))
		return vl_err_set(err, -E2BIG, "the BTF of more than %u modules", MODULES_MAX);
	ret = load(b, module, &m->btf, err);
	if (ret == -ENOENT)
		return vl_err_set(err, -ENODEV, "no BTF of module %s: is it loaded?", module);
	if (ret)
		return ret;
	strcpy(m->name, module);
	b->nr_modules++;
	*btf = m->btf;
	return 0;
}

static int btf_of(struct vl_btf *b, const char *module, struct btf **btf, struct vl_err *err)
{
	if (!module || !module[0] || is_built_in(module)) {
		*btf = b->kernel;
		return 0;
	}
	for (unsigned int i = 0; i < b->nr_modules; i++)
		if (!strcmp(b->modules[i].name, module)) {
			*btf = b->modules[i].btf;
			return 0;
		}
	return load_module(b, module, btf, err);
}

/* Typedefs and qualifiers stand for what they name. */
static const struct btf_type *real_type(const struct btf *btf, uint32_t id)
{
	const struct btf_type *t = btf__type_by_id(btf, id);

	while (t && (btf_is_mod(t) || btf_is_typedef(t)))
		t = btf__type_by_id(btf, t->type);
	return t;
}

/* A member of @t, or of what is anonymous in it; adds its offset in bits. */
static const struct btf_member *find_member(const struct btf *btf, const struct btf_type *t,
					    const char *name, uint64_t *bits, int depth)
{
	const struct btf_member *m = btf_members(t);

	for (int i = 0; i < btf_vlen(t); i++) {
		uint64_t at = *bits + btf_member_bit_offset(t, i);
		const struct btf_type *inner;
		const struct btf_member *found;

		if (m[i].name_off) {
			if (strcmp(btf__name_by_offset(btf, m[i].name_off), name))
				continue;
			*bits = at;
			return btf_member_bitfield_size(t, i) ? NULL : &m[i];
		}
		inner = real_type(btf, m[i].type);
		if (!inner || !btf_is_composite(inner) || depth == DEPTH_MAX)
			continue;
		found = find_member(btf, inner, name, &at, depth + 1);
		if (found) {
			*bits = at;
			return found;
		}
	}
	return NULL;
}

static int follow(const struct btf *btf, const struct btf_type *t, char *names, const char *path,
		  struct vl_btf_member *member, struct vl_err *err)
{
	uint64_t bits = 0;
	int64_t size = -1;
	char *save;

	for (char *name = strtok_r(names, ".", &save); name; name = strtok_r(NULL, ".", &save)) {
		const struct btf_member *m = NULL;

		if (t && btf_is_composite(t))
			m = find_member(btf, t, name, &bits, 0);
		if (!m)
			return vl_err_set(err, -ENOENT, "this kernel has no %s", path);
		size = btf__resolve_size(btf, m->type);
		t = real_type(btf, m->type);
	}
	if (size < 0 || size > UINT32_MAX || bits % 8 || bits / 8 > UINT32_MAX)
		return vl_err_set(err, -EINVAL, "%s has no place in bytes", path);
	member->offset = bits / 8;
	member->size = size;
	return 0;
}

int vl_btf_find(struct vl_btf *btf, const char *module, const char *path,
		struct vl_btf_member *member, struct vl_err *err)
{
	struct btf *in = NULL;
	char buf[256];
	char *dot;
	int ret;

	if (snprintf(buf, sizeof(buf), "%s", path) >= (int)sizeof(buf))
		return vl_err_set(err, -EINVAL, "'%s' is too long", path);
	dot = strchr(buf, '.');
	if (!dot || dot == buf || !dot[1])
		return vl_err_set(err, -EINVAL, "'%s' is not a structure and its member", path);
	*dot = '\0';
	ret = btf_of(btf, module, &in, err);
	if (ret)
		return ret;
	ret = btf__find_by_name_kind(in, buf, BTF_KIND_STRUCT);
	if (ret < 0)
		return vl_err_set(err, -ENOENT, "this kernel has no struct %s", buf);
	return follow(in, btf__type_by_id(in, ret), dot + 1, path, member, err);
}
