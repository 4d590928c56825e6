# SPDX-License-Identifier: BSD-2-Clause
"""System calls, most of them of VFS: tests/programs/calls_*.c, first on Linux, which is the measure, then in the system."""
import re
import subprocess

import pytest

from conftest import TOP

PROGRAMS = sorted(path.stem for path in (TOP / "tests/programs").glob("calls_*.c"))


def cases_of(name):
    return re.findall(r'\{"([^"]+)", \w+\}', (TOP / "tests/programs" / f"{name}.c").read_text())


def all_ok(name):
    return "".join(f"ok {case}\n" for case in cases_of(name))


@pytest.mark.parametrize("name", PROGRAMS)
def test_on_linux(program, name):
    done = subprocess.run([program(name)], capture_output=True, timeout=120)
    assert done.stdout.decode() == all_ok(name)


def test_in_the_system(program, boot):
    """All of them, in one system, each with what those before it have left of the servers; files they leave none."""
    result = boot("".join(f"echo == {name}; chmod 755 /{name}; /{name} 2>&1; ls /tmp\n" for name in PROGRAMS), add={f"/{name}": program(name) for name in PROGRAMS},
                  qemu="-serial null", timeout=300, leak_check=False, expect=None) # calls_terminal has that port
    said = dict(part.split("\n", 1) for part in result.out.split("== ")[1:])
    assert {name: said.get(name) for name in PROGRAMS if said.get(name) != all_ok(name)} == {}
    assert list(said) == PROGRAMS


@pytest.mark.parametrize("victim", ["vfs", "pm"])
def test_limit_while_it_dies(program, boot, victim):
    """The end of the file is looked up, the write cut, the call ended and the signal sent, and after a death all of it once."""
    out = boot(f"chmod 755 /calls_fsize; service fuse {victim} 40; /calls_fsize; service fuse {victim} 0; service status {victim} | grep ^restarts",
               add={"/calls_fsize": program("calls_fsize")}, timeout=120, leak_check=False).out
    said, _, restarts = out.rpartition("restarts ")
    assert said == all_ok("calls_fsize") and int(restarts) > 50
