# SPDX-License-Identifier: BSD-2-Clause
"""A death is explained: `service corpse`, the core file that gdb opens on the host, `service hold`."""
import os
import re
import subprocess

import pytest

from conftest import BUILD, TOP
from test_faults import NETWORK, WAIT, faulty

UP = WAIT + "service up faulty; "  # it is not started before
DEAD = UP + "wait_for 'up .* s  *[1-9]' || exit 3; "  # has died once, and was replaced


def add(tmp_path, fault, **more):
    """The driver that misbehaves, with the table of its functions."""
    table = tmp_path / "faulty.symbols"
    subprocess.run([TOP / "tools/symbols", BUILD / "services/faulty.debug", table], check=True)
    return {"/lib/symbols/faulty": table, **faulty(fault, delay=100, instances="on-request", **more)}


def gdb(service, core, *commands):
    arguments = [argument for command in commands for argument in ("-ex", command)]
    done = subprocess.run(["gdb", "-nx", "-batch", *arguments, BUILD / f"services/{service}.debug", core], capture_output=True, text=True,
                          env=dict(os.environ, DEBUGINFOD_URLS=""), check=True)
    assert "warning" not in done.stderr, done.stderr
    return done.stdout


@pytest.fixture
def disk(tmp_path):
    """An empty disk, by which files get to the host."""
    image = tmp_path / "disk"
    with open(image, "wb") as file:
        file.truncate(4 << 20)
    return image


def frames(text):
    """The functions of the backtraces in a report, the innermost first."""
    return re.findall(r"^ +#\d+ +0x[0-9a-f]+ ([\w.]+|\?)", text, re.M)


def test_null_pointer(boot, disk, tmp_path):
    """The report names the function that did it, and so does gdb, which opens the core without complaint."""
    out = boot(DEAD + "service corpse faulty && service corpse faulty --core /tmp/core && dd if=/tmp/core of=/dev/sda bs=64k 2>/dev/null && sync; "
               "rm /tmp/core", add=add(tmp_path, "null"), disks=[str(disk)]).out
    assert "defect     exception 14: page fault, writing 0 (nothing is there), at 0x" in out and "memory: all" in out
    assert frames(out)[0] == "fault_null" and "main" in frames(out), out
    assert re.search(r"^ +-?[\d.]+ exception +faulty -> rs 14, address 0$", out, re.M), out
    seen = gdb("faulty", disk, "backtrace", "info registers rip", "print zero")
    assert "Program terminated with signal SIGSEGV" in seen and re.search(r"^#0 .*fault_null \(\)", seen, re.M) and " main " in seen, seen
    rip = re.search(r"rip +([0-9a-f]{16})", out).group(1)
    assert re.search(rf"^rip +0x{rip.lstrip('0')} ", seen, re.M) and "$1 = 0" in seen, seen


def test_hold(boot, tmp_path):
    """One that is held is not restarted, and its corpse stays; a second death in hold is one more. `restart` and `up` go on."""
    result = boot(UP + "wait_for 'up '; service hold faulty; service hold faulty; service kill faulty; wait_for held && echo held 1; service kill faulty; service hold faulty; "
                  "service corpse --forget; service corpse; service restart faulty && wait_for 'up ' && service hold faulty && service kill faulty && "
                  "wait_for held && echo held 2; service corpse; service up faulty && wait_for 'up ' && echo lives; "
                  "service hold faulty; service up faulty; service kill faulty; wait_for 'up ' && echo lives; service down faulty",
                  add=add(tmp_path, "none"))
    assert "held 1\nservice: kill faulty: it does not run" in result.out and result.out.count("hold faulty: nothing to do") == 2, result.out
    assert len(re.findall(r" faulty .* held$", result.out, re.M)) == 2 and result.out.count("lives\n") == 2, result.out
    assert "held for inspection: 'service corpse faulty' shows it, 'service restart faulty' goes on" in result.klog


