#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The sandbox of vringlab vmm, as the kernel tells it of each thread; and that it ends a
# process whose threads call what they have no business to. A tracer has them do it: it
# puts the number of another system call in place of one that they make.

. "$(dirname "$0")/../lib/ktap.sh"
. "$(dirname "$0")/../lib/echo_kernel.sh"
. "$(dirname "$0")/../lib/vmm_process.sh"

need_vmm
command -v python3 >/dev/null || skip_all "no python3: run scripts/setup"
grep -q "^Seccomp:" /proc/self/status || skip_all "needs a kernel with CONFIG_SECCOMP_FILTER"

cat >"$tmp/call.py" <<'END'
import ctypes, os, signal, sys

SEIZE, INTERRUPT, SYSCALL, GETREGS, SETREGS, DETACH = 0x4206, 0x4207, 24, 12, 13, 17
TRACESYSGOOD, WALL = 1, 0x40000000
ORIG_RAX, RAX = 15, 10
tid, nr = int(sys.argv[1]), int(sys.argv[2])
libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
libc.ptrace.restype = ctypes.c_long
regs = (ctypes.c_ulonglong * 27)()


def ptrace(request, data=None):
    if libc.ptrace(request, tid, None, data) < 0:
        sys.exit(os.strerror(ctypes.get_errno()))


ptrace(SEIZE, TRACESYSGOOD)
ptrace(INTERRUPT)
os.waitpid(tid, WALL)
while True:
    ptrace(SYSCALL)
    status = os.waitpid(tid, WALL)[1]
    assert os.WIFSTOPPED(status), status
    if os.WSTOPSIG(status) == signal.SIGTRAP | 0x80:
        ptrace(GETREGS, ctypes.addressof(regs))
        # at its entry, where there is no result yet
        if ctypes.c_longlong(regs[RAX]).value == -38:
            break
regs[ORIG_RAX] = nr
ptrace(SETREGS, ctypes.addressof(regs))
ptrace(DETACH)
END

deadline=20

# is NAME KEY VALUE: of a thread's status
is()
{
	[ "$(sed -n "s/^$2:[[:space:]]*//p" "$(task "$1")/status" 2>/dev/null)" = "$3" ]
}

# No more, a thread has: filter, no_new_privs, capabilities.
confined()
{
	is "$1" Seccomp 2 && is "$1" NoNewPrivs 1 && is "$1" CapEff 0000000000000000 &&
		is "$1" CapPrm 0000000000000000
}

threads_confined()
{
	local thread

	for thread in "/proc/$guest/task/"*; do
		[ "$(sed -n 's/^Seccomp:[[:space:]]*//p' "$thread/status")" = 2 ] &&
			grep -Eq '^CapEff:[[:space:]]*0+$' "$thread/status" || return 1
	done
}

# A vCPU has a filter more than the rest.
filters()
{
	! grep -q ^Seccomp_filters: /proc/self/status ||
		{ is main Seccomp_filters $((own + 1)) && is vcpu0 Seccomp_filters $((own + 2)); }
}

own=$(sed -n 's/^Seccomp_filters:[[:space:]]*//p' /proc/self/status)
machine=(--kernel "$tmp/image" --memory 32M --cpus 2)

# is_confined NR OPTION...: which has NR vCPUs
is_confined()
{
	local nr=$1 i

	shift
	start "$@" && eventually confined main || return
	for ((i = 0; i < nr; i++)); do
		eventually confined "vcpu$i" || return
	done
	threads_confined && filters && end
}

is_not_confined()
{
	start "${machine[@]}" --no-sandbox && eventually is vcpu1 Seccomp "$(sed -n \
		's/^Seccomp:[[:space:]]*//p' /proc/self/status)" &&
		is main CapEff "$(sed -n 's/^CapEff:[[:space:]]*//p' /proc/self/status)" && end
}

# ends_by THREAD CALL OPTION...: a thread that makes a call
ends_by()
{
	local thread=$1 call=$2

	shift 2
	start "$@" && eventually confined vcpu0 && eventually confined main &&
		thread=$(task "$thread") && python3 "$tmp/call.py" "${thread##*/}" "$call" || return
	status=0
	wait "$guest" || status=$?
	guest=
	[ "$status" -eq 1 ] && one_line "$tmp/err" &&
		grep -q "ended by its sandbox: thread .* system call $call (.*)," "$tmp/err" &&
		grep -q -- "--no-sandbox" "$tmp/err"
}

ktap_print_header
ktap_set_plan 9

make_echo_kernel "$tmp/image" || ktap_exit_fail_msg "cannot make a kernel"

# unistd_64.h
openat=257 execve=59 ptrace=101 kill=62
check "threads of a micro-guest are confined" is_confined 1 "${storm[@]}"
check "threads of a machine are confined" is_confined 2 "${machine[@]}"
check "so are those that had a privilege for their priority" is_confined 2 "${machine[@]}" \
	--priority o:-1
check "--no-sandbox confines nothing" is_not_confined
if python3 -c 'import ctypes, sys; sys.exit(ctypes.CDLL(None).prctl(23, 19) != 1)'; then
	check "a vCPU may not open a file" ends_by vcpu0 "$openat" "${machine[@]}"
	check "the loop may not open a file" ends_by main "$openat" "${machine[@]}"
	check "nothing is executed" ends_by vcpu1 "$execve" "${machine[@]}"
	check "nothing is traced" ends_by main "$ptrace" "${storm[@]}"
	check "nothing is killed" ends_by vcpu0 "$kill" "${storm[@]}"
else
	for call in openat openat execve ptrace kill; do
		skip "a forbidden call: $call" "may trace nothing: run as root"
	done
fi

ktap_finished
