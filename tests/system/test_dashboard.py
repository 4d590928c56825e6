# SPDX-License-Identifier: BSD-2-Clause
"""The dashboard: what it serves and to whom, what it refuses and how, kills and restarts, and the deaths of all it stands on."""
import http.client
import json
import re
import shlex
import socket
import subprocess
import time
from base64 import b64encode

import pytest

from conftest import BUILD, TOP
from dashboardhost import dashboard, listening
from machine import terminal


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    with dashboard(tmp_path_factory.mktemp("dashboard")) as found:
        yield found


def test_nobody_without_password(served):
    for path in ("/", "/page.js", "/api/status", "/api/tree", "/no/such"):
        for headers in ({}, served.headers("wrong"), {"Authorization": "Basic"}, {"Authorization": "Bearer x"}):
            status, answer, body = served.request("GET", path, headers)
            assert (status, answer["WWW-Authenticate"]) == (401, 'Basic realm="Bardo", charset="UTF-8"') and b"rs" not in body
    status, answer, _ = served.request("POST", "/api/kill/null", {"X-Bardo": "1"})  # (of the page, which has its own way to say so)
    assert status == 401 and answer["WWW-Authenticate"].startswith("Reload ") and served.deaths("null") == []


def make_run(*words):
    """How `make run` calls tools/guest, in words."""
    said = subprocess.run(["make", "-n", "run", f"B={BUILD}", *words], cwd=TOP, capture_output=True, text=True, check=True).stdout
    line, = (line for line in said.splitlines() if " tools/guest " in line)
    return shlex.split(line)


def test_who_may_connect(served, tmp_path):
    """The host itself, by its loopback, and only to what was asked for; without DASHBOARD nobody listens."""
    assert listening(served.console.guest.pid) == {("127.0.0.1", served.port)}
    for words, asked in (([], None), (["DASHBOARD=0"], None), (["DASHBOARD=1"], "0"), (["DASHBOARD=9000"], "9000")):
        run = make_run(*words)
        assert (run[run.index("--dashboard") + 1] if "--dashboard" in run else None) == asked and "--forward" not in run
    plain = make_run()
    with terminal(tmp_path / "console", *plain[plain.index("tools/guest") + 1:]) as console:
        console.wait(b"# ")
        assert listening(console.guest.pid) == set()
        console.type("ps | grep -c '[d]ashboard'; cat /run/dashboard.password; echo e''nd; poweroff -f\n")
        console.wait(b"\nend")
        console.guest.wait(timeout=100)
    said = (tmp_path / "console").read_text(errors="replace")
    assert re.search(r"\n0\ncat: .*No such file", said), said


def test_what_is_served(served):
    status, answer, body = served.request("GET", "/")
    assert status == 200 and answer["Content-Type"].startswith("text/html") and b"<title>Bardo" in body
    assert "default-src 'none'" in answer["Content-Security-Policy"] and answer["Cache-Control"] == "no-store"
    assert not re.search(rb"https?://(?!www\.w3\.org)", body)  # nothing from elsewhere
    for part in re.findall(rb'(?:src|href)="(/?[\w./]+)"', body):
        assert served.request("GET", "/" + part.decode().lstrip("/"))[0] == 200
    status, answer, body = served.request("HEAD", "/")
    assert status == 200 and int(answer["Content-Length"]) > 20 and body == b""
    now = served.status()
    rows = {row["name"]: row for row in now["services"]}
    assert rows["e1000"]["state"] == "up" and rows["net"]["class"] == "server" and rows["vfs"]["memory_kb"] > 0
    assert any("net: e0: link up" in line for line in now["log"]) and now["log_next"] > 0
    later = served.status(f"?log={now['log_next']}&rates={now['rates_next']}&events=999999")
    assert later["boot"] == now["boot"] and len(later["log"]) < len(now["log"]) and later["events"] == []
    assert all(rate[0] >= now["rates_next"] for rate in later["rates"])
    tree = {row["name"]: row for row in json.loads(served.request("GET", "/api/tree")[2])}
    assert {"name": "e1000", "how": "queue"} in tree["net"]["stands_on"]


