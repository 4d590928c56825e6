#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""An HTTP server on the host's loopback that serves one file at every path, as fast as sendfile can.

    tools/httpd.py FILE [PORT]      prints the port, serves until killed

As a module: FileServer(path) serves from a thread of its own; its `transfers` list says who fetched how much, and when.
"""
import os
import socket
import sys
import threading
import time

CHUNK = 256 << 10
SEND_BUFFER = 256 << 10  # small, so that what is sent is nearly what has arrived


class Transfer:
    """One response: samples are (monotonic time, bytes so far)."""

    def __init__(self, path, size):
        self.path, self.size, self.samples, self.done = path, size, [(time.monotonic(), 0)], False

    @property
    def sent(self):
        return self.samples[-1][1]


class FileServer:
    def __init__(self, path, port=0):
        self.path, self.size = path, os.stat(path).st_size
        self.transfers = []
        self.socket = socket.create_server(("127.0.0.1", port), backlog=16)
        self.port = self.socket.getsockname()[1]

    def start(self):
        threading.Thread(target=self.serve, daemon=True).start()
        return self

    def serve(self):
        while True:
            connection, _ = self.socket.accept()
            threading.Thread(target=self.handle, args=(connection,), daemon=True).start()

    def handle(self, connection):
        with connection, open(self.path, "rb") as file:
            try:
                request = read_request(connection)
                if request:
                    self.respond(connection, file, *request)
            except OSError:
                pass  # the client has gone

    def respond(self, connection, file, method, path):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
        if method not in ("GET", "HEAD"):
            connection.sendall(b"HTTP/1.0 501 Not implemented\r\nConnection: close\r\n\r\n")
            return
        connection.sendall(f"HTTP/1.0 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: {self.size}\r\n"
                           "Connection: close\r\n\r\n".encode())
        if method == "HEAD":
            return
        transfer = Transfer(path, self.size)
        self.transfers.append(transfer)
        offset = 0
        while offset < self.size:
            sent = os.sendfile(connection.fileno(), file.fileno(), offset, CHUNK)
            if sent == 0:
                return
            offset += sent
            transfer.samples.append((time.monotonic(), offset))
        transfer.done = True


def read_request(connection):
    """(method, path), or None."""
    data = b""
    while b"\r\n\r\n" not in data and b"\n\n" not in data:
        received = connection.recv(4096)
        if not received or len(data) > 16384:
            return None
        data += received
    words = data.split(b"\n", 1)[0].split()
    return (words[0].decode(errors="replace"), words[1].decode(errors="replace")) if len(words) >= 2 else None


def main():
    if sys.argv[1:2] in (["-h"], ["--help"]):
        print(__doc__, end="")
        return
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    server = FileServer(sys.argv[1], int(sys.argv[2]) if len(sys.argv) == 3 else 0)
    print(server.port, flush=True)
    server.serve()


if __name__ == "__main__":
    main()
