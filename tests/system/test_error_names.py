# SPDX-License-Identifier: BSD-2-Clause
"""Errors have words in logs, never numbers: lib/rt/error.c knows each name that occurs in the system's sources."""
import ctypes
import errno
import re
import subprocess

import pytest

from conftest import TOP

OURS = dict(re.findall(r"#define (E[A-Z]+) (6\d\d) ", (TOP / "abi/message.h").read_text()))  # name -> number
NUMBERS = {name: number for name, number in vars(errno).items() if name.startswith("E")} | {name: int(number) for name, number in OURS.items()}


@pytest.fixture(scope="module")
def error_name(tmp_path_factory):
    library = tmp_path_factory.mktemp("error") / "error.so"
    subprocess.run(["gcc", "-shared", "-fPIC", "-I", TOP, "-o", library, TOP / "lib/rt/error.c"], check=True)
    function = ctypes.CDLL(str(library)).error_name
    function.restype, function.argtypes = ctypes.c_char_p, [ctypes.c_long]
    return lambda number: function(number).decode()


def test_each_error_that_occurs_has_its_name(error_name):
    seen = {}  # name -> the first file that it is in
    for folder in ("abi", "lib", "servers", "drivers", "kernel", "programs"):
        for file in sorted((TOP / folder).rglob("*.[chS]")):
            if file != TOP / "lib/rt/error.c":
                for word in re.findall(r"\bE[A-Z0-9]+\b", file.read_text()):
                    seen.setdefault(word, file.relative_to(TOP))
    names = {name: file for name, file in seen.items() if name in NUMBERS}
    assert len(names) > 60 and {"EOPNOTSUPP", "ENODEV", "EDEADSRCDST"} <= set(names), f"these cannot be all: {sorted(names)}"
    # (A number may have two names, as EAGAIN and EWOULDBLOCK.)
    without = {f"{name}, in {file}: {error_name(-NUMBERS[name])}" for name, file in names.items() if NUMBERS.get(error_name(-NUMBERS[name])) != NUMBERS[name]}
    assert not without, f"lib/rt/error.c lacks {sorted(without)}"


def test_no_error_of_this_system(error_name):
    assert error_name(-errno.ENODEV) == error_name(errno.ENODEV) == "ENODEV", "the sign does not matter"
    assert error_name(-4000) == "error 4000"
