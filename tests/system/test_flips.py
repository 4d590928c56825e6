# SPDX-License-Identifier: BSD-2-Clause
"""Bits of the servers' memory flip (tests/inject/flip.h, tools/flips): one does, and is put back; the campaign says what became of each."""
import json
import mmap
import os
import re
import subprocess
import socket

import pytest

import inject_faults
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


@pytest.mark.parametrize("service, function, use", [("audio", "do_open", "cat /dev/null >/dev/dsp"), ("vfs", "sys_symlink", "ln -s x /tmp/y")])
def test_a_damaged_program_is_mended(tmp_path, service, function, use):
    """The machine's memory is changed from outside, where a server's text is, which all copies share: it dies of it, and is as it was. (Nobody may have run that function before: the emulator
    would not know of the change.)"""
    program, klog, memory = inject_faults.Program(service), tmp_path / "klog", tmp_path / "memory"
    offset = program.offset(program.functions[function][0].address)
    page = bytes(program.image[offset & ~4095:(offset & ~4095) + 4096])
    server = socket.create_server(("127.0.0.1", 0))
    server.settimeout(120)
    command = f"nc 10.0.2.2 {server.getsockname()[1]} </dev/null; {use} 2>/dev/null; {use} 2>/dev/null; service wait {service}; service list {service} | tail -1"
    options = f"--qemu=-object memory-backend-file,id=memory,size=256M,mem-path={memory},share=on -machine memory-backend=memory"
    with subprocess.Popen([TOP / "tools/guest", "--nic", "e1000", options, "--timeout", "90", "--keep-klog", klog, "--", command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          env=dict(os.environ, B=str(BUILD))) as guest:
        connection = server.accept()[0] # the guest goes on when this is closed
        with connection, memory.open("r+b") as file, mmap.mmap(file.fileno(), 0) as machine:
            at, changed = machine.find(page), 0
            while at >= 0:
                if at % 4096 == 0: # not the boot archive, where it lies anyhow
                    machine[at + (offset & 4095):at + (offset & 4095) + 2] = b"\x0f\x0b"
                    changed += 1
                at = machine.find(page, at + 1)
        out = guest.communicate()[0]
    log = klog.read_text(errors="replace")
    assert changed == 1 and guest.returncode == 0, out + log
    assert log.count(f"rs: {service}: its program was damaged in memory; it is as in the boot archive again") == 1, log
    assert re.search(rf"^{service} +\d+ up +.* [12] exception ", out, re.M), out
