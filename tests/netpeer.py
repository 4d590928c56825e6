# SPDX-License-Identifier: BSD-2-Clause
"""The other end of the guest's cable: frames in UDP datagrams on loopback, and a host with many addresses that does as it likes. It answers DHCP
and ARP; connections are by hand. What is measured is measured in the guest, or by who answered, not by this machine's clock."""
import array
import random
import select
import socket
import struct
import threading
import time

GUEST_MAC, PEER_MAC = bytes.fromhex("525400123456"), bytes.fromhex("02aabbccdd01")
GUEST, GATEWAY, HONEST = "10.0.2.15", "10.0.2.2", "10.0.2.77"
PING = 64  # bytes of ping's echo requests
FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16


def checksum(data):
    total = sum(array.array("H", data + b"\0" * (len(data) & 1)))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return socket.htons(~total & 0xFFFF)


def packet(source, to, protocol, body):
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(body), random.getrandbits(16), 0, 64, protocol, 0, socket.inet_aton(source), socket.inet_aton(to))
    return GUEST_MAC + PEER_MAC + b"\x08\0" + head[:10] + struct.pack("!H", checksum(head)) + head[12:] + body


def with_sum(source, to, protocol, body, place):
    pseudo = socket.inet_aton(source) + socket.inet_aton(to) + struct.pack("!HH", protocol, len(body))
    return body[:place] + struct.pack("!H", checksum(pseudo + body)) + body[place + 2:]


class Connection:
    def __init__(self, wire, source, port, to, window=65535):
        self.wire, self.source, self.port, self.to, self.window = wire, source, port, to, window
        self.next, self.acknowledged, self.received, self.resets, self.ended, self.unsent = random.getrandbits(32), None, 0, 0, False, b""
        wire.connections[source, port] = self
        self.send(SYN, options=b"\x02\x04\x05\xb4", window=65535)
        self.next += 1

    def send(self, flags, data=b"", options=b"", window=None, at=None):
        size = self.window if window is None else window
        body = struct.pack("!HHIIBBHHH", self.port, self.to, (self.next if at is None else at) & 0xFFFFFFFF, self.acknowledged or 0, (20 + len(options)) * 4, flags, size, 0, 0)
        self.wire.put(packet(self.source, GUEST, 6, with_sum(self.source, GUEST, 6, body + options + data, 16)))

    def say(self, data):
        """Once there is a connection."""
        self.unsent = data

    def heard(self, flags, seq, ack, data):
        if flags & RST:
            self.resets += 1
            return
        if flags & SYN:
            self.acknowledged = seq + 1 & 0xFFFFFFFF
            self.send(ACK | PSH, self.unsent)
            return
        if self.acknowledged is None:
            return
        if ack == (self.next + len(self.unsent)) & 0xFFFFFFFF:
            self.next, self.unsent = self.next + len(self.unsent), b""
        if seq == self.acknowledged and (self.window or not data):
            self.acknowledged = seq + len(data) + (1 if flags & FIN else 0) & 0xFFFFFFFF
            self.received += len(data)
            self.ended |= bool(flags & FIN)
        if data or flags & FIN:
            self.send(ACK)

    def again(self):
        """What was not answered."""
        if self.acknowledged is None:
            self.send(SYN, options=b"\x02\x04\x05\xb4", window=65535, at=self.next - 1)
        elif self.unsent:
            self.send(ACK | PSH, self.unsent)

    def reset(self):
        self.send(RST | ACK)


