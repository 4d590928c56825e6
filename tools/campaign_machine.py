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
import select
import shutil
import socket
import struct
import subprocess
import tempfile
import time
import zlib
from pathlib import Path

import qemu
from archive import Archive

TOP = Path(__file__).resolve().parent.parent
PEER, PORTS, HEAD, SUMMED, MAGIC = "10.0.2.100", range(7, 11), struct.Struct("<QQQII"), 16, 0x9d1f3b5a7ce28046  # tests/inject/campaign_stream.c
# driver: the work, its argument, the disk's kind
WORK = {
    "e1000": ("net", f"10.0.2.2,{PEER}", None), "rtl8139": ("net", f"10.0.2.2,{PEER}", None), "e1000e": ("net", f"10.0.2.2,{PEER}", None), "virtio-net": ("net", f"10.0.2.2,{PEER}", None),
    "ahci": ("disk", "/dev/sda", "ahci"), "virtio-block": ("disk", "/dev/vda", "virtio"), "ide": ("disk", "/dev/hda", "ide"),
    "uart": ("serial", "/dev/ttyS0", None),
}
WORKS = {**WORK, "flips": ("flips", "/dev/sda", "ahci")}  # tools/flips: work of every kind
MB = 1 << 20
DISK, FIRST, FILES, RAW = 32 * MB, MB, 20 * MB, 4 * MB  # of the disk; where the first partition begins; the lengths of the two
MEMORY = 128  # MB
FROZEN = 20  # seconds of the guest without a word of the work
SILENT = 300  # seconds of the host without a sign of life
ASKED = 30  # the same: then it is asked whether it is the emulator that stands still,
PATIENCE = 60  # which has so long to answer
SULKS = 10  # seconds in which a peer must have sent again what was not acknowledged
PAUSE = 0.02  # seconds between two looks at the log
FAULT = 200  # characters of a command, all of the same length
RUN = "{{ {program} {work} {argument} {driver}; }} </dev/null >/dev/null 2>&1; poweroff -f\n"
GUARD = "programs/blockguard"
STEADY = "tests/steady.so"
CUT = "the cable may be cut"  # what net says when fresh drivers hear nothing either
SAID = r"rs: {0}: .*; 'service up {0}' "  # that it is down, and stays down
AT_ONCE = ",aio=native,cache.direct=on,cache.no-flush=on"
MEMORY_FILES = Path("/dev/shm")  # a tmpfs
GATEWAY = (bytes.fromhex("52550a000202"), bytes.fromhex("52550a000203"))  # who answers on QEMU's wire


class Broken(Exception):
    """The machine of the campaign itself is not what it should be."""


class Monitor:
    """QEMU's QMP."""

    def __init__(self, path):
        for _ in range(6000):
            try:
                self.socket = socket.socket(socket.AF_UNIX)
                self.socket.connect(str(path))
                break
            except OSError:
                time.sleep(0.005)
        else:
            raise Broken("QEMU does not start")
        self.file, self.seen = self.socket.makefile("r"), set()
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
            self.seen.add(answer.get("event"))
        raise Broken(f"{command}: QEMU has ended")

    def answers(self, seconds):
        """Its own loop, that is: whatever the guest does, or does not, QEMU itself says so at once."""
        self.socket.settimeout(seconds)
        try:
            self.ask("query-status")
        except OSError:
            return False
        return True

    def wait_for(self, event):
        """It is not asked meanwhile: each question would be one more thing for QEMU to do."""
        while event not in self.seen and (line := self.file.readline()):
            self.seen.add(json.loads(line).get("event"))
        if event not in self.seen:
            raise Broken(f"QEMU has ended before {event}")


def scratch_folder():
    """Where nothing is written to a disk: a request to a file there is finished as soon as it is made."""
    return tempfile.TemporaryDirectory(prefix="bardo-campaign-", dir=MEMORY_FILES if os.access(MEMORY_FILES, os.W_OK) else None)


