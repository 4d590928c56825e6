# SPDX-License-Identifier: BSD-2-Clause
"""What stays alive and misbehaves: it is found out, it starves nobody, and in the end it is given up and the log says so once."""
import re
import subprocess
import time

import pytest

import inject_faults
import qemu
from archive import Archive
from conftest import BUILD, TOP
from doorbell import Doorbell
from screenkeys import rows_of_a_dead_machine
from test_campaign import INJECTOR
from test_faults import NETWORK, WAIT, detected, faulty, recoveries
from test_net_recovery import manifest
from test_rolled_back_net import ECHOER, WIRE

DRIVER = dict(NETWORK, **{"class": "net", "budget": "3 60", "backoff": "1 10 100"})


def test_spins_while_it_starts(boot):
    """A driver's share of the processor, and what a start may compute, are limited: the shell goes on, and it is given up."""
    result = boot(WAIT.replace("150", "1000") + "i=0; while [ $i -lt 300 ]; do i=$((i + 1)); echo x; done | wc -l; service list faulty; "
                  "wait_for given-up; cat /proc/recovery", add=faulty("spin", delay=0, times=0, **DRIVER), leak_check=False, timeout=200)
    assert result.out.startswith("300\n") and re.search(r"^faulty +\d+ starting", result.out, re.M), "the shell had to wait for the end of a start"
    assert [row["defect"] for row in recoveries(result.out)] == ["heartbeat"] * 4
    assert result.klog.count("faulty: given up after 4 failures") == 1


def test_spins_while_it_starts_and_may_fail_often(boot):
    """A budget that such starts never use up: the log says so at once (and of no shipped manifest), and copies of which none gets ready are given up all the same, within a minute."""
    result = boot(WAIT.replace("150", "1000") + "wait_for given-up; service list faulty", icount=True, leak_check=False, timeout=200,
                  add=faulty("spin", delay=0, times=0, **dict(DRIVER, budget="300 60")))
    assert re.search(r"^faulty +0 given-up ", result.out, re.M), result.out
    assert re.findall(r"rs: (\S+): its budget cannot be used up by one that hangs: (.*)", result.klog) == [("faulty", "300 failures in 60 s")]
    assert result.klog.count("rs: faulty: heartbeat 0 during its start") == 5 and result.klog.count("rs: faulty: given up") == 1
    given_up = float(re.search(r"\[ *([\d.]+)\] rs: faulty: given up", result.klog)[1])
    print(f"DETECTED starts that spin, budget 300 60: given up {given_up:.1f} s after the boot")
    assert given_up < 60


def test_storm(boot):
    """It comes back to its loop all the time but is of no use, like a driver that never acknowledges its interrupt: it is named within a second, and
    until then programs get the processor, with no longer pause than the share of drivers allows."""
    result = boot(WAIT + """last=0 pause=0; until grep -Eq 'faulty (storm|complaint)' /proc/recovery; do
        read u x </proc/uptime; t=$((1${u%.*}${u#*.})); [ $last = 0 ] || [ $((t - last)) -le $pause ] || pause=$((t - last)); last=$t; done
        echo $pause; wait_for 'up .* 1 [sc]'; cat /proc/recovery""", icount=True, add=faulty("storm", delay=700, **DRIVER), timeout=200)
    row, = recoveries(result.out)
    began = float(re.search(r"\[ *([\d.]+)\] faulty: fault on demand", result.klog).group(1))
    assert row["defect"] == "storm" or (row["defect"], row["detail"]) == ("complaint", "2")  # its client may be the first to notice
    assert int(row["detected_ns"]) / 1e9 - began < 1.0
    assert int(result.out.split()[0]) <= 30, "programs had no processor for so many hundredths of a second"


@pytest.mark.parametrize("fault", ["bad", "flaps"])
def test_busy_for_nothing(boot, program, fault):
    """Each buffer is completed at once with a damaged frame, so that its client posts it again; or the link goes up and down as fast as it can. It comes back
    to its loop: its client complains, or RS sees the storm, programs get the processor meanwhile, and the log is not full of it."""
    result = boot(WAIT + "share 700; wait_for 'up .* 1 [sc]'; cat /proc/recovery", icount=True, leak_check=False, timeout=200,
                  add=dict(faulty(fault, delay=500, **DRIVER), **{"/bin/share": program("share")}))
    row, = recoveries(result.out)
    took = detected(fault, row, float(re.search(r"\[ *([\d.]+)\] faulty: fault on demand", result.klog).group(1))) / 1e3
    share, pause = map(int, re.search(r"^share (\d+) (\d+)", result.out).groups())
    links = len(re.findall(r"net: e\d: link ", result.klog))
    print(f"BUSY {fault}: {row['defect']} {row['detail']} after {took * 1e3:.0f} ms, the share of programs {share} per mille, at most {pause} ms without, {links} changes of the link logged")
    assert row["defect"] == "storm" or (row["defect"], row["detail"]) == ("complaint", "5")
    assert 0 < took < 1.0 and share >= 400 and pause < 300 and links < 40


