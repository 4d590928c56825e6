# SPDX-License-Identifier: BSD-2-Clause
"""The machine of a campaign. It is booted once, up to the moment when its work goes on and waits for a fault, and saved; each fault begins there.

So a fault needs no boot, knows nothing of those before it, and is the same each time. What a saved machine depends on (kernel, images, the work,
the way to start QEMU) is summed up: a change of these makes a new one.
"""
import fcntl
import hashlib
import json
import os
import re
import selectors
import shutil
import socket
import struct
import subprocess
import tempfile
import time
from pathlib import Path

import qemu
from archive import Archive

TOP = Path(__file__).resolve().parent.parent
# driver: the work, its argument, the disk's kind
WORK = {
    "e1000": ("net", "10.0.2.2", None), "rtl8139": ("net", "10.0.2.2", None), "e1000e": ("net", "10.0.2.2", None), "virtio-net": ("net", "10.0.2.2", None),
    "ahci": ("disk", "/dev/sda", "ahci"), "virtio-block": ("disk", "/dev/vda", "virtio"), "ide": ("disk", "/dev/hda", "ide"),
    "uart": ("serial", "/dev/ttyS0", None),
}
WORKS = {**WORK, "flips": ("flips", "/dev/sda", "ahci")}  # tools/flips: work of every kind
MB = 1 << 20
DISK, FIRST, FILES, RAW = 32 * MB, MB, 20 * MB, 4 * MB  # of the disk; where the first partition begins; the lengths of the two
MEMORY = 128  # MB
FROZEN = 20  # seconds of the guest without a word of the work
SILENT = 300  # seconds of the host without a sign of life
FAULT = 200  # characters of a command, all of the same length
RUN = "{{ {program} {work} {argument} {driver}; }} </dev/null >/dev/null 2>&1; poweroff -f\n"
GUARD = "programs/blockguard"
GATEWAY = (bytes.fromhex("52550a000202"), bytes.fromhex("52550a000203"))  # who answers on QEMU's wire


class Broken(Exception):
    """The machine of the campaign itself is not what it should be."""


class Monitor:
    """QEMU's QMP."""

    def __init__(self, path):
        for _ in range(600):
            try:
                self.socket = socket.socket(socket.AF_UNIX)
                self.socket.connect(str(path))
                break
            except OSError:
                time.sleep(0.05)
        else:
            raise Broken("QEMU does not start")
        self.file = self.socket.makefile("r")
        self.file.readline()
        self.ask("qmp_capabilities")

    def ask(self, command, **arguments):
        self.socket.sendall(json.dumps({"execute": command, "arguments": arguments}).encode() + b"\n")
        for line in self.file:
            answer = json.loads(line)
            if "error" in answer:
                raise Broken(f"{command}: {answer['error']['desc']}")
            if "return" in answer:
                return answer["return"]
        raise Broken(f"{command}: QEMU has ended")


