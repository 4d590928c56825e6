# SPDX-License-Identifier: BSD-2-Clause
"""The disk job: read a disk raw and through ext4, and write to it, while its driver (or the disk server, or the file server) is killed.
A disk is much faster than sha1sum is in an emulator: so every file is verified by a sum over its 64-bit words, the last of each run by sha1, too."""
import json
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from demo_jobs import DEATHS, FILES_MAX, SPARE_MEMORY, TOP, Progress, Runs, digest, follow, random_file, scripts, time_limit
import qemu

SMALL_FILES = 1000
OPERATIONS = ("raw", "read", "write")


class Sampler(threading.Thread):
    """How many bytes QEMU has moved from and to the image, several times a second, through its monitor (QMP)."""

    def __init__(self, path, size):
        super().__init__(daemon=True)
        self.path, self.size, self.points, self.stopped, self.runs = path, size, [], threading.Event(), None

    def run(self):
        with socket.socket(socket.AF_UNIX) as monitor:
            while not self.stopped.wait(0.05):
                try:
                    monitor.connect(str(self.path))
                    break
                except OSError:
                    continue
            stream = monitor.makefile("rw")
            self.ask(stream, "qmp_capabilities")
            while not self.stopped.wait(0.1):
                answer = self.ask(stream, "query-blockstats")
                if answer is None:
                    return
                stats = answer[0]["stats"]
                self.points.append((time.monotonic(), stats["rd_bytes"], stats["wr_bytes"]))

    @staticmethod
    def ask(stream, command):
        try:
            stream.write(json.dumps({"execute": command}) + "\n")
            stream.flush()
            while True:
                line = stream.readline()
                if not line:
                    return None
                answer = json.loads(line)
                if "return" in answer:
                    return answer["return"]
        except (OSError, ValueError):
            return None

    def moved(self, run, file):
        column = 2 if run["op"] == "write" else 1
        points = [(at - file["host"], point[column]) for point in self.points if (at := point[0]) >= file["host"]]
        return [(round(at, 4), moved - points[0][1]) for at, moved in points]

    def samples(self, file):
        """The file has just been moved: all of it, whatever the last sample was."""
        points = self.moved(self.runs.runs[-1], file)
        length = file["end"] - file["begin"]
        return [point for point in points if point[0] < length] + [(round(length, 4), self.size)]

    def now(self):
        current = self.runs.current()
        if not current:
            return None
        points = self.moved(*current) or [(0.001, 0)]
        seconds, moved = max(points[-1][0], 0.001), points[-1][1]
        return current[0]["op"], "%g" % current[0]["kill_s"], current[1]["number"], min(moved / self.size, 1.0), moved / seconds / 1e6


def make_image(path, content, size):
    """ext4 as mke2fs makes it by default, with the file in it."""
    print(f"making a disk of {2 * size + size // 8 + 96} MB with ext4 and the file on it", flush=True)
    path.unlink(missing_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent) as tree:
        (Path(tree) / "file").hardlink_to(content)
        with open(path, "wb") as image:
            image.truncate((2 * size + size // 8 + 96) << 20)
        subprocess.run(["/sbin/mke2fs", "-q", "-F", "-t", "ext4", "-d", tree, str(path)], check=True)


def raw_sums(image, size, verify):
    """Of the first `size` MB of the disk: by `verify`, and the quick one."""
    with tempfile.NamedTemporaryFile(dir=image.parent) as part:
        with open(image, "rb") as source:
            for _ in range(size):
                part.write(source.read(1 << 20))
        part.flush()
        return digest(part.name, verify), digest(part.name, "sum")


def check_image(image, expected, verify):
    """After the end: is the file system clean, and has it what was written (expected "": no copy)? What is wrong with it; "": nothing."""
    done = subprocess.run(["/sbin/e2fsck", "-fn", str(image)], capture_output=True, text=True)
    if done.returncode:
        return "e2fsck is not content:\n" + done.stdout
    with tempfile.TemporaryDirectory(dir=image.parent) as folder:
        commands = f"dump file.copy {folder}/copy\nrdump small {folder}\n"
        subprocess.run(["/sbin/debugfs", "-f", "-", str(image)], input=commands, capture_output=True, text=True, check=False)
        copy = Path(folder) / "copy"
        if expected and (not copy.exists() or digest(copy, verify) != expected):
            return "the copy differs from the file"
        for number in range(SMALL_FILES):
            small = Path(folder) / "small" / str(number)
            if not small.exists() or small.read_text() != f"small file {number}\n":
                return f"small/{number} is missing or wrong"
    return ""


def run(size, kills, verify, device, victim, operations):
    path = random_file(size)
    if victim == "ext4":  # there is no file server before something is mounted
        operations = [name for name in operations if name != "raw"]
    disk = qemu.DISKS[device]
    image = qemu.build_folder() / "demo-disk.img"
    make_image(image, path, size)
    expected, quick = digest(path, verify), digest(path, "sum")
    last = "''" if verify == "sum" else "digest"
    victim = disk.service if victim == "driver" else victim
    print(f"{size} MB on {device}, {victim} is killed; {verify} {expected}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        monitor = Path(folder) / "qmp"
        sampler = Sampler(monitor, size << 20)
        runs = Runs({"raw": raw_sums(image, size, verify), "read": (expected, quick), "write": (expected, quick)}, sampler.samples)
        sampler.runs = runs
        command = [str(TOP / "tools/guest"), "--mem", str(max(256, size + SPARE_MEMORY)), "--timeout", str(3 * time_limit(size, kills, victim)),
                   f"--qemu=-qmp unix:{monitor},server,nowait " + " ".join(qemu.disk(image, device)),
                   *scripts(folder, "demo_disk.sh"), "--",
                   f"size={size} ops='{' '.join(operations)}' sh /etc/guest/demo_disk.sh {disk.name} {victim} 'digest -s' {last} {DEATHS} {FILES_MAX} {' '.join(kills)}"]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, errors="replace")
        sampler.start()
        status = follow(process, runs, Progress(sampler))
        sampler.stopped.set()
    wrong = check_image(image, expected if "write" in operations else "", verify)
    print(f"the host's look at the disk: {wrong or 'e2fsck finds nothing, what was written is right'}", file=sys.stderr if wrong else sys.stdout, flush=True)
    if not wrong:
        image.unlink()
    return {"job": "disk", "device": device, "driver": disk.service, "victim": victim, "size_mb": size, "verify": verify, "status": status, "kills": kills,
            "operations": operations, "fsck": "bad" if wrong else "clean", "problems": runs.problems, "runs": runs.runs}
