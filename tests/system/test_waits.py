# SPDX-License-Identifier: BSD-2-Clause
"""What servers keep for who waits (futexes, timers, epoll sets, signals on their way) while they die at their stores: tests/programs/calls_waits.c, which loses nothing on Linux either.

`service fuse` lets most steps die at one of the first so many stores; here at one of 16, of 60 and of 250 in turn, until there were SAMPLES deaths at least (SAMPLES=2000 in the environment: longer)."""
import os
import re

import pytest

SAMPLES = int(os.environ.get("SAMPLES") or 300)
KINDS = {"futexes": (["futexes"], ["pm"]), "timers": (["timers"], ["pm", "vfs"]), "epoll": (["levels", "edges", "one shots"], ["vfs"]),
         "signals": (["signals pending", "signals to and fro", "signals to a group"], ["pm", "vfs"])}


@pytest.mark.parametrize("kind, victim, order", [(kind, victim, order) for kind, (_, victims) in KINDS.items() for victim in victims for order in ("fuse", "storm")])
def test_waits(boot, program, kind, victim, order):
    """(A storm: at any instruction, each 0.2 ms.)"""
    cases, _ = KINDS[kind]
    numbers = "16 60 250" if order == "fuse" else "200"
    once = "".join(f'/waits "{case}"; ' for case in cases)
    out = boot(f"""chmod 755 /waits; died() {{ service status {victim} | grep ^restarts | tr -dc 0-9; }}
        n=0; while [ $(died) -lt {SAMPLES} ] && [ $n -lt {SAMPLES} ]; do n=$((n + 1)); for x in {numbers}; do service {order} {victim} $x; {once} done; service {order} {victim} 0; done
        echo $n rounds, $(died) deaths""", add={"/waits": program("calls_waits")}, icount=True, leak_check=False, timeout=20 + SAMPLES // 20)
    rounds, died = map(int, re.search(r"^(\d+) rounds, (\d+) deaths$", out.out, re.M).groups())
    said = out.out.splitlines()[:-1]
    assert said == [f"ok {case}" for case in cases] * (rounds * len(numbers.split())), out.out
    assert died >= SAMPLES and "undo:" not in out.klog, out.out
