# SPDX-License-Identifier: BSD-2-Clause
"""The injector (tests/inject/): a fault in the text of a driver at work hits that incarnation alone; the campaign tells what became of it."""
import errno
import json
import re
import runpy
import socket
import struct
import subprocess
import zlib

import pytest
from conftest import BUILD, TOP

import inject_faults
import wire
from campaign_machine import HEAD, MAGIC, SUMMED, Saved, frames_of, judge_peer, peer_garbles, peer_sulks, wire_is_dead

INJECTOR = {"/etc/bardo/inject.svc": TOP / "tests/inject/inject.manifest", "/lib/bardo/inject": BUILD / "services/inject"}
ILL = "0f0b"  # ud2


def test_fault_hits_one_incarnation(boot):
    """At the trap (which net may reach by itself at any time); the next copy of the driver is healthy, and the injector is out of its way."""
    at = inject_faults.Program("e1000").functions["e1000_transmit"][0].address
    result = boot(f"mknod /tmp/inject c 240 0; ping -c 1 10.0.2.2; echo 'e1000 {at:#x} text {at:#x} {ILL}' >/tmp/inject; head -n 1 /tmp/inject; "
                  "ping -c 2 10.0.2.2; head -n 1 /tmp/inject; grep e1000 /proc/recovery", nics=["e1000"], add=INJECTOR, leak_check=False)
    out = result.out
    assert re.search(r"^(armed 0|triggered \d+) 0\n(.*\n)*triggered \d+ 0\n", out, re.M)
    assert f"e1000: exception 6 (error 0) at {at:x}, address 0" in result.klog
    assert "2 packets received" in out
    assert re.findall(r"^\d+ e1000 (\w+ \d+)", out, re.M) == ["exception 6"]


def test_registers_data_and_nonsense(boot):
    """A bit of the instruction pointer, a bit of data; commands that make no sense are refused."""
    program = inject_faults.Program("e1000")
    at = program.functions["e1000_transmit"][0].address
    device = next(address for name, address, size in program.data if name.startswith("device"))
    out = boot(f"mknod /tmp/inject c 240 0; ping -c 1 10.0.2.2; echo 'e1000 {at:#x} register {inject_faults.RIP} 46' >/tmp/inject; ping -c 2 10.0.2.2; "
               f"grep e1000 /proc/recovery; echo 'e1000 0 data {device + 1:#x} 5' >/tmp/inject; head -n 1 /tmp/inject; ping -c 2 10.0.2.2; "
               f"for bad in '' 'e1000 0 data' 'e1000 0 text {at:#x} xyz' 'e1000 0x10 text 0x10 90' 'e1000 0 register 99 1' 'nobody 0 data 1 1'; do "
               "echo \"$bad\" >/tmp/inject || echo refused; done", nics=["e1000"], add=INJECTOR, leak_check=False).out
    assert re.findall(r"^\d+ e1000 (\w+ \d+)", out, re.M) == ["exception 14"]
    assert re.search(r"^triggered \d+ 0\n", out, re.M)
    assert out.count("2 packets received") == 2 and out.count("refused\n") == 6


def campaign(tmp_path, driver, *arguments):
    """Its rows, and what it printed."""
    path = tmp_path / "rows"
    done = subprocess.run([TOP / "tools/campaign", "--driver", driver, "--output", path, *arguments], capture_output=True, text=True, timeout=900, check=False)
    assert "RESULT job=campaign" in done.stdout, done.stdout + done.stderr
    return [json.loads(line) for line in path.read_text().splitlines()], done.stdout


def test_campaign_tells_what_became_of_it(tmp_path):
    """What it says of a fault is what the system's own record says; it goes on where it was left."""
    rows, _ = campaign(tmp_path, "rtl8139", "--count", "2", "--seed", "5")
    assert [row["n"] for row in rows] == [0, 1]
    rows, out = campaign(tmp_path, "rtl8139", "--count", "3", "--seed", "5")
    assert [row["n"] for row in rows] == [0, 1, 2] and "driver=rtl8139 seed=5 faults=3 " in out
    assert all(row["recoveries"] for row in rows if row["outcome"] == "recovered")