def test_kill_and_restart(served):
    """The death and its steps are told; what does not exist, or must not be, is refused with its reason."""
    before = len(served.deaths("e1000"))
    assert served.order("kill", "e1000") == 200
    event = served.wait_for_return("e1000", before + 1)
    steps = [step for step in event["steps_ns"] if step]
    assert event["defect"] == "killed" and event["how"] in ("adopted", "reset") and len(steps) >= 6 and steps == sorted(steps)
    assert served.order("restart", "null") == 200
    assert served.wait_for_return("null", len(served.deaths("null")))["defect"] == "update"
    assert any("dashboard: kill e1000" in line for line in served.status()["log"])
    for path, status, said in (("kill/nosuch", 404, b"no such service"), ("kill/", 404, b"no such"), ("kill/..%2fx", 404, b"no such"), ("kill/" + "a" * 200, 404, b"no such"),
                               ("kill/null%0adown%20null", 404, b"no such"), ("restart/vfs", 403, b"not permitted"), ("kill/rtl8139", 409, b"")):
        code, _, body = served.request("POST", "/api/" + path, {**served.headers(), "X-Bardo": "1"})
        assert code == status and said in body, (path, code, body)


def test_orders_of_other_pages(served):
    """What another site could make a browser send is no order: neither without our header, nor from elsewhere, nor by another name."""
    before, host = len(served.deaths("null")), {"Host": f"127.0.0.1:{served.port}"}
    for method, headers, status in (("POST", {}, 403), ("GET", {"X-Bardo": "1"}, 405), ("POST", {"X-Bardo": "1", "Origin": "http://evil.example"}, 403),
                                    ("POST", {"X-Bardo": "1", "Origin": "null"}, 403), ("POST", {"X-Bardo": "1", "Host": "evil.example", "Origin": "http://evil.example"}, 421)):
        assert served.request(method, "/api/kill/null", {**host, **served.headers(), **headers})[0] == status, headers
    assert served.request("GET", "/api/status", {**served.headers(), "Host": "evil.example:80"})[0] == 421
    assert len(served.deaths("null")) == before


def test_too_many_orders(served):
    """Sent all at once, twenty a second are carried out (of the system's seconds)."""
    head = b"Host: localhost\r\nX-Bardo: 1\r\nAuthorization: " + served.headers()["Authorization"].encode() + b"\r\n"
    before = served.status()["now_ms"]
    answer = served.raw((b"POST /api/kill/null HTTP/1.1\r\n" + head + b"\r\n") * 100 + b"HEAD / HTTP/1.1\r\n" + head + b"Connection: close\r\n\r\n")
    seconds = (served.status()["now_ms"] - before) // 1000
    codes = [int(code) for code in re.findall(rb"HTTP/1\.1 (\d+) ", answer)]
    assert len(codes) == 101 and set(codes) <= {200, 409, 429} and 1 < codes.count(200) <= 1 + 20 * (seconds + 2), codes


