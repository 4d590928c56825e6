# SPDX-License-Identifier: BSD-2-Clause
"""Peers that take more than their share (tests/netpeer.py): somebody else is served meanwhile, without being reset, and what they held comes
back. The whole server against such peers, with its times, is on the host: tests/unit/test_net_floods.c."""
import re
import struct

from conftest import BUILD, TOP
from netpeer import ACK, GUEST, PSH, SYN, Wire, attacker, packet, with_sum

SIZE = 100000
ASK = b"GET /f HTTP/1.0\r\n\r\n"
BEGIN = (f"mkdir /www; head -c {SIZE} /bin/busybox >/www/f; httpd -p 80 -h /www; nc -ll -p 7000 -e cat </dev/null >/dev/null 2>&1 & "
         "ping -c 1 -W 1 10.0.2.2 >/dev/null; nc -l -p 9 </dev/null >/dev/null; ")
END = "kill $(pidof httpd nc) 2>/dev/null; sleep 1; cat /proc/net/guard; rm -r /www"


def counters(out):
    return {key: int(value) for key, value in re.findall(r"^(\w+) (\d+)$", out, re.M)}


def flooded(boot, scenario):
    """/proc/net/guard at the end."""
    wire = Wire(scenario)
    out = boot(BEGIN + END, qemu=wire.qemu(), timeout=300, leak_check=False, expect=None).out
    if wire.failure:
        raise wire.failure
    assert wire.finished, f"the guest ended before its time: {out}"
    return counters(out)


CROWD = """description a network with a crowd in it
class       net
start       40
instances   on-request
queue       1280K net
calls       rs ds
notifies    ds net
priority    2
cpu         1000
memory      2M
"""


def test_served_within_a_second(boot, program):
    """200 connections ask for a file and take nothing of it; one has a hole before each of 50,000 bytes; twelve begin and never go on, then 20,000
    with forged addresses, while 1,700 connections that say nothing are held by a program that can have 1,536. Meanwhile somebody honest gets the file, again and again: each time within a second of the guest's time, from the first SYN
    to the last byte, and as instructions are time, that is so on every host. Who floods is in the guest, too: tests/services/crowd.c."""
    address = (TOP / "servers/net/net.svc").read_text() + "parameters e0=10.0.2.15/16,10.0.2.2\n"
    result = boot("mkdir /www; head -c 100000 /bin/busybox >/www/f; httpd -p 80 -h /www; nc -ll -p 7000 -e cat </dev/null >/dev/null 2>&1 & chmod 755 /accept_all; ulimit -n 1024; /accept_all 7400 2 & usleep 200000; service up crowd; "
                  "n=0; until dmesg | grep -q 'crowd: over'; do n=$((n + 1)); [ $n -lt 40 ] || break; sleep 1; done; cat /proc/net/guard; kill $(pidof httpd nc accept_all)",
                  icount=True, leak_check=False, timeout=120, expect=None,
                  add={"/accept_all": program("accept_all"), "/lib/bardo/crowd": BUILD / "services/crowd", "/etc/bardo/crowd.svc": CROWD, "/etc/bardo/net.svc": address})
    said = {name: (int(served), int(refused), int(us)) for name, served, refused, us in
            re.findall(r"crowd: ([a-z ]+): served (\d+) times, refused (\d+), at most (\d+) us", result.klog)}
    assert set(said) == {"none", "closed windows", "holes", "idle connections", "a dozen half open", "half open"}, result.klog
    assert all(served > 5 and not refused and us < 1000000 for served, refused, us in said.values()), said
    assert "200 connections asked, and took nothing" in result.klog and "50000 bytes with a hole before each" in result.klog
    assert 1500 < int(re.search("1700 connections to one program, ([0-9]+) of them stay", result.klog)[1]) < 1600, result.klog
    assert counters(result.out)["tcp_cookie_sent"] > 15000


def test_idle_connections(boot):
    """More than one server can have: the idlest of those with most of them end."""
    def scenario(wire):
        for i in range(500):
            c = wire.connect(attacker(i), 80)
            wire.wait(lambda: c.acknowledged, 20, [c])
            if i % 125 == 124:
                wire.serve_honest(SIZE)

    assert flooded(boot, scenario)["tcp_connection_ended"] > 100


