# SPDX-License-Identifier: BSD-2-Clause
"""Machines that a test starts itself, to talk to while they run. Whatever becomes of the test, its machine is ended; when it fails, the test's output says who
ran in it and who was blocked on whom, as tools/guest does at a time-out."""
import contextlib
import os
import subprocess
import time
from pathlib import Path

import qemu
from conftest import BUILD, TOP


@contextlib.contextmanager
def autopsy(monitor):
    """What is done here with the machine that has its monitor there may fail."""
    try:
        yield
    except BaseException:
        print(qemu.post_mortem(monitor, Path(monitor).parent))
        raise


@contextlib.contextmanager
def machine(command, monitor, **how):
    """The process of QEMU, or of tools/guest, which ends its QEMU when it is asked to end, and cannot when it is killed."""
    process = subprocess.Popen(command, env=dict(os.environ, B=str(BUILD)), **how)
    try:
        with autopsy(monitor):
            yield process
    finally:
        process.terminate()
        process.wait()


class Terminal:
    """Types, and reads what comes."""

    def __init__(self, out, guest):
        self.out, self.guest, self.seen = out, guest, 0

    def type(self, text):
        self.guest.stdin.write(text if isinstance(text, bytes) else text.encode())
        self.guest.stdin.flush()

    def wait(self, text, seconds=120):
        """Until that has come, behind what was waited for last."""
        end = time.monotonic() + seconds
        while (at := self.out.read_bytes().find(text, self.seen)) < 0:
            assert time.monotonic() < end, f"{text} did not come:\n{self.out.read_text(errors='replace')[-2000:]}"
            time.sleep(0.05)
        self.seen = at + len(text)


@contextlib.contextmanager
def terminal(out, *arguments):
    """The serial console of tools/guest; all that comes is in the file `out`."""
    monitor = out.with_name("monitor")
    with out.open("wb") as file, machine([TOP / "tools/guest", "--monitor", monitor, *arguments], monitor, stdin=subprocess.PIPE, stdout=file) as guest:
        yield Terminal(out, guest)
