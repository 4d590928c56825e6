# SPDX-License-Identifier: BSD-2-Clause
"""The person at the machine, through QEMU's monitor (QMP): types on its keyboard, reads its VGA's memory."""
import json
import re
import socket
import subprocess
import time
from pathlib import Path

import qemu

COLUMNS, ROWS = 80, 25
TEXT = 0xb8000
STATUS, STATUS_OUTPUT = 0x64, 1  # of the i8042: a byte is there that the guest has not read
ABOVE_CURSOR = 13  # lines of a character, of 16
NAMES = {" ": "spc", "\n": "ret", "\t": "tab", "\033": "esc", "-": "minus", "=": "equal", "[": "bracket_left", "]": "bracket_right", ";": "semicolon",
         "'": "apostrophe", "`": "grave_accent", "\\": "backslash", ",": "comma", ".": "dot", "/": "slash", "\b": "backspace"}
SHIFTED = dict(zip('~!@#$%^&*()_+{}|:"<>?', "`1234567890-=[]\\;',./"))


class Person:
    def __init__(self, path):
        """path: of QMP's socket, which may not be there yet."""
        end = time.monotonic() + 60
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(60)
        while self.socket.connect_ex(str(path)) and time.monotonic() < end:
            time.sleep(0.02)
        self.file = self.socket.makefile("rw")
        self.dump = Path(path).with_name("cells")
        json.loads(self.file.readline())
        self.say("qmp_capabilities")

    def say(self, command, **arguments):
        self.file.write(json.dumps({"execute": command, "arguments": arguments}) + "\n")
        self.file.flush()
        while True:
            answer = json.loads(self.file.readline())
            if "event" not in answer:
                assert "return" in answer, answer
                return answer["return"]

    def press(self, *names, held=False):
        """Keys by QEMU's names, together: press("alt", "f2"). held: though nobody may take them (16 bytes at most, two a key)."""
        for down, keys in ((True, names), (False, reversed(names))):
            self.say("input-send-event", events=[{"type": "key", "data": {"down": down, "key": {"type": "qcode", "data": name}}} for name in keys])
        if not held:
            self.wait_taken()

    def wait_taken(self):
        """Until the guest has taken all that was typed: a PS/2 keyboard keeps 16 bytes, what is more is lost, however slow the host is."""
        end = time.monotonic() + 60
        while int(self.say("human-monitor-command", **{"command-line": f"i/b {STATUS}"}).split("=")[1], 0) & STATUS_OUTPUT:
            assert time.monotonic() < end, "nobody takes what is typed"
            time.sleep(0.001)

    def type(self, text):
        for c in text:
            shift = c in SHIFTED or c.isupper()
            key = SHIFTED.get(c, c.lower())
            self.press(*(["shift"] if shift else []), NAMES.get(key, key))

    def cells(self):
        self.say("pmemsave", val=TEXT, size=2 * COLUMNS * ROWS, filename=str(self.dump))
        return self.dump.read_bytes()

    def lines(self):
        """The text on the screen, without what is blank at the ends."""
        cells = self.cells()
        text = cells[::2].decode("cp437")
        return [text[at:at + COLUMNS].rstrip() for at in range(0, COLUMNS * ROWS, COLUMNS)]

    def attributes(self, row):
        return self.cells()[2 * COLUMNS * row + 1:2 * COLUMNS * (row + 1):2]

    def wait(self, condition, what, seconds=60):
        """Until condition(lines) holds; the lines then."""
        end = time.monotonic() + seconds
        while True:
            lines = self.lines()
            if condition(lines):
                return lines
            assert time.monotonic() < end, what + " did not come; the screen:\n" + "\n".join(lines)
            time.sleep(0.05)

    def wait_line(self, line, seconds=60):
        return self.wait(lambda lines: line in lines, repr(line), seconds)

    def close(self):
        self.socket.close()


class Viewer(Person):
    """The same, where the screen is a picture of points: read by the font that is painted with (build/gen/font.h)."""

    def __init__(self, path, font):
        super().__init__(path)
        glyphs = re.findall(r"\{((?:0x\w\w, ){15}0x\w\w)\}", Path(font).read_text())
        shapes = [tuple(int(line, 16) for line in glyph.split(", ")) for glyph in glyphs]
        assert len(shapes) == 256, font
        self.character = {shape[:ABOVE_CURSOR]: bytes([n]).decode("cp437") for n, shape in reversed(list(enumerate(shapes)))}
        self.character[(0,) * ABOVE_CURSOR] = " "
        self.picture = Path(path).with_name("picture")

    def points(self):
        """(width, height, lines): a line has a byte for each point, 0: black."""
        self.say("screendump", filename=str(self.picture))
        kind, size, _, rest = self.picture.read_bytes().split(b"\n", 3)
        assert kind == b"P6"
        width, height = map(int, size.split())
        return width, height, [bytes(max(at) for at in zip(line[::3], line[1::3], line[2::3])) for line in
                               (rest[3 * width * y:3 * width * (y + 1)] for y in range(height))]

    def lines(self):
        width, height, points = self.points()
        scale = min(width // (8 * COLUMNS), height // (16 * ROWS))
        if scale == 0:
            return [f"({width} by {height} points)"]
        left, top = (width - 8 * COLUMNS * scale) // 2, (height - 16 * ROWS * scale) // 2

        def character(column, row):
            shape = []
            for y in range(ABOVE_CURSOR):
                line = points[top + (16 * row + y) * scale]
                shape.append(sum(0x80 >> x for x in range(8) if line[left + (8 * column + x) * scale]))
            return self.character.get(tuple(shape), "\ufffd")
        return ["".join(character(column, row) for column in range(COLUMNS)).rstrip() for row in range(ROWS)]


def rows_of_a_dead_machine(tmp_path, initrd, mark, **how):
    """A machine that says why it does not go on (a line with `mark`): the rows of its screen that have it, as soon as one of them is on its serial line, too. (Without isa-debug-exit the machine stands still then.)"""
    serial, monitor = tmp_path / "serial", tmp_path / "qmp"
    command = qemu.command(initrd, tmp_path / "klog", serial=f"file:{serial}", screen="none", extra=["-qmp", f"unix:{monitor},server=on,wait=off"], **how)
    at = command.index("isa-debug-exit")
    machine = subprocess.Popen(command[:at - 1] + command[at + 1:])
    try:
        person, end, rows = Person(monitor), time.monotonic() + 60, []
        while not any(row[row.index(mark):] in serial.read_text(errors="replace") for row in rows):
            assert time.monotonic() < end and machine.poll() is None, f"screen: {rows}\nserial line: {serial.exists() and serial.read_text(errors='replace')}"
            time.sleep(0.05)
            rows = [row for row in person.lines() if mark in row]
        return rows
    finally:
        machine.kill()
        machine.wait()
