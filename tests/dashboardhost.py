# SPDX-License-Identifier: BSD-2-Clause
"""The dashboard from outside: a booted system that serves it, and requests to it."""
import base64
import contextlib
import http.client
import json
import re
import socket
import time

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


@contextlib.contextmanager
def dashboard(folder, *arguments):
    port = free_port()
    with terminal(folder / "console", "--dashboard", str(port), *arguments) as console:
        found = Dashboard(port, console)
        found.password = found.wait_for_output(r"dashboard: http://127\.0\.0\.1:%d/  user bardo  password (\S+)" % port).group(1)
        found.wait_for_output("# ")
        yield found
        found.type("poweroff -f")
        console.guest.wait(timeout=DEADLINE)
