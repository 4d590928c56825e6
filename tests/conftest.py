# SPDX-License-Identifier: BSD-2-Clause
"""The harness of the system tests: `boot` runs a command in the booted system (tools/guest) and checks that nothing leaked.

    def test_echo(boot):
        assert boot("echo hello").out == "hello\\n"
"""
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parent.parent
BUILD = Path(os.environ.get("B") or TOP / "build").resolve()
sys.path.insert(0, str(TOP / "tools"))
LOADED = 5  # so much longer may everything take on a host that has other things to do


@dataclass
class Result:
    out: str  # what the command wrote
    raw: bytes
    status: int
    err: str  # of tools/guest: the last words, when the system died
    klog: str  # the kernel's log
    serial: str  # all that came over the serial line


def read_counts(path):
    """{"frames_free": (before, after), ...}"""
    rows = [line.split() for line in path.read_text().splitlines()] if path.exists() else []
    return {key: (before, after) for key, before, after in rows}


@pytest.fixture
def boot(tmp_path, request):
    """boot(command, nics=[...], expect=0, ...): see below. The kernel's log of a test that fails is shown."""
    runs = []

    def run(command, *, nics=(), smp=1, mem=256, add=None, forward=(), append="", timeout=60, expect=0, leak_check=True,
            archive=None, icount=False, iommu=False, disks=(), sound="", qemu=""):
        """timeout: seconds on a host that is idle; one that is not has LOADED times that. expect: the exit status, None: any.
        add: {guest path: text, bytes or Path}. leak_check: frames, slots and grants are as many after the command as before; switch it off where the system is meant to die or files are meant to stay."""
        number = len(runs)
        klog, leaks, serial = (tmp_path / f"{what}-{number}" for what in ("klog", "leaks", "serial"))
        if expect not in (124, None):
            timeout *= LOADED
        arguments = [str(TOP / "tools/guest"), "--timeout", str(timeout), "--smp", str(smp), "--mem", str(mem), "--keep-klog", str(klog),
                     "--serial", str(serial)]
        for nic in nics:
            arguments += ["--nic", nic]
        for disk in disks:
            arguments += ["--disk", disk]
        for ports in forward:
            arguments += ["--forward", ports]
        for place, content in (add or {}).items():
            arguments += ["--add", f"{host_file(tmp_path, place, content)}:{place}"]
        if leak_check:
            arguments += ["--leaks", str(leaks)]
        if archive:
            arguments += ["--archive", str(archive)]
        if icount:
            arguments += ["--icount"]
        if iommu:
            arguments += ["--iommu"]
        if sound:
            arguments += ["--sound", sound]
        arguments += [f"--qemu={qemu}", f"--append={append}", "--", command]
        done = subprocess.run(arguments, capture_output=True, timeout=timeout + 60, env=dict(os.environ, B=str(BUILD)))
        result = Result(done.stdout.decode(errors="replace"), done.stdout, done.returncode, done.stderr.decode(errors="replace"),
                        *(path.read_text(errors="replace") if path.exists() else "" for path in (klog, serial)))
        runs.append(result)
        request.node.add_report_section("call", "kernel log", result.klog[-8000:])
        assert expect is None or result.status == expect, f"status {result.status}\n{result.out}\n{result.err}"
        if not any("inject" in place for place in add or {}):
            changed = [line for line in result.klog.splitlines() if "undo: mended" in line or "a bit of it had flipped" in line or "changed by itself" in line]
            assert not changed, "memory was taken for flipped, and nobody has flipped it:\n" + "\n".join(changed)
        if leak_check:
            counts = read_counts(leaks)
            assert counts, "the system has not said how much memory is free"
            # (More that is free than before is no leak: a server has given back room, or its grant was just in use.)
            leaked = {key: values for key, values in counts.items() if (int(values[0]) > int(values[1]) if key == "frames_free" else int(values[0]) < int(values[1]))}
            assert not leaked, f"leaked (before, after): {leaked}"
        return result

    return run


def host_file(folder, place, content):
    if isinstance(content, Path):
        return content
    path = folder / ("add-" + place.replace("/", "_"))
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    if isinstance(content, str) and content.startswith("#!"):
        path.chmod(0o755)
    return path


@pytest.fixture(scope="session")
def program(tmp_path_factory):
    """program(name): tests/programs/NAME.c, compiled for any Linux."""
    folder = tmp_path_factory.mktemp("programs")

    def compile_it(name):
        if not (folder / name).exists():
            subprocess.run(["musl-gcc", "-static", "-O1", "-std=gnu17", "-Wall", "-Wextra", "-Werror", f"{name}.c", "-o", folder / name],
                           cwd=TOP / "tests/programs", check=True)
        return folder / name
    return compile_it
