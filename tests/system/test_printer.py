# SPDX-License-Identifier: BSD-2-Clause
"""The printer at the parallel port, which is a file on the host: the driver's death is told to who prints, and the spooler goes on from the page in progress."""
import random
import re

import pytest

from test_disk import LIBRARY, PLACES, patient

PLACES["printer"] = "drivers/char/printer/printer.svc"
JOBS = 20
# until the queue is empty, a minute at most
EMPTY = "n=0; until lpq | grep -q idle; do n=$((n + 1)); [ $n -lt 600 ] || break; usleep 100000; done; lpq"
BUSY = "until lpq | grep -q printing; do usleep 10000; done; "


@pytest.fixture
def paper(tmp_path):
    path = tmp_path / "paper"
    path.touch()
    return path


def job(number):
    """Pages of text, each of which takes longer than a slice of the processor: some end with a form feed, some where 66 lines are full."""
    chance = random.Random(number)
    pages = []
    for page in range(chance.randint(3, 5)):
        lines = 66 if chance.random() < 0.4 else chance.randint(40, 65)
        text = "".join(f"job {number} page {page} line {line} {'x' * chance.randint(0, 400)}\n" for line in range(lines))
        pages.append(text + ("" if lines == 66 else "\f"))
    return pages


def repeats(paper, pages):
    """Every page is there, whole and in order; ahead of it perhaps a part of it (or nothing, or all), with a form feed behind. Where it ends; how often."""
    at = count = 0
    for number, page in enumerate(pages):
        page = page.encode()
        if number + 1 == len(pages) and not page.endswith(b"\f"):
            page += b"\f"  # the job's end
        title = page.split(b"\n")[0]
        while not paper.startswith(page, at) or paper[at + len(page):].lstrip(b"\f").startswith(title):
            same = next(n for n in range(len(page) + 1) if n == len(page) or paper[at + n:at + n + 1] != page[n:n + 1])
            assert paper[at + same:at + same + 1] == b"\f", f"page {number} at {at}: {paper[at:at + same + 80]}"
            at, count = at + same + 1, count + 1
        at += len(page)
    return at, count


def all_jobs(paper, jobs):
    count = 0
    for pages in jobs:
        at, n = repeats(paper, pages)
        paper, count = paper[at:], count + n
    assert paper == b""
    return count


def test_prints(boot, paper):
    """Straight to the device: every byte, in order; one at a time; its status."""
    out = boot("seq 1 3000 >/dev/lp0; sleep 0.5 >/dev/lp0 & usleep 200000; echo more >/dev/lp0; wait; printf end >/dev/lp0; cat /dev/lp0; stty -F /dev/lp0; ls -l /dev/lp0 | cut -c1-10",
               qemu=f"-parallel file:{paper}").out
    once = "".join(f"{n}\n" for n in range(1, 3001)) + "end"
    assert len(paper.read_text()) % len(once) == 0 and set(paper.read_text().split("end")) == {once[:-3], ""}  # (again for the count of leaks)
    assert "Device or resource busy" in out and "Invalid argument" in out and out.endswith("crw-rw----\n") and "not a tty" in out.lower().replace("inappropriate ioctl for device", "not a tty")


def test_absent(boot):
    result = boot("echo x >/dev/lp0; service list | grep printer | cut -c1-30; lpr /etc/hosts; lpq; true")
    assert "No such device or address" in result.out and re.search("printer +0 refused", result.out)
    assert result.out.count("the spooler is not running") == 2
    assert result.klog.count("printer: there is no such device at ports 0x378") == 1


def test_death_is_told(boot, paper, program):
    """EIO at the write that was in progress, with the count of what is known to be done; the file is dead, and one that is opened again works. A death over nothing is no error."""
    out = boot("/printing; service kill printer; echo again >/dev/lp0 && echo fine", qemu=f"-parallel file:{paper}", add={"/printing": program("printing")}, leak_check=False).out
    known = int(re.search(r"^EIO after (\d+) bytes$", out, re.M)[1])
    text = paper.read_bytes()
    printed = text.index(b"#")
    assert 0 < known <= printed <= known + 64 and text[:printed] == bytes(ord("a") + n % 26 for n in range(printed))
    assert text[printed:] == b"#reopenedagain\n"
    assert "dead: EIO EIO, drained: EIO\n" in out and "status 0xd8\n" in out and out.endswith("fine\n")


def test_death_of_the_server_is_told(boot, paper, program):
    """A file that was open is dead, also when nothing was in progress: what the driver had lost of it, and the server was about to tell, nobody knows any more."""
    out = boot("/printing server; echo $?", qemu=f"-parallel file:{paper}", add={"/printing": program("printing")}, leak_check=False).out
    assert out.splitlines() == ["dead: EIO EIO, drained: EIO", "0"]
    assert paper.read_bytes() == bytes(ord("a") + n % 26 for n in range(512)) + b"#reopened"


