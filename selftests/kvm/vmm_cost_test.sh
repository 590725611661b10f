#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The guests that measure: what they count is what the VMM has counted, and what they
# measure obeys the laws. No test says how long anything takes.

. "$(dirname "$0")/../lib/ktap.sh"

need_vmm

# lawful COUNT ROW...: those rows are there with that count, and min <= p50 <= ... <= max;
# any other row is empty or lawful too
lawful()
{
	python3 - "$tmp/out" "$@" <<'END'
import json, sys
report = json.load(open(sys.argv[1]))
count, needed = int(sys.argv[2]), sys.argv[3:]
assert report["ok"] is True, report
assert set(needed) <= set(report["rows"]), report["rows"].keys()
unit = "ns" if report["tsc-khz"] else "cycles"
for name, row in report["rows"].items():
    assert row["count"] == count or (name not in needed and row["count"] == 0), (name, row)
    if not row["count"]:
        continue
    keys = ["min", "p50", "p90", "p99", "p99.9", "max"]
    values = [row[f"{key}-{unit}"] for key in keys]
    assert values == sorted(values), (name, values)
    assert values[0] * count <= row[f"sum-{unit}"] + count, (name, row)
    assert row[f"sum-{unit}"] <= (values[-1] + 1) * count, (name, row)
END
}

exit_cost()
{
	run "$vringlab" vmm --guest exit-cost --count "$1" --json
	[ "$status" -eq 0 ] && is_empty "$tmp/err" &&
		lawful "$1" nothing cpuid hlt pio-ioeventfd mmio-ioeventfd pio-out pio-in \
			mmio-write mmio-read &&
		grep -q "\"user-exits\": *$((4 * $1 + 1)),\$" "$tmp/out"
}

# Only the signals' rows may lack, all of them.
irq_cost()
{
	run "$vringlab" vmm --guest irq-cost --count "$1" --json
	[ "$status" -eq 0 ] && is_empty "$tmp/err" &&
		lawful "$1" self-ipi irqfd-spin irqfd-halt &&
		grep -q '"user-exits": *1,$' "$tmp/out"
}

# number KEY: of the JSON report
number()
{
	sed -n "s/^ *\"$1\": *\([0-9]*\),*$/\1/p" "$tmp/out"
}

# storm COUNT OPTION...
storm()
{
	local count=$1

	shift
	run "$vringlab" vmm --guest doorbell-storm --count "$count" --json "$@"
	[ "$status" -eq 0 ] && is_empty "$tmp/err" && grep -q '"ok": *true' "$tmp/out" &&
		[ "$(number doorbells)" -eq "$count" ] &&
		[ "$(number signals)" -eq "$count" ] &&
		[ "$(number reads)" -ge 1 ] && [ "$(number reads)" -le "$count" ] &&
		[ "$(number user-exits)" -eq 1 ]
}

# as_text GUEST LINE...: a report with a line that matches each
as_text()
{
	local guest=$1 line

	shift
	run "$vringlab" vmm --guest "$guest" --count 5
	[ "$status" -eq 0 ] && is_empty "$tmp/err" &&
		grep -q "^# guest $guest succeeded" "$tmp/out" || return 1
	for line; do
		grep -Eq "$line" "$tmp/out" || return 1
	done
}

times='( +[0-9.]+(ns|us|ms|s)?){7}$'

# times_out GUEST: one line, and a report of what there is
times_out()
{
	run "$vringlab" vmm --guest "$1" --count 4294967296 --timeout 300ms
	[ "$status" -eq 1 ] && one_line "$tmp/err" &&
		grep -q "did not end within 300ms" "$tmp/err" &&
		grep -q "^# guest $1 failed" "$tmp/out"
}

ktap_print_header
ktap_set_plan 14
if command -v python3 >/dev/null; then
	check "exit-cost: every count agrees, and the laws hold" exit_cost 50
	check "exit-cost: once" exit_cost 1
	check "irq-cost: every count agrees, and the laws hold" irq_cost 50
	check "irq-cost: once" irq_cost 1
else
	for name in "exit-cost: every count" "exit-cost: once" "irq-cost: every count" \
		"irq-cost: once"; do
		skip "$name" "needs python3: run scripts/setup"
	done
fi
check "doorbell-storm: one eventfd" storm 500
check "doorbell-storm: several, in turn" storm 500 --eventfds 3
check "doorbell-storm: by memory" storm 500 --doorbell mmio
check "doorbell-storm: as many as there may be, by memory" storm 499 --doorbell mmio --eventfds 16
check "exit-cost as text" as_text exit-cost "^cpuid$times" "^mmio-read$times" "^# +min|TSC"
check "irq-cost as text" as_text irq-cost "^self-ipi$times" "^irqfd-halt$times"
check "doorbell-storm as text" as_text doorbell-storm "^doorbells +5 " "^signals +5 "
check "exit-cost is stopped by a timeout" times_out exit-cost
check "irq-cost is stopped by a timeout" times_out irq-cost
check "doorbell-storm is stopped by a timeout" times_out doorbell-storm
ktap_finished
