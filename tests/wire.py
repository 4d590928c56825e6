# SPDX-License-Identifier: BSD-2-Clause
"""QEMU's e1000 and its user network with no guest at all: this plays the driver, through qtest. So what the emulated wire does is known for itself."""
import struct
import subprocess
from pathlib import Path

REGISTERS, RING, FRAME, ROUND = 0xe0000000, 0x100000, 0x300000, 16
CTRL, TCTL, TDBAL, TDLEN, TDT = 0x0, 0x400, 0x3800, 0x3808, 0x3818
MAC = bytes.fromhex("525400123456")
QUESTION = (b"\xff" * 6 + MAC + bytes.fromhex("08060001080006040001") + MAC + bytes([10, 0, 2, 15]) + bytes(6) + bytes([10, 0, 2, 2])).ljust(60, b"\0")


class Card:
    """Frames of any length, one at a time."""

    def __init__(self, folder):
        self.seen, self.next = Path(folder) / "wire.pcap", 0
        firmware = Path(folder) / "halted"
        firmware.write_bytes(b"\xf4" * 65536)
        self.qemu = subprocess.Popen([
            "qemu-system-x86_64", "-M", "q35", "-m", "64", "-display", "none", "-nodefaults", "-bios", firmware, "-qtest", "stdio", "-netdev", "user,id=n",
            "-device", "e1000,netdev=n,addr=5.0,romfile=,mac=52:54:00:12:34:56", "-object", f"filter-dump,id=f,netdev=n,file={self.seen}"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        for register, value in ((0x10, REGISTERS), (4, 6)):  # where it is; it answers there, and reaches memory
            self.do(f"outl 0xcf8 {0x80000000 | 5 << 11 | register:#x}")
            self.do(f"outl 0xcfc {value:#x}")
        self.reset()

    def do(self, command):
        self.qemu.stdin.write(command + "\n")
        self.qemu.stdin.flush()
        for line in self.qemu.stdout:
            if line.startswith("OK"):
                return
            assert not line.startswith(("FAIL", "ERR")), f"{command}: {line}"
        raise AssertionError("QEMU has ended")

    def put(self, register, value):
        self.do(f"writel {REGISTERS + register:#x} {value:#x}")

    def reset(self):
        self.put(CTRL, 1 << 26)
        for register, value in ((CTRL, 0x40), (TDBAL, RING), (TDLEN, 16 * ROUND), (TCTL, 0xa)):
            self.put(register, value)
        self.next = 0

    def send(self, length=len(QUESTION)):
        """A question to the gateway, or that much of it."""
        self.do(f"write {FRAME:#x} {len(QUESTION)} 0x{QUESTION.hex()}")
        self.do(f"write {RING + 16 * self.next:#x} 16 0x{struct.pack('<QHBBBBH', FRAME, length, 0, 0x0b, 0, 0, 0).hex()}")
        self.next += 1
        self.put(TDT, self.next)

    def end(self):
        """What was to be seen on the wire."""
        self.qemu.kill()
        self.qemu.communicate()
        return self.seen