def test_a_burst_waits_for_the_program(boot):
    """Many at once, all of them honest: they wait, and nobody is reset."""
    def scenario(wire):
        burst = [wire.connect(attacker(i), 80, ASK) for i in range(60)]
        wire.wait(lambda: all(c.ended or c.resets for c in burst), 90, burst)
        assert [c.resets for c in burst] == [0] * 60
        assert min(c.received for c in burst) > SIZE

    flooded(boot, scenario)


ROUNDS, HOLES, FORGED = 9, 5000, 2000
# What the flood takes is given back when all of it is over: what servers keep once they have needed it (pools of lwIP's, pages of mirrors) is no leak, only what grows each time. So round after round, until one takes nothing more than the one
# before it left. (Connections in TIME_WAIT, state 06, are over.)
GUEST_ROUNDS = """mkdir /www; head -c %d /bin/busybox >/www/f; last=0
while httpd -p 80 -h /www; do nc -ll -p 7000 -e sleep 1000 </dev/null >/dev/null 2>&1 &
    ping -c 1 -W 1 10.0.2.2 >/dev/null; nc -l -p 9 </dev/null >/dev/null
    kill $(pidof httpd nc sleep) 2>/dev/null; tries=0
    until [ $(grep : /proc/net/tcp | grep -vc ' 06 ') = 0 ]; do tries=$((tries + 1)); [ $tries -lt 100 ] || { echo stay; cat /proc/net/tcp; break; }; sleep 1; done
    echo forget rs >/proc/bardo/control 2>/dev/null; sleep 1; set -- $(grep -E '^(frames_free|frames_mirror|slots_used|grants_used) ' /proc/bardo/kernel); echo counts $*
    rounds=$((rounds + 1)); [ $rounds -lt %d ] || break; [ $last = 0 ] || [ $(($2 + $4)) -lt $last ] || [ $6 -gt $slots ] || [ $8 -gt $grants ] || break; last=$(($2 + $4)); slots=$6; grants=$8
done; cat /proc/net/guard; rm -r /www"""


def test_memory_comes_back(boot):
    """The same floods again and again: connections that take nothing, holes, forged SYNs, idle ones; all of them end, and after a round there is as much memory as after the one before it
    (not always after the second: how much of a flood is there at once is the host's business)."""
    held = []

    def scenario(wire):
        closed = [wire.connect(attacker(i), 80, ASK, window=0) for i in range(200)]
        wire.wait(lambda: all(c.acknowledged and not c.unsent for c in closed), 60, closed)
        holed = wire.connect(attacker(0), 7000)
        wire.wait(lambda: holed.acknowledged, 20, [holed])
        for i in range(HOLES):
            holed.send(ACK | PSH, b"z", at=holed.next + 2 * i + 1)
            if i % 64 == 63:
                wire.wait(lambda: False, 0.001)
        for i in range(FORGED):
            body = struct.pack("!HHIIBBHHH", 1024 + i, 80, 7919 * i, 0, 5 << 4, SYN, 65535, 0, 0)
            wire.put(packet(attacker(i), GUEST, 6, with_sum(attacker(i), GUEST, 6, body, 16)))
            if i % 64 == 63:
                wire.wait(lambda: False, 0.001)
        idle = [wire.connect(attacker(i), 80) for i in range(300)]
        wire.wait(lambda: all(c.acknowledged for c in idle), 60, idle)
        held.append(sum(bool(c.acknowledged) for c in closed + idle + [holed]))
        for i, c in enumerate(2 * (closed + idle + [holed])):  # and what was lost, again
            c.reset()
            if i % 64 == 63:
                wire.wait(lambda: False, 0.001)

    wire = Wire(scenario, ROUNDS)
    out = boot(GUEST_ROUNDS % (SIZE, ROUNDS), qemu=wire.qemu(), timeout=400, leak_check=False, expect=None).out
    if wire.failure:
        raise wire.failure
    assert min(held) > 400, (held, out)  # it was a flood, each time
    assert "stay" not in out, out
    counts = [dict(zip(words[::2], map(int, words[1::2]))) for words in (line.split()[1:] for line in out.splitlines() if line.startswith("counts "))]
    assert len(counts) > 1, out
    before, after = counts[-2:]
    assert after["frames_free"] + after["frames_mirror"] >= before["frames_free"] + before["frames_mirror"], out
    assert all(after[what] <= before[what] for what in ("slots_used", "grants_used")), out
    assert counters(out)["tcp_cookie_sent"] > FORGED, out  # of all rounds