@pytest.mark.parametrize("how", ["frames", "forges"])
def test_busy_and_of_use(boot, program, how):
    """What can be counted says that it is of use (tests/services/overeager.c): sound frames without end, or the count itself, which lies in its queue. Nobody can
    tell it from a good one, and it is not replaced (until it has something to send, and does not: that is told); but programs have a tenth of the processor (they had nothing at all)."""
    add = faulty("none", **dict(DRIVER, parameters=how))
    add.update({"/lib/bardo/faulty": BUILD / "services/overeager", "/bin/share": program("share")})
    result = boot("share 300; share 4000; service list faulty", qemu="-icount shift=3,sleep=off", leak_check=False, timeout=200, add=add)
    share, pause = map(int, re.findall(r"^share (\d+) (\d+)$", result.out, re.M)[1])
    print(f"BUSY {how}: the share of programs {share} per mille, at most {pause} ms without")
    sends_nothing = how == "forges" and "driver faulty completes no frame to send any more" in result.klog
    assert f"faulty: begins: {how}" in result.klog and (sends_nothing or re.search(r"^faulty +\d+ up", result.out, re.M))
    assert share >= 40 and pause < 2000  # less than a tenth when the four seconds begin and end in a pause


PESTERER = NETWORK | {"description": "pesters its client", "start": "40", "instances": "on-request", "priority": "2", "memory": "2M", "budget": "3 60", "backoff": "1 10 100"}


@pytest.mark.parametrize("address, pause", [(True, 1), (False, 120)])
def test_pesters_its_client(boot, program, address, pause):
    """Two cards of one client. The driver of one hardly uses the processor itself, but has its client look, each 20 us, at what is nothing: it says that it is a fresh copy, again and
    again, and where there is an address something is sent for that, which looks like use. The other is healthy, and somebody converses over it, all the time or now and then. What the client does for the ill one is paid
    from that one's share: programs have their part of the processor, the conversation goes on, and the ill one is named."""
    add = {"/lib/bardo/pesterer": BUILD / "services/pesterer", "/etc/bardo/pesterer.svc": "".join(f"{key} {value}\n" for key, value in {**PESTERER, "parameters": "renews 20"}.items()),
           "/lib/bardo/echoer": BUILD / "services/echoer", "/etc/bardo/echoer.svc": ECHOER, "/etc/bardo/virtio-net.svc": manifest("virtio-net", queue="1280K echoer"),
           "/etc/bardo/net.svc": (TOP / "servers/net/net.svc").read_text() + "parameters e0=10.0.2.15/24,10.0.2.2" + " e1=10.0.9.1/24" * address + "\n",
           **{f"/bin/{name}": program(name) for name in ("toil", "converse")}}
    result = boot(f"""both() {{ converse $1 10.0.2.77 7 {pause} & toil $1; wait; }}
        both 100 >/dev/null; both 500; service up pesterer; n=0; until dmesg | grep -q 'pesterer: begins' || [ $n -ge 300 ]; do n=$((n + 1)); usleep 10000; done
        toil 60; both 500; n=0; until grep ' pesterer ' /proc/recovery || [ $n -ge 300 ]; do n=$((n + 1)); usleep 10000; done; head -n 1 /proc/recovery; service list net""",
                  icount=True, qemu=WIRE, leak_check=False, timeout=200, add=add)
    toil = [int(n) for n in re.findall(r"^toil (\d+)$", result.out, re.M)]
    (rounds, longest), (still, pauses) = (tuple(map(int, pair)) for pair in re.findall(r"^converse (\d+) (\d+)$", result.out, re.M))
    print(f"PESTERED: programs have {toil[2] / toil[0]:.0%} of what they had, the conversation {still / rounds:.0%}, at most {pauses} us for a turn ({longest})")
    assert toil[2] > 0.3 * toil[0], "programs starve"
    assert still > 0.7 * rounds and pauses < longest + 25000, "a healthy driver of the same client is not served"
    assert re.search(r"^\d+ pesterer ", result.out, re.M), f"the ill one is not named in three seconds: {result.out}"
    row, = recoveries(result.out, "pesterer")
    took = detected("pesters its client", row, float(re.search(r"\[ *([\d.]+)\] pesterer: begins", result.klog)[1]))
    assert row["defect"] == "storm" and 0 < took < 1200
    assert result.klog.count("driver pesterer keeps us busy for nothing") == 1 and re.search(r"^net .* up ", result.out, re.M)

BEGUN = "n=0; until dmesg | grep -q '{0}: begins' || [ $n -ge 300 ]; do n=$((n + 1)); usleep 10000; done; toil 150; toil 300; n=0; until grep -q ' {0} ' /proc/recovery || [ $n -ge 200 ]; do n=$((n + 1)); usleep 10000; done; "
CLIENTS = {  # the ill one's service, how long it rests (us), its queue, who makes the client of use meanwhile (over another driver, where it can have one), how the machine is
    "tty": ("pesterer", 4, "64K tty", "service wait uart.1; while :; do echo x; usleep 20000; done >/dev/ttyS1 &", {"qemu": "-serial file:/dev/null"}),
    "disk": ("pesterer", 4, "1M disk", "while :; do head -c 65536; usleep 20000; done </dev/sda >/dev/null &", {}),
    "audio": ("pesterer", 4, "200K audio", ":;", {}),
    "clock": ("rtc", 4, "4K clock", ":;", {}),
    "lp": ("printer", 4, "56K lp", ":;", {}),
    "dev": ("pesterer", 4, "16K dev", ":;", {}),
}


