# SPDX-License-Identifier: BSD-2-Clause
"""Damaged file systems in the booted system: a short run of the campaign (`make damage`)."""
import os
import re
import subprocess

from conftest import BUILD, TOP


def test_damaged_images():
    done = subprocess.run([TOP / "tools/damage", "--images", "60", "--seed", "7"], env={**os.environ, "B": str(BUILD)}, capture_output=True, text=True)
    result = dict(re.findall(r"(\w+)=(\S+)", done.stdout))
    assert done.returncode == 0, done.stdout + done.stderr
    assert result["images"] == "60" and int(result["mounted"]) > 30 and int(result["refused"]) > 2 and result["sound_after"] == "yes"


def test_command_line():
    done = subprocess.run([TOP / "tools/damage", "--images", "0"], capture_output=True, text=True)
    assert done.returncode == 2 and "nothing to do" in done.stderr