@pytest.mark.parametrize("driver", ["e1000", "rtl8139", "virtio-net", "ahci", "virtio-block", "ide", "uart"])
def test_replay_is_exact(driver):
    """The same fault twice: every interrupt and exception comes at the same instruction with the same registers. (How long a run goes on after
    its last word is the host's business. Of rtl8139 pairs were seen to part on a busy host, after 299 and 496 events, one of some forty, and two in a row;
    some 100 others did not, and why is not known: so there are further tries, and what a pair says where it parts is shown.)"""
    program = inject_faults.Program(driver)
    reached = Saved(driver).reached(program)
    number = next(n for n in range(100) if inject_faults.make(program, 1, n).trap in reached)
    for _ in range(4):
        done = subprocess.run([TOP / "tools/campaign", "--driver", driver, "--replay", f"1:{number}", "--twice"], capture_output=True, text=True, timeout=300, check=False)
        lines = re.search(r"(\d+) and (\d+), the first (\d+) are the same", done.stdout)
        assert lines, done.stdout + done.stderr
        first, second, same = map(int, lines.groups())
        if same == min(first, second):
            break
        print(done.stdout)
    assert same == min(first, second) > 1000, done.stdout
    assert "the kernel's logs are the same as far as both go" in done.stdout, done.stdout


def test_replay_names_its_driver():
    """A fault is one of a driver: without its name `make replay` would do that number of another one's."""
    done = subprocess.run(["make", "-s", "replay", "FAULT=1:1", "DRIVER="], cwd=TOP, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 2 and "DRIVER=" in done.stderr and "RESULT" not in done.stdout, done.stdout + done.stderr


def message(connection, number, contents):
    rest = HEAD.pack(MAGIC, 0, number, connection, len(contents))[SUMMED:] + contents
    return MAGIC.to_bytes(8, "little") + zlib.crc32(rest).to_bytes(8, "little") + rest


def test_what_the_peer_got():
    """A changed, a missing and a repeated byte are found; a connection that broke is none of these."""
    whole = message(1, 1, b"abc" * 50) + message(1, 2, bytes(1000)) + message(1, 3, b"")
    assert judge_peer(whole) == judge_peer(whole[:-3]) == judge_peer(whole[:400]) == judge_peer(b"") == ""
    assert judge_peer(whole[:500] + message(5, 4, b"x" * 90) + message(5, 5, b"y")) == ""
    for at in (3, 100, 190, 400):
        assert judge_peer(whole[:at] + bytes([whole[at] ^ 4]) + whole[at + 1:])
        assert judge_peer(whole[:at] + whole[at + 1:]) and judge_peer(whole[:at] + b"\1" + whole[at:])


def peer_segment(sequence, contents, flags=16):
    """A frame of TCP from the peer's port 9, as QEMU's record of the wire has it."""
    tcp = struct.pack(">HHIIBBHHH", 9, 50000, sequence, 1, 5 << 4, flags, 8192, 0, 0) + contents
    ip = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(tcp), 0, 0, 64, 6, 0, socket.inet_aton("10.0.2.100"), socket.inet_aton("10.0.2.15"))
    frame = bytes.fromhex("525400123456 52550a000202 0800") + ip + tcp
    return struct.pack("<IIII", 0, 0, len(frame), len(frame)) + frame


def test_bytes_that_the_peer_left_out(tmp_path):
    """What came back by TCP is what the peer got: in any order, twice, without an end, or a part alone. Else QEMU's TCP is at fault."""
    got, begin = bytes(range(256)) * 4, 0xfffffff0
    (tmp_path / "got9").write_bytes(got)

    def garbles(*pieces):
        segments = [peer_segment(begin, b"", 18)] + [peer_segment((begin + 1 + at) % (1 << 32), contents) for at, contents in pieces]
        (tmp_path / "wire").write_bytes(bytes(24) + b"".join(segments))
        return peer_garbles(tmp_path / "wire", tmp_path)

    assert not garbles() and not garbles((0, b""), (0, got)) and not garbles((100, got[100:]), (0, got[:300]), (50, got[50:90])) and not garbles((0, got[300:500]))
    assert garbles((0, got[:100]), (100, got[200:])) and garbles((0, got[:100] + b"x")) and not garbles((0, got[:100]), (300, got[200:]))


