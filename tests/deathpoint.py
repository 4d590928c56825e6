# SPDX-License-Identifier: BSD-2-Clause
"""Deaths at chosen instructions: QEMU's debugger port stops a service where a test wants it, and sends it to address 0.

    death = DeathPoint(folder, "e1000", ["e1000_adopt", "e1000_reset"], lambda hit, name: 0 if hit in (3, 4) else None)
    boot(..., qemu=death.arguments)
    assert death.hits == [...]

`decide(number of the hit from 1 on, function)`: None, it goes on; N, it dies N instructions later; STOP, it goes on and so do all after it.
"""
import os
import socket
import struct
import subprocess
import threading
import time

from conftest import BUILD

STOP = "stop"
PATIENCE = 60  # s
RIP, RSP = 16, 7  # they are behind so many registers of 8 bytes
WORD = 16  # bytes of code by which the service is told from others at the same address
# Who loops at such an address in another program loses its time with being stopped, and would be taken for one that hangs: so often it is stopped in a row, then
# all run for a moment, and for a longer one each time that it loops there still.
FOREIGN_MOST, MOMENT, MOMENT_MOST = 20, 0.002, 0.2  # s


class DeathPoint(threading.Thread):
    def __init__(self, folder, service, functions, decide, rest=None):
        super().__init__(daemon=True)
        self.path, self.decide, self.rest, self.hits, self.deaths, self.pending = folder / "gdb", decide, rest, [], 0, b""
        self.arguments = f"-gdb unix:{self.path},server=on,wait=off"
        image, symbols = BUILD / "services" / service, symbols_of(BUILD / "services" / f"{service}.debug")
        self.names = {symbols[name]: name for name in functions}
        self.code = {address: code_at(image.read_bytes(), address) for address in self.names}
        self.foreign, self.foreign_row = None, 0
        self.start()

    def run(self):
        try:
            self.connection = self.connect()
            self.watch()
        except (OSError, EOFError):
            pass  # the machine has ended

    def connect(self):
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                connection = socket.socket(socket.AF_UNIX)
                connection.connect(os.fspath(self.path))
                return connection
            except OSError:
                connection.close()
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.005)

    def watch(self):
        answer = self.ask("qAttached")
        while answer.startswith("T"):  # it says that it has stopped, since we are here
            answer = self.receive()
        self.arm("Z")
        while True:
            self.ask("c")
            address, stack = self.registers(RIP, RSP)
            own = address in self.code and self.holds(address)
            verdict = self.meet(address) if own else None
            if verdict == STOP:
                break
            self.arm("z")
            for _ in range(verdict if verdict is not None else 1):
                self.ask("s")
            if verdict is not None:
                self.die()
                self.run_free(self.rest and self.rest())
            elif not own and self.loops(address, stack):
                self.run_free(min(MOMENT * 2 ** (self.foreign_row // FOREIGN_MOST), MOMENT_MOST))
            self.arm("Z")
        self.arm("z")
        self.send("D")

    def run_free(self, seconds):
        if seconds:
            self.send("c")
            time.sleep(seconds)
            self.connection.sendall(b"\x03")
            self.receive()

    def meet(self, address):
        self.hits.append(self.names[address])
        return self.decide(len(self.hits), self.names[address])

    def die(self):
        """Unless the last steps have led out of it: into the kernel, or to another process."""
        registers, (address,) = self.ask("g"), self.registers(RIP)
        if address < 1 << 47 and all(self.holds(place) for place in self.code):
            self.ask("G" + registers[:RIP * 16] + "0" * 16 + registers[RIP * 16 + 16:])
            self.deaths += 1

    def loops(self, *place):
        """Another program has come by there many times in a row, with the same stack."""
        self.foreign_row = self.foreign_row + 1 if self.foreign == place else 1
        self.foreign = place
        return self.foreign_row % FOREIGN_MOST == 0

    def holds(self, address):
        return self.ask(f"m{address:x},{WORD:x}") == self.code[address].hex()

    def arm(self, letter):
        for address in self.names:
            self.ask(f"{letter}1,{address:x},1")

    def registers(self, *numbers):
        contents = bytes.fromhex(self.ask("g"))
        return [struct.unpack_from("<Q", contents, number * 8)[0] for number in numbers]

    # ---- packets: $TEXT#SUM, answered by + ----

    def send(self, text):
        self.connection.sendall(b"$%s#%02x" % (text.encode(), sum(text.encode()) % 256))

    def ask(self, text):
        self.send(text)
        return self.receive()

    def receive(self):
        while b"#" not in self.pending or len(self.pending.split(b"#", 1)[1]) < 2:
            received = self.connection.recv(4096)
            if not received:
                raise EOFError
            self.pending += received
        packet, rest = self.pending.split(b"#", 1)
        self.pending = rest[2:]
        self.connection.sendall(b"+")
        return packet.split(b"$", 1)[1].decode()


def symbols_of(path):
    """{name: address}"""
    lines = subprocess.run(["nm", os.fspath(path)], check=True, capture_output=True, text=True).stdout.splitlines()
    return {words[2]: int(words[0], 16) for words in map(str.split, lines) if len(words) == 3}


def code_at(image, address):
    """The bytes there, by the program headers of a 64-bit ELF file."""
    table, = struct.unpack_from("<Q", image, 32)
    size, count = struct.unpack_from("<HH", image, 54)
    for i in range(count):
        kind, _, offset, start, _, length = struct.unpack_from("<IIQQQQ", image, table + i * size)
        if kind == 1 and start <= address < start + length:
            return image[offset + address - start:][:WORD]
    raise ValueError(f"{address:#x} is not in the image")
