# SPDX-License-Identifier: BSD-2-Clause
"""Services that attack everybody at once (tools/hostile), for a minute: `make hostile` does it for as long as one likes."""
import importlib.machinery
import importlib.util
import os
import random
import re
import subprocess

import pytest

from conftest import BUILD, TOP

LOADER = importlib.machinery.SourceFileLoader("hostile", str(TOP / "tools/hostile"))
TOOL = importlib.util.module_from_spec(importlib.util.spec_from_loader("hostile", LOADER))
LOADER.exec_module(TOOL)


@pytest.mark.parametrize("words", ["exception 14", "heartbeat 300", "exit 1", "complaint useless", "storm 500", "budget 0", "killed 9", "dma 0"])
def test_verdict_on_bystanders(words):
    """Whatever ends a service that is no attacker is wrong; what ends an attacker is not."""
    chosen, work = {"badcalls": ("kernel", [])}, "rounds: 9\nmeanwhile: 9\n"

    def wrong(name):
        return TOOL.verdict(chosen, 60, work, f"[ 1.0] badcalls: attack: kernel\n[ 2.0] rs: {name}: {words} (incarnation 1, pid 30)\n", 0)
    assert wrong("e1000") == [f"[ 2.0] rs: e1000: {words} (incarnation 1, pid 30)"] and wrong("badcalls") == []


@pytest.mark.parametrize("what, step", [("memory", (-100, 0, 0)), ("slots", (0, 1, 0)), ("grants", (0, 0, 1)), (None, (0, 0, 0))])
def test_verdict_on_leaks(what, step):
    """What each round takes and does not give back."""
    rows = [tuple(begin + n * each for begin, each in zip((50000, 40, 7), step)) for n in range(12)]
    found = TOOL.leaks("".join("counts frames_free %d slots_used %d grants_used %d\n" % row for row in rows))
    assert [line.split(" leak")[0] for line in found] == ([what] if what else [])


def test_hostile():
    """Senseless calls, floods, rings that lie, names and complaints, all at once: nobody dies, and programs get on meanwhile. The seed is in the output."""
    seed = random.randrange(1 << 31)
    done = subprocess.run([TOP / "tools/hostile", "--seconds", "60", "--seed", str(seed)], capture_output=True, text=True, timeout=1000,
                          env=dict(os.environ, B=str(BUILD)))
    assert done.returncode == 0, done.stdout[:100] + done.stdout[-6000:] + done.stderr


def test_programs_of_liars():
    """Programs in the hands of servers that keep them or set them free: killed they end, though those servers live on."""
    done = subprocess.run([TOP / "tools/hostile", "--seconds", "20", "--seed", "5", "--only", "badletters,badtree"], capture_output=True, text=True, timeout=400,
                          env=dict(os.environ, B=str(BUILD)))
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr


def test_end_with_programs_of_a_liar(boot):
    """The machine goes down (tools/guest waits 10 s for it), whoever is in the hands of such a server then."""
    name = "badletters"
    attack, lines = TOOL.ATTACKERS[name]
    out = boot("mknod /tmp/liar c 242 0; for i in 1 2 3 4 5 6 7 8; do setsid sh -c 'while :; do cat /tmp/liar; echo x >/tmp/liar; cp /tmp/liar /tmp/c; done' >/dev/null 2>&1 & done; sleep 3; echo over",
               leak_check=False, add={f"/etc/bardo/{name}.svc": TOOL.manifest(name, attack, lines, 60, 5), f"/lib/bardo/{name}": BUILD / "services/hostile"}).out
    assert out == "over\n"


def test_terminal_of_another_name():
    """The queue of a char driver that is no uart is watched as any: tty complains of it as soon as it breaks the rules, before its notifications starve programs."""
    done = subprocess.run([TOP / "tools/hostile", "--seconds", "4", "--seed", "1", "--only", "worseserial"], capture_output=True, text=True, timeout=200,
                          env=dict(os.environ, B=str(BUILD)))
    assert done.returncode == 0 and re.search(r"^worseserial .* complaint ", done.stdout, re.M), done.stdout[-3000:] + done.stderr


def test_rights_over_everybody(boot):
    """What PM's kernel calls do to programs may be the end of init, and so of the system; but somebody says so: the kernel itself stays whole, and they reach no
    service. The attack ends with the machine."""
    name, seed = "badslots", random.randrange(1 << 31)
    attack, lines = TOOL.ATTACKERS[name]
    print(f"seed {seed}")
    result = boot("sleep 100", icount=True, timeout=60, expect=125, leak_check=False, add={
        f"/etc/bardo/{name}.svc": TOOL.manifest(name, attack, lines + ["kernel panic"], 1, seed, "all"), f"/lib/bardo/{name}": BUILD / "services/hostile"})
    assert f"{name}: attack: {attack}" in result.klog
    assert "*** the system stops ***" in result.klog or re.search(r"pm: init has ended \(status \w+\): the system stops", result.klog)
    assert not re.search(r"in the kernel|is not in use|got what is not its|essential server|root task", result.klog)
