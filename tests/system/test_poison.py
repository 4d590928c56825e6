# SPDX-License-Identifier: BSD-2-Clause
"""A request that kills its server each time fails with EIO, for its caller alone: of every server that keeps its memory. Meanwhile programs of every kind go on (tests/programs/others.c), and
in the end there is as much memory as before, and nobody has been replaced by a fresh copy. Below: the same of servers that come back as one."""
import os
import re
import struct
import subprocess

import pytest

import inject_faults
from conftest import BUILD, TOP
from test_campaign import INJECTOR
from test_disk import attached, sha1
from test_ext4 import MB, check, contents, make
from test_rolled_back import address_in, bytes_at, deaths

EXCEPTION, HANG, PANIC = "0f0b", "ebfe", "panic"  # ud2; a jump to itself; panics()
LAST_WORDS = b"a request that kills is refused"
REQUESTS = {  # server: the function where it dies, what comes there, and what is said when it failed and when not
    "rs": ("control_storm", "service storm null 0 2>&1", "service: storm null: I/O error", ""),
    "ds": ("list", "service store net 2>&1 | tail -n 1 | cut -d' ' -f1,2", "service: /dev/bardo-store:", "net "),
    "vm": ("sys_mremap", "request move", "move: I/O error", "move: ok"),
    "pm": ("sys_getpriority", "request nice", "nice: I/O error", "nice: ok"),
    "vfs": ("symlink_at", "request link", "link: I/O error", "link: ok"),
    "net": ("listen_on", "request listen", "listen: I/O error", "listen: ok"),
    "ram": ("make_symlink", "request link", "link: I/O error", "link: ok")}
PLACES = {server: f"servers/fs/{server}/{server}.svc" for server in ("ram", "ext4", "proc", "dev")}
TIMES = 3


def quick(server):
    """Its manifest: who hangs is found soon."""
    return {f"/etc/bardo/{server}.svc": re.sub(r"heartbeat .*", "heartbeat 100", (TOP / PLACES.get(server, f"servers/{server}/{server}.svc")).read_text())}


