# SPDX-License-Identifier: BSD-2-Clause
"""The far end of a bad cable: frames of the guest's card in datagrams (QEMU's -netdev socket), each way with a delay and a loss that is counted by
a seed; behind it a host with DHCP, ARP and two services of TCP: port 9000 takes a file, port 9001 gives one. (QEMU's own user network loses nothing
and knows no SACK.)

    with Wire(loss=0.05, delay=0.01, give=data) as wire:
        boot("nc 10.0.2.77 9000 </data", qemu=wire.qemu("e1000"))
    wire.taken[0].data, wire.taken[0].seconds
"""
import heapq
import random
import select
import socket
import struct
import threading
import time

GATEWAY, PEER, GUEST = (socket.inet_aton(a) for a in ("10.0.2.2", "10.0.2.77", "10.0.2.15"))
MAC, BROADCAST = bytes.fromhex("02aabbccdd01"), b"\xff" * 6
FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16
TAKE, GIVE = 9000, 9001
MSS, WINDOW, SCALE = 1460, 32, 7
TIMEOUT = 0.3  # s, without an acknowledgement: all again


def checksum(data):
    total = sum(struct.unpack(f"!{(len(data) + 1) // 2}H", data + b"\0" * (len(data) % 2)))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def ip_packet(source, to, protocol, body):
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(body), 0, 0, 64, protocol, 0, source, to)
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + body


def free_ports(count):
    sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(count)]
    for s in sockets:
        s.bind(("127.0.0.1", 0))
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports


class Segment:
    """Of what we send: where, what, when last, as the how manieth transmission."""

    def __init__(self, at, data):
        self.at, self.data, self.end = at, data, at + max(1, len(data))
        self.order, self.held, self.times = 0, False, 0


