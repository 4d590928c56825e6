# SPDX-License-Identifier: BSD-2-Clause
"""policy/generic.sh by itself, on the host: run by busybox's shell, with a `service` that only writes down what it was told."""
import os
import shutil
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "policy/generic.sh"
SHELL = shutil.which("busybox")


@pytest.fixture
def policy(tmp_path):
    """policy("e1000", 2, 3, "-b", "50") -> (status, lines that `service` was called with)"""
    calls = tmp_path / "calls"
    stub = tmp_path / "service"
    stub.write_text(f'#!/bin/sh\necho "$@" >>{calls}\n[ "$2" != broken ]\n')
    stub.chmod(0o755)

    def run(*arguments):
        calls.write_text("")
        environment = dict(os.environ, PATH=f"{tmp_path}:{os.environ['PATH']}", POLICY_LOG=str(tmp_path / "log"))
        shell = [SHELL, "sh"] if SHELL else ["sh"]
        done = subprocess.run([*shell, str(SCRIPT), *map(str, arguments)], env=environment, capture_output=True, timeout=10)
        return done.returncode, calls.read_text().splitlines()

    run.log = tmp_path / "log"
    return run


def test_first_failure_restarts_at_once(policy):
    assert policy("e1000", 3, 1) == (0, ["restart e1000"])
    assert policy.log.read_text() == "policy: e1000 was killed (failure 1): restart at once\n"


def test_binary_exponential_backoff(policy):
    delays = [policy("x", 1, n, "-f", 2, "-b", 100, "-x", 700)[1][0] for n in range(1, 8)]
    assert delays == ["restart x", "restart x"] + [f"restart x --delay {d}" for d in (100, 200, 400, 700, 700)]


def test_many_failures_do_not_overflow(policy):
    assert policy("x", 1, 4000000000)[1] == ["restart x --delay 30000"]


def test_limit_leaves_it_down(policy):
    assert policy("x", 4, 3, "-g", 3)[1] == ["restart x --delay 200"]
    assert policy("x", 4, 4, "-g", 3)[1] == ["status x", "down x"]  # how many were its own?
    assert policy("x", 3, 4, "-g", 3)[1] == ["restart x --delay 400"], "a user's kills count"


def test_dependents(policy):
    assert policy("x", 2, 1, "-d", "a,b")[1] == ["restart x", "restart a --delay 0", "restart b --delay 0"]


def test_mail(policy, tmp_path):
    spool = tmp_path / "spool"
    for n in (1, 2):
        policy("x", 2, n, "-m", spool)
    mail = spool.read_text()
    assert mail.count("From bardo ") == 2 and "Subject: x raised an exception" in mail
    assert "x raised an exception (failure 2): restart in 100 ms" in mail


def test_status_tells_when_service_fails(policy):
    assert policy("broken", 1, 1)[0] == 1


def test_usage(policy):
    assert policy("x") == (2, []) and policy("x", 1, 1, "-z") == (2, [])
