#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The kernel's own netlink client, with the specification alone: every operation,
# and that it says what vringlab says.

. "$(dirname "$0")/../lib/ktap.sh"

ynl=$lib/ynl
spec=$ynl/specs/vringlab.yaml
[ "$(id -u)" -eq 0 ] || skip_all "loads a module: run as root"
[ -n "${VRINGLAB_KO:-}" ] || skip_all "no module: set VRINGLAB_KO=, or use scripts/check"
[ -e "$ynl/cli.py" ] || skip_all "the kernel source had no ynl: give one from 6.3 on as KSRC="
for python in python3 /usr/bin/python3 ""; do
	[ -n "$python" ] || skip_all "python3 lacks yaml or jsonschema: run scripts/setup"
	"$python" -c 'import yaml, jsonschema, os; os.eventfd' 2>/dev/null && break
done
[ ! -e /sys/module/vringlab ] || skip_all "vringlab is loaded already: rmmod vringlab"

# An emulated machine takes seconds to start python and to read the specification, so
# it is held against the schema once, and several requests are one run of the library.
client()
{
	run "$python" "$ynl/cli.py" --spec "$spec" --no-schema --output-json "$@"
}

# holds EXPRESSION: of what the client said, which is d
holds()
{
	"$python" -c '
import json, sys
d = json.load(open(sys.argv[1]))
assert eval(sys.argv[2]), d' "$tmp/out" "$1"
}

# library PROGRAM ARGUMENT...: with ynl as the family
library()
{
	run "$python" -c "import json, subprocess, sys
sys.path.insert(0, '$ynl')
from lib import YnlFamily
ynl = YnlFamily('$spec', '')
$1" "${@:2}"
	[ "$status" -eq 0 ]
}

# A vring with a life: it adds, as the client's parent, and then has 5 kicks, 2 wakes
# and 3 calls. $1 is added to the request.
# shellcheck disable=SC2016  # the program is python's
lives='
import json, os, subprocess, sys
kick, call = os.eventfd(0), os.eventfd(0)
request = dict(label="ynl.0", backend="vhost-user", persist=True)
request.update({"kick-fd": kick, "call-fd": call}, **json.loads(sys.argv[1]))
status = subprocess.run(sys.argv[2:] + ["--json", json.dumps(request)],
                        pass_fds=(kick, call)).returncode
if status:
    sys.exit(status)
for kicks in 2, 3:
    for i in range(kicks):
        os.eventfd_write(kick, 1)
    os.eventfd_read(kick)
for i in range(3):
    os.eventfd_write(call, 1)
'

# add REQUEST OPTION...
add()
{
	local request=$1

	shift
	run "$python" -c "$lives" "$request" "$python" "$ynl/cli.py" --spec "$spec" \
		--no-schema --output-json --do vring-add "$@"
}

# Of whatever has a name in it.
# shellcheck disable=SC2016  # the program is python's
documented='
import sys, yaml
spec = yaml.safe_load(open(sys.argv[1]))
def look(what, named):
    assert named.get("doc"), f"{what} {named} says nothing"
for d in spec["definitions"]:
    look("definition", d)
    for entry in d.get("entries", []):
        look(d["name"], entry)
for s in spec["attribute-sets"]:
    if "subset-of" in s:
        continue
    look("attribute set", s)
    for attribute in s["attributes"]:
        look(s["name"], attribute)
for o in spec["operations"]["list"]:
    look("operation", o)
'

has_all_in_words()
{
	run "$python" -c "$documented" "$spec"
	[ "$status" -eq 0 ]
}

lists_every_operation()
{
	run "$python" "$ynl/cli.py" --spec "$spec" --list-ops
	for op in vring-{add,del,get} {counters,hist,probe}-get; do
		grep -q "^$op " "$tmp/out" || return
	done
}

adds()
{
	add '{}' && [ "$status" -eq 0 ] && holds 'd["id"] > 0' &&
		id=$("$python" -c 'import json, sys; print(json.load(open(sys.argv[1]))["id"])' \
			"$tmp/out")
}

# shellcheck disable=SC2016  # the program is python's
got='
id = int(sys.argv[1])
v = ynl.do("vring-get", {"id": id})
assert (v["id"], v["label"], v["backend"]) == (id, "ynl.0", "vhost-user"), v
c = ynl.do("counters-get", {"vring-id": id})
assert (c["kicks-write"], c["wakes-read"], c["calls"]) == (5, 2, 3), c
h = ynl.do("hist-get", {"vring-id": id, "span": "kick-wake"})
assert (h["span"], h["count"], sum(b["count"] for b in h["bucket"])) == ("kick-wake", 2, 2), h
assert h["min-ns"] <= h["max-ns"] and h["sum-ns"] == h["min-ns"] + h["max-ns"], h
'