@pytest.mark.parametrize("data, status", [
    (b"\r\n\r\n", 400), (b"GET /\r\n\r\n", 400), (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" * 20, 400), (b"GET / HTTP/1.1\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nHost: localhost\nX: y\r\n\r\n", 400), (b"GET / HTTP/1.1\r\nHost: localhost\r\n\x00: y\r\n\r\n", 400), (b"GET / HTTP/3.0\r\n\r\n", 505),
    (b"PUT / HTTP/1.1\r\nHost: localhost\r\n\r\n", 405), (b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n", 411),
    (b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 500000\r\n\r\n" + b"x" * 500000, 413), (b"GET /" + b"a" * 100000, 414),
    (b"GET / HTTP/1.1\r\nHost: localhost\r\n", 408), (b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\r\nab", 408),
    (b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"X: aaaaaaaaaaaaaaaaaaaa\r\n" * 10000, 431)], ids=lambda value: repr(value[:30]) if isinstance(value, bytes) else str(value))
def test_bad_requests(served, data, status):
    """A clear answer, which arrives though more was being sent, or never comes; and who behaves is served as before."""
    answer = served.raw(data)
    assert answer.startswith(b"HTTP/1.1 %d " % status) and b"\r\nConnection: close\r\n" in answer and b'"error": ' in answer, answer[:300]
    assert served.request("GET", "/")[0] == 200


def test_many_connections(served):
    """More than there is room for, that say nothing, or half a request: they lose their places, and who has the password is served."""
    quiet = []
    for _ in range(60):
        quiet.append(socket.create_connection(("127.0.0.1", served.port)))
        time.sleep(0.02)  # (the emulator accepts one at a time; more, and the host waits for a second)
    for s in quiet[::2]:
        s.sendall(b"GET / HT")
    assert served.request("GET", "/")[0] == 200
    for s in quiet:
        s.close()
    assert served.request("GET", "/")[0] == 200


def test_pipelined(served):
    """Several requests at once, one with a body: an answer each, in order."""
    head = b"Host: localhost\r\nAuthorization: Basic " + b64encode(b"bardo:" + served.password.encode()) + b"\r\n"
    answer = served.raw(b"POST /x HTTP/1.1\r\n" + head + b"Content-Length: 4\r\n\r\nabcdGET /api/tree HTTP/1.1\r\n" + head + b"\r\nHEAD / HTTP/1.1\r\n" + head + b"Connection: close\r\n\r\n")
    assert re.findall(rb"HTTP/1\.1 (\d+)", answer) == [b"404", b"200", b"200"]


@pytest.mark.parametrize("name", ["e1000", "net", "vfs", "ram", "pm", "vm", "ds", "rs", "proc", "dev", "log", "tty"])
def test_death_below(served, name):
    """Whoever dies of those it stands on: a connection that was there goes on, and the death is told on it."""
    connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=60)
    before = len(served.deaths(name))

    def ask(method, path):
        connection.request(method, path, headers={**served.headers(), "X-Bardo": "1"})
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    assert ask("GET", "/api/status")[0] == 200
    mine = connection.sock
    assert ask("POST", f"/api/kill/{name}")[0] == 200
    def back():
        status, said = ask("GET", "/api/status?log=999999999999")
        return status == 200 and [e for e in said["events"] or [] if e["service"] == name and e["how"] != "-"][before:]
    assert served.wait(back, f"the return of {name}")[0]["defect"] == "killed"
    assert connection.sock is mine and ask("GET", "/api/tree")[0] == 200


def test_its_own_death(served):
    """The server's process is replaced, password and all; who asks for the page again gets it."""
    served.type("kill -9 $(pidof dashboard | tr ' ' '\\n' | sort -n | tail -1); echo ki''lled")
    served.wait_for_output("\nkilled")
    def again():
        try:
            return served.request("GET", "/")[0] == 200
        except OSError:
            return False
    served.wait(again, "the page")


INSIDE = """dashboard --port 8000 >/tmp/said & pid=$!; sleep 0.5
ask() { wget -q -O- --header "Authorization: Basic $(printf "bardo:$(cat /run/dashboard.password)" | base64)" "$@"; }
cat /tmp/said | cut -d' ' -f1-5; stat -c '%a %U' /run/dashboard.password; ps | grep -c '[n]obody *dashboard'
for i in 1 2 3 4 5; do ask http://127.0.0.1:8000/api/status >/dev/null || echo failed; done; ask http://127.0.0.1:8000/api/tree | head -c 14; echo
su user -c 'dashboard 2>&1'; echo $?; dashboard --port 2>&1; echo $?; dashboard --port 0 2>&1 | head -1; dashboard --port 70000 2>&1 | head -1; dashboard -x 2>&1; echo $?; dashboard --help | head -1; dashboard --port 8000 2>&1; echo $?
kill $pid; sleep 0.5; killall -9 dashboard 2>/dev/null; rm /tmp/said /run/dashboard.password; cat /proc/diskstats"""


def test_inside(boot, tmp_path):
    """Options, the password's file, who it runs as; and all it had is given back when it has ended."""
    image = tmp_path / "d.img"
    image.write_bytes(bytes(1 << 20))
    out = boot("dd if=/dev/sda of=/dev/null bs=64k 2>/dev/null; echo xyz | dd of=/dev/sda bs=512 conv=sync,notrunc,fsync 2>/dev/null\n" + INSIDE, nics=["e1000"], disks=[str(image)]).out
    assert out.startswith("dashboard: http://127.0.0.1:8000/  user bardo\n600 root\n1\n[{\"name\": \"rs\""), out
    assert "failed" not in out and "dashboard: only root may start it\n1\n" in out
    assert "dashboard: --port needs a port, 1 to 65535\nTry 'dashboard --help'.\n2\n" in out and out.count("needs a port") == 3
    assert "dashboard: unknown option -x\nTry 'dashboard --help'.\n2\nUsage: dashboard [--port PORT]" in out and "dashboard: cannot listen: Address in use\n1\n" in out
    stats = re.search(r"^ +8 +0 sda (\d+) 0 (\d+) 0 (\d+) 0 (\d+) 0 0 0 0$", out, re.M)
    assert stats and int(stats[2]) >= 2048 and int(stats[3]) >= 1 and int(stats[4]) >= 1, out
