# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
#
# What the bash scripts of this folder share. Source it; it only defines.

vl_root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
vl_cache=${VRINGLAB_CACHE:-$vl_root/.cache}
# An ordinary user's PATH lacks depmod and modprobe.
PATH=$PATH:/usr/sbin:/sbin

vl_name=${0##*/}

say() {
	printf '%s: %s\n' "$vl_name" "$*" >&2
}

# die CODE TEXT: 1 failure, 2 usage, 4 something is missing here.
die() {
	local code=$1

	shift
	say "$@"
	exit "$code"
}

have() {
	command -v "$1" >/dev/null 2>&1
}

# Tell whether this is a system whose packages come from apt.
have_apt() {
	have apt-get && have apt-cache && have dpkg-query && have dpkg-deb
}

# The value of a variable in os-release(5).
os_release() {
	# shellcheck disable=SC1091,SC2030
	(
		. /etc/os-release 2>/dev/null || . /usr/lib/os-release 2>/dev/null || true
		printf '%s\n' "${!1-}"
	)
}

# Hold a part of the cache for one writer, by its lock's name, until the next one is
# held; others wait, then find the work done.
lock_part() {
	mkdir -p "$vl_cache"
	exec 9>"$vl_cache/$1"
	flock 9
}
