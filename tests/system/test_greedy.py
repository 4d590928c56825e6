# SPDX-License-Identifier: BSD-2-Clause
"""An unprivileged user takes all of everything; root, drivers and transfers go on, and in the end all is back."""
import re

from hostnet import served

KINDS = ["contents", "inodes", "memory", "net", "open", "pipes", "processes", "unix"]
COMMAND_SECONDS = 20  # of one of root's, on a host that has other things to do
SPARE_KB = 8192  # servers keep what they once needed

COMMAND = """chmod 755 /greedy; mkdir -m 777 /tmp/greedy
kernel() {{ grep "^$1 " /proc/bardo/kernel | cut -d' ' -f2; }}
now() {{ read up rest </proc/uptime; echo ${{up%.*}}; }}
greed() {{ su user -c 'exec /greedy' >/root/got 2>/dev/null & greedy=$!; n=0; until [ $(wc -l </root/got) -ge $1 ] || [ $n = 600 ]; do n=$((n + 1)); usleep 100000; done; }}
enough() {{ kill -9 -$greedy; wait $greedy 2>/dev/null; n=0; while ps -o user | grep -q ^user && [ $n -lt 100 ]; do n=$((n + 1)); usleep 50000; done; rm -r /tmp/greedy; mkdir -m 777 /tmp/greedy; usleep 500000; }}
greed {kinds}
{{ wget -q -O - {url} | sha1sum; }} & getting=$!
n=0; while [ $n -lt 6 ]; do
    began=$(now); [ $n = 2 ] || [ $n = 4 ] && kill -9 $(pidof e1000)
    su -l root -c 'echo in | cat; nc -l -p 7000 & sleep 0; kill $!' 2>&1 || echo root is out
    echo "root took $(($(now) - began))"; n=$((n + 1))
done
wait $getting; sort /root/got
enough; frames=$(kernel frames_free) slots=$(kernel slots_used) grants=$(kernel grants_used)
greed {kinds}; enough
echo "missing $(((frames - $(kernel frames_free)) * 4)) slots $(($(kernel slots_used) - slots)) grants $(($(kernel grants_used) - grants))"
grep -c 'e1000 killed' /proc/recovery; service list | grep -c ' up '; rm -r /tmp/greedy /root/got"""


def test_greedy_user(boot, tmp_path, program):
    """Of memory, process slots, descriptors, sockets, pipes, files and their contents it has what a user may have, at once, twice over."""
    url, expected = served(tmp_path, 4)
    result = boot(COMMAND.format(url=url, kinds=len(KINDS)), nics=["e1000"], add={"/greedy": program("greedy")}, timeout=120, leak_check=False)
    out = result.out
    print(out)
    assert out.count("in\n") == 6 and "root is out" not in out
    assert max(map(int, re.findall(r"^root took (\d+)$", out, re.M))) < COMMAND_SECONDS
    assert expected in out
    got = {kind: int(count) for kind, count in re.findall(r"^(\w+) (\d+)$", out, re.M)}
    assert sorted(got) == KINDS and min(got.values()) > 0
    assert 2000 < got["net"] <= 2560, "a user has half of net's sockets at most"
    missing, slots, grants = map(int, re.search(r"^missing (-?\d+) slots (-?\d+) grants (-?\d+)$", out, re.M).groups())
    assert missing < SPARE_KB and (slots, grants) == (0, 0)
    killed = re.findall(r"out of memory: (.*)", result.klog)
    assert killed and all("greedy" in line and "1000" in line for line in killed)


def test_names_without_end(boot, program):
    """Names, also those of root's files, and what symbolic links say, take of the memory what a user may have of it, and no more."""
    out = boot("chmod 755 /hoard; mkdir -m 777 /tmp/d; : >/tmp/f; chmod 666 /tmp/f; free() { grep '^frames_free ' /proc/bardo/kernel | cut -d' ' -f2; }; "
               "for file in '' /tmp/f; do before=$(free); su user -c \"/hoard /tmp/d $file\"; echo taken $((before - $(free))); "
               "dd if=/dev/zero of=/root/f bs=1M count=8 2>/dev/null && rm /root/f && echo root has room; rm -r /tmp/d; mkdir -m 777 /tmp/d; done",
               icount=True, mem=96, add={"/hoard": program("hoard")}, leak_check=False, timeout=200).out
    assert re.sub(r"\d+", "N", out) == "N No space left on device\ntaken N\nroot has room\n" * 2, out
    counts, taken = (list(map(int, re.findall(word, out, re.M))) for word in (r"^(\d+) No space", r"^taken (\d+)"))
    assert counts[0] > 100 and counts[1] > 1000 and max(taken) < 96 * 256 * 0.15, out


def test_as_many_open_files_as_there_may_be(boot, program):
    """Each call that makes one says so, as on Linux (ENFILE); root has some still."""
    out = boot("chmod 755 /full; su user -c 'setsid /full'; cat /etc/hostname", icount=True, add={"/full": program("full")}, leak_check=False).out
    calls = ["open", "eventfd", "epoll", "pipe", "unix", "pair", "net"]
    assert out == "".join(f"{call}: Too many open files in system\n" for call in calls) + "bardo\n"


def test_timers_without_end(boot, program):
    """A timer of 1 us costs who has it: nothing when its signal is not taken, else its share of the processor, also where handlers interrupt themselves."""
    out = boot("chmod 755 /timers_beside; su user -c '/timers_beside 20'", icount=True, add={"/timers_beside": program("timers_beside")}, leak_check=False).out
    done = {way: (int(alone), int(beside)) for way, alone, beside in map(str.split, out.splitlines())}
    assert list(done) == ["ignored", "blocked", "handled", "nested"]
    assert all(beside > alone * share for (alone, beside), share in zip(done.values(), (0.9, 0.9, 1 / 21, 1 / 21))), done
