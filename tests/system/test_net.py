# SPDX-License-Identifier: BSD-2-Clause
"""The network without a failure: both cards, both directions, errors."""
import os
import re
import socket
import threading

import pytest

from hostnet import Client, Sink, free_port, served, sha1

NICS = ["e1000", "rtl8139"]
MB = 1 << 20


def link_flaps(monitor, ended):
    """Off and on by QEMU's monitor, until the end."""
    with socket.socket(socket.AF_UNIX) as s:
        while not ended.wait(0.2):
            try:
                s.connect(str(monitor))
                break
            except OSError:
                continue
        while not ended.wait(0.3):
            try:
                s.sendall(b"set_link net0 off\n")
                ended.wait(0.3)
                s.sendall(b"set_link net0 on\n")
            except OSError:
                return


@pytest.mark.parametrize("nic", NICS)
def test_address_and_echo(boot, nic):
    out = boot("ping -c 2 -i 0.2 10.0.2.2; ifconfig e0 2>/dev/null; cat /etc/resolv.conf; ping -c 1 127.0.0.1", nics=[nic]).out
    assert "2 packets received" in out and "inet addr:10.0.2.15  Bcast:10.0.2.255  Mask:255.255.255.0" in out
    assert "nameserver 10.0.2.3" in out and "1 packets received" in out


@pytest.mark.parametrize("nic", NICS)
def test_download(boot, tmp_path, nic):
    url, expected = served(tmp_path, 8)
    out = boot(f"wget -q -O /tmp/f {url}; sha1sum /tmp/f; wget -q -O - {url} | sha1sum; rm /tmp/f", nics=[nic]).out
    assert [line.split()[0] for line in out.splitlines()] == [expected, expected]


@pytest.mark.parametrize("nic", NICS)
def test_upload(boot, nic):
    sink, data = Sink(), os.urandom(3 * MB)
    boot(f"nc 10.0.2.2 {sink.port} </data", nics=[nic], add={"/data": data})
    assert sha1(sink.result()) == sha1(data)


@pytest.mark.parametrize("nic", NICS)
def test_server_inside(boot, nic):
    """Echoes what the host sends over a forwarded port."""
    port, data = free_port(), os.urandom(2 * MB)
    client = Client(port, data, wanted=len(data))
    boot("nc -l -p 7000 -e cat", nics=[nic], forward=[f"{port}:7000"])
    assert sha1(client.result()) == sha1(data)


@pytest.mark.parametrize("variant", ["virtio", "virtio,disable-legacy=on,vectors=0", "virtio,rx_queue_size=512,mrg_rxbuf=off", "virtio,disable-modern=on"])
def test_virtio(boot, variant):
    """Transitional and modern, by MSI-X and by its pin; what it was of before VIRTIO 1.0 is no device for the driver, which is said."""
    out = boot("ping -c 2 -i 0.2 10.0.2.2; kill -9 $(pidof virtio-net); ping -c 1 10.0.2.2; cat /proc/recovery; service list virtio-net", nics=[variant], leak_check=False).out
    if "disable-modern" in variant:
        assert "refused" in out and "packets received" not in out
    else:
        assert "2 packets received" in out and "1 packets received" in out and "killed 9 2" in out and " adopted " in out


def test_virtio_link(boot, tmp_path):
    """It comes and goes, and net knows."""
    monitor = tmp_path / "monitor"
    ended = threading.Event()
    thread = threading.Thread(target=link_flaps, args=(monitor, ended))
    thread.start()
    out = boot("until service log virtio-net | sed -n '/link down/,$p' | grep -q \"link up\"; do usleep 50000; done; service log virtio-net | grep -o 'link [a-z]*' | sed -n '/down/,$p' | head -2; until ping -c 1 -W 1 10.0.2.2 >/dev/null 2>&1; do usleep 50000; done; echo back",
               nics=["virtio"], qemu=f"-monitor unix:{monitor},server=on,wait=off", leak_check=False).out.split("\n")
    ended.set()
    thread.join()
    assert out == ["link down", "link up", "back", ""]


def test_virtio_sends_alone(boot):
    """What is sent and has no answer raises no interrupt: it is completed all the same, before net thinks the driver stuck."""
    out = boot("ping -c 1 10.0.2.2 | grep -o '1 packets received'; ping -c 2 -W 1 10.0.2.99 | grep -o '0 packets received'; grep -c virtio-net /proc/recovery", nics=["virtio"], expect=None, leak_check=False).out
    assert out.split("\n") == ["1 packets received", "0 packets received", "0", ""]


def test_several_connections_at_once(boot, tmp_path):
    url, expected = served(tmp_path, 3)
    out = boot(f"for i in 1 2 3 4 5 6; do wget -q -O - {url} | sha1sum >/tmp/s$i & done; wait; cat /tmp/s?; rm /tmp/s?", nics=["e1000"]).out
    assert [line.split()[0] for line in out.splitlines()] == [expected] * 6


def test_two_cards(boot, tmp_path):
    url, expected = served(tmp_path, 8)
    out = boot(f"until [ $(ifconfig 2>/dev/null | grep -c addr:10) = 2 ]; do usleep 50000; done; ping -c 1 10.0.3.2; ifconfig 2>/dev/null | grep addr:10; wget -q -O - {url} | sha1sum; "
               f"wget -q -O - {url.replace('10.0.2.2', '10.0.3.2')} | sha1sum", nics=NICS).out
    assert "1 packets received" in out and "addr:10.0.2.15" in out and "addr:10.0.3.15" in out
    assert re.findall("[0-9a-f]{40}", out) == [expected, expected]


def test_loopback_without_a_card(boot):
    data = os.urandom(2 * MB)
    out = boot("nc -l -p 7000 -e sha1sum & sleep 0.3; nc 127.0.0.1 7000 </data; wait", add={"/data": data}).out
    assert out.split()[0] == sha1(data)


def test_errors(boot):
    out = boot("wget -O - http://10.0.2.2:1/; echo status $?; nc 127.0.0.1 9; echo status $?; wget -O - http://nosuch.invalid/; echo status $?; "
               "ping -c 1 -W 1 10.0.2.99; echo status $?", nics=["e1000"]).out
    assert len(re.findall("Connection refused", out)) == 2 and "bad address 'nosuch.invalid'" in out and "100% packet loss" in out
    assert re.findall(r"status (\d)", out) == ["1"] * 4


def test_no_card(boot):
    """An error at once, not a wait for an address that can't come."""
    out = boot("cat /proc/uptime; wget -O - http://10.0.2.2:80/; cat /proc/uptime", timeout=30).out
    times = [float(line.split()[0]) for line in out.splitlines() if re.match(r"\d+\.\d+ ", line)]
    assert "unreachable" in out and times[1] - times[0] < 2


def test_dns(boot):
    out = boot("nslookup nosuch.invalid", nics=["e1000"], expect=1).out
    assert "NXDOMAIN" in out or "can't find" in out