class Wire(threading.Thread):
    """`scenario(wire)` runs in this thread, once the guest has an address and said so (by a ping). Then the guest's port 9 is connected to. So many `rounds` of this."""

    def __init__(self, scenario, rounds=1):
        super().__init__(daemon=True)
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
        self.socket.bind(("127.0.0.1", 0))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
            other.bind(("127.0.0.1", 0))
            self.to = other.getsockname()
        self.scenario, self.connections, self.pinged, self.failure, self.port = scenario, {}, False, None, 2000
        self.rounds, self.finished = rounds, False
        self.start()

    def qemu(self, nic="e1000"):
        here = self.socket.getsockname()[1]
        return f"-netdev socket,id=peer,udp=127.0.0.1:{here},localaddr=127.0.0.1:{self.to[1]} -device {nic},netdev=peer,mac=52:54:00:12:34:56"

    def put(self, frame):
        try:
            self.socket.sendto(frame.ljust(60, b"\0"), self.to)
        except OSError:
            pass  # no guest yet

    def run(self):
        try:
            for number in range(self.rounds):
                assert self.wait(lambda: self.pinged, 180), "no guest"
                self.scenario(self)
                self.pinged = False
                while number < self.rounds - 1 and not self.say_that_it_is_over() and not self.pinged:
                    pass
            self.finished = True
        except Exception as failure:  # for the test's thread
            self.failure = failure
        while True:  # whatever became of it: the guest learns that it is over
            self.say_that_it_is_over()

    def say_that_it_is_over(self):
        c = self.connect(HONEST, 9)
        self.wait(lambda: c.acknowledged, 2, [c])
        c.send(FIN | ACK)
        c.next += 1
        return self.wait(lambda: c.ended, 2)

    def wait(self, until, seconds, again=()):
        """Serves the wire; what was lost is sent again twice a second."""
        end, next_time = time.monotonic() + seconds, time.monotonic() + 0.5
        while not until() and time.monotonic() < end:
            if select.select([self.socket], [], [], 0.05)[0]:
                self.take(self.socket.recv(65536))
            if time.monotonic() > next_time:
                next_time += 0.5
                for connection in again:
                    connection.again()
        return until()

    def take(self, frame):
        if frame[12:14] == b"\x08\x06" and frame[20:22] == b"\0\x01" and socket.inet_ntoa(frame[38:42]) != GUEST:
            self.put(frame[6:12] + PEER_MAC + frame[12:20] + b"\0\x02" + PEER_MAC + frame[38:42] + frame[22:32])
        if frame[12:14] != b"\x08\0":
            return
        body = frame[34:14 + struct.unpack("!H", frame[16:18])[0]]
        source, to = struct.unpack("!HH", body[:4])
        self.pinged |= frame[23] == 1 and frame[34] == 8 and len(body) == PING  # net asks its gateway, too, and with more
        if frame[23] == 17 and to == 67:
            self.answer_dhcp(body[8:])
        if frame[23] == 6 and (socket.inet_ntoa(frame[30:34]), to) in self.connections:
            seq, ack, offset, flags = struct.unpack("!IIBB", body[4:14])
            self.connections[socket.inet_ntoa(frame[30:34]), to].heard(flags, seq, ack, body[(offset >> 4) * 4:])

    def answer_dhcp(self, question):
        self.say_dhcp(question, 5 if b"\x35\x01\x03" in question[240:260] else 2)

    def say_dhcp(self, question, kind):
        """2: an offer, 5: a lease, 6: there is none."""
        addresses = bytes(4) + socket.inet_aton(GUEST) + socket.inet_aton(GATEWAY) + bytes(4)
        options = bytes([53, 1, kind, 54, 4]) + socket.inet_aton(GATEWAY) + b"\x33\x04\0\0\xff\xff\x01\x04\xff\xff\xff\0\x03\x04" + socket.inet_aton(GATEWAY) + b"\xff"
        data = b"\x02\x01\x06\0" + question[4:8] + bytes(4) + addresses + GUEST_MAC + bytes(202) + b"\x63\x82\x53\x63" + options
        body = struct.pack("!HHHH", 67, 68, 8 + len(data), 0) + data
        self.put(b"\xff" * 6 + packet(GATEWAY, GUEST, 17, with_sum(GATEWAY, GUEST, 17, body, 6))[6:])

    # ---- what scenarios are made of ----

    def connect(self, source, to, say=b"", window=65535):
        self.port += 1
        connection = Connection(self, source, self.port, to, window)
        connection.say(say)
        return connection

    def serve_honest(self, size):
        """Somebody else, with another address, gets the file."""
        c = self.connect(HONEST, 80, b"GET /f HTTP/1.0\r\n\r\n")
        assert self.wait(lambda: c.ended or c.resets, 60, [c]), f"the honest client has {c.received} bytes"
        assert not c.resets and c.received > size, f"{c.received} bytes, {c.resets} resets"
        c.send(FIN | ACK)
        c.next += 1


def attacker(number):
    return f"10.0.2.{100 + number % 150}"
