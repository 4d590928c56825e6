# SPDX-License-Identifier: BSD-2-Clause
"""A device that raises MSIs by itself, without end, whatever its driver does: QEMU's ivshmem-doorbell, whose peers may ring it. This is the peer, and
the server that it is told of by (QEMU's docs/specs/ivshmem-spec.txt).

    with Doorbell(tmp_path / "bell") as bell:
        boot(..., qemu=bell.qemu)            # PCI device 1af4:1110
"""
import os
import socket
import struct
import threading

VERSION, ITS_ID, MEMORY = 0, 0, 4096
PAUSE = 0.001  # s: a thousand a second of the host's time. Where instructions are time (icount) that is ten thousand of the machine's, while it works;
#               while it has nothing to do its clock runs ahead of the host's, and nobody rings.


class Doorbell(threading.Thread):
    def __init__(self, path, pause=PAUSE):
        super().__init__(daemon=True)
        self.pause, self.ends, self.rung = pause, threading.Event(), 0
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(path))
        self.listener.listen(1)
        self.qemu = f"-chardev socket,path={path},id=bell -device ivshmem-doorbell,chardev=bell,vectors=1"

    def run(self):
        memory, bell = os.memfd_create("doorbell"), os.eventfd(0, os.EFD_NONBLOCK)
        os.ftruncate(memory, MEMORY)
        try:
            with self.listener.accept()[0] as guest:
                for number in (VERSION, ITS_ID):
                    guest.sendall(struct.pack("<q", number))
                socket.send_fds(guest, [struct.pack("<q", -1)], [memory])
                socket.send_fds(guest, [struct.pack("<q", ITS_ID)], [bell])
                while not self.ends.wait(self.pause):
                    os.eventfd_write(bell, 1)
                    self.rung += 1
        except OSError:
            pass  # it ended without ever having had a guest, or while one was told
        finally:
            os.close(memory)
            os.close(bell)

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.ends.set()
        self.listener.shutdown(socket.SHUT_RDWR)
        self.join()
        self.listener.close()