does()
{
	library "$got" "$id"
}

# Each dump, and what vringlab makes of the same.
# shellcheck disable=SC2016  # the program is python's
same='
stat, hist = [json.load(open(f)) for f in sys.argv[1:]]
vrings, counters, hists, probes = [
    ynl.dump(what + "-get", {}) for what in ("vring", "counters", "hist", "probe")]

def same(what, ours, theirs):
    assert ours == theirs, f"{what}: {ours} is not {theirs}"

same("vrings", [v["id"] for v in stat["vrings"]], [v["id"] for v in vrings])
for ours, theirs, count in zip(stat["vrings"], vrings, counters):
    for key in theirs:
        same(key, ours[key], theirs[key])
    same("persist", ours["persist"], "persist" in theirs)
    same("id", ours["id"], count.pop("vring-id"))
    same("counters", ours["counters"], count)
    spans = [h for h in hists if h["vring-id"] == ours["id"]]
    same("spans", [s["span"] for s in ours["spans"]], [s["span"] for s in spans])
    for o, t in zip(ours["spans"], spans):
        for key in "count", "sum-ns", "min-ns", "max-ns":
            same(key, o[key], t.get(key))
    for o, t in zip(next(h for h in hist["vrings"] if h["id"] == ours["id"])["spans"], spans):
        same("buckets", [b["count"] for b in o["buckets"]],
             [b["count"] for b in t.get("bucket", [])])
assert len(vrings) == len(counters) and len(hists) == 6 * len(vrings)
same("probes", [p["name"] for p in stat["probes"]], [p["name"] for p in probes])
for ours, theirs in zip(stat["probes"], probes):
    for key in "type", "state", "module":
        same(key, ours[key], theirs.get(key))
    same("hops", ours["hops"], theirs.get("hop", []))
'

dumps()
{
	local dump

	for dump in stat hist; do
		run "$vringlab" "$dump" --json
		[ "$status" -eq 0 ] && mv "$tmp/out" "$tmp/$dump" || return
	done
	library "$same" "$tmp/stat" "$tmp/hist"
}

# As cli.py does it, and in parts that are as small as netlink allows.
dumps_in_parts()
{
	client --dump hist-get && mv "$tmp/out" "$tmp/whole" &&
		client --dump hist-get --dbg-small-recv 16384 &&
		holds 'len(d) == 6' && cmp "$tmp/out" "$tmp/whole"
}

# refused ERRNO WORDS ...: as the client puts it
refused()
{
	local errno=$1 words=$2

	shift 2
	"$@"
	[ "$status" -eq 1 ] && grep -q "error: -$errno" "$tmp/out" && grep -q "$words" "$tmp/out"
}

# Its cli.py can only sleep, so its library listens while a cli.py deletes.
# shellcheck disable=SC2016  # the program is python's
listens='
ynl.ntf_subscribe("vrings")
subprocess.run(sys.argv[1:], check=True)
ynl.check_ntf()
assert [n["name"] for n in ynl.async_msg_queue] == ["vring-del-ntf"], ynl.async_msg_queue
assert ynl.async_msg_queue[0]["msg"]["label"] == "ynl.0", ynl.async_msg_queue
'

deletes_and_is_told()
{
	library "$listens" "$python" "$ynl/cli.py" --spec "$spec" --no-schema \
		--do vring-del --json "{\"id\": $id}" &&
		refused 2 "no vring has this id" client --do vring-del --json "{\"id\": $id}"
}

ktap_print_header
ktap_set_plan 10

insmod "$VRINGLAB_KO" || ktap_exit_fail_msg "cannot load $VRINGLAB_KO"
check "the specification has all in words" has_all_in_words
check "ynl knows every operation" lists_every_operation
check "ynl adds a vring" adds
check "ynl gets it, its counters and a histogram" does
check "ynl's dumps are what stat and hist say" dumps
check "ynl's dumps are the same in parts" dumps_in_parts
check "ynl is told why a label is bad" refused 22 "printable ASCII" add '{"label": "a b"}'
check "ynl is told why an fd is none" refused 9 "not an open file descriptor" \
	add '{"call-fd": 999}'
check "ynl deletes, once, and is told of it" deletes_and_is_told
check "the module unloads" rmmod vringlab

ktap_finished
