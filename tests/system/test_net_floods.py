# SPDX-License-Identifier: BSD-2-Clause
"""Peers that take more than their share (tests/netpeer.py): somebody else is served meanwhile, without being reset, and what they held comes
back. The whole server against such peers, with its times, is on the host: tests/unit/test_net_floods.c."""
import re

from netpeer import Wire, attacker

SIZE = 100000
ASK = b"GET /f HTTP/1.0\r\n\r\n"
BEGIN = (f"mkdir /www; head -c {SIZE} /bin/busybox >/www/f; httpd -p 80 -h /www; nc -ll -p 7000 -e cat </dev/null >/dev/null 2>&1 & "
         "ping -c 1 -W 1 10.0.2.2 >/dev/null; nc -l -p 9 </dev/null >/dev/null; ")
END = "kill $(pidof httpd nc) 2>/dev/null; sleep 1; cat /proc/net/guard; rm -r /www"


def flooded(boot, scenario):
    """/proc/net/guard at the end."""
    wire = Wire(scenario)
    out = boot(BEGIN + END, qemu=wire.qemu(), timeout=300, leak_check=False, expect=None).out
    if wire.failure:
        raise wire.failure
    assert wire.finished, f"the guest ended before its time: {out}"
    return {key: int(value) for key, value in re.findall(r"^(\w+) (\d+)$", out, re.M)}


def test_windows_that_stay_closed(boot):
    """200 connections ask for a file and take nothing of it."""
    def scenario(wire):
        greedy = [wire.connect(attacker(i), 80, ASK, window=0) for i in range(200)]
        wire.wait(lambda: all(c.acknowledged for c in greedy), 60, greedy)
        for _ in range(3):
            wire.serve_honest(SIZE)
            wire.wait(lambda: False, 1, greedy)
        for c in greedy:
            c.reset()
        wire.serve_honest(SIZE)

    flooded(boot, scenario)


def test_idle_connections(boot):
    """More than one server can have: the idlest of those with most of them end."""
    def scenario(wire):
        for i in range(500):
            c = wire.connect(attacker(i), 80)
            wire.wait(lambda: c.acknowledged, 20, [c])
            if i % 125 == 124:
                wire.serve_honest(SIZE)

    assert flooded(boot, scenario)["tcp_connection_ended"] > 100


def test_holes(boot):
    """One connection has a hole before each of its bytes."""
    def scenario(wire):
        c = wire.connect(attacker(0), 7000)
        assert wire.wait(lambda: c.acknowledged, 20, [c])
        for i in range(20000):
            c.hole(i)
            if i % 32 == 31:
                wire.wait(lambda: False, 0.001)
            if i % 5000 == 4999:
                wire.serve_honest(SIZE)

    flooded(boot, scenario)


def test_begun_and_never_gone_on(boot):
    def scenario(wire):
        for i in range(2000):
            wire.begin_only(attacker(i), 10000 + i, 80)
            if i % 16 == 15:
                wire.wait(lambda: False, 0.001)
            if i % 500 == 499:
                wire.serve_honest(SIZE)

    assert flooded(boot, scenario)["tcp_cookie_sent"] > 100


def test_a_burst_waits_for_the_program(boot):
    """Many at once, all of them honest: they wait, and nobody is reset."""
    def scenario(wire):
        burst = [wire.connect(attacker(i), 80, ASK) for i in range(60)]
        wire.wait(lambda: all(c.ended or c.resets for c in burst), 90, burst)
        assert [c.resets for c in burst] == [0] * 60
        assert min(c.received for c in burst) > SIZE

    flooded(boot, scenario)
