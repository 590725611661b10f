#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Where the threads of vringlab vmm run, and with what priority, as the kernel tells it.

. "$(dirname "$0")/../lib/ktap.sh"
. "$(dirname "$0")/../lib/echo_kernel.sh"
. "$(dirname "$0")/../lib/vmm_process.sh"

need_vmm
command -v python3 >/dev/null || skip_all "no python3: run scripts/setup"

# CPUs that a test may use, one a line: two, or the one that there is twice.
mapfile -t cpus < <(python3 -c 'import os
cpus = sorted(os.sched_getaffinity(0))
print(cpus[0], cpus[-1], sep="\n")')
a=${cpus[0]} b=${cpus[1]}
all=$(sed -n 's/^Cpus_allowed_list:[[:space:]]*//p' /proc/self/status)

# allowed NAME: CPUs of a thread
allowed()
{
	sed -n 's/^Cpus_allowed_list:[[:space:]]*//p' "$(task "$1")/status"
}

# scheduled NAME: nice, real-time priority and policy of a thread: proc(5), of stat
scheduled()
{
	cut -d ' ' -f 19,40,41 "$(task "$1")/stat"
}

# becomes VALUE COMMAND...: that is what the command comes to print
becomes()
{
	local end=$((SECONDS + 20)) value=$1

	shift
	until [ "$("$@" 2>/dev/null)" = "$value" ]; do
		[ "$SECONDS" -lt "$end" ] || {
			echo "$*: $("$@"), not $value"
			return 1
		}
		sleep 0.01
	done
}

each_vcpu_has_its_cpu()
{
	start --kernel "$tmp/image" --memory 32M --cpus 3 --pin "$b,$a,$b" &&
		becomes "$b" allowed vcpu0 && becomes "$a" allowed vcpu1 &&
		becomes "$b" allowed vcpu2 && becomes "$all" allowed main && end
}

the_rest_keeps_house()
{
	start "${storm[@]}" --pin "$b" --house-keeping "$a" &&
		becomes "$b" allowed vcpu0 && becomes "$a" allowed main && end
}

vcpus_do_not_keep_house()
{
	start "${storm[@]}" --house-keeping "$a" &&
		becomes "$all" allowed vcpu0 && becomes "$a" allowed main && end
}

# scheduling POLICY EXPECTED
scheduling()
{
	start "${storm[@]}" --priority "$1" &&
		becomes "$2" scheduled vcpu0 && becomes "$normal" scheduled main && end
}

normal=$(cut -d ' ' -f 19,40,41 /proc/self/stat)

ktap_print_header
ktap_set_plan 6

make_echo_kernel "$tmp/image" || ktap_exit_fail_msg "cannot make a kernel"

check "each vCPU of a machine has its CPU" each_vcpu_has_its_cpu
check "all else keeps to other CPUs" the_rest_keeps_house
check "vCPUs that are not pinned do not" vcpus_do_not_keep_house
check "a nice value" scheduling o:7 "7 0 0"
if chrt -f 3 true 2>/dev/null; then
	check "FIFO" scheduling f:3 "0 3 1"
	check "round-robin" scheduling r:2 "0 2 2"
else
	skip "FIFO" "no real-time priority: run as root"
	skip "round-robin" "no real-time priority: run as root"
fi

ktap_finished
