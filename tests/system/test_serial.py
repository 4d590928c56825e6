# SPDX-License-Identifier: BSD-2-Clause
"""Serial ports beyond the console: /dev/ttyS1 with an interrupt of its own, /dev/ttyS3, which has none and is polled."""
import re
import socket
import threading
import time

import pytest

from conftest import BUILD, TOP
from machine import terminal
from test_disk import LIBRARY, PLACES, patient
from test_hostile import TOOL as hostile

PLACES["uart"] = "drivers/char/uart/uart.svc"
ILL = "vainserial"  # its name comes after uart's: its terminal is the last for which there is no port
FIFO = 16  # what a death may repeat of what is sent, or lose of what is received
LINES = 20000


def ports(number, backend):
    """QEMU's arguments for ports up to that one."""
    return "-serial null " * (number - 1) + f"-chardev {backend},id=port -serial chardev:port"


@pytest.fixture
def typist(tmp_path):
    """typist(text): the backend of a port at which somebody types that as fast as the port takes it, and reads nothing but drops it; waits: once something has come."""
    listeners = []

    def serve(listener, text, waits):
        try:
            peer = listener.accept()[0]
            if waits:
                peer.recv(1)
            threading.Thread(target=lambda: [None for _ in iter(lambda: peer.recv(65536), b"")], daemon=True).start()
            peer.sendall(text)
        except OSError:
            pass  # the machine is gone before it has read all, or the test is over

    def start(text, waits=False):
        path = tmp_path / f"port-{len(listeners)}"
        listeners.append(socket.socket(socket.AF_UNIX))
        listeners[-1].bind(str(path))
        listeners[-1].listen()
        threading.Thread(target=serve, args=(listeners[-1], text, waits), daemon=True).start()
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


def ill(attack, times):
    """What adds a driver of a further terminal that does this, so often."""
    text = hostile.manifest(ILL, attack, [], 60, 1)
    text = re.sub(r"^budget .*", "budget 20 60", re.sub(r"^backoff .*", "backoff 8 10 100", re.sub(r"times=\d+", f"times={times}", text), flags=re.M), flags=re.M)
    return {f"/etc/bardo/{ILL}.svc": text, f"/lib/bardo/{ILL}": BUILD / "services/hostile"}


def test_counts_what_has_not_come(boot):
    """A driver that counts bytes which it has not stored is complained of, each copy anew, and in the end given up: a program gets a handful of each, besides the
    1024 zeros that the queue's memory begins with."""
    result = boot("stty -F /dev/ttyS3 raw -echo; cat /dev/ttyS3 >/tmp/came & n=0; until service list | grep -q 'vainserial [ 0-9]*given-up' || [ $n -gt 200 ]; do usleep 100000; n=$((n + 1)); done; "
                  "echo came $(wc -c </tmp/came); grep -c 'vainserial complaint' /proc/recovery; grep -c 'uart complaint' /proc/recovery; true", add=ill("counts", 1 << 30), leak_check=False)
    came, complaints, others = map(int, re.fullmatch(r"came (\d+)\n(\d+)\n(\d+)\n", result.out).groups())
    assert complaints > 5 and came <= 1024 + 16 * complaints and others == 0, result.out
    assert f"driver {ILL} hands on what has not come" in result.klog and f"rs: {ILL}: given up after" in result.klog


def test_says_that_it_is_nobody(boot):
    """A driver that unwrites its incarnation was at work until then, and is replaced."""
    result = boot("sleep 2; grep -c 'vainserial complaint' /proc/recovery; grep -c 'uart complaint' /proc/recovery; true", add=ill("nobody", 0), leak_check=False)
    complaints, others = map(int, result.out.split())
    assert complaints > 2 and others == 0


def test_line_that_guesses(boot, typist):
    """Nobody at the other end of a line makes a healthy driver look ill: by what was once in the places of bytes that had been taken, from each beginning."""
    runs = b"".join(bytes((begin + at * 53) & 255 for at in range(16)) for begin in range(256))
    out = boot(f"stty -F /dev/ttyS1 raw -echo; echo >/dev/ttyS1; head -c {len(runs) * 3} </dev/ttyS1 | wc -c; grep -c uart.1 /proc/recovery; true", qemu=ports(1, typist(runs * 4, waits=True)), leak_check=False).out
    assert out == f"{len(runs) * 3}\n0\n"


def test_port_of_its_own(boot, tmp_path):
    """A driver of another name has the terminal of a port that is not there; when that port's own driver finds a chip the terminal is that one's, and stays so."""
    out = tmp_path / "sent"
    late = re.sub(r"^start .*", "start 999", (TOP / PLACES["uart"]).read_text(), flags=re.M)
    result = boot("service wait uart.3; for n in 1 2 3 4 5; do echo $n >/dev/ttyS3; service kill vainserial; usleep 300000; done; stty -F /dev/ttyS3 >/dev/null && echo there",
                  qemu=ports(3, f"file,path={out}"), add={**ill("counts", 0), "/etc/bardo/uart.svc": late}, leak_check=False)
    assert result.out == "there\n" and out.read_bytes() == b"1\r\n2\r\n3\r\n4\r\n5\r\n"


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
    with listener, terminal(out, "--qemu", f"-chardev socket,path={tmp_path}/port,id=port -serial chardev:port -d trace:serial_write -D {writes}") as console:
        console.wait(b"# ")
        console.type("stty -echo; PS1=\n" + "".join(f"echo '{line}' >>/tmp/transfer\n" for line in TRANSFER.splitlines()) + "sh /tmp/transfer &\n")
        while b"bytes are the same" not in out.read_bytes() and len(typed) < 1000:
            typed.append(len(typed))
            for part in ("echo li''", f"ne-{typed[-1]}-", "\n"):
                console.type(part)
                time.sleep(0.07)
        console.type("echo al''l; poweroff -f\n")
        console.wait(b"all\r\n")
        console.guest.wait(timeout=60)
    text = out.read_bytes().decode(errors="replace")
    assert [int(n) for n in re.findall(r"line-(\d+)-\r\n", text)] == typed
    assert int(re.search(r"all (\d+) bytes are the same", text).group(1)) > 100000
    assert not re.search("cmp:|driver uart", text)
    assert len(re.findall(r"addr 0x04 val 0x1b", writes.read_text())) >= 4