def make_disk(path):
    """Two partitions, the first with ext4, on a disk whose blocks are checked."""
    contents, part = path.with_suffix(".contents"), path.with_suffix(".ext4")
    for name, length in ((path, DISK), (part, FILES), (contents, FIRST + FILES + RAW)):
        name.unlink(missing_ok=True)
        with open(name, "wb") as file:
            file.truncate(length)
    subprocess.run(["mkfs.ext4", "-q", "-b", "4096", "-J", "size=4", "-E", "lazy_itable_init=0,lazy_journal_init=0", part], check=True)
    data = bytearray(contents.read_bytes())
    data[FIRST:FIRST + FILES] = part.read_bytes()
    for n, (start, length) in enumerate(((FIRST, FILES), (FIRST + FILES, RAW))):
        data[446 + 16 * n:462 + 16 * n] = bytes([0, 0, 0, 0, 0x83, 0, 0, 0]) + (start // 512).to_bytes(4, "little") + (length // 512).to_bytes(4, "little")
    data[510:512] = b"\x55\xaa"
    contents.write_bytes(data)
    for arguments in (["format", path], ["fill", path, contents]):
        subprocess.run([qemu.build_folder() / GUARD, *arguments], check=True, stdout=subprocess.DEVNULL)
    contents.unlink()
    part.unlink()


def judge_disk(path, was_told):
    """(blocks that the filter will refuse, what is wrong and nobody knows). was_told: programs were told of errors, so files may be damaged."""
    contents = path.with_suffix(".contents")
    done = subprocess.run([qemu.build_folder() / GUARD, "extract", path, contents], capture_output=True, text=True, check=False)
    refused = len(re.findall(r"^block \d+ is wrong", done.stderr, re.M))
    if done.returncode not in (0, 1) or (done.returncode == 1 and not refused):
        return refused, "the disk's header is gone: " + done.stderr.strip()
    if was_told or refused:
        return refused, ""
    part = path.with_suffix(".ext4")
    part.write_bytes(contents.read_bytes()[FIRST:FIRST + FILES])
    done = subprocess.run(["e2fsck", "-fn", part], capture_output=True, text=True, check=False)
    return refused, "" if done.returncode == 0 else "e2fsck: " + " ".join(done.stdout.split())[:300]


def frames_of(path):
    """Of what a wire has carried: (sent by the guest, length), in order."""
    data, frames, at = path.read_bytes(), [], 24
    while at + 16 <= len(data):
        kept, length = struct.unpack_from("<II", data, at + 8)
        frames.append((data[at + 16:at + 16 + kept][6:12] not in GATEWAY, length))
        at += 16 + kept
    return frames


def wire_is_dead(path):
    """A frame of no length was sent. QEMU takes "0 bytes have been delivered" for "not now", and delivers nothing any more, whatever card and driver do
    (tests/wire.py shows it without a guest). True: so it was, frames were sent after it, and none has come."""
    frames = frames_of(path) if path.exists() else []
    after = frames[frames.index((True, 0)) + 1:] if (True, 0) in frames else []
    return any(sent and length >= 14 for sent, length in after) and all(sent for sent, _ in after)


class Machine:
    """One QEMU: booted, or going on from where one was saved, with one fault."""

    def __init__(self, driver, folder, saved=None, fault="", more=()):
        self.driver, self.folder, self.klog = driver, Path(folder), Path(folder) / "klog"
        self.work, self.argument, self.disk = WORKS[driver]
        self.pending, self.klog_at, self.partial = b"", 0, ""
        command = self.command(fault, saved) + (["-incoming", "defer"] if saved else [])
        command += more
        self.klog.unlink(missing_ok=True)
        with open(self.folder / "complaints", "wb") as complaints:
            self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=complaints)
        self.monitor = Monitor(self.folder / "qmp")
        # What is in memory is not copied: it is in a file, of which each machine changes its own copy of the pages that it writes.
        self.monitor.ask("migrate-set-capabilities", capabilities=[{"capability": "x-ignore-shared", "state": True}])
        if saved:
            self.monitor.ask("migrate-incoming", uri=f"exec:cat {saved}/state")
            self.let_go()

    def command(self, fault, saved):
        image, extra = self.folder / "disk", []
        if self.disk:
            extra += qemu.disks([f"{image}:{self.disk}"])
        nics = ["e1000"] if self.work == "flips" else [kind for kind, nic in qemu.NICS.items() if nic.service == self.driver]
        # Time is counted in instructions, 16 ns each: a guest that spins gets through its seconds. What is outside the emulator takes
        # its own time, though: then the clock must not run ahead when the guest is idle.
        extra += ["-icount", f"shift=4,sleep={'off' if self.work == 'net' else 'on'}", "-rtc", "base=2026-01-01,clock=vm"]
        if nics and self.work == "net":
            extra += ["-object", f"filter-dump,id=wire,netdev=net0,maxlen=64,file={self.folder / 'wire'}"]
        extra += ["-fw_cfg", f"name=opt/bardo/fault,string={fault or '-':{FAULT}}", "-qmp", f"unix:{self.folder / 'qmp'},server=on,wait=off"]
        memory = saved / "memory" if saved else self.folder / "memory"
        extra += ["-object", f"memory-backend-file,id=memory,size={MEMORY}M,mem-path={memory},share={'off' if saved else 'on'}", "-machine", "memory-backend=memory"]
        return qemu.command(self.folder / "boot.cpio", self.klog, nics=nics, memory=MEMORY, extra=extra)

    def let_go(self):
        """What was saved is read; it was saved while it ran, so it goes on by itself."""
        for _ in range(1200):
            state = self.monitor.ask("query-status")["status"]
            if state == "running":
                return
            if state in ("paused", "postmigrate", "prelaunch"):
                self.monitor.ask("cont")
            time.sleep(0.02)
        raise Broken("QEMU does not go on from what was saved")

    def save(self, to):
        self.monitor.ask("migrate-set-parameters", **{"max-bandwidth": 1 << 40, "downtime-limit": 60000})
        self.monitor.ask("migrate", uri=f"exec:cat >{to}/state")
        while (state := self.monitor.ask("query-migrate")["status"]) not in ("completed", "failed"):
            time.sleep(0.05)
        self.kill()
        if state == "failed":
            raise Broken("QEMU does not save the machine")
        for name in ["memory"] + (["disk"] if self.disk else []):
            subprocess.run(["cp", "--sparse=always", self.folder / name, Path(to) / name], check=True)

    def serve_serial(self):
        """Each line of the work comes back as though it were typed; False: the machine has ended."""
        with selectors.DefaultSelector() as selector:
            selector.register(self.process.stdout, selectors.EVENT_READ)
            if not selector.select(0.02):
                return self.process.poll() is None
            data = os.read(self.process.stdout.fileno(), 65536)
        if not data:
            return False
        if self.work == "serial":
            *lines, self.pending = (self.pending + data).split(b"\n")
            try:
                for line in lines:
                    if line.startswith(b"line "):
                        self.process.stdin.write(line.rstrip(b"\r") + b"\n")
                self.process.stdin.flush()
            except BrokenPipeError:
                return False
        return True

    def new_lines(self):
        if self.klog.exists():
            with open(self.klog, errors="replace") as file:
                file.seek(self.klog_at)
                self.partial += file.read()
                self.klog_at = file.tell()
        *lines, self.partial = self.partial.split("\n")
        return lines

    def words(self):
        """What the work says as it comes, and at the end how it ended: ended, crash, hang."""
        sign, word_tick, tick, alive = time.monotonic(), 0, 0, True
        while True:
            alive = alive and self.serve_serial()
            lines = self.new_lines()
            for line in lines:
                sign = time.monotonic()
                if "the system stops" in line:
                    yield "crash", None
                    return
                if found := re.search(r"tick (\d+)", line):
                    tick = int(found.group(1))
                    word_tick = word_tick or tick
                if found := re.search(r"campaign (\{.*\})", line):
                    word_tick = tick
                    yield "word", json.loads(found.group(1))
            if not alive and not lines:
                yield "ended", None
                return
            if tick - word_tick > FROZEN or time.monotonic() - sign > SILENT:
                yield "hang", None
                return

    def emulator_ended_itself(self):
        """By an assertion of its own: no machine does that, whatever its devices are told."""
        return b": Assertion `" in (self.folder / "complaints").read_bytes()

    def kill(self):
        self.process.kill()
        self.process.wait()