def guest_segment(seconds, acknowledged, window=8192, wrong=0):
    """A frame of TCP to the peer's port 9 without contents, with its sum (or another)."""
    addresses = socket.inet_aton("10.0.2.15") + socket.inet_aton("10.0.2.100")
    tcp = struct.pack(">HHIIBBHHH", 50000, 9, 1, acknowledged, 5 << 4, 16, window, 0, 0)
    total = sum(struct.unpack(">16H", addresses + struct.pack(">HH", 6, len(tcp)) + tcp))
    total = (total & 0xffff) + (total >> 16)
    tcp = tcp[:16] + struct.pack(">H", ((total & 0xffff) + (total >> 16) ^ 0xffff) ^ wrong) + tcp[18:]
    ip = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(tcp), 0, 0, 64, 6, 0, addresses[:4], addresses[4:])
    frame = bytes.fromhex("52550a000202 525400123456 0800") + ip + tcp
    return struct.pack("<IIII", seconds, 0, len(frame), len(frame)) + frame


def test_peer_that_does_not_send_again(tmp_path):
    """It holds what the guest asks for, three times, and keeps it: then QEMU's TCP is at fault. Not when it sends again, has no room, was not asked, or asked in
    frames that it has to throw away."""
    def sulks(*frames, begin=0xfffffff0):
        (tmp_path / "wire").write_bytes(bytes(24) + peer_segment(begin, b"", 18) + peer_segment(begin + 1, b"x" * 100) + b"".join(frames))
        return peer_sulks(tmp_path / "wire")

    lost, later = 0xfffffff1, guest_segment(30, 1)
    assert sulks(*[guest_segment(n, lost) for n in range(1, 20)])
    assert not sulks(*[guest_segment(n, lost) for n in range(1, 9)])  # nobody has waited long
    assert not sulks(*[guest_segment(n, (lost + 100) % (1 << 32)) for n in range(1, 20)])
    assert not sulks(*[guest_segment(n, lost, window=0) for n in range(1, 20)]) and not sulks(*[guest_segment(n, lost, wrong=1) for n in range(1, 20)])
    assert not sulks(guest_segment(1, lost), guest_segment(2, lost)) and not sulks(guest_segment(1, lost), guest_segment(2, lost), later)


def test_ill_image(tmp_path, boot):
    """tools/inject writes a program of which every copy is ill: one byte or more differs, in the place that it says."""
    number = next(n for n in range(50) if inject_faults.make(inject_faults.Program("uart"), 1, n).action == "text")
    out = subprocess.run([TOP / "tools/inject", "uart", "--fault", f"1:{number}", "--output", tmp_path / "uart"], capture_output=True, text=True, check=True).stdout
    old, new = (BUILD / "services/uart").read_bytes(), (tmp_path / "uart").read_bytes()
    changed = [i for i, (a, b) in enumerate(zip(old, new)) if a != b]
    assert len(old) == len(new) and 0 < len(changed) <= 15 and changed[-1] - changed[0] < 15 and out.startswith(f"1:{number} ")


@pytest.mark.parametrize("length", [0, 1, 13, 14, 2000, 9000])
def test_wire_and_lengths(tmp_path, length):
    """What the campaign calls "wire" is QEMU's own doing, and of frames without any length only: then nothing is answered, not even after a reset of the card."""
    card = wire.Card(tmp_path)
    card.send()
    card.send(length)
    card.send()
    card.reset()
    card.send()
    seen = card.end()
    frames = frames_of(seen)
    assert frames[:3] == [(True, 60), (False, 64), (True, length)]
    assert frames.count((False, 64)) == (1 if length == 0 else 3 + (length > 60)), frames
    assert wire_is_dead(seen) == (length == 0)