@pytest.mark.parametrize("victim, every", [("printer", "$((200000 + RANDOM * 300000 / 32768))"), ("lp", "250000")], ids=["driver", "server"])
def test_spooler(boot, paper, victim, every):
    """20 jobs, while the driver (or the server) is killed every 200 to 500 ms: each is there whole, in order; what is repeated is the page in progress."""
    jobs = [job(number) for number in range(JOBS)]
    add = {f"/jobs/{number:02}": "".join(pages) for number, pages in enumerate(jobs)}
    driver = patient("printer")
    if victim == "lp":  # the driver, whose every byte costs the emulator a write to a file, is not to die meanwhile
        driver = {place: re.sub(r"^heartbeat .*", "heartbeat 5000", text, flags=re.M) for place, text in driver.items()}
    add |= driver
    result = boot(LIBRARY + f"{{ cd /; while :; do usleep {every}; service kill {victim}; done; }} >/dev/null 2>&1 & killer=$!; for job in /jobs/*; do lpr $job; done; {EMPTY}; "
                  f"stop {victim} 3; kill $(pidof lpd) 2>/dev/null; true", qemu=f"-parallel file:{paper}", add=add, leak_check=False)
    assert result.out.splitlines()[:JOBS] == [f"job {n}" for n in range(1, JOBS + 1)]
    assert result.out.endswith("idle\n   JOB  USER            BYTES    PRINTED  TITLE\noften enough\n")
    count, kills = all_jobs(paper.read_bytes(), jobs), len(re.findall(rf"rs: {victim}: killed", result.klog))
    assert 0 < count <= kills, f"{count} of {kills} hit a page"


def test_spooler_dies(boot, paper):
    """The spooler is killed, all of it or the process that prints, and started again: it goes on with the page in progress."""
    jobs = [job(number) for number in range(6)]
    result = boot("for job in /jobs/*; do lpr $job >/dev/null; done; n=0; while [ $n -lt 6 ]; do usleep 300000; if [ $((n % 2)) = 0 ]; then kill -9 $(pidof lpd); lpd; "
                  f"else kill -9 $(pidof lpd | tr ' ' '\\n' | sort -n | tail -1); fi; n=$((n + 1)); done 2>/dev/null; {EMPTY}; ls /var/spool/lpd; kill $(pidof lpd) 2>/dev/null; true",
                  qemu=f"-parallel file:{paper}", add={f"/jobs/{number}": "".join(pages) for number, pages in enumerate(jobs)}, leak_check=False)
    assert result.out.split() == "idle JOB USER BYTES PRINTED TITLE state".split()
    assert all_jobs(paper.read_bytes(), jobs) <= 12  # a page, and the form feed that repeats it, may both be in progress


def test_what_dead_spoolers_left(boot, paper):
    """Half written, half received, half dropped: swept away by the next one, and when a process of this one is killed. What is being received stays, and a job that waits."""
    spool = "/var/spool/lpd"
    out = boot(f"service down printer; echo waits | lpr; kill -9 $(pidof lpd) 2>/dev/null; cd {spool}; ls; echo half >000007.data; echo 9 >000007.done; echo 9 >000008.done; echo half >new.32000; echo half >new.1; cd /; lpd; usleep 200000; ls {spool}; "
               f"(echo one; sleep 2; echo two) | lpr & usleep 500000; echo half >{spool}/000009.data; echo half >{spool}/new.32001; kill -9 $(pidof lpd | tr ' ' '\\n' | sort -n | sed -n 2p); "  # the one that prints
               f"usleep 300000; ls {spool}; wait; lpq | grep -c root; "
               f"(echo one; sleep 2; echo two) | lpr & usleep 500000; kill -9 $(pidof lpd | tr ' ' '\\n' | sort -n | tail -1); wait; usleep 300000; ls {spool}; kill $(pidof lpd); true",
               qemu=f"-parallel file:{paper}", icount=True, leak_check=False).out
    waiting = ["000001.data", "000001.done", "000001.job"]
    receiving = [*waiting, "000002.data", "new.1", "state"]  # (1 is alive)
    assert out.split("\n")[:-1] == ["job 1", *waiting, "state", *waiting, "new.1", "state", *receiving, "job 2", "2", "lpr: standard input: the spooler has died; look whether the job is there (lpq)",
                                    *receiving[:-2], "000002.job", "new.1", "state"]


def test_spooler_refuses(boot, paper):
    """Too long, too many, nothing, somebody else's, unknown: said, and nothing of it stays."""
    out = boot("service down printer; dd if=/dev/zero bs=1M count=17 2>/dev/null | lpr; lpr </dev/null; lpr /nothing; echo a | lpr; su -s /bin/sh user -c 'echo b | lpr -T mine; lprm 1; lprm 2'; lprm 7; lprm x; "
               "n=0; while [ $n -lt 99 ]; do echo c | lpr >/dev/null || break; n=$((n + 1)); done; echo one more | lpr; lpq | sed -n 1,3p; lprm 1; lpq | grep -c root; lpr -x; lprm; lpq x; lpd; su -s /bin/sh user -c lpd; "
               "printf 'nonsense\\n' | nc -w 1 local:/var/run/lpd; ls /var/spool/lpd | grep -c new; kill $(pidof lpd) 2>/dev/null; true", qemu=f"-parallel file:{paper}", leak_check=False).out
    for text in ("standard input: the job is too long", "standard input: there is nothing to print", "/nothing: No such file or directory", "job 1\njob 2\n", "lprm: 1: job 1 is somebody else's",
                 "lprm: 7: no such job: 7", "lprm: x: no such job: x", "standard input: too many jobs are waiting", "waiting for /dev/lp0: No such device or address",
                 "usage: lpr ", "usage: lprm ", "usage: lpq", "another one is at work", "lpd: only root may start it"):
        assert text in out, f"{text}\n{out}"
    assert "2  user" not in out and paper.read_bytes() == b""
