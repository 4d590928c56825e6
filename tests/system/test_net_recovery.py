# SPDX-License-Identifier: BSD-2-Clause
"""The Ethernet driver dies, in every phase of its work and its clients', and no program notices."""
import os
import re

import pytest

import qemu
from deathpoint import STOP, DeathPoint
from hostnet import Client, Sink, free_port, served, sha1

NICS = ["e1000", "rtl8139"]
KINDS = [*NICS, "virtio-net"]  # where another kind of chip may make a difference
ALL = [nic.service for nic in qemu.NICS.values()]
CARDS = {nic.service: kind for kind, nic in qemu.NICS.items()}
MB = 1 << 20
# kill_for COUNT MICROSECONDS SERVICE: kill it so often, each time a fresh one; recoveries SERVICE: how many, so far
LIBRARY = """
kill_for() { n=0; while [ $n -lt $1 ]; do kill -9 $(pidof $3) 2>/dev/null && n=$((n + 1)); usleep $2; done; }
recoveries() { grep -cw $1 /proc/recovery; }
"""
# A budget that the test does not use up.
BUDGET = {"budget": "1000 60", "backoff": "1000 10 100"}


@pytest.fixture
def net_boot(boot):
    def run(command, nics, **more):
        add = dict(more.pop("add", {}))
        for nic in nics:
            add[f"/etc/bardo/{nic}.svc"] = manifest(nic, **BUDGET)
        return boot(LIBRARY + command, nics=[CARDS[nic] for nic in nics], add=add, **more)
    return run


def manifest(nic, **changes):
    from conftest import TOP
    kept = [line for line in next(TOP.glob(f"drivers/net/*/{nic}.svc")).read_text().splitlines() if line.split()[:1] and line.split()[0] not in changes]
    return "\n".join(kept + [f"{key} {value}" for key, value in changes.items()]) + "\n"


def recoveries(text, nic):
    """The rows of /proc/recovery about it."""
    header = next(line for line in text.splitlines() if line.startswith("# number"))[2:].split()
    return [dict(zip(header, line.split())) for line in text.splitlines() if re.match(rf"\d+ {nic} ", line)]


@pytest.mark.parametrize("nic", KINDS)
def test_hundred_kills_in_one_download(net_boot, tmp_path, nic):
    """Whoever reads takes little at a time until the hundredth, so that it is still one transfer."""
    url, expected = served(tmp_path, 32)
    out = net_boot(f"kill_for 100 5000 {nic} & wget -q -O - {url} | {{ until [ $(recoveries {nic}) -ge 100 ]; do dd bs=16k count=1 2>/dev/null; "
                   f"done; echo before the last byte >&2; cat; }} | sha1sum; wait; recoveries {nic}", [nic], timeout=120, leak_check=False).out
    assert out.split("\n")[:3] == ["before the last byte", expected + "  -", "100"]


@pytest.mark.parametrize("nic", KINDS)
def test_hundred_kills_in_one_upload(net_boot, nic):
    """The connection lasts as long as it takes."""
    sink, data = Sink(), os.urandom(3 * MB)
    out = net_boot(f"cat /data >/tmp/all; kill_for 100 3000 {nic} & killer=$!; "
                   f"{{ cat /data; while kill -0 $killer 2>/dev/null; do usleep 100000; echo more; done; }} | nc 10.0.2.2 {sink.port}; "
                   f"recoveries {nic}; rm /tmp/all", [nic], add={"/data": data}, timeout=120, leak_check=False).out
    received = sink.result()
    assert int(out.split()[-1]) == 100
    assert sha1(received[:len(data)]) == sha1(data) and set(received[len(data):]) <= set(b"more\n")


# Frames pass in either direction only every so many ms: an answer takes at least so long.
SLOW = "-object filter-buffer,id=slow,netdev=net0,queue=all,interval={}000"
ADDRESS = "ifconfig e0 2>/dev/null | grep -c 10.0.2.15"


@pytest.mark.parametrize("nic", NICS)
def test_killed_during_dhcp(net_boot, nic):
    out = net_boot(f"{ADDRESS}; kill_for 10 20000 {nic}; until [ $({ADDRESS}) = 1 ]; do usleep 50000; done; ping -c 1 10.0.2.2 | grep -c '1 packets received'; "
                   f"recoveries {nic}", [nic], qemu=SLOW.format(2000), leak_check=False).out
    assert out.split() == ["0", "1", "10"]


@pytest.mark.parametrize("nic", NICS)
def test_killed_during_connect(net_boot, nic):
    """All five times before the other side's first answer can be there."""
    sink, data = Sink(), os.urandom(10000)
    out = net_boot(f"until [ $({ADDRESS}) = 1 ]; do usleep 50000; done; nc 10.0.2.2 {sink.port} </data & usleep 20000; read a b </proc/uptime; "
                   f"kill_for 5 5000 {nic}; read c b </proc/uptime; wait; recoveries {nic}; echo $a $c", [nic], add={"/data": data}, qemu=SLOW.format(2500),
                   leak_check=False).out
    kills, began, ended = out.split()
    assert kills == "5" and sink.result() == data and float(ended) - float(began) < 2.4


