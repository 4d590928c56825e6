# SPDX-License-Identifier: BSD-2-Clause
"""The dashboard from outside: a booted system that serves it, and requests to it."""
import base64
import contextlib
import http.client
import json
import os
import re
import socket
import struct
import time
from pathlib import Path

from conftest import LOADED
from hostnet import free_port
from machine import terminal

DEADLINE = 30 * LOADED


class Dashboard:
    def __init__(self, port, console):
        self.port, self.console, self.out, self.password = port, console, console.out, ""

    def type(self, line):
        """Into the shell on the console."""
        self.console.type(line + "\n")

    def wait_for_output(self, pattern):
        return self.wait(lambda: re.search(pattern, self.out.read_text(errors="replace")), pattern)

    def wait(self, condition, what):
        end = time.monotonic() + DEADLINE
        while time.monotonic() < end:
            found = condition()
            if found:
                return found
            time.sleep(0.05)
        raise AssertionError(f"never came: {what}\n{self.out.read_text(errors='replace')[-2000:]!r}\n" + "\n".join(self.log()[-40:]))

    def log(self):
        try:
            return self.status()["log"]
        except (OSError, AssertionError) as error:
            return [f"(the system does not answer, either: {error})"]

    def headers(self, password=None):
        return {"Authorization": "Basic " + base64.b64encode(f"bardo:{password or self.password}".encode()).decode()}

    def request(self, method, path, headers=None, body=None):
        """(status, headers, body)"""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=DEADLINE)
        try:
            connection.request(method, path, body, self.headers() if headers is None else headers)
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            connection.close()

    def status(self, query=""):
        code, _, body = self.request("GET", "/api/status" + query)
        assert code == 200, body
        return json.loads(body)

    def order(self, verb, name):
        return self.request("POST", f"/api/{verb}/{name}", {**self.headers(), "X-Bardo": "1"})[0]

    def raw(self, data):
        """What comes when just these bytes are sent, until the other side is done."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=DEADLINE) as s:
            s.sendall(data)
            return b"".join(iter(lambda: s.recv(65536), b""))

    def deaths(self, name):
        return [event for event in self.status("?log=999999999999")["events"] if event["service"] == name]

    def wait_for_return(self, name, count):
        """Of the death with that number among its deaths."""
        return self.wait(lambda: [e for e in self.deaths(name) if e["how"] != "-"][count - 1:], f"return {count} of {name}")[0]


def listening(process):
    """Where somebody may connect by TCP to this process of the host, or to one that it has started: {(IPv4 or IPv6 address, port)}."""
    pids = [process]
    for pid in pids:
        for children in Path(f"/proc/{pid}/task").glob("*/children"):
            pids += map(int, children.read_text().split())
    inodes, found = set(), set()
    for link in (link for pid in pids for link in Path(f"/proc/{pid}/fd").iterdir()):
        with contextlib.suppress(OSError):  # it has been closed meanwhile
            inodes.add(os.readlink(link))
    for family, name in ((socket.AF_INET, "tcp"), (socket.AF_INET6, "tcp6")):
        for _, local, _, state, *_, inode in (line.split()[:10] for line in Path(f"/proc/{process}/net/{name}").read_text().splitlines()[1:]):
            if state == "0A" and f"socket:[{inode}]" in inodes:
                address, port = local.split(":")
                words = [int(address[at:at + 8], 16) for at in range(0, len(address), 8)]
                found.add((socket.inet_ntop(family, struct.pack(f"={len(words)}I", *words)), int(port, 16)))
    return found


@contextlib.contextmanager
def dashboard(folder, *arguments):
    port = free_port()
    with terminal(folder / "console", "--dashboard", str(port), *arguments) as console:
        found = Dashboard(port, console)
        found.password = found.wait_for_output(r"dashboard: http://127\.0\.0\.1:%d/  user bardo  password (\S+)\s" % port).group(1)
        found.wait_for_output("# ")
        yield found
        found.type("poweroff -f")
        console.guest.wait(timeout=DEADLINE)