def test_hold_by_manifest_and_by_script(boot, tmp_path):
    """`hold yes`: after each failure, but not after a kill. A policy script may say so, too."""
    out = boot(UP + "wait_for held && service restart faulty && wait_for held && service corpse faulty | grep -c 'incarnation [12] .*died'; service down faulty",
               add=add(tmp_path, "exit", times=0, hold="yes")).out
    assert out == "2\n"
    out = boot(UP + "wait_for 'up '; service kill faulty; wait_for 'up .* 1 killed' && echo goes on; service down faulty", add=add(tmp_path, "none", hold="yes")).out
    assert out == "goes on\n"
    script = "#!/bin/sh\nservice hold $1 && echo $1 is held >/tmp/said\n"
    out = boot(UP + "wait_for held; cat /tmp/said; rm /tmp/said; service up faulty && wait_for 'up ' && echo again; service down faulty",
               add={"/etc/bardo/policy/hold.sh": script, **add(tmp_path, "exit", policy="/etc/bardo/policy/hold.sh")}).out
    assert out == "faulty is held\nagain\n"


def test_those_that_keep_their_memory(boot, disk):
    """They go on, and so does RS, but what they were at is kept: of a kill the stack, of a fault the data, too."""
    out = boot("service kill ds; service kill vfs; service kill rs; service fuse ram 20; n=0; until service corpse | grep -q ' ram .*exception'; do n=$((n + 1)); [ $n -lt 50 ] || break; done; "
               "service fuse ram 0; sleep 0.1; service corpse ds; service corpse vfs; service corpse rs; service hold vfs; n=$(service corpse | awk '/ ram .*exception/ { print $1; exit }'); "
               "service corpse ram | grep 'serving .*file+'; service corpse ram --number $n; service corpse ram --number $n --core /tmp/core; dd if=/tmp/core of=/dev/sda bs=64k 2>/dev/null; sync; rm /tmp/core",
               disks=[str(disk)], leak_check=False).out  # (which may do it twice: then the core is of the second time)
    for name in ("ds", "vfs", "rs"):
        report = re.search(rf"^{name}: incarnation 1 .*?(?=^\w+: incarnation|\n\n|\Z)", out, re.M | re.S).group(0)
        assert "memory: stack" in report and "serving" in report and "steps" in frames(report), report
    assert re.search(r"^  serving    file\+\d+ of .*, handed on by ", out, re.M), out  # of whom, by vfs
    report = out[out.rindex("ram: incarnation"):]
    assert "exception 14: page fault, writing" in report and "memory: data" in report and "not permitted (only root may, and what the system" in out, report
    seen = gdb("ram", disk, "backtrace", "print undo_in_step")
    assert re.search(r"^#0 ", seen, re.M) and frames(report)[0] in seen and re.search(r"^\$1 = ", seen, re.M), (seen, report)


def test_events_of_a_busy_system(boot):
    """Others fill the trace again and again, in some 25 ms. What a service did is kept all the same, from its start on: of one that is quiet for seconds, of one whose successor is not ready
    yet; of one that has done much there are 32, also when it keeps its memory. Where others may have been written over before anybody looked it is said."""
    idle = faulty("asleep", delay=0, times=0, budget="50 60", backoff="50 1 1", **NETWORK)
    out = boot("""deaths() { n=0; until [ $(grep -c ' faulty heartbeat ' /proc/recovery) -ge $1 ] || [ $n = 100 ]; do n=$((n + 1)); usleep 50000; done; }
        fill() { dd if=/dev/zero of=/dev/null bs=1 count=$1 2>/dev/null; usleep 60000; }
        fill 500; awk '/^trace_end/ { print $2 }' /proc/bardo/kernel; fill 500; awk '/^trace_end/ { print $2 }' /proc/bardo/kernel; echo ==
        service down faulty; until service list faulty | grep -q ' down '; do usleep 20000; done; service corpse --forget; d=$(grep -c ' faulty heartbeat ' /proc/recovery); service up faulty; sleep 1.9
        deaths $((d + 1)); fill 500; fill 500; service corpse faulty; service down faulty; echo ==
        for n in 1 2 3 4; do fill 500; done; service kill null; service kill vfs; fill 500; fill 500; service corpse null; echo ==; service corpse vfs; echo ==
        usleep 300000; fill 40000; service kill null; usleep 100000; service corpse null; echo ==
        service list --json""", add=idle, icount=True, leak_check=False, timeout=200).out
    trace, *reports, _ = out.split("==\n")
    before, after = map(int, trace.split())
    assert after - before > 3000, "it is not busy"
    first, quiet, busy, late = (re.findall(r"^  last events.*\n(?:    .*\n)*", report, re.M)[-1] for report in reports)
    assert re.fullmatch(r"  last events, us before its death\n +-2\d{6}\.\d create +rs -> faulty process .*\n", first), out
    began = r" +-\d{6,7}\.\d create +rs -> null process .*\n(?:.*\n)* +-\d{6,7}\.\d call +null -> rs .*\n"
    assert re.match(r"  last events, us before its death\n" + began, quiet), quiet
    assert busy.startswith("  last events, us before its death\n") and busy.count("\n") == 33, busy
    assert re.match(r"  last events, us before its death \(\d+; others may have been written over\)\n" + began, late), late


