# SPDX-License-Identifier: BSD-2-Clause
"""Bounded work in the kernel: by the guest's clock under icount, where an instruction takes a ns on every host."""
import os
import re
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("B") or TOP / "build").resolve()
LATEST_NS = 100_000  # interrupts off, at the longest
LEFT_OUT = {"PANIC"}  # ends the system
HUGE_US = 5_000  # any call over tens of TB that hold three pages


def kernel_calls():
    """Of abi/kernel.h."""
    listed = re.search(r"enum kernel_call \{(.*?)\n\};", (TOP / "abi/kernel.h").read_text(), re.S)[1]
    return set(re.findall(r"^\s*KERNEL_(\w+),", listed, re.M)) - {"CALLS"}


def test_how_long_kernel_calls_keep_interrupts_away(boot):
    """bench/services/probe.c makes each kernel call with the largest arguments; an alarm tells how late it is. Prints the longest of each."""
    result = boot("sleep 6; for i in $(seq 50); do dmesg | grep -q 'PROBE end' && break; sleep 1; done", icount=True, leak_check=False, timeout=240,
                  add={"/lib/bardo/probe": BUILD / "services/probe", "/etc/bardo/probe.svc": TOP / "bench/services/probe.manifest"})
    rows = re.findall(r"PROBE (\w+) (\w+) late_ns=(\d+) took_ns=(\d+) result=(-?\d+)", result.klog)
    print("call case late_ns took_ns result\n" + "\n".join(" ".join(row) for row in rows))
    assert "PROBE end" in result.klog
    assert kernel_calls() - {row[0] for row in rows} == LEFT_OUT, "kernel calls that bench/services/probe_*.c do not make"
    assert [row for row in rows if int(row[4]) < 0] == []
    assert [row for row in rows if int(row[2]) > LATEST_NS] == []
    assert max(int(row[3]) for row in rows) > 10 * LATEST_NS, "nothing was long enough to be done in parts"


def test_huge_empty_memory(boot, program):
    """munmap, mprotect, madvise, fork of 32 TB with hardly a page in it: by what is there, not by address."""
    out = boot("huge", add={"/bin/huge": program("huge")}, icount=True, timeout=240).out
    rows = [line.split() for line in out.splitlines()]
    assert [row[0] for row in rows] == ["mprotect", "madvise", "fork", "munmap", "mmap_fixed"], out
    assert all(int(row[2]) == 0 for row in rows), out
    assert all(int(row[1]) < HUGE_US for row in rows), out
