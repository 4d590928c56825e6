# SPDX-License-Identifier: BSD-2-Clause
"""Serial ports beyond the console: /dev/ttyS1 with an interrupt of its own, /dev/ttyS3, which has none and is polled."""
import os
import re
import socket
import subprocess
import threading
import time

import pytest

from conftest import BUILD, TOP
from test_console import wait_for
from test_disk import LIBRARY, PLACES, patient

PLACES["uart"] = "drivers/char/uart/uart.svc"
FIFO = 16  # what a death may repeat of what is sent, or lose of what is received
LINES = 20000


def ports(number, backend):
    """QEMU's arguments for ports up to that one."""
    return "-serial null " * (number - 1) + f"-chardev {backend},id=port -serial chardev:port"


@pytest.fixture
def typist(tmp_path):
    """typist(text): the backend of a port at which somebody types that as fast as the port takes it, and reads nothing but drops it."""
    listeners = []

    def serve(listener, text):
        try:
            peer = listener.accept()[0]
            threading.Thread(target=lambda: [None for _ in iter(lambda: peer.recv(65536), b"")], daemon=True).start()
            peer.sendall(text)
        except OSError:
            pass  # the machine is gone before it has read all, or the test is over

    def start(text):
        path = tmp_path / f"port-{len(listeners)}"
        listeners.append(socket.socket(socket.AF_UNIX))
        listeners[-1].bind(str(path))
        listeners[-1].listen()
        threading.Thread(target=serve, args=(listeners[-1], text), daemon=True).start()
        return f"socket,path={path}"

    yield start
    for listener in listeners:
        listener.close()


def repeats(sent, wanted):
    """How often what was sent steps back, FIFO bytes at most, and goes on as wanted; everything that is wanted must be there."""
    at = count = 0
    while sent:
        n = min(len(sent), len(wanted) - at)
        if sent[:n] == wanted[at:at + n]:
            same = n
        else:
            same = next(i for i in range(n) if sent[i] != wanted[at + i])
        at, sent = at + same, sent[same:]
        if not sent:
            break
        # the burst before is sent again: what was taken for new at its head may have been old already
        back = next((b for b in range(1, 2 * FIFO + 1) if b <= at and sent.startswith(wanted[at - b:at - b + min(b + 32, len(sent))])), None)
        assert back is not None, f"at {at}: {sent[:60]} in place of {wanted[at:at + 60]}"
        at, count = at - back, count + 1
    assert at == len(wanted)
    return count


def test_absent(boot):
    """A port that is not there: said once, its driver stays down, and who opens it is told at once."""
    result = boot("service list | grep uart | cut -c1-30; for n in 1 2 3; do echo x >/dev/ttyS$n; done; ls /dev/ttyS*; service up uart.1; sleep 0.3; service list | grep -c refused",
                  leak_check=False)
    assert [line.split()[0::2] for line in result.out.splitlines()[:4]] == [["uart", "up"], *(["uart." + n, "refused"] for n in "123")]
    assert result.out.count("No such device or address") == 3
    assert "/dev/ttyS0\n/dev/ttyS1\n/dev/ttyS2\n/dev/ttyS3\n" in result.out
    said = re.findall(r"(uart\.\d): there is no such device at ports (0x\w+)", result.klog)
    assert sorted(said) == 2 * [("uart.1", "0x2f8")] + [("uart.2", "0x3e8"), ("uart.3", "0x2e8")]  # and `service up` has asked once more


@pytest.mark.parametrize("number", [1, 3])
def test_sent(boot, tmp_path, number):
    """Every byte comes out, in order, while the driver is killed again and again; ttyS0, the console, goes on."""
    out = tmp_path / "sent"
    result = boot(LIBRARY + f"kill_all uart.{number} 20000; seq 1 {LINES} >/dev/ttyS{number}; echo done; stty -F /dev/ttyS{number} sane; stop uart.{number} 5",
                  qemu=ports(number, f"file,path={out}"), add=patient("uart"), leak_check=False)
    assert result.out == "done\noften enough\n"
    kills = result.klog.count(f"uart.{number}: killed 9")
    assert repeats(out.read_bytes(), b"".join(b"%d\r\n" % n for n in range(1, LINES + 1))) <= kills
    assert "uart: killed" not in result.klog


