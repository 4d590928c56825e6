# SPDX-License-Identifier: BSD-2-Clause
"""The host's half of the network tests: servers and clients on its loopback, each in a thread of its own with a deadline."""
import hashlib
import os
import socket
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tools"))
from httpd import FileServer  # noqa: E402

DEADLINE = 60  # s, for everything here
CHUNK = 65536


def sha1(data):
    return hashlib.sha1(data).hexdigest()


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as s:
        return s.getsockname()[1]


def served(folder, megabytes):
    """A file of random bytes behind an HTTP server that the guest knows as 10.0.2.2: (URL, sha1)."""
    data = os.urandom(megabytes << 20)
    path = folder / f"random-{megabytes}.bin"
    path.write_bytes(data)
    return f"http://10.0.2.2:{FileServer(path).start().port}/file", sha1(data)


class Sink(threading.Thread):
    """Takes all that comes on each connection; the result is that of the first. (The harness may run a command again.)"""

    def __init__(self):
        super().__init__(daemon=True)
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port, self.received, self.done = self.socket.getsockname()[1], None, threading.Event()
        self.start()

    def run(self):
        while True:
            connection, _ = self.socket.accept()
            connection.settimeout(DEADLINE)
            with connection:
                received = b"".join(iter(lambda: connection.recv(CHUNK), b""))
            self.received = received if self.received is None else self.received
            self.done.set()

    def result(self):
        assert self.done.wait(DEADLINE), "nobody has connected and closed"
        return self.received


class Client(threading.Thread):
    """Connects, again and again, to a port that is forwarded to the guest; sends `data` and takes what comes back; the result is that of
    the first time that all `wanted` bytes came. (Until somebody listens there the emulator accepts, and then hangs up.)"""

    def __init__(self, port, data=b"", wanted=1):
        super().__init__(daemon=True)
        self.port, self.data, self.wanted, self.received, self.stop = port, data, wanted, b"", False
        self.start()

    def attempt(self):
        with socket.create_connection(("127.0.0.1", self.port), timeout=DEADLINE) as connection:
            threading.Thread(target=self.send, args=(connection,), daemon=True).start()
            received = b""
            while len(received) < self.wanted:
                piece = connection.recv(CHUNK)
                if not piece:
                    break
                received += piece
            return received

    def send(self, connection):
        try:
            connection.sendall(self.data)
            connection.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # nobody there yet

    def run(self):
        while not self.stop:
            try:
                received = self.attempt()
                self.received = max(self.received, received, key=len) if len(self.received) < self.wanted else self.received
            except OSError:
                pass
            time.sleep(0.25)

    def result(self):
        """When the guest has ended."""
        self.stop = True
        self.join(DEADLINE)
        return self.received
