# SPDX-License-Identifier: BSD-2-Clause
"""What documents say that can be looked up."""
import re
import subprocess

from conftest import TOP


def test_lines_of_the_kernel():
    """README.md and decision 0010 have the figures of `make loc`."""
    text = subprocess.run(["make", "-s", "loc"], cwd=TOP, capture_output=True, text=True, check=True, timeout=120).stdout
    boot, kernel = (int(re.search(rf"^{what}: (\d+) lines", text, re.M)[1]) for what in ("boot", "kernel"))
    readme = re.search(r"^\| lines of the kernel; privileged ones before it, .*\| (\d+); (\d+) \| `make loc` \|$", (TOP / "README.md").read_text(), re.M)
    decision = re.search(r"\((\d+) \+ (\d+) by `make loc`: (\d+) more than the limit\)", (TOP / "docs/decisions/0010-boot-apart.md").read_text())
    assert readme and [int(n) for n in readme.groups()] == [kernel, boot], text
    assert decision and [int(n) for n in decision.groups()] == [kernel, boot, kernel + boot - 4000], text