def is_prompt(path):
    """May requests to it go by the kernel's own way, and so be over at once (tests/inject/steady.c)? Linux before 6.6 has no O_DIRECT in a tmpfs."""
    try:
        os.close(os.open(path, os.O_RDWR | os.O_DIRECT))
        return MEMORY_FILES in Path(path).parents
    except OSError:
        return False


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
    done = subprocess.run(["e2fsck", "-fn", f"{contents}?offset={FIRST}"], capture_output=True, text=True, check=False)
    return refused, "" if done.returncode == 0 else "e2fsck: " + " ".join(done.stdout.split())[:300]


def judge_peer(data):
    """What has reached the peer by TCP: what is wrong with it. Where a connection broke, the next one begins in the middle of a message."""
    at, connection = 0, None
    while at + HEAD.size <= len(data):
        magic, total, number, of, length = HEAD.unpack_from(data, at)
        end = at + HEAD.size + length
        if magic == MAGIC and end <= len(data) and zlib.crc32(data[at + SUMMED:end]) == total:
            at, connection = end, of
            continue
        later = data.find(MAGIC.to_bytes(8, "little"), at + 1)
        if later < 0 and magic == MAGIC and end > len(data):
            break
        if later < 0 or (at == 0 and magic != MAGIC) or later + HEAD.size <= len(data) and HEAD.unpack_from(data, later)[3] in (connection, of):
            return f"the peer got other bytes than were sent, after message {number} of connection {of}"
        at = later
    return ""


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


def peer_segments(path):
    """Of TCP between the guest and the peer: (seconds, sent by the peer, segment, is its sum right)."""
    data, at, peer = path.read_bytes(), 24, socket.inet_aton(PEER)
    while at + 16 <= len(data):
        seconds, parts, kept = struct.unpack_from("<III", data, at)
        frame = data[at + 16:at + 16 + kept]
        at += 16 + kept
        if frame[12:14] != b"\x08\x00" or len(frame) < 54 or frame[23] != 6 or peer not in (frame[26:30], frame[30:34]):
            continue
        segment = frame[14 + (frame[14] & 15) * 4:14 + int.from_bytes(frame[16:18], "big")]
        if len(segment) < 20:
            continue
        summed = frame[26:34] + struct.pack(">HH", 6, len(segment)) + segment + bytes(len(segment) % 2)
        total = sum(struct.unpack(f">{len(summed) // 2}H", summed))
        yield seconds + parts / 1e6, frame[26:30] == peer, segment, total % 0xffff == 0


def peer_sulks(path):
    """The peer holds what was not acknowledged, and for SULKS seconds does not send it again, though the guest has acknowledged what is before it three times,
    with room for more (RFC 6298, 5: who has sent a segment has a timer running). Its TCP is QEMU's own (libslirp)."""
    sent, asked, now = {}, {}, 0.0
    for now, from_peer, segment, right in peer_segments(path) if path.exists() else ():
        sequence, acknowledged, window = int.from_bytes(segment[4:8], "big"), int.from_bytes(segment[8:12], "big"), int.from_bytes(segment[14:16], "big")
        length = len(segment) - (segment[12] >> 4) * 4
        key = segment[:4] if from_peer else segment[2:4] + segment[:2]
        if segment[13] & 2:  # (the guest's may be old ones)
            if from_peer:
                sent.pop(key, None)
        elif from_peer and length > 0:
            end = (sequence + length) % (1 << 32)
            before = sent.get(key, (end, 0))[0]
            sent[key] = (end if (end - before) % (1 << 32) < 1 << 31 else before, now)
            asked.pop(key, None)
        elif not from_peer and right and segment[13] & 16:
            asked.setdefault(key, []).append((acknowledged, window))
    for key, (end, when) in sent.items():
        asks = asked.get(key, [])[-3:]
        if now - when >= SULKS and len(asks) == 3 and len(set(asks)) == 1 and asks[0][1] > 0 and 0 < (end - asks[0][0]) % (1 << 32) < 1 << 31:
            return True
    return False