class Stream:
    """One connection of the guest's to us. Positions are bytes since the beginning."""

    def __init__(self, wire, key, number, options):
        self.wire, self.key, self.theirs, self.ours = wire, key, number + 1, 7000
        self.data, self.later, self.newest = bytearray(), {}, None
        self.began, self.seconds, self.end, self.closed = time.monotonic(), None, None, False
        self.sack = b"\x04\x02" in options
        give = wire.give if key[1] == GIVE else b""
        self.segments = [Segment(at, give[at:at + MSS]) for at in range(0, len(give), MSS)]
        self.first, self.next, self.order, self.delivered = 0, 0, 0, 0
        self.again = self.timeouts = 0
        self.deadline, self.acknowledged = None, 0
        if key[1] == GIVE:
            self.segments.append(Segment(len(give), b""))

    def send(self, flags, at=0, data=b"", options=b""):
        window = 65535 if flags & SYN else 0xFFFF
        sequence = self.ours + (0 if flags & SYN else 1 + at)
        acknowledgement = self.theirs + len(self.data) + (1 if self.closed else 0)
        options += b"\0" * (-len(options) % 4)
        segment = struct.pack("!HHIIBBHHH", self.key[1], self.key[0], sequence & 0xFFFFFFFF, acknowledgement & 0xFFFFFFFF,
                              (20 + len(options)) // 4 << 4, flags, window, 0, 0) + options + data
        total = checksum(PEER + GUEST + struct.pack("!HH", 6, len(segment)) + segment)
        self.wire.send(ip_packet(PEER, GUEST, 6, segment[:16] + struct.pack("!H", total) + segment[18:]), True)

    def acknowledge(self):
        ranges = []
        for at in sorted(self.later):
            end = at + len(self.later[at])
            if ranges and ranges[-1][1] >= at:
                ranges[-1][1] = max(end, ranges[-1][1])
            else:
                ranges.append([at, end])
        ranges.sort(key=lambda r: not (self.newest is not None and r[0] <= self.newest < r[1]))
        blocks = b"".join(struct.pack("!II", self.theirs + a & 0xFFFFFFFF, self.theirs + b & 0xFFFFFFFF) for a, b in ranges[:4])
        self.send(ACK, self.next_position(), options=b"\1\1\5" + bytes([2 + len(blocks)]) + blocks if blocks and self.sack else b"")

    def next_position(self):
        return self.segments[self.next - 1].end if self.next else 0

    # ---- what the guest sends

    def take(self, at, data, fin):
        if fin:
            self.end = at + len(data)
        if at > len(self.data):
            self.later[at], self.newest = data, at
        else:
            self.data += data[len(self.data) - at:]
            while self.later and min(self.later) <= len(self.data):
                first = min(self.later)
                self.data += self.later.pop(first)[len(self.data) - first:]
        if self.end == len(self.data) and not self.closed:
            self.closed = True
            if not self.segments:
                self.seconds = time.monotonic() - self.began
                self.segments.append(Segment(0, b""))
                self.fill()
        self.acknowledge()

    # ---- what we send: a window of fixed size, and again what is lost by the order of sending

    def transmit(self, segment):
        self.order += 1
        segment.order, segment.times = self.order, segment.times + 1
        self.again += segment.times > 1
        self.send(ACK | (PSH if segment.data else FIN), segment.at, segment.data)

    def fill(self):
        waiting = sum(not s.held for s in self.segments[self.first:self.next])
        while self.next < len(self.segments) and waiting < WINDOW:
            self.next += 1
            waiting += 1
            self.transmit(self.segments[self.next - 1])
        self.deadline = time.monotonic() + TIMEOUT if self.first < self.next else None

    def acknowledged_by(self, position, blocks):
        before = self.first
        for s in self.segments[self.first:self.next]:
            if s.end <= position or any(a <= s.at and s.end <= b for a, b in blocks):
                self.delivered = self.delivered if s.held else max(self.delivered, s.order)
                s.held = True
        while self.first < self.next and self.segments[self.first].end <= position:
            self.first += 1
        lost = [s for s in self.segments[self.first:self.next] if not s.held and s.order < self.delivered - 2]
        for s in lost:
            self.transmit(s)
        if self.first > before or lost:
            self.fill()
        if self.key[1] == GIVE and self.first == len(self.segments) and self.seconds is None:
            self.seconds = time.monotonic() - self.began

    def tick(self, now):
        if self.deadline and now > self.deadline:
            self.timeouts += 1
            for s in self.segments[self.first:self.next]:
                if not s.held:
                    self.transmit(s)
                    break
            self.deadline = now + TIMEOUT

    def input(self, sequence, acknowledgement, flags, options, data):
        at = (sequence - self.theirs + (1 << 31) & 0xFFFFFFFF) - (1 << 31)
        blocks, i = [], 0
        while i < len(options) and options[i]:
            if options[i] == 5:
                blocks = [tuple((n - self.ours - 1) & 0xFFFFFFFF for n in struct.unpack("!II", options[k:k + 8])) for k in range(i + 2, i + options[i + 1], 8)]
            i += 1 if options[i] == 1 else max(2, options[i + 1])
        if flags & SYN:
            self.send(SYN | ACK, options=b"\2\4" + struct.pack("!H", MSS) + b"\1\3\3" + bytes([SCALE]) + b"\1\1\4\2")
        elif flags & ACK:
            if not self.next:
                self.fill()
            self.acknowledged_by((acknowledgement - self.ours - 1) & 0xFFFFFFFF, blocks)
            if data or flags & FIN:
                self.take(at, data, flags & FIN)


class Wire(threading.Thread):
    def __init__(self, loss=0.0, delay=0.0, seed=1, give=b""):
        super().__init__(daemon=True)
        self.loss, self.delay, self.give = loss, delay, give
        self.chance = [random.Random(f"{seed} {way}") for way in ("in", "out")]
        self.here, self.there = free_ports(2)
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self.socket.bind(("127.0.0.1", self.here))
        self.streams, self.heap, self.number, self.mac, self.stop, self.lost = {}, [], 0, BROADCAST, False, 0

    def qemu(self, nic):
        return f"-netdev socket,id=wire,udp=127.0.0.1:{self.here},localaddr=127.0.0.1:{self.there} -device {nic},netdev=wire,mac=52:54:00:12:34:56"

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop = True
        self.join()
        self.socket.close()

    def of(self, port):
        return [s for key, s in self.streams.items() if key[1] == port]

    @property
    def taken(self):
        return self.of(TAKE)

    @property
    def given(self):
        return self.of(GIVE)

    # ---- frames

    def later(self, act, argument):
        self.number += 1
        heapq.heappush(self.heap, (time.monotonic() + self.delay, self.number, act, argument))

    def is_lost(self, way):
        lost = self.chance[way].random() < self.loss
        self.lost += lost
        return lost

    def send(self, body, lossy=False, kind=0x800, to=None):
        if not (lossy and self.is_lost(1)):
            self.later(self.put, (to or self.mac) + MAC + struct.pack("!H", kind) + body)

    def put(self, frame):
        try:
            self.socket.sendto(frame, ("127.0.0.1", self.there))
        except OSError:
            pass  # the guest is not there yet, or no more

    def run(self):
        while not self.stop:
            now = time.monotonic()
            while self.heap and self.heap[0][0] <= now:
                _, _, act, argument = heapq.heappop(self.heap)
                act(argument)
            for s in list(self.streams.values()):
                s.tick(now)
            wait = min(0.01, self.heap[0][0] - time.monotonic()) if self.heap else 0.01
            if select.select([self.socket], [], [], max(0, wait))[0]:
                try:
                    self.frame(self.socket.recv(65536))
                except OSError:
                    pass

    def frame(self, frame):
        kind, body = struct.unpack("!H", frame[12:14])[0], frame[14:]
        if kind == 0x806 and body[7] == 1 and body[24:28] in (GATEWAY, PEER):
            self.mac = frame[6:12]
            self.send(struct.pack("!HHBBH", 1, 0x800, 6, 4, 2) + MAC + body[24:28] + body[8:18], kind=0x806, to=frame[6:12])
        elif kind == 0x800 and body[9] == 17 and body[22:24] == b"\0\x43":
            self.mac = frame[6:12]
            self.dhcp(body[28:])
        elif kind == 0x800 and body[9] == 6 and body[16:20] == PEER and not self.is_lost(0):
            self.later(self.tcp, body[20:struct.unpack("!H", body[2:4])[0]])

    def dhcp(self, request):
        kind = request[request.index(b"\x35\x01", 240) + 2]
        reply = b"\2\1\6\0" + request[4:8] + bytes(8) + GUEST + GATEWAY + bytes(4) + request[28:44] + bytes(192) + b"\x63\x82\x53\x63"
        reply += bytes([53, 1, {1: 2, 3: 5}[kind]]) + b"\x36\4" + GATEWAY + b"\x33\4\0\1\0\0\1\4\xff\xff\xff\0\3\4" + GATEWAY + b"\xff"
        self.send(ip_packet(GATEWAY, GUEST, 17, struct.pack("!HHHH", 67, 68, 8 + len(reply), 0) + reply), to=BROADCAST)

    def tcp(self, segment):
        source, to, sequence, acknowledgement, offset, flags = struct.unpack("!HHIIBB", segment[:14])
        key, head = (source, to), (offset >> 4) * 4
        if to in (TAKE, GIVE) and flags & SYN and key not in self.streams:
            self.streams[key] = Stream(self, key, sequence, segment[20:head])
        if key in self.streams and not flags & RST:
            self.streams[key].input(sequence, acknowledgement, flags, segment[20:head], segment[head:])
