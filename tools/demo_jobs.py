# SPDX-License-Identifier: BSD-2-Clause
"""What the jobs of tools/demo share: the file of random bytes, the lines from the system, the bar."""
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import qemu

TOP = Path(__file__).resolve().parent.parent
DEATHS = 3  # a run goes on until the component has died so often
ALL_DEATHS = 30  # VICTIM=all: at most about so many services are up, and each dies once at least; for the time-out alone
FILES_MAX = 1000
SPARE_MEMORY = 400  # MB beyond the file
BAR_WIDTH = 40
FORK_LINES = 250  # of demo_forks.sh
SECONDS_PER_RUN = 60  # for the time-out: beside transfers and verification
SLOWEST = 5.0  # MB/s
VERIFICATION = 8  # times as long as the transfer, at worst


def random_file(size):
    """A file of `size` MB, kept for the next time."""
    path = qemu.build_folder() / f"demo-{size}.bin"
    if not path.exists() or path.stat().st_size != size << 20:
        print(f"making {size} MB of random bytes", flush=True)
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(f".{os.getpid()}")
        with open(partial, "wb") as file:
            for _ in range(size):
                file.write(os.urandom(1 << 20))
        partial.rename(path)
    return path


def digest(path, verify):
    """Our own static program: the same binary here and in the system."""
    program = [str(qemu.build_folder() / "programs/digest")] + (["-s"] if verify == "sum" else []) + [str(path)]
    return subprocess.run(program, check=True, capture_output=True, text=True).stdout.split()[0]


def sum_command(verify):
    return "'digest -s'" if verify == "sum" else "digest"


def time_limit(size, kills, victim):
    deaths = ALL_DEATHS if victim == "all" else DEATHS
    return int(sum(SECONDS_PER_RUN + VERIFICATION * (deaths * float(kill) + size / SLOWEST) for kill in kills))


def scripts(folder, *names):
    """Arguments for tools/guest: the scripts, and what demo_forks.sh must say."""
    said = Path(folder) / "demo_forks.out"
    said.write_text("".join(f"line {n}, status {n % 100}\n" for n in range(FORK_LINES)))
    places = [(TOP / "tools" / name, name) for name in ("demo.sh", "demo_forks.sh", *names)] + [(said, said.name)]
    return [word for path, name in places for word in ("--add", f"{path}:/etc/guest/{name}")]


class Progress(threading.Thread):
    """A bar for the transfer that is going on, on a terminal; else a line when it ends. source.now(): None, or (run, part, MB/s)."""

    def __init__(self, source):
        super().__init__(daemon=True)
        self.source, self.terminal, self.stopped = source, sys.stdout.isatty(), threading.Event()

    def run(self):
        while not self.stopped.wait(0.2):
            now = self.terminal and self.source.now()
            if now:
                self.draw(*now)

    @staticmethod
    def draw(operation, kill, number, part, rate):
        bar = "#" * int(part * BAR_WIDTH)
        what = {"0": "undisturbed", "warm": "warming up"}.get(kill, f"killed every {kill} s")
        print(f"\r{operation:5} {what:18} file {number:>2} [{bar:{BAR_WIDTH}}] {part:4.0%} {rate:6.1f} MB/s ", end="", flush=True)


class Runs:
    """What the lines from the system say. sums: operation -> what a digest may be. samples(file) -> [(seconds since its begin, bytes)]."""

    def __init__(self, sums, samples):
        self.sums, self.samples, self.runs, self.problems = sums, samples, [], []

    def line(self, text):
        words = text.split()
        if words[:1] != ["DEMO"] or len(words) < 3:
            self.problems.append(text)
            return
        if words[1] == "recovery":
            self.runs[-1]["recoveries"].append(text.split(None, 2)[2])
            return
        values = dict(word.split("=", 1) for word in words[2:] if "=" in word)
        if words[1] == "forks":
            self.runs[-1]["forks_right"] += int(values.get("right", 0))
            if "wrong" in values:
                self.problems.append(text)
        elif words[1] == "begin":
            self.begin(values)
        elif words[1] == "end":
            self.end(values)
        elif words[1] == "sum":
            last = self.runs[-1]["files"][-1]
            last["sum_ok"] = last["status"] == 0 and self.is_right(words)
            print("    bytes right" if last["sum_ok"] else "    BYTES WRONG", flush=True)
        elif words[1] == "last":
            last = self.runs[-1]["files"][-1]
            last["sum_ok"] &= self.sums[self.runs[-1]["op"]][0] in words
            print(f"    and by {len(self.sums[self.runs[-1]['op']][0]) * 4} bits of digest: {'right' if last['sum_ok'] else 'WRONG'}", flush=True)

    def is_right(self, words):
        return any(expected in words for expected in self.sums[self.runs[-1]["op"]])

    def begin(self, values):
        key = {"op": values["op"], "kill_s": float(values["kill"])}
        if not self.runs or any(self.runs[-1][name] != value for name, value in key.items()):
            self.runs.append({**key, "files": [], "recoveries": [], "forks_right": 0})
        self.runs[-1]["files"].append({"begin": float(values["up"]), "host": time.monotonic(), "number": values["file"], "sum_ok": False})

    def end(self, values):
        run = self.runs[-1]
        file = run["files"][-1]
        file.update(end=float(values["up"]), status=int(values["status"]))
        file["samples"] = self.samples(file)
        seconds = max(file["end"] - file["begin"], 0.001)
        sent = file["samples"][-1][1] if file["samples"] else 0
        Progress.draw(run["op"], values["kill"], values["file"], 1.0, sent / seconds / 1e6)
        print(f"\n    {seconds:.2f} s", end="", flush=True)

    def current(self):
        """The run and file that are being moved now; None: none."""
        run = self.runs[-1] if self.runs else None
        file = run["files"][-1] if run and run["files"] else None
        return (run, file) if file and "end" not in file else None


def follow(process, runs, progress):
    """Read the system's lines to the end; its status."""
    progress.start()
    try:
        for line in process.stdout:
            runs.line(line.rstrip("\n"))
        status = process.wait()
    finally:
        process.terminate()
        progress.stopped.set()
    for problem in runs.problems:
        print(f"from the system: {problem}", file=sys.stderr)
    return status
