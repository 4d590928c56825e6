# SPDX-License-Identifier: BSD-2-Clause
"""A driver that is alive and lets no more frames (or characters) through: how long it takes, by the machine's own clock, until its client says so. Or only some: its card has another address."""
import os
import re
import socketserver
import threading

import pytest

import inject_faults
import qemu
from test_campaign import INJECTOR
from test_faults import detected, recoveries

NOTHING = "31c0c3"  # xor eax, eax; ret: nothing has come, or was taken
CARDS = {nic.service: kind for kind, nic in qemu.NICS.items()}
LIMIT = 300  # ms
DEADLINE, DATA, SILENCE = 2, 3, 4  # why a client complains


class Endless(socketserver.BaseRequestHandler):
    """Sends and takes as much as the other end does, until that hangs up."""

    def handle(self):
        threading.Thread(target=self.take, daemon=True).start()
        try:
            while True:
                self.request.sendall(bytes(16384))
        except OSError:
            pass

    def take(self):
        try:
            while self.request.recv(65536):
                pass
        except OSError:
            pass


@pytest.fixture
def endless():
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Endless) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


def entry(nic, name):
    functions = inject_faults.Program(nic).functions
    names = (name, f"{nic}_{name}", f"{nic.removesuffix('e')}_{name}")  # e1000e has the e1000's code
    return next(code[0].address for function, code in functions.items() if function in names)


COMMAND = """mknod /tmp/inject c 240 0
frames() {{ sed -n 's/^ *e0: *[0-9]* *\\([0-9]*\\) .*/\\1/p' /proc/net/dev; }}
stall() {{ to=$(($(frames) + 60)); until [ $(frames) -ge $to ]; do usleep 20000; done; echo "{nic} $1 text $1 {code}" >/tmp/inject
    n=0; until [ $(grep -c ' {nic} ' /proc/recovery) -ge $2 ] || [ $n -ge 100 ]; do n=$((n + 1)); usleep 20000; done; head -n 1 /tmp/inject; }}
nc 10.0.2.2 {port} </dev/null >/dev/null &
stall {receive:#x} 1; stall {transmit:#x} 2; kill %1; ping -c 1 10.0.2.2; cat /proc/recovery"""


@pytest.mark.parametrize("nic", ["e1000", "e1000e", "rtl8139", "virtio-net"])
def test_stall_in_traffic(boot, endless, nic):
    """Frames stop in the midst of a transfer, first those that come, then those that go: found within 300 ms each time, and a fresh driver goes on. A
    driver of a virtio card sees that the card has what it can't find, and ends itself."""
    command = COMMAND.format(nic=nic, receive=entry(nic, "receive"), transmit=entry(nic, "transmit"), code=NOTHING, port=endless)
    out = boot(command, nics=[CARDS[nic]], add=INJECTOR, icount=True, leak_check=False, timeout=200).out
    rows = recoveries(out, nic)
    began = [int(when) for when in re.findall(r"^triggered (\d+) 0$", out, re.M)]
    for what, when, row in zip(["receive", "transmit"], began, rows):
        assert 0 < detected(f"{nic} {what}", row, when / 1e9) <= LIMIT
    assert [f"{row['defect']} {row['detail']}" for row in rows] == ["exit 1" if nic == "virtio-net" else f"complaint {SILENCE}", f"complaint {DEADLINE}"]
    assert " 1 packets received" in out


SERIAL = """mknod /tmp/inject c 240 0; stty -F /dev/ttyS1 raw; sleep 1.5  # the first test of the port is over
echo "uart.1 {at:#x} text {at:#x} {code}" >/tmp/inject; seq 1 300 >/dev/ttyS1 &
n=0; until grep -q ' uart.1 ' /proc/recovery || [ $n -ge 100 ]; do n=$((n + 1)); usleep 20000; done; head -n 1 /tmp/inject; wait; stty -F /dev/ttyS1 sane; cat /proc/recovery"""


@pytest.mark.parametrize("function, why", [("send", DEADLINE), ("serve", DEADLINE)], ids=["silent", "deaf"])
def test_serial_port_sends_no_more(boot, tmp_path, function, why):
    """Of a text, and either it answers when it is to test its device, or does not: what was to be sent has all come when a fresh driver is there."""
    sent = tmp_path / "sent"
    command = SERIAL.format(at=entry("uart", function), code=NOTHING)
    out = boot(command, add=INJECTOR, icount=True, leak_check=False, qemu=f"-chardev file,path={sent},id=sent -device isa-serial,chardev=sent,index=1").out
    row, = recoveries(out, "uart.1")
    assert 0 < detected(f"uart {function}", row, int(re.search(r"^triggered (\d+) 0$", out, re.M)[1]) / 1e9) <= LIMIT
    assert (row["defect"], int(row["detail"])) == ("complaint", why)
    assert sent.read_text().split() == [str(n) for n in range(1, 301)]


