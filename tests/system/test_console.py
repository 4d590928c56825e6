# SPDX-License-Identifier: BSD-2-Clause
"""The console as somebody uses it who types: tools/guest without a command."""
import os
import re
import socket
import subprocess
import time

import pytest

from conftest import BUILD, TOP
from test_ext4 import check, contents, make

LINES = 20


def wait_for(out, text, seconds=120):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if text in out.read_bytes():
            return
        time.sleep(0.05)
    raise AssertionError(f"{text} did not come:\n{out.read_text(errors='replace')[-2000:]}")


def test_typed_ahead(tmp_path):
    """What was typed and not yet read is there when tty has died meanwhile: every line is carried out, once."""
    out = tmp_path / "out"
    with out.open("wb") as file:
        guest = subprocess.Popen([TOP / "tools/guest"], stdin=subprocess.PIPE, stdout=file, env=dict(os.environ, B=str(BUILD)))
        try:
            wait_for(out, b"# ")
            guest.stdin.write(b"sleep 3; service kill tty; sleep 1\n")
            guest.stdin.flush()
            time.sleep(1)
            for n in range(LINES):
                guest.stdin.write(f"echo line-$(({n} * 7))-\n".encode())
            guest.stdin.write(b"echo al''l; poweroff -f\n")
            guest.stdin.flush()
            wait_for(out, b"\r\nall")
            guest.wait(timeout=60)
        finally:
            guest.kill()
            guest.wait()
    done = [int(n) for n in re.findall(r"^line-(\d+)-\r?$", out.read_text(errors="replace"), re.M)]
    assert done == [7 * n for n in range(LINES)]


STUBBORN = """trap '' TERM; echo 'I stay' >/mnt/stays; sleep 1000 & while :; do wait; done"""


@pytest.mark.parametrize("command, reason", [("poweroff", "guest-shutdown"), ("halt", "guest-shutdown"), ("reboot", "guest-reset"), ("kill -INT 1", "guest-reset")])
def test_goes_down(tmp_path, command, reason):
    """Without -f: what a program has written is on the disk, which is unmounted, though a program does not end when asked to."""
    image, out, events = make(tmp_path / "e.img"), tmp_path / "out", tmp_path / "qmp"
    add = tmp_path / "stubborn"
    add.write_text(STUBBORN)
    arguments = [TOP / "tools/guest", "--disk", image, "--add", f"{add}:/stubborn", "--qemu", f"-qmp unix:{events},server=on,wait=off"]
    with out.open("wb") as file:
        guest = subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=file, env=dict(os.environ, B=str(BUILD)))
        try:
            wait_for(out, b"# ")
            with socket.socket(socket.AF_UNIX) as monitor:
                monitor.connect(str(events))
                monitor.sendall(b'{"execute": "qmp_capabilities"}\n')
                guest.stdin.write(f"mkdir -p /mnt; mount -t ext4 /dev/sda /mnt; sh /stubborn & kill -9 1; sleep 1; echo re''ady; {command}\n".encode())
                guest.stdin.flush()
                wait_for(out, b"\r\nready")
                guest.wait(timeout=100)
                monitor.settimeout(10)
                said = b"".join(iter(lambda: monitor.recv(65536), b""))
        finally:
            guest.kill()
            guest.wait()
    assert reason.encode() in said
    assert contents(image, "stays") == b"I stay\n"
    check(image)
    state = subprocess.run(["/sbin/dumpe2fs", "-h", image], capture_output=True, text=True, check=True).stdout
    assert "needs_recovery" not in state


