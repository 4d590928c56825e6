# SPDX-License-Identifier: BSD-2-Clause
"""Services that attack everybody at once (tools/hostile), for a short time: `make hostile` does it for as long as one likes."""
import os
import random
import re
import subprocess

from conftest import BUILD, TOP


def test_hostile():
    """Senseless calls, floods, rings that lie, names and complaints: programs get on, and nobody dies. The seed is in the output."""
    seed = random.randrange(1 << 31)
    done = subprocess.run([TOP / "tools/hostile", "--seconds", "12", "--seed", str(seed)], capture_output=True, text=True, timeout=400,
                          env=dict(os.environ, B=str(BUILD)))
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr


def test_terminal_of_another_name():
    """The queue of a char driver that is no uart is watched as any: tty complains of it as soon as it breaks the rules, before its notifications starve programs."""
    done = subprocess.run([TOP / "tools/hostile", "--seconds", "4", "--seed", "1", "--only", "worseserial"], capture_output=True, text=True, timeout=200,
                          env=dict(os.environ, B=str(BUILD)))
    assert done.returncode == 0 and re.search(r"^worseserial .* complaint ", done.stdout, re.M), done.stdout[-3000:] + done.stderr