@pytest.mark.parametrize("nic", NICS)
def test_killed_while_idle(net_boot, tmp_path, nic):
    url, expected = served(tmp_path, 4)
    out = net_boot(f"wget -q -O - {url} | sha1sum; kill_for 3 200000 {nic}; wget -q -O - {url} | sha1sum; ifconfig e0 2>/dev/null | grep -c 10.0.2.15", [nic]).out
    assert out.split() == [expected, "-", expected, "-", "1"]


@pytest.mark.parametrize("nic", KINDS)
def test_dies_three_times_within_its_own_start(net_boot, tmp_path, nic):
    """The debugger lets the three fresh ones after the first death fault in the middle of looking at the device: not one of them was ready."""
    url, expected = served(tmp_path, 8)
    adopted, instructions = [], [5, 40, 20]

    def decide(_, name):
        adopted.extend([name] if name.endswith("adopt") else [])
        if len(adopted) < 2:
            return None  # that is the start at boot
        return instructions.pop(0) if instructions else STOP

    death = DeathPoint(tmp_path, nic, [f"{nic.replace('-', '_')}_{verb}" for verb in ("adopt", "reset")], decide)
    out = net_boot(f"wget -q -O - {url} | sha1sum & usleep 100000; kill -9 $(pidof {nic}); wait; cat /proc/recovery", [nic], timeout=120,
                   qemu=death.arguments, leak_check=False).out
    rows = recoveries(out, nic)
    assert out.split()[0] == expected and death.deaths == 3
    assert [row["defect"] for row in rows] == ["killed"] + ["exception"] * 3 and [row["ready_ns"] == "-" for row in rows] == [True, True, True, False]


@pytest.mark.parametrize("nic", ALL)
def test_adopted_and_reset(net_boot, tmp_path, nic):
    """Both ways of rule 6, each within a transfer; every step has its time, and no earlier than the one before."""
    url, expected = served(tmp_path, 32)
    out = net_boot(f"wget -q -O /tmp/f {url} & usleep 250000; kill -9 $(pidof {nic}); usleep 50000; service restart {nic} --reset; usleep 50000; "
                   f"service restart {nic}; wait; sha1sum </tmp/f; rm /tmp/f; cat /proc/recovery", [nic], leak_check=False).out
    rows = recoveries(out, nic)
    assert out.split()[0] == expected
    assert [(row["defect"], row["how"]) for row in rows] == [("killed", "adopted"), ("update", "reset"), ("update", "adopted")]
    for row in rows:
        steps = [int(row[f"{step}_ns"]) for step in ("detected", "policy", "stopped", "spawned", "ready", "published")]
        assert steps == sorted(steps) and steps[0] > 0


@pytest.mark.parametrize("nic", NICS)
def test_server_inside(net_boot, nic):
    """A connection that came from outside, and the socket that listens."""
    port, data = free_port(), os.urandom(2 * MB)
    client = Client(port, data, wanted=len(data))
    out = net_boot(f"kill_for 30 20000 {nic} & nc -l -p 7000 -e cat; wait; recoveries {nic}", [nic], forward=[f"{port}:7000"], leak_check=False).out
    assert int(out) == 30 and sha1(client.result()) == sha1(data)


@pytest.mark.parametrize("nic", NICS)
def test_listening_socket_survives(net_boot, nic):
    port = free_port()
    client = Client(port, b"hello", wanted=5)
    net_boot(f"sleep 4 & (usleep 500000; exec nc -l -p 7000 -e cat) & usleep 700000; kill_for 2 50000 {nic}; wait", [nic], forward=[f"{port}:7000"],
             leak_check=False)
    assert client.result() == b"hello"


def test_two_cards(net_boot, tmp_path):
    url, expected = served(tmp_path, 16)
    other = url.replace("10.0.2.2", "10.0.3.2")
    out = net_boot("until [ $(ifconfig 2>/dev/null | grep -c addr:10) = 2 ]; do usleep 50000; done; kill_for 20 30000 e1000 & kill_for 20 30000 rtl8139 & "
                   f"wget -q -O /tmp/a {url} & wget -q -O /tmp/b {other}; wait; sha1sum </tmp/a; sha1sum </tmp/b; rm /tmp/a /tmp/b; "
                   "recoveries e1000; recoveries rtl8139", NICS, leak_check=False).out
    assert out.split() == [expected, "-", expected, "-", "20", "20"]


@pytest.mark.parametrize("nic", NICS)
def test_nothing_leaks(net_boot, tmp_path, nic):
    url, expected = served(tmp_path, 4)
    out = net_boot(f"wget -q -O - {url} | sha1sum & kill_for 10 20000 {nic}; wait; usleep 300000", [nic]).out
    assert out.split()[0] == expected