class Terminal:
    """At the serial console: types, and reads what comes."""

    def __init__(self, out, *arguments):
        self.out, self.seen = out, 0
        with out.open("wb") as file:
            self.guest = subprocess.Popen([TOP / "tools/guest", *arguments], stdin=subprocess.PIPE, stdout=file, env=dict(os.environ, B=str(BUILD)))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.guest.terminate()  # (killed outright it would leave QEMU behind)
        self.guest.wait()

    def type(self, text):
        self.guest.stdin.write(text)
        self.guest.stdin.flush()

    def wait(self, text):
        """Until that has come, behind what was waited for last."""
        end = time.monotonic() + 120
        while (at := self.out.read_bytes().find(text, self.seen)) < 0:
            assert time.monotonic() < end, f"{text} did not come:\n{self.out.read_text(errors='replace')[-2000:]}"
            time.sleep(0.05)
        self.seen = at + len(text)


ASKED = b"\x1b[999;999H\x1b[6n"  # (busybox' own editor asks with each prompt where the cursor is)


def test_size_of_the_terminal(tmp_path):
    """Asked at login, and by `resize`; a terminal that does not answer, or not sensibly, leaves it as it was, and the prompt comes after a second."""
    with Terminal(tmp_path / "out") as terminal:
        terminal.wait(ASKED)
        terminal.type(b"\x1b[50;132R")
        terminal.wait(b"# ")
        terminal.type(b"stty size; stty -a | grep -c ' icanon '\n")
        terminal.wait(b"\r\n50 132\r\n1\r\n")
        wrong = b"resize: the terminal does not say how large it is\r\n"
        for answer, size, says in ((b"\x1b[33;101R", b"33 101", b""), (b"", b"33 101", wrong), (b"\x1b[1;2;3R", b"33 101", wrong), (b"\x1b[1;xR", b"33 101", wrong),
                                   (b"\x1b[0;80R", b"33 101", wrong)):
            terminal.type(b"resize; echo status $?; stty size\n")
            terminal.wait(ASKED)
            if answer:
                terminal.type(answer)
            terminal.wait(says + (b"status 1" if says else b"status 0") + b"\r\n" + size + b"\r\n")
        terminal.type(b"resize </dev/null; exit\n")  # and another login
        terminal.wait(b"resize: the input is no terminal")
        terminal.wait(ASKED)
        terminal.wait(b"# ")
        terminal.type(b"stty size; poweroff -f\n")
        terminal.wait(b"33 101\r\n")
        terminal.guest.wait(timeout=60)


def test_greeting(tmp_path):
    """Three lines, once, for people alone; what was typed before the prompt is carried out; and Ctrl-A is the shell's: to the beginning of the line."""
    with Terminal(tmp_path / "out") as terminal:
        terminal.wait(b"Bardo: ")
        terminal.wait(b"poweroff")
        terminal.wait(b"# ")
        terminal.type(b"cho be''gun\x01e\n")
        terminal.wait(b"\r\nbegun\r\n")
        terminal.type(b"sh -l -c 'echo no''thing'; exit\necho ty''ped ahead\n")
        terminal.wait(b"\r\nnothing\r\n")
        terminal.wait(b"\r\ntyped ahead\r\n")
        terminal.type(b"poweroff -f\n")
        terminal.guest.wait(timeout=60)
    text = (tmp_path / "out").read_text(errors="replace")
    assert text.count("Bardo: it keeps running") == 2 and text.count("'service list'") == 2 and text.count("Ctrl-] X") == 2


def test_typed_in_place_of_an_answer(tmp_path):
    """Who types while the terminal is asked for its size loses nothing, and no second line either."""
    with Terminal(tmp_path / "out") as terminal:
        terminal.wait(ASKED)
        terminal.type(b"rows=7; echo fi''rst\necho seco''nd $rows\n")
        terminal.wait(b"first\r\n")
        terminal.wait(b"\r\nsecond 7\r\n")
        terminal.type(b"stty size; stty -a | grep -c ' icanon '; poweroff -f\n")
        terminal.wait(b"\r\n24 80\r\n1\r\n")
        terminal.guest.wait(timeout=60)


def test_escape_ends_the_machine(tmp_path):
    with Terminal(tmp_path / "out") as terminal:
        terminal.wait(b"# ")
        terminal.type(b"\x1dx")
        assert terminal.guest.wait(timeout=60) == 0