def peer_streams(path):
    """What the peer has sent by TCP, as the wire carried it: (its port, bytes) for each connection, as far as there is no hole."""
    pieces, begin = {}, {}
    for _, from_peer, segment, _ in peer_segments(path):
        if not from_peer:
            continue
        key, sequence = segment[:4], int.from_bytes(segment[4:8], "big")
        if segment[13] & 2:
            begin[key], pieces[key] = sequence + 1, {}
        contents = segment[(segment[12] >> 4) * 4:]
        if key in begin and contents:
            pieces[key].setdefault((sequence - begin[key]) % (1 << 32), contents)
    for key, parts in pieces.items():
        stream = bytearray()
        for place in sorted(parts):
            if place <= len(stream) < place + len(parts[place]):
                stream += parts[place][len(stream) - place:]
        yield int.from_bytes(key[:2], "big"), bytes(stream)


def peer_garbles(path, folder):
    """Bytes are missing in the middle of what the peer sends back, though it got them and its sequence numbers are complete: its TCP is QEMU's own (libslirp)."""
    return path.exists() and any(stream not in (folder / f"got{port}").read_bytes() for port, stream in peer_streams(path))


class Machine:
    """One QEMU: booted, or going on from where one was saved, with one fault."""

    def __init__(self, driver, folder, saved=None, fault="", more=(), iommu=False):
        self.driver, self.folder, self.klog, self.iommu = driver, Path(folder), Path(folder) / "klog", iommu
        self.work, self.argument, self.disk = WORKS[driver]
        self.klog_at, self.partial = 0, ""
        command = self.command(fault, saved) + (["-incoming", "defer"] if saved else [])
        command += more
        self.klog.unlink(missing_ok=True)
        with open(self.folder / "complaints", "wb") as complaints:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=complaints,
                                            env={**os.environ, "LD_PRELOAD": str(qemu.build_folder() / STEADY)})
        self.monitor = Monitor(self.folder / "qmp")
        # What is in memory is not copied: it is in a file, of which each machine changes its own copy of the pages that it writes.
        self.monitor.ask("migrate-set-capabilities", capabilities=[{"capability": "x-ignore-shared", "state": True}])
        if saved:
            self.monitor.ask("migrate-incoming", uri=f"exec:cat {saved}/state")
            self.monitor.wait_for("RESUME")  # it was saved while it ran, so it goes on by itself

    def command(self, fault, saved):
        image, extra, peers = self.folder / "disk", [], ""
        if self.disk:
            extra += qemu.disks([f"{image}:{self.disk}"], iommu=self.iommu, cache=AT_ONCE if is_prompt(image) else ",cache=unsafe")
        nics = ["e1000"] if self.work == "flips" else [kind for kind, nic in qemu.NICS.items() if nic.service == self.driver]
        # Time is counted in instructions, 16 ns each: a guest that spins gets through its seconds, and one that is idle goes on at once.
        # What its devices do outside the processor is waited for (tests/inject/steady.c).
        extra += ["-icount", "shift=4,sleep=off", "-rtc", "base=2026-01-01,clock=vm"]
        if nics and self.work == "net":
            peers = self.peer(extra)
            extra += ["-object", f"filter-dump,id=wire,netdev=net0,maxlen=65535,file={self.folder / 'wire'}"]
        extra += ["-fw_cfg", f"name=opt/bardo/fault,string={fault or '-':{FAULT}}", "-qmp", f"unix:{self.folder / 'qmp'},server=on,wait=off"]
        memory = saved / "memory" if saved else self.folder / "memory"
        extra += ["-object", f"memory-backend-file,id=memory,size={MEMORY}M,mem-path={memory},share={'off' if saved else 'on'}", "-machine", "memory-backend=memory"]
        # (the emulator's crc32 goes bit by bit: the filter's tables are quicker)
        return qemu.command(self.folder / "boot.cpio", self.klog, nics=nics, memory=MEMORY, cpu="max,-sse4.2", serial=self.serial(), extra=extra, peers=peers, iommu=self.iommu)

    def loop(self, name):
        """A wire whose both ends are one FIFO: what goes out comes back."""
        os.mkfifo(self.folder / name)
        for end in ("in", "out"):
            (self.folder / f"{name}.{end}").symlink_to(name)
        return self.folder / name

    def serial(self):
        """What the guest sends through its serial port comes back as though it were typed."""
        return f"pipe:{self.loop('line')}" if self.work == "serial" else "stdio"

    def peer(self, extra):
        """Who sends back what comes to it by TCP. What it has got is kept."""
        for port in PORTS:
            extra += ["-chardev", f"pipe,id=peer{port},path={self.loop(f'peer{port}')},logfile={self.folder}/got{port}"]
        return "".join(f",guestfwd=tcp:{PEER}:{port}-chardev:peer{port}" for port in PORTS)

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

    def runs(self):
        """Waits a moment. What comes by the serial port, when that is nobody's work, is thrown away."""
        if not select.select([self.process.stdout], [], [], PAUSE)[0]:
            return self.process.poll() is None
        return bool(os.read(self.process.stdout.fileno(), 65536))

    def new_lines(self):
        if self.klog.exists():
            with open(self.klog, errors="replace") as file:
                file.seek(self.klog_at)
                self.partial += file.read()
                self.klog_at = file.tell()
        *lines, self.partial = self.partial.split("\n")
        return lines

    def words(self):
        """What the work says as it comes, and at the end how it ended: ended, crash, hang, emulator."""
        sign, word_tick, tick, alive, asked = time.monotonic(), 0, 0, True, False
        while True:
            alive = alive and self.runs()
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
            if alive and not asked and time.monotonic() - sign > ASKED:
                asked = True
                if not self.monitor.answers(PATIENCE):
                    yield "emulator", None
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
    """The saved machine of a driver, with an IOMMU or without: made when there is none, or an old one. For faults in the image one of its own, where the
    work rests before."""

    def __init__(self, driver, iommu=False, image=False):
        self.driver, self.iommu, self.image, (self.work, _, self.disk) = driver, iommu, image, WORKS[driver]
        self.program = "flips" if self.work == "flips" else "campaign"
        self.folder = qemu.build_folder() / "campaign" / (driver + iommu * "-iommu" + image * "-image")
        self.folder.mkdir(parents=True, exist_ok=True)
        with open(self.folder / "lock", "w", encoding="ascii") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # tests and people may want it at the same time
            if not (self.folder / "key").exists() or (self.folder / "key").read_text() != self.key():
                self.make()

    def parts(self):
        names = ["kernel.elf", "boot.cpio", "services/inject", f"tests/{self.program}", GUARD, STEADY]
        return [*(qemu.build_folder() / name for name in names), TOP / "tests/inject/inject.manifest", Path(__file__), Path(qemu.__file__)]

    def key(self):
        return hashlib.sha256(b"".join(hashlib.sha256(path.read_bytes()).digest() for path in self.parts())).hexdigest()

    def write_initrd(self, path):
        work, argument, _ = WORKS[self.driver]
        archive = Archive()
        archive.add("etc/guest/run", 0o100644, RUN.format(program=self.program, work=work, argument=argument, driver=self.driver + self.image * " settled").encode())
        archive.add("etc/guest/command", 0o100755, b"true\n")
        archive.add_file("etc/bardo/inject.svc", TOP / "tests/inject/inject.manifest")
        archive.add_file("lib/bardo/inject", qemu.build_folder() / "services/inject")
        archive.add_file(f"bin/{self.program}", qemu.build_folder() / f"tests/{self.program}")
        path.write_bytes((qemu.build_folder() / "boot.cpio").read_bytes() + archive.bytes())

    def make(self):
        (self.folder / "key").unlink(missing_ok=True)
        self.write_initrd(self.folder / "boot.cpio")
        with scratch_folder() as scratch:
            self.prepare(Path(scratch), from_saved=False)
            machine = Machine(self.driver, scratch, iommu=self.iommu)
            try:
                if not any(what == "word" and word["state"] == "ready" for what, word in machine.words()):
                    shutil.copy(machine.klog, self.folder / "klog")
                    raise Broken(f"the system does not come up with its work: {self.folder}/klog")
                machine.save(self.folder)
            finally:
                machine.kill()
        (self.folder / "reached").unlink(missing_ok=True)
        (self.folder / "key").write_text(self.key())

    def prepare(self, scratch, from_saved=True):
        (scratch / "boot.cpio").symlink_to(self.folder / "boot.cpio")
        if self.disk and from_saved:
            subprocess.run(["cp", "--sparse=always", self.folder / "disk", scratch / "disk"], check=True)
        elif self.disk:
            make_disk(scratch / "disk")

    def reached(self, program):
        """Addresses of the instructions that run before a campaign gives a fault up as not triggered; of faults in the image, what copies run
        that are started meanwhile, too. QEMU names each instruction that it translates; other programs have theirs at the same addresses, but not
        the same ones."""
        path = self.folder / "reached"
        if not path.exists():
            never = program.functions["panic"][0]
            nothing = f"{self.driver} {never.address:#x} stack 0 0"
            if self.image:  # what is there already
                nothing = f"{self.driver} 0 image {never.address:#x} {never.bytes.hex()} {self.archive_offset() + program.offset(never.address):#x}"
            with scratch_folder() as folder:
                self.run(nothing, folder, ["-d", "in_asm", "-D", f"{folder}/translated"])
                text = (Path(folder) / "translated").read_text(errors="replace")
            found = {(int(address, 16), bytes.fromhex(first)) for address, first in re.findall(r"^0x([0-9a-f]+):  ((?:[0-9a-f]{2} ){1,8})", text, re.M)}
            path.write_text(json.dumps([one.address for function in program.functions.values() for one in function if (one.address, bytes(one.bytes[:8])) in found]))
        return set(json.loads(path.read_text()))

    def archive_offset(self):
        """Where the machine's boot archive has the driver's program."""
        archive, program = (self.folder / "boot.cpio").read_bytes(), (qemu.build_folder() / f"services/{self.driver}").read_bytes()
        at = archive.find(program)
        if at < 0 or archive.find(program, at + 1) >= 0:
            raise Broken(f"the boot archive does not have one {self.driver}")
        return at

    def run(self, fault, scratch, more=()):
        """One fault: the last word of the work (None: there was none, or not yet), how it ended, and what is wrong with the disk."""
        scratch = Path(scratch)
        self.prepare(scratch)
        machine = Machine(self.driver, scratch, self.folder, fault, more, self.iommu)
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
        last["said"] = bool(re.search(SAID.format(self.driver), (scratch / "klog").read_text(errors="replace")))
        last["cut"] = self.work == "net" and CUT in (scratch / "klog").read_text(errors="replace")
        if self.work == "net":
            last["wire"] = wire_is_dead(scratch / "wire") or (bool(last.get("stalled")) and peer_sulks(scratch / "wire"))
            last["garbled"] = bool(last.get("wrong")) and peer_garbles(scratch / "wire", scratch)
            last["damage"] = next(filter(None, (judge_peer((scratch / f"got{port}").read_bytes()) for port in PORTS)), "")
        if self.work == "disk" and last.get("checked"):
            last["refused"], last["damage"] = judge_disk(scratch / "disk", last["errors"] > 0)
        return last, "ended"