def test_limits(boot, tmp_path):
    """Four of a service: those of kills go first. When memory is short, none is kept; what was known of the dead still is."""
    out = boot(DEAD + "for n in 1 2 3 4 5; do service kill faulty; wait_for \"up .* $((n + 1)) killed\"; done; service corpse; "
               "while [ $(awk '/^frames_free/ { print $2 }' /proc/bardo/kernel) -gt 2500 ]; do dd if=/dev/zero bs=64k count=8 >>/tmp/full 2>/dev/null || break; done; sleep 0.3; "
               "service corpse; rm /tmp/full; service corpse faulty | grep -c 'memory: none'; dmesg | grep 'memory is short'; service down faulty", mem=96, leak_check=False, add=add(tmp_path, "exit"))
    result = out.out
    before, after = result_lines(result, "all"), result_lines(result, "none")
    assert [line.split()[2] for line in before] == [line.split()[2] for line in after] and len(before) == 4, result
    assert before[0].split()[6] == "exit" and [line.split()[6] for line in before[1:]] == ["killed"] * 3, result
    assert "\n4\n" in result and "memory is short: what was kept of the dead is given back" in result


def result_lines(text, memory):
    return [line for line in text.splitlines() if re.match(rf" +\d+ +faulty .* {memory} ", line)]


def test_who_may_and_wrong_words(boot):
    """Root alone; names that lead nowhere lead nowhere; the command line is checked."""
    out = boot("service kill e1000; sleep 0.3; F=$(ls /proc/bardo/corpse); echo $F; su user -c \"service corpse; service corpse e1000 --core /tmp/c; cat /proc/bardo/corpse/$F; ls /proc/bardo/corpse; service hold e1000\" 2>&1; "
               "for n in ../../etc/passwd 1.nosuch 0.e1000 -1.e1000 99999999999999999999.e1000 01.e1000 1.; do cat /proc/bardo/corpse/$n 2>&1; done; "
               "for n in nosuch ../e1000 '' 'a b' aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa net; do service corpse \"$n\"; echo $?; done 2>&1; "
               "for n in '--core' 'e1000 --core' 'e1000 --number' 'e1000 --number x' 'e1000 --number 0' 'e1000 net' '--core /tmp/c' 'e1000 --forget --number 1' '--delay 1'; do service corpse $n 2>/dev/null; echo -n \"$? \"; done; "
               "service corpse e1000 --number 77; echo $?; service corpse e1000 --core /nowhere/core; echo $?; service hold nosuch; echo x >/proc/bardo/corpse/$F; service corpse e1000 --forget; service corpse e1000; echo $?",
               nics=["e1000"]).out
    lines = out.splitlines()
    assert re.fullmatch(r"\d+\.e1000", lines[0]) and out.count("only root may") >= 3 and "ELF" not in out and "root:" not in out, out
    assert "2 2 2 2 2 2 2 2 2 " in out and "there is none with the number 77, of e1000\n1\n" in out and "/nowhere/core: No such file or directory\n1\n" in out, out
    assert out.count("there is no such service\n1\n") == 4 and "service: a name is empty\nTry 'service --help'.\n2\n" in out and out.endswith("nothing is kept of them\n1\n"), out
