# SPDX-License-Identifier: BSD-2-Clause
"""/proc/net, as ifconfig, route, arp and netstat read it."""
import re

from hostnet import served

MB = 1 << 20


def test_interfaces_count(boot, tmp_path):
    """Bytes are counted, and the counts outlive the driver."""
    url, _ = served(tmp_path, 2)
    out = boot(f"wget -q -O /dev/null {url}; ifconfig e0; kill -9 $(pidof e1000); usleep 200000; ifconfig e0", nics=["e1000"]).out
    received = [int(n) for n in re.findall(r"RX bytes:(\d+)", out)]
    assert len(received) == 2 and 2 * MB < received[0] <= received[1] and "can't open" not in out and "No such file" not in out


def test_routes_and_neighbours(boot):
    out = boot("ping -c 1 10.0.2.2 >/dev/null; route -n; arp -n", nics=["e1000"]).out
    assert re.search(r"^0\.0\.0\.0 +10\.0\.2\.2 +0\.0\.0\.0 +UG ", out, re.M) and re.search(r"^10\.0\.2\.0 +0\.0\.0\.0 +255\.255\.255\.0 +U ", out, re.M)
    assert "(10.0.2.2) at 52:55:0a:00:02:02" in out


def test_connections(boot):
    out = boot("nc -l -p 7000 -e cat & usleep 200000; netstat -tuln; usleep 300000 | nc 127.0.0.1 7000 & usleep 150000; netstat -tn; wait; "
               "netstat -tln").out
    listening, connected, after = out.split("Active Internet connections")[1:]
    assert re.search(r"0\.0\.0\.0:7000 .* LISTEN", listening) and "7000" not in after
    assert len(re.findall(r"127\.0\.0\.1:7000 .*ESTABLISHED", connected)) == 2 and "No such file" not in out


def test_without_a_card(boot):
    out = boot("ifconfig -a; route -n | wc -l; cat /proc/net/arp | wc -l").out
    assert "lo " in out and out.endswith("2\n1\n")
