# SPDX-License-Identifier: BSD-2-Clause
"""Processors that lack something: it is done without, or refused at once, with the reason; and what ends the system does so only when it may."""
import os
import subprocess

import pytest

from conftest import BUILD, TOP
from screenkeys import rows_of_a_dead_machine

WORK = "head -c 8 /dev/urandom | wc -c; ls / | sort | head -1; dd if=/dev/zero of=/tmp/x bs=64k count=16 2>/dev/null; wc -c </tmp/x; rm /tmp/x"


@pytest.mark.parametrize("cpu", ["qemu64", "Nehalem", "max,-pdpe1gb,-smep,-smap,-umip", "max,-rdrand,-xsave,-avx", "Opteron_G4"])
def test_processor(boot, cpu):
    assert boot(WORK, qemu=f"-cpu {cpu}").out.split() == ["8", "bin", "1048576"]


def test_memory_beyond_4_gb_without_1_gb_pages(boot):
    result = boot("grep frames_total /proc/bardo/kernel", qemu="-cpu qemu64", mem=4500, leak_check=False)
    assert int(result.out.split()[1]) > 4400 * 256


REFUSED = pytest.mark.parametrize("cpu, reason", [("max,-nx", "no-execute pages"), ("qemu32", "64-bit"), ("qemu64,-syscall", "SYSCALL"), ("max,-apic", "APIC")])


@REFUSED
def test_processor_that_is_refused(boot, cpu, reason):
    """At once, with the reason, which is read on the serial line, too: a machine has no debug console."""
    result = boot("true", qemu=f"-cpu {cpu}", expect=125, leak_check=False)
    assert reason in result.err and reason in result.serial


@REFUSED
def test_refusal_is_on_the_screen(tmp_path, cpu, reason):
    """What is said on the serial line is in the VGA's memory, too: a person at the machine has nothing else."""
    assert [reason in row for row in rows_of_a_dead_machine(tmp_path, BUILD / "boot.cpio", "Bardo needs", cpu=cpu)] == [True]


def test_models():
    """A sample of what `make processors` does with all models that QEMU has: each boots to a shell, or says why not. One of the sample does each."""
    done = subprocess.run([TOP / "tools/processors", "--every", "16"], capture_output=True, text=True, timeout=600, check=False, env=dict(os.environ, B=str(BUILD)))
    print(done.stdout)
    assert done.returncode == 0 and ": a shell\n" in done.stdout and ": refused: Bardo needs" in done.stdout, done.stdout + done.stderr


def test_init_cannot_be_killed(boot):
    assert boot("kill -9 1; kill -STOP 1; kill -HUP 1; kill -SEGV 1; usleep 100000; echo alive").out == "alive\n"


def test_unknown_ways_to_reboot(boot, program):
    assert boot("odd", add={"/bin/odd": program("odd_reboot")}).out == "-1 1\n" * 3
