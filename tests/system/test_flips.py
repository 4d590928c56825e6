# SPDX-License-Identifier: BSD-2-Clause
"""Bits of the servers' memory flip (tests/inject/flip.h, tools/flips): one does, and is put back; the campaign says what became of each."""
import json
import re
import subprocess

from conftest import BUILD, TOP

INJECTOR = {"/etc/bardo/inject.svc": TOP / "tests/inject/inject.manifest", "/lib/bardo/inject": BUILD / "services/inject"}


def flips(tmp_path, *arguments):
    """Rows of a campaign, and what it printed."""
    path = tmp_path / "rows"
    done = subprocess.run([TOP / "tools/flips", "--output", path, *arguments], capture_output=True, text=True, timeout=300, check=False)
    assert "RESULT job=flips" in done.stdout, done.stdout + done.stderr
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else [], done.stdout


def test_a_bit_flips_and_is_put_back(boot):
    out = boot("mknod /tmp/flip c 240 2; echo 'flip ds 5 1000' >/tmp/flip; sleep 0.1; head -n 1 /tmp/flip; echo unflip >/tmp/flip; head -n 1 /tmp/flip; "
               "for bad in 'flip nobody 1 1' 'flip ds' 'unflap'; do echo \"$bad\" >/tmp/flip || echo refused; done", add=INJECTOR, leak_check=False)
    first, second = re.findall(r"^flipped \d+ 0 (0x\w+ \d+ 0 \d)", out.out, re.M)
    assert first[:-1] == second[:-1] and second.endswith(" 1")
    assert out.out.count("refused\n") == 3


def test_campaign_of_flips(tmp_path):
    """It goes on where it was left; the same number is the same bit again; nobody has to die for that."""
    rows, _ = flips(tmp_path, "--victim", "ds", "--count", "3", "--seed", "9")
    assert [row["n"] for row in rows] == [0, 1, 2]
    rows, out = flips(tmp_path, "--victim", "ds", "--count", "4", "--seed", "9")
    assert [row["n"] for row in rows] == [0, 1, 2, 3] and "victim=ds seed=9 flips=4 " in out
    again, out = flips(tmp_path, "--victim", "ds", "--replay", "9:3")
    assert f'"at": "{rows[3]["at"]}"' in out and "wrong=0 stall=0 hang=0 crash=0" in out