# 300 of the drivers that docs/testing.md has figures of. Among them are those of this seed that once escaped: e1000 4, 17, 18, 30, 32 and rtl8139 25, 29, 31, 34, 44 (the
# traffic stopped, or the system stood still, before progress was watched).
SEEDS = {"e1000": 50, "rtl8139": 50, "ahci": 50, "virtio-block": 50, "ide": 50, "uart": 50, "virtio-net": 10}
# So many of them are triggered at least. Seen were 31, 28, 22, 17, 24, 16 and 6: which instructions the work reaches is the driver's nature (docs/testing.md has shares of
# thousands), which faults are drawn changes with its program, so the room is twice what chance would do. Fewer: the work has stopped reaching the driver.
TRIGGERED = {"e1000": 22, "rtl8139": 20, "ahci": 15, "virtio-block": 13, "ide": 16, "uart": 13, "virtio-net": 3}
# Those of other seeds that escaped, by what they did: numbers of a seed are other faults when the driver's program has changed.
ESCAPED = {
    "ahci": ["mmio_read32+0x2: add rdi, rsi -> nop dword ptr [rax]",  # 2:24, 11:229, 498, 525, 924, 1683: its disk is gone, and one program was told
             "mmio_read32+0x2: add rdi, rsi -> add rbp, rsi",  # 11:465, the same
             "mmio_read32+0x2: add rdi, rsi -> add rax, rsi",  # 11:519, the same
             "block_device_serve+0xaa: jne 0x402a40 -> je 0x402a40",  # 11:1213, once a program was told of an error
             "block_device_serve+0x2fd: jne 0x402e1b -> je 0x402e1b"],  # 2:120, each request ends with an error
    "e1000": ["e1000_transmit+0x7a: mov r13w, word ptr [rsp + 0x1c] -> mov r10w, word ptr [rsp + 0x1c]",  # 2:154, a frame of no length
              "e1000_lend+0x8b: jne 0x401cb8 -> je 0x401cb8",  # 12:16, its card writes over frames that were checked and not yet read
              "e1000_lend+0x17: sub edx, eax -> nop",  # 12:445, the same
              "net_device_settle+0x12: mov dword ptr [rdx + 0x104], ecx -> mov dword ptr [rdx + 0x1104], ecx"],  # 54:1662, writes over an entry of which each fresh copy ends as it starts
    "rtl8139": ["copy_words+0x63: mov qword ptr [rax - 0x18], r9 -> nop dword ptr [rax]",  # 2:67, old numbers whose sum was the same
                "rtl8139_receive+0x19d: mov eax, eax -> mov eax, ebx",  # 12:323, what it writes into its queue says that another drives
                "rtl8139_receive+0x1eb: mov edx, r8d -> or edx, r8d",  # 12:486, writes over a frame that was checked and not yet read
                "copy_words+0xc7: mov rdx, rax -> nop dword ptr [rax]",  # 12:563, the same
                "device+0x25: bit 4", "device+0x26: bit 0"],  # 12:1560, the card sends other frames than it is given, and the gateway answers them
    "uart": ["uart_send+0x38: call 0x401970 -> nop dword ptr [rax + rax]",  # 11:246, bytes never go out
             "uart_send+0x36: mov edx, ebp -> nop",  # 11:476, nor do they here
             "pio_write_bytes+0x16: syscall  -> nop",  # 11:616, the same
             "uart_receive+0x38: add rbp, 1 -> add rbp, 0x11",  # 11:635, bytes are stored far from another
             "uart_receive+0x31: mov edi, dword ptr [r13 + 0x10] -> nop dword ptr [rax]",  # 11:156, what comes is not what is in the chip, and never ends
             "move+0x14: jne 0x402b50 -> je 0x402b50",  # 13:136, takes in nothing once its client is ready
             "uart_receive+0x35: add ebx, 1 -> add ebx, 0x11",  # 12:64, more bytes are said to have come than there are
             "uart_send+0x36: mov edx, ebp -> mov edx, edi",  # 13:1197, sends a thousand bytes that are none
             "uart_receive+0x41: mov byte ptr [rbp - 1], al -> mov byte ptr [rbp + 3], al",  # 2:46, stored beside the place
             "uart_receive+0x35: add ebx, 1 -> add ebx, 3",  # 12:581, the same, fewer
             "device.0+0x40: bit 6",  # 12:702, bytes go out that are others
             "device.0+0x18: bit 6",  # 54:602, what comes is handed on beside the client's ring, and each test goes well: that has a ring of its own
             "uart_receive+0x2f: je 0x40124e -> jne 0x40124e"],  # 3:29, reads what is not there: a hang before storms were noticed
    "virtio-block": ["block_device_serve+0x1dc: jne 0x4026d8 -> je 0x4026d8",  # 2:31, each request ends with an error
                     "block_device_serve+0x3e: je 0x402001 -> jne 0x402001"],  # 11:597, writes over a request in the queue
    "ide": ["issue+0x5b: test edi, edi: bit 14 of rbx",  # 11:527, one request is called wrong, and another one is done well
            "block_device_serve+0x3d6: mov rdx, qword ptr [rax + 0xf0]: bit 49 of rdi",  # 11:811, the same
            "settle+0x17: add ebx, 2 -> cmp ebx, 2"],  # 11:1431, requests fail again and again, and then do not
}
# What else is right: QEMU has stopped; all that failed was done once more, by the same driver.
UNHARMED = {"recovered", "no effect"}
MAY_BE = {"e1000_transmit+0x7a: mov r13w, word ptr [rsp + 0x1c] -> mov r10w, word ptr [rsp + 0x1c]": {"wire"}, "e1000": UNHARMED, "rtl8139": UNHARMED, "settle+0x17: add ebx, 2 -> cmp ebx, 2": UNHARMED}