@pytest.mark.parametrize("client", CLIENTS)
def test_pesters_another_client(boot, program, tmp_path, client):
    """The same of the other clients, for which the loop of all services keeps the accounts (lib/service/attend.h). A look costs them less, so that each must be followed by the next: most of what programs
    lack then is the kernel's time for the notifications and the driver's own. But it is named: without the accounts it never was, where a fresh copy alone was of use or the client was so otherwise."""
    name, rest, queue, works, machine = CLIENTS[client]
    keys = PESTERER | {"class": "block" if client == "disk" else "char", "queue": queue, "notifies": f"ds {client}", "parameters": f"renews {rest}"}
    add = {f"/lib/bardo/{name}": BUILD / "services/pesterer", f"/etc/bardo/{name}.svc": "".join(f"{key} {value}\n" for key, value in keys.items()), "/bin/toil": program("toil")}
    if client == "disk":
        (tmp_path / "disk").write_bytes(bytes(64 << 20))
        machine = {"disks": [str(tmp_path / "disk")]}
    result = boot(f"{works} toil 50; toil 300; service up {name}; " + BEGUN.format(name) + f"cat /proc/recovery; service list {client}; kill $! 2>/dev/null; true",
                  icount=True, leak_check=False, timeout=200, add=add, **machine)
    _, before, burst, after = [int(n) for n in re.findall(r"^toil (\d+)$", result.out, re.M)]
    print(f"PESTERED {client}: programs have {after / before:.0%} of what they had, {burst / before * 2:.0%} in the first 150 ms")
    assert re.search(rf"^\d+ {name} ", result.out, re.M), f"the ill one is not named in two seconds: {result.out}"
    row = recoveries(result.out, name)[0]
    took = detected(f"pesters {client}", row, float(re.search(rf"\[ *([\d.]+)\] {name}: begins", result.klog)[1]))
    assert after > 0.2 * before, "programs starve"
    assert row["defect"] == "storm" and 0 < took < 1200
    assert client not in ("tty", "disk") or f"{client}: driver {name} keeps us busy for nothing" in result.klog  # the others' looks take less than its share
    assert re.search(rf"^{client} +\d+ up ", result.out, re.M) and recoveries(result.out, client) == [], "its client is taken for ill"


def test_says_that_it_is_another(boot):
    """A card's driver that says each 20 ms that it is a fresh copy: that is too little to be a storm, and each time its progress begins anew. net asks RS whether it is so, and complains;
    a driver that is killed as often is not complained of."""
    keys = PESTERER | {"parameters": "renews 20000"}
    add = {"/lib/bardo/pesterer": BUILD / "services/pesterer", "/etc/bardo/pesterer.svc": "".join(f"{key} {value}\n" for key, value in keys.items())}
    result = boot("service up pesterer; n=0; until grep ' pesterer ' /proc/recovery || [ $n -ge 100 ]; do n=$((n + 1)); usleep 100000; done; "
                  "n=0; while [ $n -lt 200 ]; do n=$((n + 1)); service kill e1000; usleep 20000; done >/dev/null; tail -n 300 /proc/recovery | grep -c ' e1000 killed '; grep -c ' e1000 complaint ' /proc/recovery; cat /proc/recovery",
                  nics=["e1000"], icount=True, leak_check=False, timeout=200, add=add)
    assert re.search(r"^\d+ pesterer ", result.out, re.M), f"the ill one is not named in ten seconds: {result.out}"
    row = recoveries(result.out, "pesterer")[0]
    took = detected("says that it is another", row, float(re.search(r"\[ *([\d.]+)\] pesterer: begins", result.klog)[1]))
    assert (row["defect"], row["detail"]) == ("complaint", "1") and 0 < took < 4500
    assert "e1: driver pesterer says again and again that it is a fresh copy" in result.klog
    killed, complained = map(int, re.search(r"^(\d+)\n(\d+)\n# number", result.out, re.M).groups())
    assert killed > 20 and complained == 0


