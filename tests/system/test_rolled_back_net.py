# SPDX-License-Identifier: BSD-2-Clause
"""net dies a thousand times under hundreds of connections, and together with the card's driver: no reset, no wrong byte, no long wait."""
import os
import socket
import threading

from hostnet import free_port, served
from test_net_recovery import BUDGET, manifest
from test_rolled_back import deaths

CONNECTIONS, PIECE, PIECES = 20, 5000, 8


def test_many_connections(boot, program):
    """100 busy and 350 idle ones; the longest time in which nobody got a byte is as without deaths, and 10 ms.
    (Deaths at half their distance here would leave no room for a step over all connections, which takes 150 us.)"""
    result = boot("chmod 755 /many; ulimit -n 1024; /many 100 350 18; service storm net 300; /many 100 350 18; service storm net 0; service list net", add={"/many": program("net_many")}, icount=True, timeout=100)
    without, word, stall = result.out.split()[1:4]
    assert word == "stall" and "undo:" not in result.klog, result.out
    assert float(stall) < float(without) + 10 and deaths(result.out)["net"] >= 1000, result.out


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
