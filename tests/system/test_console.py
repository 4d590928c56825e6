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