def test_msi_flood(boot):
    """A device that raises message-signalled interrupts without end, which nothing can mask: its driver is named within a second, programs get the
    processor meanwhile, and the next copy, which does not make it raise any, works."""
    result = boot(WAIT + """last=0 pause=0; until grep -Eq 'faulty (storm|complaint)' /proc/recovery; do
        read u x </proc/uptime; t=$((1${u%.*}${u#*.})); [ $last = 0 ] || [ $((t - last)) -le $pause ] || pause=$((t - last)); last=$t; done
        echo $pause; wait_for 'up .* 1 [sc]'; cat /proc/recovery; grep ALL /proc/interrupts""", icount=True, qemu="-device edu",
                  add=faulty("msi", delay=700, device="pci 1234:11e8", **DRIVER), timeout=200)
    row, = recoveries(result.out)
    took = int(row["detected_ns"]) / 1e9 - float(re.search(r"\[ *([\d.]+)\] faulty: fault on demand", result.klog).group(1))
    interrupts = int(re.search(r"ALL: +(\d+)", result.out).group(1))
    print(f"FLOOD of {interrupts} interrupts: {row['defect']} {row['detail']} after {took * 1e3:.0f} ms")
    assert interrupts > 100000 and took < 1.0
    assert row["defect"] == "storm" or (row["defect"], row["detail"]) == ("complaint", "2")
    assert int(result.out.split()[0]) <= 20, "programs had no processor for so many hundredths of a second"


def test_pin_that_stays_asserted(boot):
    """A level interrupt that the driver says it has seen to, while its device was never told: the line is raised again at once, for ever. It is named within a second,
    programs get the processor meanwhile; the next copy, which leaves the device alone, works, and the line is quiet."""
    result = boot(WAIT + """interrupts() { sed -n 's/ALL: *\\([0-9]*\\).*/\\1/p' /proc/interrupts; }
        last=0 pause=0 done=0; until grep -Eq 'faulty (storm|complaint)' /proc/recovery || [ $done = 400 ]; do done=$((done + 1))
        read u x </proc/uptime; t=$((1${u%.*}${u#*.})); [ $last = 0 ] || [ $((t - last)) -le $pause ] || pause=$((t - last)); last=$t; done
        echo $pause $done; wait_for 'up .* 1 [sc]'; cat /proc/recovery; a=$(interrupts); usleep 100000; echo then $a and $(interrupts)""", icount=True, qemu="-device e1000-82544gc",
                  add=faulty("pin", delay=700, device="pci 8086:100c", **DRIVER), timeout=200)
    row, = recoveries(result.out)
    took = detected("pin", row, float(re.search(r"\[ *([\d.]+)\] faulty: fault on demand: pin", result.klog).group(1)))
    before, after = map(int, re.search(r"^then (\d+) and (\d+)", result.out, re.M).groups())
    pause, done = map(int, result.out.split()[:2])
    print(f"PIN: {row['defect']} {row['detail']} after {took:.0f} ms and {before} interrupts, programs {pause} hundredths of a second without the processor")
    assert before > 1000, "the line was not asserted again and again"
    assert 0 < took < 1000 and (row["defect"] == "storm" or (row["defect"], row["detail"]) == ("complaint", "2")), row
    assert done > 5 and pause <= 30, f"programs had no processor for {pause} hundredths of a second"
    assert after - before < 100, "the line of a driver that is gone goes on"


def test_device_that_floods(boot, program, tmp_path):
    """MSIs that nobody asked for, to a driver that sleeps and takes none of the processor: it is named within a second. While none is there the device is mute; the
    fresh copy hears it again."""
    with Doorbell(tmp_path / "bell") as bell:
        out = boot(WAIT + """interrupts() { sed -n 's/ALL: *\\([0-9]*\\).*/\\1/p' /proc/interrupts; }
            read u x </proc/uptime; echo begins $u; n=0; until service list faulty | grep -q backoff || [ $n -ge 40 ]; do n=$((n + 1)); share 25 >/dev/null; done
            a=$(interrupts); share 60 >/dev/null; echo quiet $(($(interrupts) - a)) of $a; service list faulty; cat /proc/recovery
            wait_for ' up '; a=$(interrupts); share 60 >/dev/null; echo again $(($(interrupts) - a))""", icount=True, qemu=bell.qemu, leak_check=False, timeout=200,
                   add=dict(faulty("asleep", delay=10, times=0, device="pci 1af4:1110", **dict(DRIVER, backoff="0 300 300")), **{"/bin/share": program("share")})).out
    row, = recoveries(out)
    began, quiet, before, again = map(float, re.search(r"^begins ([\d.]+)\nquiet (\d+) of (\d+)\n.*^again (\d+)", out, re.S | re.M).groups())
    took = int(row["detected_ns"]) / 1e9 - began
    print(f"FLOOD by itself: {row['defect']} after {took * 1e3:.0f} ms and {before:.0f} interrupts, then {quiet:.0f} in 60 ms, then {again:.0f}; {bell.rung} rung")
    assert row["defect"] == "storm" and took < 1 and re.search(r"^faulty +0 backoff", out, re.M)
    assert before > 2000 and quiet < 30 and again > 100


SPINS = "ebfe"  # jmp to itself