@pytest.mark.parametrize("driver", SEEDS)
def test_nothing_escapes(tmp_path, driver):
    """No data that are reported as right and are not, no work that stops for good unnoticed, or stays slow, no system that stands still or ends."""
    rows, out = campaign(tmp_path, driver, "--seed", "1", "--count", str(SEEDS[driver]))
    assert re.search(r" wrong=0 stall=0 slow=0 hang=0 crash=0$", out, re.M), out
    assert sum(row["outcome"] != "untriggered" for row in rows) >= TRIGGERED[driver], out


@pytest.mark.parametrize("driver", ESCAPED)
def test_escaped_once(tmp_path, driver):
    rows, out = campaign(tmp_path, driver, *(f"--like={where}" for where in ESCAPED[driver]))
    assert len(rows) == len(ESCAPED[driver]), out
    assert all(row["outcome"] in MAY_BE.get(row["where"], MAY_BE.get(driver, {"recovered"})) for row in rows), out


# Faults of which each copy dies, as soon as it is at work.
ILL_IMAGES = {"e1000": "mmio_read32+0x2: add rdi, rsi -> nop dword ptr [rax]", "ahci": "mmio_read32+0x2: add rdi, rsi -> nop dword ptr [rax]",
              "uart": "move+0xb: mov rax, qword ptr [rdi + 8] -> nop dword ptr [rax]"}


@pytest.mark.parametrize("driver", ILL_IMAGES)
def test_program_ill_in_every_copy(tmp_path, driver):
    """It is given up within a minute and fewer than a hundred copies, the log says so, programs are told of errors, and nobody else is replaced; once it is healed
    the work goes on. Only one copy has the same fault without --image, and what comes after it is healthy: so it is the program that is ill, and stays so."""
    rows, out = campaign(tmp_path, driver, "--image", f"--like={ILL_IMAGES[driver]}")
    row = rows[0]
    assert row["outcome"] == "given up" and "other" not in row and row["said"] and row["told"] and row["back"] and row["checked"], out + json.dumps(row)
    assert row["errno"] in (errno.EIO, errno.ENXIO, errno.ENETUNREACH, errno.EHOSTUNREACH) and 0 < row["given_up_ms"] < 60000, row
    assert 4 <= row["replaced"] < 100, row
    rows, out = campaign(tmp_path, driver, "--fresh", f"--like={ILL_IMAGES[driver]}")
    assert rows[0]["outcome"] in ("recovered", "no effect") and rows[0]["replaced"] <= 2, out + json.dumps(rows[0])


# Those of them that once escaped, and what becomes of them.
ILL_ESCAPED = {"uart": {"move+0x14: jne 0x401730 -> je 0x401730": "given up",  # 61:17, hears nothing: after two complaints there was patience for ever
                        "move+0x44: test al, al -> test ch, al": "given up"},  # 61:23, sends nothing, and its test goes well
               "e1000": {"net_device_serve+0xc9: mov esi, dword ptr [rbx + 0x34] -> nop dword ptr [rax]": "cut"},  # 61:29, deaf: as with a cut cable, and nobody said so
               "ahci": {"block_device_serve+0x1dc: jne 0x402f28 -> je 0x402f28": "error",  # 61:48, each request fails, at once: as a broken disk's
                        # 61:91, its disk is gone; when it was back, its first blocks were those of its header
                        "block_unit_set+0x128: mov qword ptr [rax + 0x48], rdx -> mov qword ptr [rax + 0x40], rdx": "error"}}


