# SPDX-License-Identifier: BSD-2-Clause
"""The person at the machine, through QEMU's monitor (QMP): types on its keyboard, reads its VGA's memory."""
import json
import socket
import time
from pathlib import Path

COLUMNS, ROWS = 80, 25
TEXT = 0xb8000
STATUS, STATUS_OUTPUT = 0x64, 1  # of the i8042: a byte is there that the guest has not read
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

    def press(self, *names):
        """Keys by QEMU's names, together: press("alt", "f2")."""
        for down, keys in ((True, names), (False, reversed(names))):
            self.say("input-send-event", events=[{"type": "key", "data": {"down": down, "key": {"type": "qcode", "data": name}}} for name in keys])
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
