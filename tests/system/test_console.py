# SPDX-License-Identifier: BSD-2-Clause
"""The console as somebody uses it who types: tools/guest without a command."""
import hashlib
import random
import re
import socket
import subprocess

import pytest

from machine import terminal
from test_ext4 import check, contents, make

LONGEST = 4095  # bytes of a line, as on Linux; its end comes behind them


def typed_while_tty_dies(tmp_path, typed, last, more="", then=""):
    """`typed` is typed while nobody reads, tty dies once it has all of it (it has echoed the `last` bytes; the guest waits for a word at its second port until
    then), and `more` is typed when it is back. Then the shell does `then`. All that was on the screen after the death."""
    out, word = tmp_path / "out", tmp_path / "word"
    with terminal(out, "--qemu", f"-chardev socket,path={word},server=on,wait=off,id=word -serial chardev:word") as console, socket.socket(socket.AF_UNIX) as second:
        console.wait(b"# ")
        console.type(f"service wait uart.1; exec 3</dev/ttyS1; echo wai''ts; read x <&3; echo; echo wor''d; service kill tty; service wait tty; grep -c 'tty killed' /proc/recovery; echo ba''ck; {then}\n")
        console.wait(b"\r\nwaits")
        console.type(typed)
        console.wait(last.encode())
        assert b"\r\nword" not in out.read_bytes(), "tty died before all was typed"
        second.connect(str(word))
        second.sendall(b"now\n")
        console.wait(b"\r\nword")
        console.wait(b"1\r\nback")
        begin = console.seen
        console.type(more)
        console.wait(b"\r\nall")
        console.type("poweroff -f\n")
        console.guest.wait(timeout=60)
    return out.read_bytes()[begin:].decode(errors="replace")


def test_typed_ahead(tmp_path):
    """What was typed and not yet read is there when tty has died meanwhile: every line is carried out, once."""
    count = 20
    said = typed_while_tty_dies(tmp_path, "".join(f"echo line-$(({n} * 7))-\n" for n in range(count)) + "echo al''l\n", "echo al''l")
    assert [int(n) for n in re.findall(r"^line-(\d+)-\r?$", said, re.M)] == [7 * n for n in range(count)]


@pytest.mark.parametrize("before, after", [(LONGEST, 0), (1000, 0), (1, 2000), (LONGEST - 1, 1)])
def test_line_typed_ahead(tmp_path, before, after):
    """The longest line there is, and lines of which the end comes when the next tty is there: whole, with nothing twice."""
    line = "".join(random.choices("abcdefgh", k=before + after))
    said = typed_while_tty_dies(tmp_path, line[:before] + ("" if after else "\n"), line[max(before - 20, 0):before], line[before:] + "\n" if after else "",
                                "head -n 1 | md5sum; echo al''l")
    assert re.findall(r"^([0-9a-f]{32})  -\r?$", said, re.M) == [hashlib.md5(line.encode() + b"\n").hexdigest()], said


STUBBORN = """trap '' TERM; echo 'I stay' >/mnt/stays; sleep 1000 & while :; do wait; done"""


@pytest.mark.parametrize("command, reason", [("poweroff", "guest-shutdown"), ("halt", "guest-shutdown"), ("reboot", "guest-reset"), ("kill -INT 1", "guest-reset")])
def test_goes_down(tmp_path, command, reason):
    """Without -f: what a program has written is on the disk, which is unmounted, though a program does not end when asked to."""
    image, out, events = make(tmp_path / "e.img"), tmp_path / "out", tmp_path / "qmp"
    add = tmp_path / "stubborn"
    add.write_text(STUBBORN)
    with terminal(out, "--disk", image, "--add", f"{add}:/stubborn", "--qemu", f"-qmp unix:{events},server=on,wait=off") as console:
        console.wait(b"# ")
        with socket.socket(socket.AF_UNIX) as monitor:
            monitor.connect(str(events))
            monitor.sendall(b'{"execute": "qmp_capabilities"}\n')
            console.type(f"mkdir -p /mnt; mount -t ext4 /dev/sda /mnt; sh /stubborn & kill -9 1; sleep 1; echo re''ady; {command}\n")
            console.wait(b"\r\nready")
            console.guest.wait(timeout=100)
            monitor.settimeout(10)
            said = b"".join(iter(lambda: monitor.recv(65536), b""))
    assert reason.encode() in said
    assert contents(image, "stays") == b"I stay\n"
    check(image)
    state = subprocess.run(["/sbin/dumpe2fs", "-h", image], capture_output=True, text=True, check=True).stdout
    assert "needs_recovery" not in state


