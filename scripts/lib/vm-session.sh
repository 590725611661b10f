#!/bin/busybox sh
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=dash disable=SC1091,SC2154 # job_* come from the job file
#
# Runs the command of scripts/vm as the only work of the machine, carries its
# output into files that the host follows, and tells the host its exit code over
# virtio-serial when all of the output is there.

export PATH=/run/vm/bin
cd /run/vm || exit
. job/job

for entry in /sys/class/virtio-ports/*; do
	read -r name <"$entry/name"
	[ "$name" != ctl ] || exec 3<>"/dev/${entry##*/}"
done

# A command may leave processes behind that hold its output open: end them, or
# the end of the output would never come.
kill_rest() {
	for proc in /proc/[0-9]*; do
		pid=${proc#/proc/}
		case " 1 $keep " in
		*" $pid "*) ;;
		*) kill -9 "$pid" 2>/dev/null ;;
		esac
	done
}

# When the deadline has passed the host asks what the machine was doing.
answer_host() {
	while read -r word <&3; do
		[ "$word" = dump ] || continue
		echo 9 >/proc/sysrq-trigger
		echo l >/proc/sysrq-trigger
		echo w >/proc/sysrq-trigger
		echo t >/proc/sysrq-trigger
		echo "vringlab-vm: dumped" >/dev/kmsg
	done
}

# The command writes into pipes, as it would at a shell's prompt, not into files.
run_with_relays() {
	mkfifo out err
	cat <out >job/out 3>&- &
	out_relay=$!
	cat <err >job/err 3>&- &
	err_relay=$!
	answer_host &
	keep="$out_relay $err_relay $!"
	# In the foreground: the shell makes background commands ignore SIGINT.
	input=/dev/null
	[ ! -e job/in ] || input=job/in
	(job_command <"$input" >out 2>err 3>&-)
	code=$?
	kill_rest
	wait "$out_relay" "$err_relay"
}

run_on_terminal() {
	keep=
	(job_command </dev/hvc0 >/dev/hvc0 2>&1 3>&-)
	code=$?
	kill_rest
}

echo "vringlab-vm: command starts" >/dev/kmsg
dmesg -n 8
echo ready >&3
if [ -n "$job_shell" ]; then
	run_on_terminal
else
	run_with_relays
fi
sync
job_unshare
echo "vringlab-vm: command ended" >/dev/kmsg
echo "exit $code" >&3
# The host ends the machine when it has everything; it may need some time.
while :; do sleep 60; done