def planted(server, function, code):
    """Shell: plant it, and take it back."""
    place = address_in(server, function)
    return tuple(f"echo '{server} 0 text 0x{place} {what}' >&4" for what in (code, bytes_at(server, place, len(code) // 2)))


def panics(server):
    """Code that ends the server by panic(), with a text of its own that is in it in any case."""
    program = inject_faults.Program(server)
    said = next(start + at for start, offset, size in program.segments if (at := program.image[offset:offset + size].find(LAST_WORDS + b"\0")) >= 0)
    place, panic = (int(address_in(server, name), 16) for name in (REQUESTS[server][0], "panic"))
    return struct.pack("<BIHBi", 0xbf, said, 0xc031, 0xe9, panic - place - 12).hex()  # mov edi, said; xor eax, eax; jmp panic


@pytest.mark.parametrize("server, code", [*((server, EXCEPTION) for server in REQUESTS), *((server, HANG) for server in REQUESTS if server != "rs"), ("pm", PANIC), ("vfs", PANIC)],
                         ids=lambda value: {EXCEPTION: "exception", HANG: "hang"}.get(value, value))  # RS that hangs: test_poison_of_rs. It never panics
def test_poison(boot, program, server, code):
    function, request, failed, done = REQUESTS[server]
    defect = {EXCEPTION: "exception 6", HANG: "heartbeat [01]", PANIC: "exit 1"}[code]
    if code == PANIC:
        code = panics(server)
    plant, mend = planted(server, function, code)
    result = boot(f"""mknod /tmp/inject c 240 0; exec 4>/tmp/inject; chmod 755 /bin/request /bin/others
        others "{plant}; {f"{request}; " * TIMES}{mend}; {request}"
        exec 4>&-; rm /tmp/inject; sleep 0.1; echo ==; grep -c '^[0-9]* {server} {defect} .* rolled-back' /proc/recovery; service list""",
                  add={**INJECTOR, **quick(server), "/bin/request": program("request"), "/bin/others": program("others")}, icount=True, leak_check=code == EXCEPTION)
    said, after = result.out.split("==\n")
    assert said.splitlines() == [failed] * TIMES + [done] * (done != ""), said
    assert int(after.split()[0]) >= 1 and result.klog.count(f"{server}: undo: a request that kills is refused") >= TIMES, result.out
    died = deaths(after)
    assert died[server] >= TIMES and sum(died.values()) == died[server], after


# ---- servers that come back as a fresh copy ----

def poisoned(server, function, code):
    """Its program, in which what begins there kills, or hangs, each copy."""
    path = BUILD / f"services/{server}"
    text = bytearray(path.read_bytes())
    address = int(address_in(server, function), 16)
    headers = subprocess.run(["readelf", "-lW", path], capture_output=True, text=True, check=True).stdout
    for offset, start, size in re.findall(r"LOAD +0x(\w+) 0x(\w+) 0x\w+ 0x(\w+)", headers):
        if 0 <= address - int(start, 16) < int(size, 16):
            at = int(offset, 16) + address - int(start, 16)
            text[at:at + len(code) // 2] = bytes.fromhex(code)
            return {f"/lib/bardo/{server}": bytes(text)}
    raise AssertionError(f"{function} lies in no segment")


# A file system on the RAM disk, so that all time is the guest's; what is left of it is on sda in the end. Root copies, each sum is right; meanwhile and afterwards others make requests.
COPIES = """chmod 755 /bin/many; service up ramdisk; until [ -b /dev/ram0 ]; do usleep 10000; done; dd if=/dev/sda of=/dev/ram0 bs=1M 2>/dev/null; mkdir -p /mnt; mount -t ext4 /dev/ram0 /mnt
mkdir /mnt/d; chmod 777 /mnt/d; cp /data /mnt/big; sum=$(sha1sum </data)
copies() { n=0; until [ -e /tmp/end ] && [ $n -gt 1 ]; do cp /mnt/big /mnt/copy || echo BAD copy; [ "$(sha1sum </mnt/copy)" = "$sum" ] || echo BAD sum; n=$((n + 1)); done; echo $n >/tmp/copies; }
copies & copies=$!
"""
END = """; touch /tmp/end; wait $copies; echo ==; cat /tmp/copies; ls /mnt/d | wc -l; service list ext4 | sed -n 's/^ext4 .* up .* s *\\([0-9]*\\) .*/up \\1/p'
umount /mnt || echo busy; dd if=/dev/ram0 of=/dev/sda bs=1M 2>/dev/null; rm /tmp/end /tmp/copies"""
SAYS = r"ext4: request 0x\w+ of process \d+ has killed copy after copy: it fails"


def beside_copies(boot, program, tmp_path, command, code):
    """What was said; how often ext4 has died, and how many requests were refused."""
    image = make(tmp_path / "e.img", size="32M")
    data = os.urandom(2 * MB + 123)
    result = boot(COPIES + command + END, add={**poisoned("ext4", "name_symlink", code), "/data": data, "/bin/many": program("many"), **quick("ext4")},
                  qemu=attached(image), icount=True, timeout=120, leak_check=False)
    said, after = result.out.split("==\n")
    copies, links, state, died = re.fullmatch(r"(\d+)\n(\d+)\n(\w+) (\d+)\n", after).groups()
    assert int(copies) >= 2 and links == "0" and state == "up", result.out
    assert "given up" not in result.klog and "the journal had" not in result.klog  # nor has it forgotten what was not on the disk yet
    check(image)
    assert contents(image, "copy") == data
    return said, int(died), len(re.findall(SAYS, result.klog))


@pytest.mark.parametrize("times, code", [(3, EXCEPTION), (20, EXCEPTION), (3, HANG)], ids=["three", "twenty", "hang"])
def test_fresh_copy(boot, program, tmp_path, times, code):
    """Of ext4, by an unprivileged user: more deaths than its budget has."""
    said, died, refused = beside_copies(boot, program, tmp_path, f"su user -c 'n=0; while [ $n -lt {times} ]; do ln -s x /mnt/d/link$n 2>&1; n=$((n + 1)); done'", code)
    assert said.splitlines() == [f"ln: /mnt/d/link{n}: Input/output error" for n in range(times)], said
    assert died == 3 * times and refused == times


def test_many_at_once(boot, program, tmp_path):
    """Nobody knows at first which of them it is; a user who has some in flight at any time leaves others most of the disk."""
    said, died, refused = beside_copies(boot, program, tmp_path, "su user -c 'many 12 /mnt/d'", EXCEPTION)
    assert said == "12 I/O error\n" and refused == 12 and died == 36, (said, died, refused)


def test_while_vfs_dies(boot, program, tmp_path):
    """VFS, which asks again after each death, dies itself each 0.5 ms."""
    said, died, refused = beside_copies(boot, program, tmp_path, "service storm vfs 500; su user -c 'n=0; while [ $n -lt 6 ]; do ln -s x /mnt/d/link$n 2>&1; n=$((n + 1)); done'; service storm vfs 0", EXCEPTION)
    assert said.splitlines() == [f"ln: /mnt/d/link{n}: Input/output error" for n in range(6)], said
    assert died >= 18 and refused >= 6


@pytest.mark.parametrize("server, function, request_, failed, times, beside", [
    ("proc", "write_version", "cat /proc/version", "cat: read error: Input/output error", 20, "cat /proc/uptime >/dev/null"),
    ("disk", "ioctl_device", "blockdev --getsz /dev/ram0", "blockdev: /dev/ram0: Input/output error", 7, "dd if=/dev/ram0 bs=4k count=1 2>/dev/null | cmp - /first")])
def test_other_fresh_copies(boot, server, function, request_, failed, times, beside):
    """More deaths than its budget has; what else it is asked for it does. (Of `proc` the file is opened again in each copy.)"""
    result = boot(f"""service up ramdisk; until [ -b /dev/ram0 ]; do usleep 10000; done; dd if=/first of=/dev/ram0 2>/dev/null
        n=0; while [ $n -lt {times} ]; do {request_} 2>&1; {beside} || echo BAD; n=$((n + 1)); done; service list {server} | sed -n 's/^{server} .* up .* s *\\([0-9]*\\) .*/up \\1/p'""",
                  add={**poisoned(server, function, EXCEPTION), "/first": os.urandom(4096)}, icount=True, leak_check=False)
    assert result.out.splitlines() == [failed] * times + [f"up {3 * times}"] and 3 * times > 15, result.out
