# SPDX-License-Identifier: BSD-2-Clause
"""The runner itself, and what the system says when it can't go on: never a silent hang."""
import re

import pytest

from conftest import BUILD


def damaged(tmp_path, change):
    data = bytearray((BUILD / "boot.cpio").read_bytes())
    change(data)
    path = tmp_path / "damaged.cpio"
    path.write_bytes(data)
    return path


def test_time_out(boot):
    result = boot("echo begun; sleep 1000", timeout=8, expect=124, leak_check=False)
    assert result.out == "begun\n" and "time-out" in result.err


def test_command_line_reaches_the_kernel(boot):
    assert "hello=1" in boot("cat /proc/cmdline", append="hello=1").out


def test_archive_without_header(boot, tmp_path):
    def change(data):
        data[0:6] = b"garbag"

    result = boot("true", archive=damaged(tmp_path, change), expect=125, leak_check=False, timeout=30)
    assert "corrupt boot archive" in result.err


def test_archive_that_is_cut_off(boot, tmp_path):
    def change(data):
        del data[len(data) // 2:]

    result = boot("true", archive=damaged(tmp_path, change), expect=None, leak_check=False, timeout=30)
    assert result.status in (124, 125) and "archive" in result.err


def test_root_task_that_is_no_program(boot):
    result = boot("true", archive=None, add={"/lib/bardo/rs": b"no ELF file"}, expect=None, leak_check=False, timeout=30)
    assert result.status == 0 or "lib/bardo/rs" in result.err


def test_service_that_is_no_program(boot):
    result = boot("echo the rest runs; cat /proc/bardo/services", add={"/lib/bardo/e1000": b"no ELF file"}, nics=["e1000"])
    assert "the rest runs" in result.out and "e1000" in result.klog


def test_malformed_manifest(boot):
    result = boot("echo the rest runs; cat /proc/bardo/services", add={"/etc/bardo/e1000.svc": "class char\nnonsense 1\n"}, nics=["e1000"])
    assert "the rest runs" in result.out and "e1000.svc:2" in result.klog


@pytest.mark.parametrize("megabytes", [3, 4, 5, 6, 8, 10, 12, 14, 16, 18, 20, 24])
def test_too_little_memory(boot, megabytes):
    """It runs, or says at once why not: the emulator's starter, the kernel, RS or, when the shell runs and /tmp is full, the script."""
    result = boot("true", mem=megabytes, expect=None, leak_check=False, timeout=30)
    assert result.status == 0 or re.search("too little memory|out of memory", result.out + result.err)
    assert result.status in ((0,) if megabytes >= 20 else (0, 1, 125))


def test_several_processors(boot):
    assert boot("echo here", smp=2).out == "here\n"