@pytest.mark.parametrize("service, function, use", [("proc", "write_version", "cat /proc/version"), ("lp", "do_open", "echo x >/dev/lp0")])
def test_server_that_spins(boot, program, service, function, use):
    """One that no driver keeps busy has a share, too: programs have what is left (500 per mille, but for a first burst), until its heartbeat ends it."""
    at = inject_faults.Program(service).functions[function][0].address
    out = boot(f"mknod /tmp/inject c 240 0; share 100; echo '{service} {at:#x} text {at:#x} {SPINS}' >/tmp/inject; ({use}) >/dev/null 2>&1 & usleep 20000; share 700; "
               f"head -n 1 /tmp/inject; wait; n=0; until grep ' {service} ' /proc/recovery || [ $n -ge 200 ]; do n=$((n + 1)); usleep 20000; done",
               icount=True, add=dict(INJECTOR, **{"/bin/share": program("share")}), leak_check=False, timeout=200).out
    (before, _), (share, pause) = [(int(a), int(b)) for a, b in re.findall(r"^share (\d+) (\d+)$", out, re.M)]
    print(f"SHARE beside {service}, which spins: {share} per mille, at most {pause} ms without")
    assert before > 900 and "triggered" in out
    assert share >= 400 and pause < 300
    assert re.search(rf"^\d+ {service} heartbeat ", out, re.M)


def gives_up(path):
    """The manifest of a driver that is given up for its first failure."""
    kept = [line for line in (TOP / path).read_text().splitlines() if line.split()[:1] and line.split()[0] not in ("budget", "policy")]
    return {f"/etc/bardo/{path.rpartition('/')[2]}": "\n".join(kept + ["budget 0 60"]) + "\n"}


def test_terminal_whose_driver_is_given_up(boot):
    """Who reads gets the end of file at once, who leads the session SIGHUP, who writes EIO, who opens ENXIO; the other port works on. `service up`
    brings it back, and it is a terminal again."""
    at = inject_faults.Program("uart").functions["uart_send"][0].address
    out = boot(WAIT.replace("list faulty", "list uart.1") + f"""mknod /tmp/inject c 240 0; service wait uart.1
        setsid sh -c 'exec 3<>/dev/ttyS1; trap "echo hung up >>/tmp/said" HUP; while read line <&3; do :; done; echo end >>/tmp/said' & usleep 300000
        cat /dev/ttyS1 >/tmp/read & reader=$!; exec 4>/dev/ttyS1; usleep 200000; kill -0 $reader && echo reads
        echo 'uart.1 {at:#x} text {at:#x} 0f0b' >/tmp/inject; echo x >&4; wait_for given-up; usleep 100000; sort /tmp/said
        kill -0 $reader 2>/dev/null || echo reader has ended; (echo y >&4) 2>&1; (: </dev/ttyS1) 2>&1; exec 4>&-
        service up uart.1; service wait uart.1; usleep 100000; echo z >/dev/ttyS1 && echo works""", qemu="-serial file:/dev/null", leak_check=False, timeout=100,
               add=dict(INJECTOR, **gives_up("drivers/char/uart/uart.svc"))).out
    lines = out.splitlines()
    assert lines[:4] == ["reads", "end", "hung up", "reader has ended"] and lines[-1] == "works"
    assert "Input/output error" in out and "No such device or address" in out


@pytest.mark.parametrize("driver, path, function, device, how", [
    ("printer", "drivers/char/printer/printer.svc", "printer_send", "/dev/lp0", {"qemu": "-parallel file:/dev/null"}),
    ("es1370", "drivers/audio/es1370/es1370.svc", "es1370_position", "/dev/dsp", {"sound": "none"})])
def test_writer_whose_driver_is_given_up(boot, driver, path, function, device, how):
    """Who writes to a printer or plays has an error at once, and who opens it, too; with a fresh driver it works again."""
    at = inject_faults.Program(driver).functions[function][0].address
    out = boot(WAIT.replace("list faulty", f"list {driver}") + f"""mknod /tmp/inject c 240 0; service wait {driver}
        (cat /dev/zero >{device}; echo "writer $?") 2>&1 & usleep 200000; echo '{driver} {at:#x} text {at:#x} 0f0b' >/tmp/inject; wait_for given-up
        read began x </proc/uptime; wait %1; read ended x </proc/uptime; echo took $began $ended; (echo y >{device}) 2>&1 || echo refused
        service up {driver}; service wait {driver}; usleep 100000; head -c 1024 /dev/zero >{device} && echo works""", leak_check=False, timeout=100,
               add=dict(INJECTOR, **gives_up(path)), **how).out
    began, ended = map(float, re.search(r"^took ([\d.]+) ([\d.]+)$", out, re.M).groups())
    assert "writer 1\n" in out and "refused\n" in out and out.endswith("works\n") and ended - began < 0.5
    assert re.search(r"write error: (Input/output error|No such device)", out)


