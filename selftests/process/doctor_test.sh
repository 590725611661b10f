#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# vringlab doctor where the module is not: options, both forms of the report, what a
# user without privilege is told, and that it changes nothing. Where a kernel would have
# to be another one, its files are replaced in a mount namespace.

. "$(dirname "$0")/../lib/ktap.sh"
. "$(dirname "$0")/../lib/doctor.sh"

[ -x "$vringlab" ] || skip_all "no $vringlab: run make, or give VRINGLAB="
[ ! -e /sys/module/vringlab ] || skip_all "vringlab is loaded: rmmod vringlab"

# checks that there are on every machine; the others depend on what is found
always="kernel.release kernel.architecture kernel.lockdown kernel.secure-boot
	kernel.ftrace_enabled kernel.kprobes module.loaded module.installed hook. hop.kick hop.call
	config.file permission.net_admin tracefs.mounted btf.vmlinux io_uring.allowed io_uring.ring
	kvm.device vhost.vhost-net vhost.vhost-vsock vhost.vhost-scsi"

wrong_usage()
{
	local arguments

	for arguments in --jsn -x extra "--json extra" --json=1; do
		# shellcheck disable=SC2086 # several
		run "$vringlab" doctor $arguments
		[ "$status" -eq 2 ] && is_empty "$tmp/out" &&
			grep -q "vringlab doctor --help" "$tmp/err" || return 1
	done
}

help_goes_to_stdout()
{
	run "$vringlab" doctor --help
	[ "$status" -eq 0 ] && is_empty "$tmp/err" && grep -q -- --json "$tmp/out"
}

# advice_of CHECK: its costs and cure
advice_of()
{
	awk -v check="$1" '/^#   / { if (on) print; next } { on = $2 == check }' "$tmp/out"
}

says_what_is_missing()
{
	run "$vringlab" doctor
	[ "$status" -eq 1 ] && is_empty "$tmp/err" && [ "$(state_of module.loaded)" = missing ] &&
		advice_of module.loaded | grep -q "cure: modprobe vringlab" &&
		tail -n 1 "$tmp/out" | grep -q "^# nothing can be traced.* module.loaded"
}

has_every_check()
{
	local check

	for check in $always; do
		grep -qF " $check" "$tmp/out" || {
			echo "no $check"
			return 1
		}
	done
}

# Each line is a finding, or advice on the one before, which is none if it is ok.
table_is_regular()
{
	awk 'NR == 1 { if (!/^# state +check +found$/) exit 1; next }
		/^#   costs: ./ { if (state == "ok" || costs++) exit 1; next }
		/^#   cure: ./ { if (!costs || cure++) exit 1; next }
		/^# / { verdict++; next }
		/^(ok|limited|missing|unknown) / {
			if (state != "" && state != "ok" && !costs) exit 1
			if (seen[$2]++ || NF < 3) exit 1
			state = $1; costs = cure = 0; next
		}
		{ exit 1 }
		END { exit verdict != 1 }' "$tmp/out"
}

json_is_the_same()
{
	cp "$tmp/out" "$tmp/table"
	run "$vringlab" doctor --json
	[ "$status" -eq 1 ] && is_empty "$tmp/err" && python3 - "$tmp/out" "$tmp/table" <<'END'
import json, sys

report = json.load(open(sys.argv[1]))
assert set(report) == {"kernel", "verdict", "checks"}, report.keys()
assert report["verdict"] == "missing"
rows = [l.split()[:2] for l in open(sys.argv[2]) if not l.startswith("#")]
assert rows == [[c["state"], c["check"]] for c in report["checks"]]
for c in report["checks"]:
    assert set(c) == {"check", "state", "needed", "found", "costs", "cure"}, c
    assert c["found"] and (c["state"] == "ok") == (c["costs"] is None), c
END
}

# nobody, and without any capability
needs_no_privilege()
{
	local as=()

	[ "$(id -u)" -ne 0 ] || as=(setpriv --reuid=65534 --regid=65534 --clear-groups
		--bounding-set=-all --inh-caps=-all)
	chmod 0755 "$tmp"
	run "${as[@]}" "$vringlab" doctor
	[ "$status" -eq 1 ] && is_empty "$tmp/err" && table_is_regular && has_every_check &&
		[ "$(state_of permission.net_admin)" = limited ]
}

