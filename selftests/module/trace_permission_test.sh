#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Who may not register virtqueues is told so when the back-end starts, not when the
# first front-end has come; who may, is not.

. "$(dirname "$0")/../lib/ktap.sh"

[ "$(id -u)" -eq 0 ] || skip_all "loads a module: run as root"
[ -n "${VRINGLAB_KO:-}" ] || skip_all "no module: set VRINGLAB_KO=, or use scripts/check"
command -v setpriv >/dev/null || skip_all "no setpriv: install util-linux"
[ ! -e /sys/module/vringlab ] || skip_all "vringlab is loaded already: rmmod vringlab"

refused()
{
	run setpriv --bounding-set=-net_admin --inh-caps=-net_admin \
		"$vringlab" backend loopback --socket "$tmp/a.sock" --trace x
	[ "$status" -eq 4 ] && one_line "$tmp/err" && grep -q CAP_NET_ADMIN "$tmp/err" &&
		[ ! -e "$tmp/a.sock" ]
}

# It says by a byte that it listens, and ends when it is told to.
accepted()
{
	coproc "$vringlab" backend loopback --socket "$tmp/a.sock" --trace x --ready-fd 1
	IFS= read -r -n 1 -t 60 -u "${COPROC[0]}" || true
	[ -S "$tmp/a.sock" ] && kill -TERM "$COPROC_PID" && wait "$COPROC_PID"
}

ktap_print_header
ktap_set_plan 3

insmod "$VRINGLAB_KO" || ktap_exit_fail_msg "cannot load $VRINGLAB_KO"
check "--trace without CAP_NET_ADMIN is refused at start, with the cure" refused
check "--trace with it listens" accepted
check "the module unloads" rmmod vringlab

ktap_finished
