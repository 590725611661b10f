#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# scripts/vm carries bytes, arguments and exit codes faithfully, and tells a
# hang, a panic, a warning and a power-off from a command that failed.

. "$(dirname "$0")/../lib/ktap.sh"

vm=$src/scripts/vm
[ -x "$vm" ] || skip_all "no scripts/vm: run in a source tree, or give VRINGLAB_SRC="
command -v qemu-system-x86_64 >/dev/null || skip_all "no qemu-system-x86_64: run scripts/setup"
"$src/scripts/kernels" dir >/dev/null 2>&1 || skip_all "no kernel in the cache: run scripts/setup"

export VRINGLAB_CACHE=${VRINGLAB_CACHE:-$src/.cache}
# The build folder may be where the guest does not see it, in /tmp for one.
cd "$src" || exit 1

# start NAME ARGUMENT...: a machine in the background; finish NAME waits for it
# and leaves $status, $out and $err. Pairs of machines run at the same time.
start()
{
	local name=$1

	shift
	"$vm" "$@" <"${stdin:-/dev/null}" >"$tmp/$name.out" 2>"$tmp/$name.err" &
	printf '%s\n' "$!" >"$tmp/$name.pid"
}

finish()
{
	local name=$1

	status=0
	wait "$(cat "$tmp/$name.pid")" || status=$?
	out=$tmp/$name.out
	err=$tmp/$name.err
	# What check() shows when a test point fails.
	cp "$err" "$tmp/err"
	head -c 2000 "$out" | tr -cd '[:print:]\n' >"$tmp/out"
}

status_is()
{
	[ "$status" -eq "$1" ]
}

# fails_with CODE PATTERN: the exit code, and one line that says why
fails_with()
{
	status_is "$1" && [ "$(grep -c '^vm: ' "$err")" -eq 1 ] && grep -q "^vm: .*$2" "$err"
}

# The log that the message names is there and has PATTERN; then it is removed.
log_has()
{
	local log

	log=$(sed -n 's/^vm: .*kernel log: //p' "$err")
	[ -n "$log" ] && grep -q "$1" "$log" && rm -f "$log"
}

usage_error()
{
	run "$vm" "$@"
	[ "$status" -eq 2 ] && is_empty "$tmp/out" && grep -q '^usage: scripts/vm' "$tmp/err"
}

missing_kernel_names_the_cure()
{
	run "$vm" --kernel 1.0 -- true
	[ "$status" -eq 4 ] && one_line "$tmp/err" && grep -q 'scripts/kernels fetch 1.0' "$tmp/err"
}

# children_of PID: its child processes
children_of()
{
	cat "/proc/$1/task/$1/children"
}

gone()
{
	local pid

	for pid in "$@"; do
		[ ! -e "/proc/$pid" ] || return 1
	done
}

# --- the facts that the guest reports, one a line ---------------------------

# shellcheck disable=SC2016 # expanded in the guest
guest_facts='
	printf "cwd=%s\n" "$PWD"
	printf "uid=%s\n" "$(id -u)"
	printf "count=%s\n" "$#"
	printf "argument=%s\n" "$@"
	test -c /dev/kvm && echo kvm=here
	modprobe vhost_net && test -c /dev/vhost-net && echo vhost_net=here
	modprobe vhost_vsock && test -c /dev/vhost-vsock && echo vhost_vsock=here
	test -d /sys/kernel/tracing/events/kvm && echo tracefs=here
	ping_lo=$(cat /sys/class/net/lo/flags) && echo "lo=$ping_lo"
	echo from-guest >"$RW/written" && echo more >>"$RW/written"
	echo lost >"/vm_test.$PRIVATE"
	sleep 1000 & # left behind, with our output open
	exit 37'

# shellcheck disable=SC2016 # not to be expanded
args=('' 'a b' "it's \"q\"" $'two\nlines' 'grün' '$HOME *' '--smp')
head -c 20000000 /dev/urandom >"$tmp/random"
mkdir "$tmp/folder with space"

ktap_print_header
ktap_set_plan 30

stdin=$tmp/random start stream --stdin -- \
	sh -c 'tee /dev/stderr; exit 255'
cd "$src/scripts" || exit
start facts --rw "$tmp/folder with space" -- \
	env PRIVATE="$$" RW="$tmp/folder with space" sh -c "$guest_facts" sh "${args[@]}"
cd - >/dev/null || exit

finish stream
check "20 MB of random bytes pass stdin and stdout unchanged" cmp "$tmp/random" "$out"
check "the same bytes at the same time pass stderr unchanged" cmp "$tmp/random" "$err"
check "exit code 255 is passed on" status_is 255