# Bytes come in all the while, a bit more than half of what a line can carry: there is no rest in which the chip could be tested.
NO_REST = """mknod /tmp/inject c 240 0; stty -F /dev/ttyS1 raw -echo; sleep 1.5
cat /dev/ttyS1 >/dev/null & (while :; do echo it never rests, it never rests, it never rests, it never rests; usleep 10000; done) >/dev/ttyS1 &
sleep 1; echo "uart.1 {at:#x} text {at:#x} {code}" >/tmp/inject
n=0; until grep -q ' uart.1 ' /proc/recovery || [ $n -ge 300 ]; do n=$((n + 1)); usleep 20000; done; kill %1 %2; head -n 1 /tmp/inject; cat /proc/recovery"""


@pytest.mark.parametrize("place", ["+ 3", "- 2"], ids=["ahead", "behind"])
def test_serial_port_stores_elsewhere(boot, tmp_path, place):
    """Each byte four places too far, or one too early: as many come as are said to, and mostly such as have been sent, but not these."""
    fault = inject_faults.like(inject_faults.Program("uart"), 0, f"uart_receive+0x41: mov byte ptr [rbp - 1], al -> mov byte ptr [rbp {place}], al")
    line = tmp_path / "line"
    os.mkfifo(line)
    for end in ("in", "out"):
        (tmp_path / f"line.{end}").symlink_to(line)
    out = boot(NO_REST.format(at=fault.trap, code=fault.value), add=INJECTOR, icount=True, leak_check=False,
               qemu=f"-chardev pipe,path={line},id=line -device isa-serial,chardev=line,index=1").out
    assert len(rows := recoveries(out, "uart.1")) == 1, f"expected one recovery of uart.1\n{out}"
    row, = rows
    assert 0 < detected(f"uart {place}", row, int(re.search(r"^triggered (\d+) 0$", out, re.M)[1]) / 1e9) <= LIMIT
    assert (row["defect"], int(row["detail"])) == ("complaint", DATA)


SENDS = """mknod /tmp/inject c 240 0; stty -F /dev/ttyS1 raw -echo; sleep 1.5
(while :; do echo it never rests; usleep 30000; done) >/dev/ttyS1 &
sleep 1; echo "uart.1 {at:#x} text {at:#x} {code}" >/tmp/inject
n=0; until grep -q ' uart.1 ' /proc/recovery || [ $n -ge 75 ]; do n=$((n + 1)); sleep 1; done; kill %1; head -n 1 /tmp/inject; cat /proc/recovery"""


def test_serial_port_sends_nothing_without_end(boot):
    """It takes all that it is given and has it sent nowhere. Something is sent all the while, and nothing comes in: once in a minute it is given nothing more, until its chip has been tested."""
    fault = inject_faults.like(inject_faults.Program("uart"), 0, "uart_send+0x36: mov edx, ebp -> nop")
    out = boot(SENDS.format(at=fault.trap, code=fault.value), add=INJECTOR, icount=True, leak_check=False, timeout=200, qemu="-chardev null,id=line -device isa-serial,chardev=line,index=1").out
    assert len(rows := recoveries(out, "uart.1")) == 1, f"expected one recovery of uart.1\n{out}"
    row, = rows
    assert 0 < detected("uart without end", row, int(re.search(r"^triggered (\d+) 0$", out, re.M)[1]) / 1e9) <= 62_000
    assert row["defect"] == "complaint"


# mov rax, device->registers; mov dword ptr [rax + RAL0], 0x12005652; ud2
OTHER_ADDRESS = "488b4708" + "c78000540000" + "52560012" + "0f0b"


@pytest.mark.parametrize("nic", ["e1000", "e1000e"])
def test_station_address_is_brought_back(boot, nic):
    """A driver gives its card another address, and dies: a fresh one does not go on with that, which QEMU's cards keep through a reset."""
    command = (f"mknod /tmp/inject c 240 0; address() {{ ifconfig e0 | sed -n 's/.*HWaddr \\([^ ]*\\).*/\\1/p'; }}; address; sleep 3; ping -c 1 10.0.2.2 >/dev/null; "  # who dies young costs its device a reset in any case
               f"echo '{nic} {entry(nic, 'transmit'):#x} text {entry(nic, 'transmit'):#x} {OTHER_ADDRESS}' >/tmp/inject; ping -c 3 10.0.2.2; address; cut -d' ' -f2-4,8 /proc/recovery")
    result = boot(command, nics=[CARDS[nic]], add=INJECTOR, leak_check=False)
    lines = result.out.splitlines()
    assert f"{nic} exception 6 reset" in lines and f"{nic}: device reset (station address)" in result.klog
    assert lines[0] == "52:54:00:12:34:56" and lines.count(lines[0]) == 2 and "3 packets received" in result.out
