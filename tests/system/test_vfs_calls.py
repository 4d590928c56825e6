# SPDX-License-Identifier: BSD-2-Clause
"""System calls of VFS: tests/programs/calls_*.c, first on Linux, which is the measure, then in the system."""
import re
import subprocess

import pytest

from conftest import BUILD, TOP

PROGRAMS = sorted(path.stem for path in (TOP / "tests/programs").glob("calls_*.c"))


@pytest.fixture(scope="session")
def program():
    """program(name): tests/programs/NAME.c, compiled for any Linux."""
    def compile_it(name):
        folder = BUILD / "test-programs"
        folder.mkdir(parents=True, exist_ok=True)
        subprocess.run(["musl-gcc", "-static", "-O1", "-std=gnu17", "-Wall", "-Wextra", "-Werror", f"{name}.c", "-o", folder / name],
                       cwd=TOP / "tests/programs", check=True)
        return folder / name
    return compile_it


def cases_of(name):
    return re.findall(r'\{"([^"]+)", \w+\}', (TOP / "tests/programs" / f"{name}.c").read_text())


def all_ok(name):
    return "".join(f"ok {case}\n" for case in cases_of(name))


@pytest.mark.parametrize("name", PROGRAMS)
def test_on_linux(program, name):
    done = subprocess.run([program(name)], capture_output=True, timeout=120)
    assert done.stdout.decode() == all_ok(name)


@pytest.mark.parametrize("name", PROGRAMS)
def test_in_the_system(program, boot, name):
    """The second run is the one that must not leak: the first one makes VFS's heap as big as it needs to be."""
    result = boot(f"chmod 755 /{name}; /{name}; ls /tmp", add={f"/{name}": program(name)}, timeout=120, leak_check=False, expect=None)
    assert result.out == all_ok(name)