@pytest.mark.parametrize("driver", ILL_ESCAPED)
def test_escaped_once_in_every_copy(tmp_path, driver):
    rows, out = campaign(tmp_path, driver, "--image", *(f"--like={where}" for where in ILL_ESCAPED[driver]))
    assert [(row["where"], row["outcome"]) for row in rows] == list(ILL_ESCAPED[driver].items()), out


def test_what_an_ill_image_may_not_do():
    """The outcomes that are escapes, told from what the guest says."""
    outcome_of = runpy.run_path(str(TOP / "tools/campaign"))["outcome_of"]
    given_up = {"state": "triggered", "wrong": 0, "errors": 3, "up": "given-up", "other": "", "endless": 0, "fails": 0, "given_up_ms": 12000, "said": True, "cut": False, "told": 1, "back": 1, "checked": 1,
                "stalled": 0, "recoveries": [["exit", 1, "-", 5]]}
    assert outcome_of(given_up, True) == "given up"
    for change, outcome in (({"told": 0}, "stall"), ({"said": False}, "stall"), ({"back": 0}, "stall"), ({"checked": 0}, "stall"), ({"given_up_ms": 60001}, "endless"),
                            ({"endless": 1, "given_up_ms": 0, "up": "up"}, "endless"), ({"other": "net"}, "bystander"), ({"wrong": 1}, "wrong"), ({"damage": "e2fsck"}, "wrong"),
                            ({"given_up_ms": 0, "up": "up"}, "error"), ({"given_up_ms": 0, "up": "up", "errors": 0}, "recovered"),
                            ({"given_up_ms": 0, "up": "up", "stalled": 1}, "stall"), ({"given_up_ms": 0, "up": "up", "stalled": 1, "cut": True}, "cut"), ({"given_up_ms": 0, "up": "up", "errors": 0, "slow": 1}, "slow"),
                            ({"given_up_ms": 0, "up": "up", "fails": 1}, "error"), ({"given_up_ms": 0, "up": "up", "fails": 1, "recoveries": []}, "stall")):
        assert outcome_of({**given_up, **change}, True) == outcome, change


def test_image_passes_over_what_no_file_has(tmp_path):
    """Bits of registers, stack and data have no place in a file: they have no row, and a replay says so. The others have the same numbers."""
    program = inject_faults.Program("uart")
    faults = {n: inject_faults.make(program, 1, n) for n in range(12)}
    static = [n for n, fault in faults.items() if fault.action == "text"]
    never = [n for n in static if faults[n].trap not in Saved("uart", image=True).reached(program)]
    assert 0 < len(never) and len(static) < 12
    rows, _ = campaign(tmp_path, "uart", "--image", "--seed", "1", f"--only={','.join(str(n) for n in faults if n not in static or n in never)}")
    assert [(row["n"], row["where"], row["outcome"]) for row in rows] == [(n, faults[n].where, "untriggered") for n in never]
    other = next(n for n in faults if n not in static)
    done = subprocess.run([TOP / "tools/campaign", "--driver", "uart", "--image", "--replay", f"1:{other}"], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 1 and "cannot be in the program itself" in done.stderr and "RESULT" not in done.stdout, done.stdout + done.stderr


def test_dma_elsewhere_with_an_iommu(tmp_path):
    """e1000 51:301: the card writes what it receives over the kernel, and the machine ends. With an IOMMU it does not get there, and the driver is found."""
    rows, out = campaign(tmp_path, "e1000", "--iommu", "--like=e1000_lend+0x4b: mov r15d, dword ptr [rbx + 0x24] -> mov r15d, dword ptr [rbx + 0x25]")
    assert rows[0]["outcome"] == "recovered" and any(recovery[0] == "dma" for recovery in rows[0]["recoveries"]), out


def test_emulator_ends_itself(tmp_path):
    """ahci 3:41, a queued command that is given as a plain one: QEMU 7.2 has an assertion against it. That is no crash of the system."""
    rows, out = campaign(tmp_path, "ahci", "--like=issue+0x1e2: je 0x4014ae -> jne 0x4014ae")
    assert rows[0]["outcome"] in ("emulator", "recovered"), out