changes_nothing()
{
	cat /proc/modules /proc/mounts >"$tmp/before" 2>/dev/null
	"$vringlab" doctor >"$tmp/out" 2>"$tmp/err"
	cat /proc/modules /proc/mounts 2>/dev/null | cmp - "$tmp/before"
}

# Exit 1 would be that of the module's absence, too.
lost_output_is_told()
{
	local option

	for option in "" --json; do
		status=0
		# shellcheck disable=SC2086 # none or one
		"$vringlab" doctor $option >/dev/full 2>"$tmp/err" || status=$?
		[ "$status" -eq 1 ] && one_line "$tmp/err" && grep -q "cannot write" "$tmp/err" ||
			return 1
	done
}

# pretend SCRIPT: doctor where SCRIPT has replaced some of the kernel's files
pretend()
{
	printf '%s' "$1" >"$tmp/script"
	# shellcheck disable=SC2016 # it is for another shell
	run unshare --mount sh -ec '. "$1"; exec "$2" doctor' sh "$tmp/script" "$vringlab"
}

# locked_down MODE: one line of the kernel's
locked_down()
{
	pretend "mount -t tmpfs none /sys/kernel/security
		echo '$1' >/sys/kernel/security/lockdown"
}

lockdown_limits()
{
	locked_down "none [integrity] confidentiality"
	[ "$(state_of kernel.lockdown)" = limited ] &&
		[ "$(state_of module.signature)" = unknown ] &&
		advice_of kernel.lockdown | grep -q "only signed modules" &&
		! advice_of kernel.lockdown | grep -q "trace events" || return 1
	locked_down "none integrity [confidentiality]"
	advice_of kernel.lockdown | grep -q "trace events" || return 1
	locked_down "[none] integrity confidentiality"
	[ "$(state_of kernel.lockdown)" = ok ] && [ -z "$(state_of module.signature)" ]
}

# sysctl_is NAME VALUE CHECK STATE
sysctl_is()
{
	echo "$2" >"$tmp/value"
	pretend "mount --bind '$tmp/value' /proc/sys/kernel/$1"
	[ "$(state_of "$3")" = "$4" ]
}

ftrace_off_is_missing()
{
	sysctl_is ftrace_enabled 0 kernel.ftrace_enabled missing && [ "$status" -eq 1 ] &&
		tail -n 1 "$tmp/out" | grep -q kernel.ftrace_enabled &&
		sysctl_is ftrace_enabled 1 kernel.ftrace_enabled ok
}

# A kernel without all that is needed, and one with all of it.
config_is_read()
{
	local file

	file=/boot/config-$(uname -r)
	pretend "mount -t tmpfs none /boot
		printf '%s\n' CONFIG_EVENTFD=n '# CONFIG_KPROBES is not set' CONFIG_KVM_XX=y \
			CONFIG_TUN=m >$file"
	are missing config.EVENTFD config.KPROBES config.KVM && are ok config.TUN &&
		grep -q "^ok  *config.file  *$file" "$tmp/out" &&
		tail -n 1 "$tmp/out" | grep -q "config.KPROBES.*config.EVENTFD" &&
		! tail -n 1 "$tmp/out" | grep -q "config.KVM" || return 1
	sed -n 's/.* config\.\([A-Z_]*\) .*/CONFIG_\1=y/p' "$tmp/out" >"$tmp/all"
	pretend "mount -t tmpfs none /boot
		cp '$tmp/all' $file"
	are ok config.KPROBES && ! grep "^[a-z]* *config\." "$tmp/out" | grep -v "^ok "
}

ktap_print_header
ktap_set_plan 12

check "wrong usage is exit 2" wrong_usage
check "help goes to stdout" help_goes_to_stdout
check "without the module, exit 1 and what is missing" says_what_is_missing
check "every check is there" has_every_check
check "the table is regular" table_is_regular
if command -v python3 >/dev/null; then
	check "JSON says the same" json_is_the_same
else
	skip "JSON says the same" "no python3: run scripts/setup"
fi
check "it needs no privilege" needs_no_privilege
check "it changes nothing" changes_nothing
check "output that is lost is told" lost_output_is_told
if unshare --mount true 2>/dev/null; then
	check "lockdown is a limit, and signatures matter then" lockdown_limits
	check "ftrace switched off is told" ftrace_off_is_missing
	check "the kernel's options are read" config_is_read
else
	for point in lockdown "ftrace switched off" "the kernel's options"; do
		skip "$point" "no mount namespace here: run as root"
	done
fi

ktap_finished
