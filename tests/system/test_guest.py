# SPDX-License-Identifier: BSD-2-Clause
"""The runner itself, and what the system says when it can't go on: never a silent hang."""
import os
import re
import subprocess
import time

import pytest

import qemu
from conftest import BUILD, LOADED, TOP
from machine import Terminal, machine


def damaged(tmp_path, change):
    data = bytearray((BUILD / "boot.cpio").read_bytes())
    change(data)
    path = tmp_path / "damaged.cpio"
    path.write_bytes(data)
    return path


def test_time_out(boot):
    """It says who was blocked on whom, and what happened last."""
    result = boot("echo begun; sleep 1000", timeout=15, expect=124, leak_check=False)
    assert result.out == "begun\n" and "time-out" in result.err
    assert re.search(r"init +is blocked on pm, which has received it \(system call 128\)", result.err), result.err
    assert re.search(r"\d\.\d{6} \w+ calls pm", result.err), result.err


def test_command_line_reaches_the_kernel(boot):
    assert "hello=1" in boot("cat /proc/cmdline", append="hello=1").out


def test_no_leak_is_seen_at_once(boot):
    """The counts are equal after one run, and stay so: the servers' logs have given back their room before."""
    result = boot("echo ran >/dev/console; sleep 1.5", icount=True)
    assert result.serial.splitlines().count("ran") == 1


def test_leak(boot):
    """What is more after each run is one."""
    with pytest.raises(AssertionError, match="leaked.*frames_free"):
        boot("head -c 2000000 /dev/zero >>/tmp/kept", icount=True)


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
    """The root task comes with the kernel: what the archive has in its place does not matter."""
    assert boot("echo runs", add={"/lib/bardo/rs": b"no ELF file"}, leak_check=False).out == "runs\n"


def test_status_of_a_panic(boot):
    """Of the machine, as docs/debugging.md has it, whoever could not go on."""
    result = boot("sleep 5", expect=125, add={"/etc/bardo/vm.svc": "class nonsense\n"}, leak_check=False)
    assert "QEMU's status 253" in result.err and "essential server vm" in result.err


def test_service_that_is_no_program(boot):
    result = boot("echo the rest runs; cat /proc/bardo/services", add={"/lib/bardo/e1000": b"no ELF file"}, nics=["e1000"])
    assert "the rest runs" in result.out and "e1000" in result.klog


def test_malformed_manifest(boot):
    """One that makes no sense, and two whose names are none: said, and the rest runs."""
    result = boot("echo the rest runs; service list | grep -c -e '^sp' -e ^too", add={"/etc/bardo/e1000.svc": "class char\nnonsense 1\n", "/etc/bardo/sp ace.svc": "class server\n",
                                                                                      "/etc/bardo/too_long_a_name_.svc": "class server\n"}, nics=["e1000"], expect=1)
    assert result.out == "the rest runs\n0\n" and "e1000.svc:2" in result.klog
    assert all(f"etc/bardo/{name}.svc: a name is at most 15 letters" in result.klog for name in ("sp ace", "too_long_a_name_"))


@pytest.mark.parametrize("megabytes", [3, 4, 5, 6, 8, 10, 12, 14, 16, 18, 20, 24, 32])
def test_too_little_memory(boot, megabytes):
    """It runs, or says at once why not: the emulator's starter, the kernel, RS or, when the shell runs and /tmp is full, the script."""
    result = boot("true", mem=megabytes, expect=None, leak_check=False, timeout=30)
    assert result.status == 0 or re.search("too little memory|out of memory", result.out + result.err)
    assert result.status in ((0,) if megabytes >= 32 else (0, 1, 125))


def test_several_processors(boot):
    assert boot("echo here", smp=2).out == "here\n"


def test_started_by_grub(tmp_path):
    """By multiboot2, from a CD: the archive, the memory map, the command line and the copy of ACPI's root arrive, so it can switch itself off."""
    made = subprocess.run(["make", "-C", TOP, "--no-print-directory", f"B={BUILD}", "iso", "APPEND=said=so"], capture_output=True, text=True)
    assert made.returncode == 0, made.stdout + made.stderr
    output, monitor = tmp_path / "output", tmp_path / "monitor"
    with output.open("wb") as out, machine(["qemu-system-x86_64", "-cpu", "max", "-m", "256", "-cdrom", BUILD / "bardo.iso", "-display", "none", "-no-reboot",
                                            "-serial", "stdio", *qemu.monitor(monitor)], monitor, stdin=subprocess.PIPE, stdout=out) as emulator:
        serial = Terminal(output, emulator)
        serial.wait(b"bardo:~# ", 60 * LOADED)
        serial.type("cat /proc/cmdline; grep frames_total /proc/bardo/kernel; poweroff -f\n")
        assert emulator.wait(60 * LOADED) == 0
    text = output.read_bytes().decode(errors="replace")
    assert re.search(r"^said=so\s*$", text, re.M) and int(re.search(r"^frames_total (\d+)", text, re.M)[1]) > 250 * 256, text


def test_gdb():
    """What `make gdb` does: gdb is attached to the kernel at the machine's first instruction, knows its names, and stops where it is told to; the system ends with it."""
    done = subprocess.run([TOP / "tools/guest", "--gdb"], input="hbreak kernel_syscall\ncontinue\nbacktrace 1\ndetach\nquit\n", capture_output=True, text=True, timeout=120 * LOADED, env=dict(os.environ, B=str(BUILD)))
    assert done.returncode == 0 and re.search(r"^\(gdb\) #0 +kernel_syscall \(s=.*\) at kernel/main\.c:\d+", done.stdout, re.M), done.stdout + done.stderr
    assert re.search(r"^console, in another terminal: busybox telnet 127\.0\.0\.1 \d+ ", done.stdout, re.M)


def test_no_such_file_of_tests():
    done = subprocess.run([TOP / "tools/test", "nosuch.py"], capture_output=True, text=True, cwd=TOP)
    assert done.returncode == 2 and done.stderr == f"tools/test: no such file: {TOP / 'nosuch.py'}\n" and done.stdout == ""


@pytest.mark.parametrize("chosen", [["{file}"], ["{file}", "-k", "of_that_name"], ["{file}::test_of_that_name"], ["{none}"], ["-k", "of_that_name_there_is_none"]])
def test_no_test_is_no_success(tmp_path, chosen):
    """A file without tests, a name that none has, a folder without files: nothing was run, and that is said."""
    (tmp_path / "test_nothing.py").write_text("def helper():\n    assert True\n")
    (tmp_path / "none").mkdir()
    words = [word.format(file=tmp_path / "test_nothing.py", none=tmp_path / "none") for word in chosen]
    done = subprocess.run([TOP / "tools/test", *words], capture_output=True, text=True, cwd=tmp_path, timeout=300, env=dict(os.environ, B=str(tmp_path)))
    assert done.returncode == 1 and done.stdout.endswith("0 passed, 1 failed\n"), done.stdout + done.stderr
    assert re.search(r"no test was run|pytest ended with status [1-9]", done.stderr), done.stderr