ASKED = b"\x1b[999;999H\x1b[6n"  # (busybox' own editor asks with each prompt where the cursor is)


def test_size_of_the_terminal(tmp_path):
    """Asked at login, and by `resize`; a terminal that does not answer, or not sensibly, leaves it as it was, and the prompt comes after a second."""
    with terminal(tmp_path / "out") as console:
        console.wait(ASKED)
        console.type(b"\x1b[50;132R")
        console.wait(b"# ")
        console.type(b"stty size; stty -a | grep -c ' icanon '\n")
        console.wait(b"\r\n50 132\r\n1\r\n")
        wrong = b"resize: the terminal does not say how large it is\r\n"
        for answer, size, says in ((b"\x1b[33;101R", b"33 101", b""), (b"", b"33 101", wrong), (b"\x1b[1;2;3R", b"33 101", wrong), (b"\x1b[1;xR", b"33 101", wrong),
                                   (b"\x1b[0;80R", b"33 101", wrong)):
            console.type(b"resize; echo status $?; stty size\n")
            console.wait(ASKED)
            if answer:
                console.type(answer)
            console.wait(says + (b"status 1" if says else b"status 0") + b"\r\n" + size + b"\r\n")
        console.type(b"resize </dev/null; exit\n")  # and another login
        console.wait(b"resize: the input is no terminal")
        console.wait(ASKED)
        console.wait(b"# ")
        console.type(b"stty size; poweroff -f\n")
        console.wait(b"33 101\r\n")
        console.guest.wait(timeout=60)


def test_greeting(tmp_path):
    """Three lines, once, for people alone; what was typed before the prompt is carried out; and Ctrl-A is the shell's: to the beginning of the line."""
    with terminal(tmp_path / "out") as console:
        console.wait(b"Bardo: ")
        console.wait(b"poweroff")
        console.wait(b"# ")
        console.type(b"cho be''gun\x01e\n")
        console.wait(b"\r\nbegun\r\n")
        console.type(b"sh -l -c 'echo no''thing'; exit\necho ty''ped ahead\n")
        console.wait(b"\r\nnothing\r\n")
        console.wait(b"\r\ntyped ahead\r\n")
        console.type(b"poweroff -f\n")
        console.guest.wait(timeout=60)
    text = (tmp_path / "out").read_text(errors="replace")
    assert text.count("Bardo: it keeps running") == 2 and text.count("'service list'") == 2 and text.count("Ctrl-] X") == 2


def test_typed_in_place_of_an_answer(tmp_path):
    """Who types while the terminal is asked for its size loses nothing, and no second line either."""
    with terminal(tmp_path / "out") as console:
        console.wait(ASKED)
        console.type(b"rows=7; echo fi''rst\necho seco''nd $rows\n")
        console.wait(b"first\r\n")
        console.wait(b"\r\nsecond 7\r\n")
        console.type(b"stty size; stty -a | grep -c ' icanon '; poweroff -f\n")
        console.wait(b"\r\n24 80\r\n1\r\n")
        console.guest.wait(timeout=60)


def test_escape_ends_the_machine(tmp_path):
    with terminal(tmp_path / "out") as console:
        console.wait(b"# ")
        console.type(b"\x1dx")
        assert console.guest.wait(timeout=60) == 0


def test_stopped_and_interrupted(tmp_path):
    """What ^S has stopped ^C starts again: the prompt is there, and what was written meanwhile."""
    with terminal(tmp_path / "out") as console:
        console.wait(b"# ")
        console.type(b"echo rea''dy; read x; echo ne''ver\n")
        console.wait(b"ready\r\n")  # the shell has set the terminal back: ^C is a signal now
        console.type(b"\x13\x03")
        console.wait(b"# ")
        console.type(b"echo go''es on; poweroff -f\n")
        console.wait(b"goes on\r\n")
        console.guest.wait(timeout=60)
