# SPDX-License-Identifier: BSD-2-Clause
"""net dies a thousand times under a thousand connections, and together with the card's driver: no reset, no wrong byte, no long wait."""
import os
import re
import socket
import sys
import threading

from conftest import BUILD, TOP
from hostnet import free_port, served
from test_net_recovery import BUDGET, manifest
from test_rolled_back import deaths

CONNECTIONS, PIECE, PIECES = 20, 5000, 8


# Behind a second card of the guest: who sends back what comes (tests/services/echoer.c).
ECHOER = """description the other end of a wire
class       server
start       6
calls       rs ds
priority    4
memory      16M
"""
WIRE = ("-netdev hubport,id=here,hubid=1 -device e1000,netdev=here,mac=52:54:00:12:34:56 "
        "-netdev hubport,id=there,hubid=1 -device virtio-net-pci,netdev=there,mac=02:aa:bb:cc:dd:01,disable-legacy=on")


def test_a_thousand_connections(boot, program):
    """100 busy connections and 1,000 idle ones, each of which has a byte to say at the end: among programs, while net dies a thousand times; then over a
    card, whose driver dies, too, by itself and in the same instant as net. All peers are in the guest, so that it does not matter how fast the host is.
    (Between two deaths of net is 300 us at least: a step over all 2,200 ends takes nearly as long.)"""
    result = boot("chmod 755 /many /both; ulimit -n 1024; service storm net 600; /many 100 1000 60; service list net; service storm net 1000; service storm e1000 20000; "
                  "/both e1000 net 15000 & /many 100 1000 60 10.0.2.77 7; kill $!; service storm net 0; service storm e1000 0; wait; service list",
                  icount=True, timeout=150, qemu=WIRE, leak_check=False,
                  add={"/many": program("net_many"), "/both": program("kill_both"), "/lib/bardo/echoer": BUILD / "services/echoer", "/etc/bardo/echoer.svc": ECHOER,
                       "/etc/bardo/net.svc": (TOP / "servers/net/net.svc").read_text() + "parameters e0=10.0.2.15/24,10.0.2.2\n",
                       "/etc/bardo/virtio-net.svc": manifest("virtio-net", queue="1280K echoer"), "/etc/bardo/e1000.svc": manifest("e1000", budget="1000 2", backoff="1000 10 100")})
    print(result.out)
    stalls = [float(stall) for stall in re.findall(r"stall ([0-9.]+)", result.out)]
    assert len(stalls) == 2 and max(stalls) < 10 and "undo:" not in result.klog and "a reset" not in result.klog, result.out
    first, last = (deaths(part) for part in result.out.split("stall")[1:])
    assert first["net"] >= 1000 and last["net"] >= first["net"] + 500 and last["e1000"] >= 50, result.out
    assert int(re.search(r"both (\d+)", result.out)[1]) >= 25, result.out


class Visitors(threading.Thread):
    """When the guest connects: many connections to its echo server, at once; then its own is closed. Nothing is tried twice."""

    def __init__(self):
        super().__init__(daemon=True)
        self.wrong, self.right, self.open, self.socket = [], 0, [], socket.create_server(("127.0.0.1", 0))
        self.port, self.to = self.socket.getsockname()[1], free_port()
        self.start()

    def run(self):
        connection, _ = self.socket.accept()
        try:  # one after the other, since a program that listens may have few wait; then all at once
            for n in range(CONNECTIONS):
                self.open.append(socket.create_connection(("127.0.0.1", self.to), timeout=60))
                exchange(self.open[n])
        except OSError as error:
            self.wrong.append(f"connection {n}: {error}")
        visits = [threading.Thread(target=self.visit, args=(c,), daemon=True) for c in self.open]
        for visit in visits:
            visit.start()
        for visit in visits:
            visit.join()
        connection.close()

    def visit(self, c):
        try:
            for _ in range(PIECES):
                exchange(c)
            self.right += 1
        except OSError as error:
            self.wrong.append(str(error))
        c.close()


def exchange(c):
    data, back = os.urandom(PIECE), b""
    c.sendall(data)
    while len(back) < PIECE:
        piece = c.recv(PIECE)
        if not piece:
            raise OSError("ended")
        back += piece
    if back != data:
        raise OSError("wrong bytes")


def test_with_the_driver(boot, tmp_path):
    """Both by one kill -9, again and again, and each by itself in between; connections from outside, and a download."""
    (url, expected), visitors = served(tmp_path, 4), Visitors()
    result = boot(f"""until ifconfig e0 | grep -q 10.0.2.15; do usleep 20000; done; nc -ll -p 7000 -e cat </dev/null >/dev/null 2>&1 & echo=$!; usleep 100000
        {{ while :; do kill -9 $(pidof net e1000); usleep 20000; done; }} 2>/dev/null & killer=$!; service storm net 1000; service storm e1000 20000
        wget -q -O - {url} | sha1sum & nc 10.0.2.2 {visitors.port} </dev/null; wait $!; kill $killer $echo; service storm net 0; service storm e1000 0; usleep 100000; service list; ifconfig e0 | grep -c 10.0.2.15""",
                  nics=["e1000"], forward=[f"{visitors.to}:7000"], add={"/etc/bardo/e1000.svc": manifest("e1000", **{**BUDGET, "budget": "1000 2"})}, timeout=100, leak_check=False)
    assert visitors.wrong == [] and visitors.right == CONNECTIONS
    assert expected in result.out and result.out.endswith("\n1\n") and "undo:" not in result.klog, result.out
    died = deaths(result.out)
    assert died["net"] > 300 and died["e1000"] > 10, died


def dhcp(path):
    """How many messages of DHCP the wire has seen (a file of pcap), and how many frames."""
    data, at, count, frames = path.read_bytes(), 24, 0, 0
    while at + 16 <= len(data):
        length = int.from_bytes(data[at + 8:at + 12], sys.byteorder)
        frame = data[at + 16:at + 16 + length]
        count += frame[12:14] == b"\x08\x00" and frame[23] == 17 and {frame[34:36], frame[36:38]} == {b"\x00\x43", b"\x00\x44"}
        at, frames = at + 16 + length, frames + 1
    return count, frames


def test_what_it_was_told(boot, tmp_path):
    """Its neighbours and its lease outlive it: nobody is asked anew."""
    wire = tmp_path / "wire.pcap"
    arp = "sed -n 's/^10.0.2.2 .*\\(52:55[0-9a-f:]*\\).*/gateway \\1/p' /proc/net/arp"
    result = boot(f"""until ifconfig e0 | grep -q 10.0.2.15; do usleep 20000; done; ping -c 1 10.0.2.2 >/dev/null; {arp}
        n=0; while [ $n -lt 50 ]; do service kill net; [ $((n % 10)) = 0 ] && {arp}; ping -c 1 10.0.2.2 | grep -c ' 1 packets received'; n=$((n + 1)); done; {arp}; service list""",
                  nics=["e1000"], qemu=f"-object filter-dump,id=wire,netdev=net0,file={wire}", leak_check=False)
    lines = result.out.splitlines()
    assert lines.count("gateway 52:55:0a:00:02:02") == 7 and lines.count("1") == 50, result.out
    assert deaths(result.out)["net"] == 50
    told, frames = dhcp(wire)
    assert told == 4 and frames >= 104, f"{told} messages of DHCP: expected those of one lease, four"
