# SPDX-License-Identifier: BSD-2-Clause
"""The network job: fetch a file over the user-mode Ethernet driver."""
import subprocess
import tempfile
import time

from demo_jobs import DEATHS, FILES_MAX, SPARE_MEMORY, TOP, Progress, Runs, digest, follow, random_file, scripts, sum_command, time_limit
from httpd import FileServer
import qemu


class Transfers:
    """The HTTP server's side of the transfers."""

    def __init__(self, server):
        self.server = server

    def samples(self, file):
        if not self.server.transfers:
            return []
        transfer = self.server.transfers[-1]
        start = transfer.samples[0][0]
        file["lag"] = round(start - file["host"], 4)
        return [(round(at - start, 4), sent) for at, sent in transfer.samples]

    def now(self):
        if not self.server.transfers or self.server.transfers[-1].done:
            return None
        transfer = self.server.transfers[-1]
        seconds = max(time.monotonic() - transfer.samples[0][0], 0.001)
        _, kill, number = (transfer.path.split("/") + ["?", "?"])[:3]
        return "net", kill, number, transfer.sent / transfer.size, transfer.sent / seconds / 1e6


def run(size, kills, verify, device, victim):
    path = random_file(size)
    expected = digest(path, verify)
    server = FileServer(path).start()
    transfers = Transfers(server)
    victim = qemu.NICS[device].service if victim == "driver" else victim
    print(f"{size} MB over {device}, {victim} is killed; {verify} {expected}", flush=True)
    runs = Runs({"net": (expected,)}, transfers.samples)
    with tempfile.TemporaryDirectory() as folder:
        command = [str(TOP / "tools/guest"), "--nic", device, "--mem", str(max(256, size + SPARE_MEMORY)), "--timeout", str(time_limit(size, kills, victim)),
                   *scripts(folder), "--",
                   f"sh /etc/guest/demo.sh net http://10.0.2.2:{server.port} {victim} {sum_command(verify)} '' {DEATHS} {FILES_MAX} {' '.join(kills)}"]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, errors="replace")
        status = follow(process, runs, Progress(transfers))
    return {"job": "net", "device": device, "driver": qemu.NICS[device].service, "victim": victim, "size_mb": size, "verify": verify, "status": status, "kills": kills, "operations": ["net"],
            "problems": runs.problems, "runs": runs.runs}
