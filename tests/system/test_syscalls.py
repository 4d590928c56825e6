# SPDX-License-Identifier: BSD-2-Clause
"""Every system call, with anything for an argument and with the largest there is (tests/syscalls)."""
import os
import runpy
import subprocess

import pytest

from conftest import BUILD, TOP

LATE_US = 10_000  # a server's step, and the way to who measures it
NOT_RETURNED_FROM = {"exit", "exit_group", "rt_sigreturn"}  # so there is no time of it; others' waiting is there all the same


VERDICT = runpy.run_path(str(TOP / "tools/fuzz-syscalls"))["verdict"]


@pytest.mark.parametrize("words", ["exception 14", "heartbeat 300", "exit 1", "complaint useless", "storm 500", "budget 0", "killed 9", "dma 0"])
def test_verdict_on_services(words):
    """Whatever ends a service is wrong, be it that another one has complained of it; that one was updated is not, nor what it says itself."""
    out = "".join(f"round {n} calls 20000 births 50 frames_free 50000 slots_used 40 grants_used 7\n" for n in range(40)) + "status 0\n"
    died = f"[ 1.0] rs: dev: {words} (incarnation 1, pid 30)"
    assert VERDICT(out, died + "\n", 0) == [died]
    assert VERDICT(out, "[ 1.0] rs: dev: update 0 (incarnation 1, pid 30)\n[ 2.0] rs: dev: slow: it has not come back to its loop for 120 ms\n[ 3.0] vfs: complaint\n", 0) == []


def test_calls_by_chance():
    """Of two users and of root in a chroot: no service dies, all goes on, nothing leaks. 12 s of the guest's time, which are instructions, are about a minute. The seed
    is in the output; `make fuzz-syscalls` does it for as long as one likes."""
    done = subprocess.run([TOP / "tools/fuzz-syscalls", "--seconds", "12"], capture_output=True, text=True, timeout=1500, env=dict(os.environ, B=str(BUILD)))
    assert done.returncode == 0, done.stdout[:100] + done.stdout[-6000:] + done.stderr


def listed_calls():
    """Of abi/syscalls.tbl: the system's own table."""
    rows = [line.split() for line in (TOP / "abi/syscalls.tbl").read_text().splitlines()]
    return {row[1] for row in rows if row and row[0].isdigit()}


def made(path, size, *options):
    subprocess.run(["truncate", "-s", size, path], check=True)
    subprocess.run(["/sbin/mke2fs", "-q", "-F", "-t", "ext4", *options, path], check=True)
    return str(path)


def test_how_long_calls_keep_others_waiting(boot, tmp_path):
    """Each call with the largest and the strangest arguments, and what takes longest of all (memory, ext4, a disk of 1 TB, terminals, net, /proc, services):
    how long another waits meanwhile that asks the servers for little, by the guest's clock. Prints the longest of each call."""
    disks = [made(tmp_path / "a.img", "256M"), made(tmp_path / "b.img", "1T", "-T", "largefile4", "-J", "size=16", "-E", "lazy_itable_init=1,nodiscard")]
    out = boot("mkdir -p /mnt; mount -t ext4 /dev/sda /mnt; chmod 777 /mnt; chmod 755 /worst; /worst; umount /mnt", add={"/worst": BUILD / "tests/worst"},
               icount=True, leak_check=False, timeout=900, mem=1024, disks=disks, qemu="-vga std").out
    print(out)
    lines = [line.split() for line in out.splitlines()]
    rows = {row[0]: dict(zip(row[1::2], map(int, row[2::2]))) for row in lines if row[1:2] == ["took"] and "endless" not in row}
    calls = {row[1]: {"took": int(row[3]), "waited": int(row[5]), "in": row[7]} for row in lines if row[0] == "call" and len(row) == 8}
    assert "endless" not in out and "kinds" not in out
    assert len([name for name in rows if name.startswith("do_")]) > 40
    assert listed_calls() - set(calls) - NOT_RETURNED_FROM == set(), "calls that tests/syscalls/worst.c does not make"
    waits = {name: max(value for key, value in row.items() if key != "took") for name, row in rows.items()}
    assert {name: us for name, us in waits.items() if us > LATE_US} == {}
    assert {name: call for name, call in calls.items() if call["waited"] > LATE_US} == {}
    assert max(row["took"] for row in rows.values()) > 10 * LATE_US, "nothing was long enough to be done in parts"
