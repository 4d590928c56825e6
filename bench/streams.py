# SPDX-License-Identifier: BSD-2-Clause
"""`bench/run net`: one program, bench/programs/stream.c, on this system and on a Linux guest, in turns; and what it talks to at the host."""
import collections
import os
import random
import re
import socket
import statistics
import struct
import sys
import tempfile
from pathlib import Path

import linux_guest
import qemu
from httpd import FileServer

PERIOD = 1 << 20  # of the pattern; as in stream.c
READS = (4096, 8192, 16384, 32768, 65536)
WRITE = LOOP = 65536
LOOP_MB = 64
PLACES = 64  # pages: the emulator's lookup of addresses has the same place for those that are a multiple of this apart
CHUNK = 256 << 10


def make_pattern():
    x, words, mask = 88172645463325252, [], (1 << 64) - 1
    for _ in range(PERIOD // 8):
        x ^= x << 13 & mask
        x ^= x >> 7
        x ^= x << 17 & mask
        words.append(x)
    return struct.pack(f"<{len(words)}Q", *words)


class Server(FileServer):
    """Gives the pattern, or takes it and says whether it is right."""

    def __init__(self):
        self.pattern = make_pattern()
        self.file = tempfile.NamedTemporaryFile()
        self.file.write(self.pattern)
        self.file.flush()
        super().__init__(self.file.name)

    def handle(self, connection):
        with connection:
            try:
                line = b""
                while not line.endswith(b"\n"):
                    line += connection.recv(1)
                what, count = line.split()
                self.give(connection, int(count)) if what == b"get" else connection.sendall(self.take(connection, int(count)))
            except (OSError, ValueError):
                pass  # the client has gone, or is none

    def give(self, connection, count):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, CHUNK)
        sent = 0
        while sent < count:
            at = sent % PERIOD
            sent += connection.sendfile(self.file, at, min(CHUNK, PERIOD - at, count - sent))

    def take(self, connection, count):
        chunk, got = memoryview(bytearray(CHUNK)), 0
        while got < count:
            at = got % PERIOD
            n = connection.recv_into(chunk, min(CHUNK, PERIOD - at, count - got))
            if n == 0:
                return b"the connection has ended\n"
            if chunk[:n] != memoryview(self.pattern)[at:at + n]:
                return f"wrong bytes between {got} and {got + n}\n".encode()
            got += n
        return b"ok\n"


def wait_for_link(port):
    return f"echo; n=0; until stream get 10.0.2.2 {port} 1 {WRITE} >/dev/null 2>&1 || [ $n = 50 ]; do n=$((n + 1)); usleep 200000; done; "


def script(port, size):
    """All measurements of a round, once the link is up; the first transfer is for warming up."""
    kinds = [f"get 10.0.2.2 {port} {size} {read}" for read in READS[-1:] + READS] + [f"put 10.0.2.2 {port} {size} {WRITE}", f"loop {LOOP_MB} {LOOP}"]
    return wait_for_link(port) + "; ".join(f"stream {words} || echo BAD {words}" for words in kinds)


def rates_of(text, who):
    """{(what, size): MB/s}, of each the last."""
    rates = {(what, int(size)): int(count) * 1e3 / int(ns) for what, size, count, ns in re.findall(r"^BENCH (\w+) size=(\d+) bytes=(\d+) ns=(\d+)\r?$", text, re.M)}
    if "BAD" in text or len(rates) != len(READS) + 2:
        sys.exit(f"bench: net: {who}: not all was transferred\n{text}")
    return rates


def measure_places(size, reps, guest, result):
    """Whether it matters where the program's buffer lies: reads of 64 kB into each of PLACES places, a page apart, REPS times in turns by chance, in one machine.
    When it does not, the means of the places differ as much as those of so many transfers by chance."""
    program, server = Path(qemu.build_folder()) / "bench/stream", Server().start()
    for nic in (os.environ.get("NIC") or "e1000").split():
        chance = random.Random(1)
        order = [place for _ in range(reps) for place in chance.sample(range(PLACES), PLACES)]
        get = f"get 10.0.2.2 {server.port} {size} {READS[-1]}"
        commands = [f"stream {get}", *(f"echo PLACE {place}; stream {get} {place} || echo BAD" for place in order)]
        text = guest(wait_for_link(server.port) + "; ".join(commands), "--nic", nic, "--timeout", "3000", "--add", f"{program}:/bin/stream")
        rates = collections.defaultdict(list)
        for place, count, ns in re.findall(r"^PLACE (\d+)\r?\nBENCH get size=\d+ bytes=(\d+) ns=(\d+)\r?$", text, re.M):
            rates[int(place)].append(int(count) * 1e3 / int(ns))
        if sorted(len(of_one) for of_one in rates.values()) != [reps] * PLACES:
            sys.exit(f"bench: places: not all was transferred\n{text}")
        means = [statistics.mean(of_one) for of_one in rates.values()]
        within = statistics.mean(statistics.variance(of_one) for of_one in rates.values()) ** 0.5
        result(bench="places", nic=nic, places=PLACES, mb=size, reps=reps, mbps=f"{statistics.mean(means):.1f}", slowest=f"{min(means):.1f}", fastest=f"{max(means):.1f}",
               sd_of_places=f"{statistics.stdev(means):.2f}", sd_by_chance=f"{within / reps ** 0.5:.2f}")


def measure(size, reps, guest, result):
    """guest(command, *arguments): what it writes on this system. result(**values) prints a line."""
    program, server = Path(qemu.build_folder()) / "bench/stream", Server().start()
    for nic in (os.environ.get("NIC") or " ".join(qemu.NICS)).split():
        found, missing = linux_guest.find(nic)
        if not found:
            print(f"bench: net: {nic}: without a Linux guest beside: {missing}", file=sys.stderr)
        command, rounds = script(server.port, size), {"bardo": [], "linux": []}
        for _ in range(reps):
            rounds["bardo"].append(rates_of(guest(command, "--nic", nic, "--add", f"{program}:/bin/stream"), "this system"))
            if found:
                network = " ".join(qemu.network([nic], []))
                rounds["linux"].append(rates_of(linux_guest.run(nic, command, network, {"bin/stream": program}, 900), "Linux"))
        for kind in rounds["bardo"][0]:
            values = {who: [rates[kind] for rates in all_] for who, all_ in rounds.items() if all_}
            medians = {f"{who}_mbps": statistics.median(rates) for who, rates in values.items()}
            if found:
                medians["ratio"] = medians["bardo_mbps"] / medians["linux_mbps"]
            result(bench="net", nic=nic, op=kind[0], size=kind[1], mb=LOOP_MB if kind[0] == "loop" else size, reps=reps, **{key: f"{value:.1f}" if key != "ratio" else f"{value:.2f}" for key, value in medians.items()})
