#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The console of vringlab vmm --kernel on a terminal, which is as it was before after
# every end; and on pipes. The guest is no kernel: it sends back what it receives.

. "$(dirname "$0")/../lib/ktap.sh"
. "$(dirname "$0")/../lib/echo_kernel.sh"

need_vmm
command -v python3 >/dev/null || skip_all "no python3: run scripts/setup"

cat >"$tmp/console.py" <<'END'
import fcntl, json, os, select, signal, subprocess, sys, termios, time

DEADLINE_S = 60
vringlab, image = sys.argv[1:3]


class Guest:
    """The command on a terminal of its own, which is kept open: its mode is its own."""

    def __init__(self):
        self.fd, self.terminal = os.openpty()
        self.before = self.mode()
        self.out = b""
        self.pid = os.fork()
        if not self.pid:
            os.setsid()
            fcntl.ioctl(self.terminal, termios.TIOCSCTTY, 0)
            for fd in range(3):
                os.dup2(self.terminal, fd)
            os.execv(vringlab, [vringlab, "vmm", "--kernel", image, "--memory", "32M"])

    def type(self, data):
        os.write(self.fd, data)

    def wait_for(self, data):
        end = time.monotonic() + DEADLINE_S
        while data not in self.out:
            left = end - time.monotonic()
            assert left > 0, f"{data} does not come: {self.out}"
            if select.select([self.fd], [], [], left)[0]:
                self.out += os.read(self.fd, 4096)

    def end(self):
        status = os.waitpid(self.pid, 0)[1]
        return os.waitstatus_to_exitcode(status)

    def mode(self):
        return termios.tcgetattr(self.terminal)


def is_raw(mode):
    return not mode[3] & (termios.ICANON | termios.ECHO | termios.ISIG) and \
        not mode[1] & termios.OPOST


def ends(action, expected):
    guest = Guest()
    end = time.monotonic() + DEADLINE_S
    # what is typed before would be echoed
    while not is_raw(guest.mode()):
        assert time.monotonic() < end, "the terminal is never raw"
        time.sleep(0.01)
    guest.type(b"hello")
    guest.wait_for(b"hello")
    if isinstance(action, bytes):
        guest.type(action)
    else:
        os.kill(guest.pid, action)
    code = guest.end()
    assert code == expected, f"{code}, not {expected}"
    assert guest.mode() == guest.before, guest.mode()
    return guest


def quits():
    ends(b"\x01x", 0)


def powers_off():
    ends(b"q", 0)


def resets():
    guest = ends(b"r", 1)
    guest.wait_for(b"has reset its machine")


def panics():
    guest = ends(b"p", 1)
    guest.wait_for(b"has panicked")


def ends_by_signals():
    ends(signal.SIGTERM, 1)
    ends(signal.SIGHUP, 1)


def crashes():
    ends(signal.SIGSEGV, -signal.SIGSEGV)
    ends(signal.SIGABRT, -signal.SIGABRT)


# Ctrl-C, Ctrl-Z and Ctrl-D are the guest's; Ctrl-A is if it is typed twice.
def keys_go_to_the_guest():
    guest = ends(b"<\x03\x1a\x04\x01\x01>\r\n?q", 0)
    guest.wait_for(b"<\x03\x1a\x04\x01>\r\n?")


def command(*args, **kwargs):
    return subprocess.run([vringlab, "vmm", "--kernel", image, "--memory", "32M", *args],
                          capture_output=True, timeout=DEADLINE_S, **kwargs)


# Nothing is special there; a long input goes in piece by piece.
def pipes():
    data = (b"\x01x" + bytes(range(1, 0x70))) * 100
    result = command("--json", input=data + b"q")
    assert result.returncode == 0 and result.stderr == b"", result.stderr
    assert result.stdout.startswith(data), len(result.stdout)
    report = json.loads(result.stdout[len(data):])
    assert report["end"] == "power-off" and report["ok"] and report["guest"] == "linux", report


def told_apart():
    for key, end, text in (b"r", "reset", b"reset"), (b"p", "panic", b"panicked"):
        result = command("--json", input=key)
        assert result.returncode == 1 and text in result.stderr, result
        assert result.stderr.count(b"\n") == 1, result
        report = json.loads(result.stdout)
        assert report["end"] == end and not report["ok"], report


def times_out():
    result = command("--json", "--timeout", "200ms", input=b"")
    assert result.returncode == 1 and b"--timeout" in result.stderr, result
    assert json.loads(result.stdout)["end"] == "timeout", result


# A reader that goes ends it; one that does not read does not stop it from ending.
def output_is_lost():
    with subprocess.Popen([vringlab, "vmm", "--kernel", image, "--memory", "32M"],
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE) as process:
        process.stdout.close()
        process.stdin.write(b"x")
        process.stdin.flush()
        code = process.wait(DEADLINE_S)
        text = process.stderr.read()
    assert code == 1 and b"cannot write the guest's output" in text, (code, text)


def output_is_stuck():
    with subprocess.Popen([vringlab, "vmm", "--kernel", image, "--memory", "32M"],
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        process.stdin.write(b"x" * 30000)
        process.stdin.flush()
        select.select([process.stdout], [], [], DEADLINE_S)
        process.terminate()
        assert process.wait(DEADLINE_S) == 1


globals()[sys.argv[3]]()
END

# console FUNCTION
console()
{
	python3 "$tmp/console.py" "$vringlab" "$tmp/image" "$1"
}

ktap_print_header
ktap_set_plan 12

make_echo_kernel "$tmp/image" || ktap_exit_fail_msg "cannot make a kernel"

check "Ctrl-A x ends it" console quits
check "power off ends it well" console powers_off
check "a reset is a failure" console resets
check "a panic is one" console panics
check "signals end it" console ends_by_signals
check "the terminal is restored by a crash" console crashes
check "all other keys go to the guest" console keys_go_to_the_guest
check "pipes: every byte goes in and comes out" console pipes
check "pipes: its ends are told apart" console told_apart
check "a deadline ends it" console times_out
check "output that is lost ends it" console output_is_lost
check "output that nobody reads does not keep it" console output_is_stuck

ktap_finished
