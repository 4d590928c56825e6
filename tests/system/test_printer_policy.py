# SPDX-License-Identifier: BSD-2-Clause
"""policy/printer.sh: by itself, on the host, and in the system."""
import re
from pathlib import Path

import pytest

import test_generic_policy
from test_generic_policy import policy  # noqa: F401 (a fixture)
from test_disk import PLACES, patient

PLACES["printer"] = "drivers/char/printer/printer.svc"


@pytest.fixture(autouse=True)
def script(monkeypatch):
    monkeypatch.setattr(test_generic_policy, "SCRIPT", Path(__file__).resolve().parents[2] / "policy/printer.sh")


def test_dead_is_restarted_at_once(policy):
    for defect in (1, 2, 3, 6):
        assert policy("printer", defect, 1) == (0, ["restart printer"])
    assert policy.log.read_text().startswith("policy: printer failed (defect 1, failure 1): restart at once\n")


def test_ill_is_reset_after_a_pause(policy):
    for defect in (4, 5, 7, 8):
        assert policy("printer", defect, 1)[1] == ["restart printer --delay 500 --reset"]
    assert policy("printer", 4, 1, "-d", 20)[1] == ["restart printer --delay 20 --reset"]


def test_left_down(policy, tmp_path):
    """Not for kills by a user."""
    assert policy("printer", 2, 5, "-m", tmp_path / "mail")[1] == ["restart printer"]
    assert not (tmp_path / "mail").exists()
    assert policy("printer", 2, 6, "-m", tmp_path / "mail")[1] == ["status printer", "down printer"]
    assert "Subject: the printer needs you" in (tmp_path / "mail").read_text() and "service up printer" in (tmp_path / "mail").read_text()
    assert policy("printer", 3, 60)[1] == policy("printer", 2, 60, "-g", 0)[1] == ["restart printer"]


def test_status(policy):
    assert policy("broken", 1, 1)[0] == 1
    assert policy("x") == (2, []) and policy("x", 1, 1, "-z") == (2, [])


def test_in_the_system(boot, tmp_path):
    """Killed between two halves of a job: the script has it restarted, and starts the spooler, which prints both."""
    paper = tmp_path / "paper"
    add = patient("printer")
    assert "/etc/bardo/policy/printer.sh -m root\n" in add["/etc/bardo/printer.svc"]  # as it is shipped
    add["/etc/bardo/printer.svc"] = add["/etc/bardo/printer.svc"].replace("printer.sh -m root\n", "printer.sh -m root -s\n")
    result = boot("kill $(pidof lpd); rm -f /var/run/lpd; service kill printer; n=0; until [ -S /var/run/lpd ] || [ $n = 200 ]; do n=$((n + 1)); usleep 20000; done; echo first | lpr; echo second | lpr; "
                  "n=0; until lpq | grep -q idle || [ $n = 200 ]; do n=$((n + 1)); usleep 20000; done; service list | grep printer", qemu=f"-parallel file:{paper}", add=add, leak_check=False)
    assert paper.read_text() == "first\n\fsecond\n\f"
    assert re.search("printer +[0-9]+ up .* 1 killed", result.out)
    assert "policy: printer failed (defect 3, failure 1): restart at once" in result.klog