# Servers in the order in which they are given up: those that stand on others first. What needs each, and how that ends (so that, where there is "", it just works).
NEEDED = {
    "servers/lp/lp.svc": [("echo x >/dev/lp0", "No such device")],
    "servers/audio/audio.svc": [("echo x >/dev/dsp", "No such device")],
    "servers/clock/clock.svc": [("cat /dev/rtc0", "No such device")],
    "servers/log/log.svc": [("dmesg | grep -q 'log: given up'", ""), ("service log log | grep -q 'given up'", "")],
    "servers/pci/pci.svc": [("service restart e1000; service wait e1000; ping -c 1 10.0.2.2", "")],
    "servers/tty/tty.svc": [("echo x >/dev/console", "Input/output error"), ("echo x >&7", "Input/output error"), ("stty <&7", "Input/output error")],
    "servers/fs/ext4/ext4.svc": [("cat /mnt/kept", "Input/output error"), ("cat <&5", "Input/output error"), ("echo x >/mnt/new", "Input/output error"), ("sync", ""), ("umount /mnt", "Input/output error")],
    "servers/disk/disk.svc": [("cat /dev/sda", "No such"), ("cat <&6", "Input/output error"), ("mount -t ext4 /dev/sda /mnt", "rror")],
    "servers/fs/dev/dev.svc": [("ls /dev", "Input/output error"), ("cat /dev/zero", "Input/output error"), ("echo x >/dev/console", "Input/output error")],
}


def test_who_needs_one_that_is_given_up(boot, tmp_path):
    """Each server that is not essential: who needs it, or has what it keeps open, is told at once (proc: test_service.py), whatever else is given up by then; nobody waits, and
    nobody else is replaced. Then `service up` brings all of them back, with what was open."""
    subprocess.run(["truncate", "-s", "16M", tmp_path / "disk"], check=True)
    subprocess.run(["/sbin/mke2fs", "-q", "-F", "-t", "ext4", tmp_path / "disk"], check=True)
    names = [path.rpartition("/")[2].removesuffix(".svc") for path in NEEDED]
    script = """up() { cut -d' ' -f1 /proc/uptime; }
        give_up() { n=0; until service list $1 | grep -q given-up || [ $n = 50 ]; do service restart $1 >/dev/null 2>&1; n=$((n + 1)); usleep 20000; done; }
        try() { begin=$(up); sh -c "$1" >/tmp/out 2>/tmp/said; echo "try $? $begin $(up) $1: $(tail -n 1 /tmp/said)"; }
        mkdir -p /mnt; mount -t ext4 /dev/sda /mnt; echo right >/mnt/kept; sync; exec 5</mnt/kept 6</dev/sda 7<>/dev/ttyS0
        """
    for name, (path, needs) in zip(names, NEEDED.items()):
        script += f"give_up {name}; " + "; ".join(f'try "{command}"' for command, _ in needs) + "\n"
    script += "service list; echo replaced $(grep -v '^#' /proc/recovery | cut -d' ' -f2 | sort -u); " + "".join(f"service up {name}; " for name in reversed(names)) + "for s in dev disk ext4 tty; do service wait $s; done; usleep 300000; echo heard >&7 && echo back $(cat <&5) $(head -c 3 <&6 | wc -c) $(ls /dev | grep -c null)\n"
    script += "exec 5<&- 6<&- 7<&-; umount /mnt; echo unmounted $?\n"
    # (Where it says anything is a terminal, too; and there is SIGHUP when that is gone.)
    out = boot(f"trap '' HUP\n{{ {script}}} >/tmp/all 2>&1; usleep 300000; cat /tmp/all", icount=True, nics=["e1000"], sound="none", qemu="-parallel file:/dev/null", disks=[str(tmp_path / "disk")],
               add={place: text for path in NEEDED for place, text in gives_up(path).items()}, leak_check=False, timeout=300).out
    print(out)
    tried = re.findall(r"^try (\d+) ([\d.]+) ([\d.]+) (.*?): ?(.*)$", out, re.M)
    wanted = [need for needs in NEEDED.values() for need in needs]
    assert len(tried) == len(wanted), out
    for (status, begin, end, *_, said), (command, error) in zip(tried, wanted):
        assert (status == "0") == (error == "") and error in said, f"{command}: status {status}, {said}"
        assert float(end) - float(begin) < 1, f"{command} has waited from {begin} to {end}"
    states = dict(re.findall(r"^(\S+) +\d+ (up|given-up) ", out, re.M))
    assert {name for name, state in states.items() if state == "given-up"} == set(names), out
    assert set(re.search(r"^replaced (.*)$", out, re.M)[1].split()) <= {*names, "e1000"}, out
    assert re.search(r"^back right 3 1\nunmounted 0$", out, re.M), out


def test_refuses_its_device(boot):
    """A driver that says that the device is none of its is not started again."""
    result = boot(WAIT + "wait_for refused; sleep 0.3; service list faulty; service up faulty; sleep 0.2; service list faulty; cat /proc/recovery",
                  add=faulty("refuse", delay=0, times=0, device="isa", **DRIVER), leak_check=False)  # the command must not run twice
    assert len(re.findall(r"^faulty +0 refused", result.out, re.M)) == 2 and recoveries(result.out) == []
    assert result.klog.count("faulty: its device is none that it can drive") == 2


