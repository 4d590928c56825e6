# SPDX-License-Identifier: BSD-2-Clause
"""tools/torture for a short time: everybody dies under work of every kind. `make torture` does it for an hour."""
import json
import os
import random
import subprocess

from conftest import BUILD, TOP


def test_torture():
    """One round at least, by storm (a fuse on all takes minutes; test_rolled_back has those); the seed is in the output. What it says is written down, and a second
    run finds it."""
    seed = str(random.randrange(1 << 31))
    kept = BUILD / "report" / f"torture-{seed}.jsonl"
    for seconds in ("20", "0"):
        done = subprocess.run([TOP / "tools/torture", "--kind", "storm", "--seconds", seconds, "--seed", seed], capture_output=True, text=True, timeout=1200, env=dict(os.environ, B=str(BUILD)))
        print(done.stdout)
        assert done.returncode == 0, done.stdout + done.stderr
    rounds = [json.loads(line) for line in kept.read_text().splitlines()]
    assert f"{len(rounds)} rounds are there already" in done.stdout and f"{len(rounds)} rounds: {len(rounds)} right" in done.stdout
    assert sum(rounds[0]["died"].values()) > 1000, rounds[0]["died"]
    kept.unlink()