@pytest.mark.parametrize("number", [1, 3])
def test_received(boot, typist, number):
    """Nothing is lost; and of what comes while the driver dies at most what the chip held."""
    # (what has come before the driver's first start is lost: to enable the FIFO clears it)
    given = b"\n" * 50 + b"".join(b"%d\n" % n for n in range(LINES // 4)) + b"end\n" * 50
    read = f"sed '/^end/q' </dev/ttyS{number} | grep '[0-9]'"
    out = boot(read + " | sha1sum; seq 0 4999 | sha1sum", qemu=ports(number, typist(given)), leak_check=False).out.split("\n")
    assert out[0] == out[1]
    result = boot(LIBRARY + f"kill_all uart.{number} 30000; {read}; stop uart.{number} 2", qemu=ports(number, typist(given)), add=patient("uart"), leak_check=False)
    numbers = result.out.split("\n")
    assert numbers[-2:] == ["often enough", ""]
    whole = [line for line in numbers[:-2] if line.isdecimal()]
    kills = result.klog.count(f"uart.{number}: killed 9")
    assert len(set(whole)) >= LINES // 4 - 6 * kills  # a FIFO holds parts of six such lines at most


CHUNKS = 25  # of the transfer below, with pauses between them in which the port may be tested
TRANSFER = f"""stty -F /dev/ttyS1 raw -echo; cd /tmp; n=0; while [ $n -lt {CHUNKS} ]; do seq $((n * 1000)) $((n * 1000 + 799)); n=$((n + 1)); done >sent
head -c $(wc -c <sent) </dev/ttyS1 >came & exec 3>/dev/ttyS1; n=0
while [ $n -lt {CHUNKS} ]; do seq $((n * 1000)) $((n * 1000 + 799)) >&3; n=$((n + 1)); usleep 200000; done; wait $!; cmp sent came && echo "all $(wc -c <came) bytes are the sam""e"
"""


def send_back(listener):
    """All that comes, in pieces that do not wait for the end of a chunk."""
    try:
        peer = listener.accept()[0]
        for data in iter(lambda: peer.recv(700), b""):
            peer.sendall(data)
    except OSError:
        pass


def test_tested_meanwhile(tmp_path):
    """Ports are tested again and again while 100 kB go out and come back with pauses, and somebody types at the console: nothing is lost, and no byte of a
    test is to be seen. (Writes to the MCR tell that there were tests.)"""
    out, writes, listener = tmp_path / "out", tmp_path / "writes", socket.socket(socket.AF_UNIX)
    listener.bind(str(tmp_path / "port"))
    listener.listen()
    threading.Thread(target=send_back, args=(listener,), daemon=True).start()
    typed = []
    with listener, out.open("wb") as file:
        guest = subprocess.Popen([TOP / "tools/guest", "--qemu", f"-chardev socket,path={tmp_path}/port,id=port -serial chardev:port -d trace:serial_write -D {writes}"],
                                 stdin=subprocess.PIPE, stdout=file, env=dict(os.environ, B=str(BUILD)))

        def type_in(text):
            guest.stdin.write(text.encode())
            guest.stdin.flush()

        try:
            wait_for(out, b"# ")
            type_in("stty -echo; PS1=\n" + "".join(f"echo '{line}' >>/tmp/transfer\n" for line in TRANSFER.splitlines()) + "sh /tmp/transfer &\n")
            while b"bytes are the same" not in out.read_bytes() and len(typed) < 1000:
                typed.append(len(typed))
                for part in ("echo li''", f"ne-{typed[-1]}-", "\n"):
                    type_in(part)
                    time.sleep(0.07)
            type_in("echo al''l; poweroff -f\n")
            wait_for(out, b"all\r\n")
            guest.wait(timeout=60)
        finally:
            guest.kill()
            guest.wait()
    text = out.read_bytes().decode(errors="replace")
    assert [int(n) for n in re.findall(r"line-(\d+)-\r\n", text)] == typed
    assert int(re.search(r"all (\d+) bytes are the same", text).group(1)) > 100000
    assert not re.search("cmp:|driver uart", text)
    assert len(re.findall(r"addr 0x04 val 0x1b", writes.read_text())) >= 4