def test_variants_that_shipped_drivers_cannot_drive(boot, tmp_path):
    """Virtio cards and disks with the interface of before 1.0 alone (entropy devices: test_random.py): each is said once, and the driver is started again by `service up` alone."""
    (tmp_path / "disk").write_bytes(bytes(1 << 20))
    result = boot("n=0; until [ $(service list | grep -c 'virtio.* refused') = 2 ] || [ $n = 100 ]; do n=$((n + 1)); usleep 50000; done; sleep 2; service list | grep virtio; cat /proc/recovery; service up virtio-net; "
                  "sleep 0.5; service list virtio-net; head -c 1 /dev/vda 2>&1; ping -c 1 10.0.2.2 2>&1 | tail -n 1", leak_check=False, icount=True,
                  qemu=f"-netdev user,id=n -device virtio-net-pci,disable-modern=on,netdev=n -drive if=none,id=d,format=raw,file={tmp_path / 'disk'} -device virtio-blk-pci,disable-modern=on,drive=d")
    assert len(re.findall(r"^virtio-block +0 refused", result.out, re.M)) == 1 and len(re.findall(r"^virtio-net +0 refused", result.out, re.M)) == 2, result.out
    assert [recoveries(result.out, name) for name in ("virtio-net", "virtio-block")] == [[], []]
    assert [result.klog.count(f"rs: {name}: its device is none that it can drive") for name in ("virtio-net", "virtio-block")] == [2, 1]
    assert re.search("/dev/vda: No such", result.out) and "unreachable" in result.out, result.out


def test_policy_script_that_runs_wild(boot):
    """It restarts its component again and again: its deadline ends it, and restarts that follow one another at once are failures."""
    script = "#!/bin/sh\nwhile :; do service restart $1; done\n"
    result = boot("sleep 0.3\n" + WAIT.replace("list faulty", "list faulty") + "service kill faulty; sleep 2; ps | grep -c '[w]ild.sh'; service list faulty",
                  add={"/etc/bardo/policy/wild.sh": script, **faulty("none", policy="/etc/bardo/policy/wild.sh x", deadline="700")}, leak_check=False)
    assert result.out.startswith("0\n"), "the script still runs"
    assert re.search(r"^faulty +0 given-up +", result.out, re.M) and result.klog.count("given up after 6 failures") == 1


@pytest.mark.parametrize("broken", ["ram", "ds", "pm"])
def test_broken_manifest_of_a_needed_server(boot, broken):
    result = boot("true", add={f"/etc/bardo/{broken}.svc": "class nonsense\n"}, expect=125, leak_check=False, timeout=60)
    assert f"essential server {broken} could not be started: the system stops" in result.klog
    for said in (result.klog, result.serial):
        assert f"{broken}.svc:1: class: unknown class" in said


def broken_archive(tmp_path, name):
    archive = Archive()
    archive.add(f"/etc/bardo/{name}.svc", 0o100644, b"class nonsense\n")
    initrd = tmp_path / "initrd"
    initrd.write_bytes((BUILD / "boot.cpio").read_bytes() + archive.bytes())
    return initrd


def test_needed_server_is_missed_on_the_screen(tmp_path):
    rows = rows_of_a_dead_machine(tmp_path, broken_archive(tmp_path, "vfs"), "rs:")
    assert rows == [rows[0]] and rows[0].endswith("rs: essential server vfs could not be started: the system stops")


@pytest.mark.parametrize("name", ["tty", "dev"])
def test_who_has_no_terminal_is_told_why(tmp_path, name):
    """Without these the system works, for who reaches it by the network: at the machine nothing else is to be seen."""
    serial = tmp_path / "serial"
    with subprocess.Popen(qemu.command(broken_archive(tmp_path, name), tmp_path / "klog", serial=f"file:{serial}")) as machine:
        try:
            end = time.monotonic() + 60
            while not (tmp_path / "klog").exists() or "uart.1" not in (tmp_path / "klog").read_text():  # it goes on
                assert time.monotonic() < end and machine.poll() is None
                time.sleep(0.05)
            assert re.search(rf"rs: .*/{name}.svc:1: class: unknown class", serial.read_text(errors="replace")), serial.read_text(errors="replace")
        finally:
            machine.kill()


def test_many_manifests(boot):
    """Broken ones take nothing from the others; of too many good ones those that were read last are left out, with a message."""
    broken = {f"/etc/bardo/a{n}.svc": "class nonsense\n" for n in range(35)}
    result = boot("service list | grep -c broken; service list uart | tail -1", add=broken)
    assert result.out.startswith("35\n") and re.search(r"^uart +\d+ up", result.out, re.M)
    good = {f"/etc/bardo/a{n}.svc": "class server\ninstances on-request\n" for n in range(80)}
    result = boot("service list | wc -l; service list uart | tail -1", add=good)
    assert "more than 96 services; not started" in result.klog and re.search(r"^uart +\d+ up", result.out, re.M)