finish facts
fact()
{
	grep -qFx -- "$1" "$out"
}
arguments_arrive()
{
	printf 'argument=%s\n' "${args[@]}" >"$tmp/wanted"
	sed -n "/^argument=/,/^kvm=/{/^kvm=/!p}" "$out" | cmp - "$tmp/wanted"
}
check "exit code 37 is passed on, whatever was left running" status_is 37
check "the command starts in the caller's folder" fact "cwd=$src/scripts"
check "the command is root" fact uid=0
check "no argument is lost or split" fact "count=${#args[@]}"
check "arguments arrive byte for byte" arguments_arrive
check "/dev/kvm is there" fact kvm=here
check "vhost_net loads" fact vhost_net=here
check "vhost_vsock loads" fact vhost_vsock=here
check "tracefs is mounted and knows kvm" fact tracefs=here
check "the loopback device is up" fact lo=0x9
check "a file written in a shared folder comes back" \
	cmp "$tmp/folder with space/written" <(printf 'from-guest\nmore\n')
check "a file written elsewhere does not" test ! -e "/vm_test.$$"

start signal -- sh -c 'echo said; kill -KILL $$'
start late --timeout 3 -- sh -c 'echo before; sleep 1000'
finish signal
check "a command that a signal killed gives 128 + its number" status_is 137
check "what it had said has arrived" grep -qx said "$out"
finish late
check "a hang ends with 124 and says so" fails_with 124 'timed out after 3 s'
check "the log shows what the machine was doing" log_has 'sysrq: Show Blocked State'

start panic -- sh -c 'echo c >/proc/sysrq-trigger'
start warning -- sh -c 'echo "WARNING: of vm_test" >/dev/kmsg'
finish panic
check "a panic ends with 123 and says so" fails_with 123 'Kernel panic'
check "the log of a panic is kept" log_has 'sysrq triggered crash'
finish warning
check "a kernel warning is a failure" fails_with 123 'WARNING: of vm_test'
rm -f "$(sed -n 's/^vm: .*kernel log: //p' "$err")"

# Not every machine has poweroff(8).
start off -- sh -c 'echo o >/proc/sysrq-trigger; sleep 1000'
start term -- sh -c 'echo up; sleep 1000'
finish off
check "a guest that switches itself off is told from a failure" fails_with 125 'switch it off'
rm -f "$(sed -n 's/^vm: .*kernel log: //p' "$err")"

# The machine says that it is up; tail ends with the first line.
pid=$(cat "$tmp/term.pid")
# shellcheck disable=SC2016
timeout 60 sh -c 'tail -f --pid="$1" "$2" | sed -n "/up/q"' sh "$pid" "$tmp/term.out"
qemu=$(children_of "$pid")
kill -TERM "$pid"
finish term
check "SIGTERM ends the run as that signal" status_is 143
# shellcheck disable=SC2086 # a list
check "SIGTERM leaves no machine behind" gone $qemu

# dies_early TIMES: a QEMU whose machine first dies so often of what is QEMU's own fault
dies_early()
{
	yes | head -n "$1" >"$tmp/left"
	cat >"$tmp/qemu" <<-END
		#!/bin/bash
		[ -s "$tmp/left" ] || exec qemu-system-x86_64 "\$@"
		sed -i 1d "$tmp/left"
		for arg; do
			[[ \$arg != *id=console,path=* ]] ||
				echo "Oops: int3: 0000" >"\${arg##*path=}"
		done
	END
	chmod +x "$tmp/qemu"
	run env QEMU="$tmp/qemu" "$vm" --accel tcg -- echo up
}

boots_again()
{
	dies_early 2
	[ "$status" -eq 0 ] && grep -qx up "$tmp/out" &&
		[ "$(grep -c 'once more' "$tmp/err")" -eq 2 ]
}

gives_up()
{
	dies_early 100
	rm -f "$(sed -n 's/^vm: .*kernel log: //p' "$tmp/err")"
	[ "$status" -eq 123 ] && [ "$(wc -l <"$tmp/left")" -eq 96 ] &&
		tail -n 1 "$tmp/err" | grep -q "the kernel said: Oops: int3"
}

check "a machine that dies of QEMU before it is up is booted again" boots_again
check "a few times" gives_up

check "an unknown option is a usage error" usage_error --no-such-option -- true
check "no command is a usage error" usage_error
check "a kernel that is not there is named with its cure" missing_kernel_names_the_cure

ktap_finished