class Saved:
    """The saved machine of a driver: made when there is none, or an old one."""

    def __init__(self, driver):
        self.driver, (self.work, _, self.disk) = driver, WORKS[driver]
        self.program = "flips" if self.work == "flips" else "campaign"
        self.folder = qemu.build_folder() / "campaign" / driver
        self.folder.mkdir(parents=True, exist_ok=True)
        with open(self.folder / "lock", "w", encoding="ascii") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # tests and people may want it at the same time
            if not (self.folder / "key").exists() or (self.folder / "key").read_text() != self.key():
                self.make()

    def parts(self):
        names = ["kernel.elf", "boot.cpio", "services/inject", f"tests/{self.program}", GUARD]
        return [*(qemu.build_folder() / name for name in names), TOP / "tests/inject/inject.manifest", Path(__file__), Path(qemu.__file__)]

    def key(self):
        return hashlib.sha256(b"".join(hashlib.sha256(path.read_bytes()).digest() for path in self.parts())).hexdigest()

    def write_initrd(self, path):
        work, argument, _ = WORKS[self.driver]
        archive = Archive()
        archive.add("etc/guest/run", 0o100644, RUN.format(program=self.program, work=work, argument=argument, driver=self.driver).encode())
        archive.add("etc/guest/command", 0o100755, b"true\n")
        archive.add_file("etc/bardo/inject.svc", TOP / "tests/inject/inject.manifest")
        archive.add_file("lib/bardo/inject", qemu.build_folder() / "services/inject")
        archive.add_file(f"bin/{self.program}", qemu.build_folder() / f"tests/{self.program}")
        path.write_bytes((qemu.build_folder() / "boot.cpio").read_bytes() + archive.bytes())

    def make(self):
        (self.folder / "key").unlink(missing_ok=True)
        self.write_initrd(self.folder / "boot.cpio")
        scratch = self.folder / "boot"
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir()
        self.prepare(scratch, from_saved=False)
        machine = Machine(self.driver, scratch)
        try:
            if not any(what == "word" and word["state"] == "ready" for what, word in machine.words()):
                shutil.copy(machine.klog, self.folder / "klog")
                raise Broken(f"the system does not come up with its work: {self.folder}/klog")
            machine.save(self.folder)
        finally:
            machine.kill()
        shutil.rmtree(scratch)
        (self.folder / "reached").unlink(missing_ok=True)
        (self.folder / "key").write_text(self.key())

    def prepare(self, scratch, from_saved=True):
        (scratch / "boot.cpio").symlink_to(self.folder / "boot.cpio")
        if self.disk and from_saved:
            subprocess.run(["cp", "--sparse=always", self.folder / "disk", scratch / "disk"], check=True)
        elif self.disk:
            make_disk(scratch / "disk")

    def reached(self, program):
        """Addresses of the instructions that run before a campaign gives a fault up as not triggered. QEMU names each instruction that it translates;
        other programs have theirs at the same addresses, but not the same ones."""
        path = self.folder / "reached"
        if not path.exists():
            never = program.functions["panic"][0].address
            with tempfile.TemporaryDirectory(prefix="bardo-campaign-") as folder:
                self.run(f"{self.driver} {never:#x} stack 0 0", folder, ["-d", "in_asm", "-D", f"{folder}/translated"])
                text = (Path(folder) / "translated").read_text(errors="replace")
            found = {(int(address, 16), bytes.fromhex(first)) for address, first in re.findall(r"^0x([0-9a-f]+):  ((?:[0-9a-f]{2} ){1,8})", text, re.M)}
            path.write_text(json.dumps([one.address for function in program.functions.values() for one in function if (one.address, bytes(one.bytes[:8])) in found]))
        return set(json.loads(path.read_text()))

    def run(self, fault, scratch, more=()):
        """One fault: the last word of the work (None: there was none, or not yet), how it ended, and what is wrong with the disk."""
        scratch = Path(scratch)
        self.prepare(scratch)
        machine = Machine(self.driver, scratch, self.folder, fault, more)
        last, end = None, "ended"
        try:
            for what, word in machine.words():
                if what != "word":
                    end = what
                elif word["state"] not in ("alive", "ready"):
                    last = word
                    if word["state"] != "begin":
                        break
        finally:
            machine.kill()
        if end == "ended" and machine.emulator_ended_itself():
            return None, "emulator"
        if not last or last["state"] == "begin":
            return None, "crash" if end == "ended" else end
        if self.work == "net":
            last["wire"] = wire_is_dead(scratch / "wire")
        if self.work == "disk" and last.get("checked"):
            last["refused"], last["damage"] = judge_disk(scratch / "disk", last["errors"] > 0)
        return last, "ended"
