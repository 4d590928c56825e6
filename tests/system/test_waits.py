# SPDX-License-Identifier: BSD-2-Clause
"""What servers keep for programs while they die at their stores: for who waits (futexes, timers, epoll sets, signals on their way), pipes and what is in them, locks, open and deleted files,
working directories, mappings, processes that are being made, connections that nobody has accepted yet, datagrams. It is done by tests/programs, which lose nothing on Linux either.
(Mounts: test_rolled_back_mounted.py.)

`service fuse` lets most steps die at one of the first so many stores; here at one of 16, of 60 and of 250 in turn, until there were SAMPLES deaths at least (SAMPLES=2000 in the environment: longer)."""
import os
import re

import pytest

SAMPLES = int(os.environ.get("SAMPLES") or 300)
KINDS = {  # of what: the program, its cases, who dies
    "futexes": ("calls_waits", ["futexes"], ["pm"]),
    "timers": ("calls_waits", ["timers"], ["pm", "vfs"]),
    "epoll": ("calls_waits", ["levels", "edges", "one shots"], ["vfs"]),
    "signals": ("calls_waits", ["signals pending", "signals to and fro", "signals to a group"], ["pm", "vfs"]),
    "pipes": ("calls_pipe", ["reads and writes", "is broken", "does not wait", "other sizes", "in one piece", "much", "is interrupted"], ["vfs"]),
    "fifos": ("calls_fifo", ["each waits for the other", "contents", "is broken", "opener is killed"], ["vfs", "ram"]),
    "locks": ("calls_lock", ["whole files wait", "whole files are inherited", "ranges", "closing", "waits", "is interrupted", "deadlock", "of open files", "counting"], ["vfs", "pm"]),
    "open files": ("calls_file", ["duplicates", "positions", "appends", "shared position", "over exec", "reads directories"], ["vfs", "ram"]),
    "deleted files": ("calls_file", ["loses its name", "another name", "directories lose their names"], ["vfs", "ram"]),
    "directories": ("calls_kept", ["stays in its directory"], ["vfs", "ram"]),
    "removed directories": ("calls_file", ["removed working directory"], ["vfs", "ram"]),
    "mappings": ("calls_memory", ["moving", "shared", "views of a file", "limits"], ["vm", "vfs"]),
    "processes": ("calls_parts", ["threads fork", "killed in fork", "one after the other"], ["pm", "vm", "vfs"]),
    "connections": ("calls_kept", ["waits to be accepted"], ["net", "vfs"]),
    "datagrams": ("calls_kept", ["datagrams"], ["net"])}


@pytest.mark.parametrize("kind, victim, order", [(kind, victim, order) for kind, (name, _, victims) in KINDS.items() for victim in victims
                                                  for order in (["fuse", "storm"] if name == "calls_waits" else ["fuse"])])
def test_waits(boot, program, kind, victim, order):
    """(A storm: at any instruction, each 0.2 ms.)"""
    name, cases, _ = KINDS[kind]
    numbers = "16 60 250" if order == "fuse" else "200"
    once = "".join(f'/{name} "{case}"; ' for case in cases)
    out = boot(f"""chmod 755 /{name}; died() {{ service status {victim} | grep ^restarts | tr -dc 0-9; }}
        n=0; while [ $(died) -lt {SAMPLES} ] && [ $n -lt {SAMPLES} ]; do n=$((n + 1)); for x in {numbers}; do service {order} {victim} $x; {once} done; service {order} {victim} 0; done
        echo $n rounds, $(died) deaths""", add={f"/{name}": program(name)}, icount=True, leak_check=False, timeout=20 + SAMPLES // 20)
    rounds, died = map(int, re.search(r"^(\d+) rounds, (\d+) deaths$", out.out, re.M).groups())
    said = out.out.splitlines()[:-1]
    assert said == [f"ok {case}" for case in cases] * (rounds * len(numbers.split())), out.out
    assert died >= SAMPLES and "undo:" not in out.klog, out.out
