# SPDX-License-Identifier: BSD-2-Clause
"""A death is explained: `service corpse`, the core file that gdb opens on the host, `service hold`."""
import os
import re
import subprocess

import pytest

from conftest import BUILD, TOP
from test_faults import WAIT, faulty

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
    assert "held 1\nservice: kill faulty: nothing to do" in result.out and result.out.count("hold faulty: nothing to do") == 2, result.out
    assert len(re.findall(r" faulty .* held$", result.out, re.M)) == 2 and result.out.count("lives\n") == 2, result.out
    assert "held for inspection: 'service corpse faulty' shows it, 'service restart faulty' goes on" in result.klog