def ill_program(tmp_path, driver, function, service, code="31c0c3"):
    """The shipped program of a driver, with a function that does nothing and says 0 (xor eax, eax; ret), or another code: each fresh copy is ill."""
    program = inject_faults.Program(driver)
    image, at = bytearray(program.image), program.offset(program.functions[function][0].address)
    image[at:at + len(code) // 2] = bytes.fromhex(code)
    path = tmp_path / service
    path.write_bytes(image)
    return {f"/lib/bardo/{service}": path}


def second_port(service):
    """The serial port's driver of the first port, and one of that name for the second: its terminal is the last for which there is no port."""
    lines = (TOP / "drivers/char/uart/uart.svc").read_text().splitlines()
    first, second = (f"device      isa {place}" for place in ("0x3f8-0x3ff 4", "0x2f8-0x2ff 3"))
    assert {first, second} < set(lines)
    return {f"/etc/bardo/{name}.svc": "\n".join([line for line in lines if not line.startswith("device") or line == place]) + "\n" for name, place in (("uart", first), (service, second))}


@pytest.mark.parametrize("driver, function, service, device, most", [("ahci", "finished", "ahci", "sda", 45), ("uart", "uart_send", "vuart", "ttyS3", 10)])
def test_every_copy_is_ill(boot, tmp_path, driver, function, service, device, most):
    """What a fresh copy does not mend: a shipped driver that ends no request, or sends nothing, is given up `most` s after the boot at the latest, the log says so once,
    and who waits gets an error."""
    how = {"qemu": "-serial file:/dev/null", "add": second_port(service)} if driver == "uart" else {"disks": [f"{tmp_path / 'disk'}:{driver}"], "add": {}}
    (tmp_path / "disk").write_bytes(bytes(1 << 20))
    how["add"].update(ill_program(tmp_path, driver, function, service))
    result = boot(f"cat /dev/zero 2>/dev/null >/dev/{device} & up=0; until service list {service} | grep -q given-up || [ $up -gt 61 ]; do usleep 100000; up=$(cut -d. -f1 /proc/uptime); done; "
                  f"echo $up; head -c 512 /dev/{device} 2>&1 | head -c 0; [ $up -le 61 ] || kill $!; wait; service list {service}", icount=True, leak_check=False, timeout=300, **how)
    print(result.klog)
    assert "given-up" in result.out and result.klog.count(f"rs: {service}: given up") == 1
    given_up = float(re.search(rf"\[ *([\d.]+)\] rs: {service}: given up", result.klog)[1])
    print(f"DETECTED {service}, every copy of it ill: given up {given_up:.1f} s after the boot")
    assert given_up < most and int(result.out.split()[0]) <= given_up + 1  # (seconds, in which it has been looked)
    assert int(re.search(rf"^{service} .* (\d+) \w+ +\w", result.out, re.M)[1]) < 100


def test_deaf_from_the_boot(boot, tmp_path):
    """A network card's driver of which no copy gives its card a buffer: nobody answers about an address, which may be so. A fresh copy is tried once, and the log says why."""
    result = boot("n=0; until grep -q ' e1000 ' /proc/recovery || [ $n -gt 300 ]; do n=$((n + 1)); usleep 100000; done; sleep 30; cat /proc/recovery", nics=["e1000"], icount=True, leak_check=False, timeout=200,
                  add=ill_program(tmp_path, "e1000", "e1000_lend", "e1000"))
    row, = recoveries(result.out, "e1000")
    assert (row["defect"], row["detail"]) == ("complaint", "4") and result.klog.count("net: e0: driver e1000 hears nothing, not even an answer about an address") == 1
    link = float(re.search(r"\[ *([\d.]+)\] net: e0: link up", result.klog)[1])
    assert 20000 < detected("e1000, every copy of it deaf", row, link) < 23000


def test_starts_that_do_not_end(boot, tmp_path):
    """Shipped services of which no copy gets ready: one computes for ever, beside a program that does, too, so that each start takes two seconds; others wait for what does not
    come, a disk's driver for ten seconds each time. No budget is used up by that; they are given up all the same, within a minute, and the log says so once."""
    (tmp_path / "disk").write_bytes(bytes(1 << 20))
    add, silent = ill_program(tmp_path, "console", "service_ready", "console", SPINS), ["keyboard", "ahci", "e1000", "lp", "disk"]
    for service in silent:
        add.update(ill_program(tmp_path, service, "service_ready", service))
    result = boot("given_up() { until service list $1 | grep -q given-up || [ $up -gt 61 ]; do usleep 200000; up=$(cut -d. -f1 /proc/uptime); done; echo $1 $up; }\nup=0\n"
                  f"while :; do :; done & given_up console; kill $!; for s in {' '.join(silent)}; do given_up $s; done", leak_check=False, timeout=300, add=add,
                  nics=["e1000"], disks=[str(tmp_path / "disk")], qemu="-vga std -icount shift=4,sleep=off")
    print(result.out)
    ended = {name: int(up) for name, up in re.findall(r"^(\w+) (\d+)$", result.out, re.M)}
    assert set(ended) == {"console", *silent} and max(ended.values()) <= 61
    for name in ended:
        assert result.klog.count(f"rs: {name}: given up") == 1 and result.klog.count(f"rs: {name}: heartbeat 0 during its start") <= 6
