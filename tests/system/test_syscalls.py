# SPDX-License-Identifier: BSD-2-Clause
"""Every system call, with anything for an argument and with the largest there is (tests/syscalls)."""
import os
import subprocess

from conftest import BUILD, TOP

LATE_US = 11_000  # a server's step, and the way to who measures it


def test_calls_by_chance():
    """Of two users and of root in a chroot: no service dies, all goes on, nothing leaks. `make fuzz-syscalls` does it for as long as one
    likes, by other seeds."""
    done = subprocess.run([TOP / "tools/fuzz-syscalls", "--seconds", "5", "--seed", "54708845"], capture_output=True, text=True, timeout=900,
                          env=dict(os.environ, B=str(BUILD)))
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr


def test_how_long_calls_keep_others_waiting(boot):
    """While one makes the calls that take longest, how long another waits that asks the servers for little, by the guest's clock."""
    out = boot("chmod 755 /worst; /worst long", add={"/worst": BUILD / "tests/worst"}, icount=True, leak_check=False, timeout=900, mem=1024).out
    rows = {row[0]: dict(zip(row[1::2], map(int, row[2::2]))) for row in (line.split() for line in out.splitlines()) if "endless" not in row}
    print(out)
    assert len(rows) > 25 and "endless" not in out and "kinds" not in out
    waits = {name: max(value for key, value in row.items() if key != "took") for name, row in rows.items()}
    assert {name: us for name, us in waits.items() if us > LATE_US} == {}
    assert max(row["took"] for row in rows.values()) > 10 * LATE_US, "nothing was long enough to be done in parts"
