# SPDX-License-Identifier: BSD-2-Clause
"""Servers that keep their memory when they die (lib/undo): they die again and again, at random instants and at random stores, in the midst of work whose
results are checked. Instructions are time here, so the same deaths come each time."""
import re
import subprocess

import pytest

from conftest import BUILD, TOP
from test_campaign import INJECTOR

SERVERS = ["rs", "ds", "vm", "pm", "vfs", "ram"]
WORK = """
bad() { echo "BAD: $*"; }
n=0; while [ $n -lt 40 ]; do x=$(echo a$n | cat | cat); [ "$x" = a$n ] || bad pipe $n; n=$((n + 1)); done
seq 1 20000 >/tmp/s; [ "$(sort -rn /tmp/s | md5sum)" = "$(seq 20000 -1 1 | md5sum)" ] || bad sort
head -c 2000000 /dev/urandom >/tmp/a; cp /tmp/a /tmp/b; cmp /tmp/a /tmp/b || bad copy
(cat >/tmp/c) </tmp/a & wait; cmp /tmp/a /tmp/c || bad background
mkdir /tmp/d; for i in $(seq 1 40); do echo $i >/tmp/d/$i; mv /tmp/d/$i /tmp/d/x$i; done; [ "$(cat /tmp/d/x* | sort -n | tail -1)" = 40 ] || bad names
exec 5<>/tmp/a; rm /tmp/a; [ "$(head -c 1000 <&5 | wc -c)" = 1000 ] || bad deleted; exec 5>&-
tail -c 500000 /tmp/b >/tmp/e; dd if=/tmp/b bs=1000 skip=1500 2>/dev/null | cmp - /tmp/e || bad offset
trap 'got=1' USR1; (kill -USR1 $$); [ "$got" = 1 ] || bad signal
sleep 1 & kill $!; wait $!; [ $? = 143 ] || bad wait
mkfifo /tmp/f; (echo fifo >/tmp/f) & read x </tmp/f; [ "$x" = fifo ] || bad fifo
[ "$(find /etc | wc -l)" = "$(find /etc | sort -u | wc -l)" ] || bad find
"""


def deaths(klog_or_list):
    return {row[0]: int(row[1]) for row in re.findall(r"^(\w+) +\d+ up +\d+ s +(\d+) ", klog_or_list, re.M)}


def torment(boot, victims, order, number, timeout=120):
    """The work under that order of service(8) to each of them; how often each has died."""
    start, end = ("".join(f"service {order} {name} {n}\n" for name in victims) for n in (number, 0))
    result = boot(start + WORK + end + "rm -rf /tmp/*; echo ==; service list", icount=True, timeout=timeout)
    work, listed = result.out.split("==\n")
    assert "BAD" not in work and work == "", work
    assert "undo:" not in result.klog and "essential server" not in result.klog
    died = deaths(listed)
    return {name: died[name] for name in victims}


@pytest.mark.parametrize("victim", SERVERS)
def test_storm(boot, victim):
    """A kill each 0.3 ms on average, wherever it is just then."""
    died = torment(boot, [victim], "storm", 300)
    assert died[victim] > 500, died


@pytest.mark.parametrize("victim", [name for name in SERVERS if name != "ds"])  # which does not store enough in that time
def test_fuse(boot, victim):
    """An exception at one of the first stores of most of its steps."""
    died = torment(boot, [victim], "fuse", 60)
    assert died[victim] > 100, died


def test_all_at_once(boot):
    died = torment(boot, SERVERS, "storm", 1000)
    assert min(died.values()) > 400, died


def test_what_rs_puts_aside(boot):
    """RS dies at one of the first stores of most of its steps while others are killed, of which it keeps what explains it: afterwards its memory is what its mirror says."""
    result = boot("""service fuse rs 60; for n in 1 2 3 4 5 6; do kill -9 $(pidof vfs) $(pidof pm) $(pidof ram); usleep 1000; done; service fuse rs 0
        service corpse vfs; service list""", icount=True)
    died = deaths(result.out)
    assert "undo:" not in result.klog, result.klog[-3000:]
    assert died["rs"] > 500 and min(died[name] for name in ("vfs", "pm", "ram")) == 6 and "memory: stack" in result.out, result.out


@pytest.mark.parametrize("order, number, least", [("storm", 500, 300), ("fuse", 200, 100)])
def test_net(boot, order, number, least):
    """Connections over the loopback interface, and the lease of a card, go on."""
    out = boot(f"""sleep 1; head -c 3000000 /dev/urandom >/tmp/a; sum=$(md5sum </tmp/a); service {order} net {number}
        for n in 1 2 3; do nc -l -p 700$n -e cat /tmp/a & usleep 50000; [ "$(nc 127.0.0.1 700$n </dev/null | md5sum)" = "$sum" ] || echo BAD $n; done
        service {order} net 0; rm /tmp/a; echo ==; service list; ifconfig e0 | grep -c 10.0.2.15""", nics=["e1000"], icount=True, timeout=120).out
    work, listed = out.split("==\n")
    assert work == "" and deaths(listed)["net"] > least and listed.endswith("\n1\n"), out


def address_in(server, function):
    symbols = subprocess.run(["nm", BUILD / f"services/{server}.debug"], capture_output=True, text=True, check=True).stdout
    return re.search(rf"^(\w+) . {function}$", symbols, re.M).group(1)


def bytes_at(server, place, count):
    text = subprocess.run(["objdump", "-s", f"--start-address=0x{place}", f"--stop-address={int(place, 16) + count}", BUILD / f"services/{server}.debug"],
                          capture_output=True, text=True, check=True).stdout
    return re.search(r"^ [0-9a-f]+ ([0-9a-f ]{%d}) " % (2 * count + (count - 1) // 4), text, re.M).group(1).replace(" ", "")


@pytest.mark.parametrize("code, defect", [("0f0b", "exception 6"), ("ebfe", "heartbeat 1")])  # ud2; a jump to itself
def test_poison(boot, code, defect):
    """A request that kills, or hangs, each time is EIO for who made it; the server's other clients notice nothing."""
    manifest = re.sub(r"heartbeat .*", "heartbeat 100", (TOP / "servers/vfs/vfs.svc").read_text())
    result = boot(f"""mknod /tmp/inject c 240 0; echo 'vfs 0 text 0x{address_in("vfs", "symlink_at")} {code}' >/tmp/inject
        for n in 1 2; do seq 1 30000 | sort -rn | tail -n 1 >/tmp/other & ln -s a /tmp/link 2>&1; echo $?; wait; cat /tmp/other; done
        grep -c '^[0-9]* vfs {defect} .* rolled-back' /proc/recovery""", add={**INJECTOR, "/etc/bardo/vfs.svc": manifest}, leak_check=False)
    assert result.out.splitlines() == ["ln: /tmp/link: Input/output error", "1", "1"] * 2 + ["2"], result.out
    assert result.klog.count("a request that kills is refused") == 2


@pytest.mark.parametrize("code, defect", [("0f0b", "exception 6"), ("ebfe", "heartbeat 0")])
def test_poison_of_rs(boot, code, defect):
    """The same of RS: the kernel lets it go on, also when it hangs; and it guards the others as before. (The order is given twice: service(8) has two ways. Deaths of RS with
    no other step in between have one record, within a millisecond one line in the log.)"""
    result = boot(f"""mknod /tmp/inject c 240 0; echo 'rs 0 text 0x{address_in("rs", "control_storm")} {code}' >/tmp/inject
        service storm null 1000 2>&1; echo $?; service kill null; echo $?
        sleep 0.1; grep -c '^[0-9]* rs {defect} .* rolled-back' /proc/recovery; grep -c ' null killed 9 ' /proc/recovery; sleep 0.5; service log rs | grep -c 'rs: {defect} .*; it goes on' """,
                  add=INJECTOR, leak_check=False)
    lines = result.out.splitlines()
    assert lines[:3] == ["service: storm null: I/O error", "1", "0"] and lines[3] in ("1", "2") and lines[4] == "1" and lines[5] in ("1", "2"), result.out
    assert result.klog.count("a request that kills is refused") == 2


def test_rs_that_cannot_go_on(boot):
    """When what would undo its last step kills it, too, there is nobody left: the system stops, and says so."""
    result = boot(f"""mknod /tmp/inject c 240 0; echo 'rs 0 text 0x{address_in("rs", "undo_return")} 0f0b' >/tmp/inject
        service kill rs; sleep 5; echo still here""", add=INJECTOR, expect=125, leak_check=False, timeout=30)
    assert "still here" not in result.out and "the root task died: exception 6" in result.klog + result.err


def test_alarm_that_kills(boot):
    """What PM does when its alarm goes off kills it, for a while: it is asked again until it can, and nobody sleeps for ever."""
    place = address_in("pm", "timer_alarm")
    result = boot(f"""mknod /tmp/inject c 240 0; exec 4>/tmp/inject; sleep 0.05 & echo 'pm 0 text 0x{place} 0f0b' >&4
        n=0; while [ $n -lt 8000 ]; do n=$((n + 1)); done; echo 'pm 0 text 0x{place} {bytes_at("pm", place, 2)}' >&4; wait; echo awake""", add=INJECTOR, icount=True, leak_check=False)
    assert result.out == "awake\n" and 3 <= result.klog.count("pm: undo: a request that kills is refused") < 20, result.out


def test_alarm_that_always_kills(boot):
    """RS that dies of each of its alarms lives on and looks after nobody: the system stops, and says so."""
    result = boot(f"""mknod /tmp/inject c 240 0; echo 'rs 0 text 0x{address_in("rs", "timer_expired")} 0f0b' >/tmp/inject; sleep 20; echo still here""", add=INJECTOR, expect=125, leak_check=False, timeout=30)
    assert "still here" not in result.out and "the root task died: exception 6" in result.klog + result.err


def flips_of_vfs(places):
    """Orders: these bits of VFS's memory flip."""
    return "".join(f"echo vfs 0 data {address:#x} {bit} >&4\n" for address, bit in places)


def unscrubbed():
    """VFS's memory is looked through no more before somebody dies: undo_scrub() returns at once."""
    return f"echo 'vfs 0 text 0x{address_in('vfs', 'undo_scrub')} c3' >&4\n"


def flipped(boot, damage):
    """The log when VFS's memory is changed so while its work is done, and nobody notices."""
    orders = unscrubbed() + flips_of_vfs(damage)
    result = boot("mknod /tmp/inject c 240 0; exec 4>/tmp/inject\n" + orders + WORK + "rm -rf /tmp/*", add=INJECTOR, icount=True, timeout=120, leak_check=False)
    assert result.out == "" and "refused" not in result.klog, result.out
    return result.klog


def test_damaged_heap(boot):
    """A bit of where each list of VFS's free blocks begins: nobody dies of it, nor puts it elsewhere, since it is looked at before."""
    lists = int(address_in("vfs", "heap"), 16) + 5 * 8  # struct heap: behind four functions and a size
    klog = flipped(boot, [(lists + 8 * number + 7, 4) for number in range(44)])
    mended = [int(place, 16) for place in re.findall(r"vfs: undo: mended when it was to be used: at, was, is (\w+) ", klog)]
    assert len(mended) > 3 and all(lists <= place < lists + 44 * 8 for place in mended), mended
    assert "rs: vfs: exception" not in klog and "vfs: undo: mended: words" not in klog


@pytest.mark.parametrize("bit", [1, 4, 55])  # to the middle of a block, to another, to none
def test_flipped_pointer(boot, bit):
    """A bit of where VFS's lists begin, also of an empty one: nobody dies of it, nor stores it in another link, since it is looked at before."""
    places = [int(address_in("vfs", name), 16) for name in ("servers", "shares", "runnable_first", "fifos", "sockets", "sleeping")]
    klog = flipped(boot, [(place + bit // 8, bit % 8) for place in places])
    mended = [int(place, 16) for place in re.findall(r"vfs: undo: mended when it was to be used: at, was, is (\w+) ", klog)]
    assert len(mended) >= 2 and set(mended) <= set(places), klog[-1500:]
    assert "rs: vfs: exception" not in klog and "vfs: undo: mended: words" not in klog


@pytest.mark.parametrize("mirror", [0x73d000000000, 0x73d600000000], ids=["first", "second"])  # UNDO_MIRROR, UNDO_SECOND
def test_flipped_mirror(boot, mirror):
    """It is a mirror that has flipped, and a request that kills for another reason: memory is not made like that, the mirror is mended, if only when scrubbing comes to the second."""
    place, names = address_in("vfs", "symlink_at"), ("servers", "heap")
    damage = unscrubbed() + flips_of_vfs([(mirror + int(address_in("vfs", name), 16), 3) for name in names])
    result = boot(f"""mknod /tmp/inject c 240 0; exec 4>/tmp/inject; echo 'vfs 0 text 0x{place} 0f0b' >&4
        {damage}ln -s a /tmp/link; ln -s a /tmp/link; echo 'vfs 0 text 0x{place} {bytes_at("vfs", place, 2)}' >&4; ln -s a /tmp/link; readlink /tmp/link\n""" + WORK,
                  add=INJECTOR, icount=True, timeout=120, leak_check=False)
    assert result.out == "ln: /tmp/link: Input/output error\n" * 2 + "a\n", result.out
    assert result.klog.count("a request that kills is refused") == 2 and "vfs: undo: mended: words" not in result.klog
    assert result.klog.count("vfs: undo: mended in the mirror") == (len(names) if mirror == 0x73d000000000 else 0)


def test_verified(boot):
    """A bit of each process's pid, and one of its parent's, flips in PM, which looks through its memory no more: what is to be used is put right before."""
    size = int(re.search(r"^\w+ (\w+) \w processes$", subprocess.run(["nm", "-S", BUILD / "services/pm.debug"], capture_output=True, text=True, check=True).stdout, re.M).group(1), 16) // 512
    first = int(address_in("pm", "processes"), 16)
    flips = "".join(f"echo pm 0 data {first + n * size + byte:#x} 1 >&4\n" for n in range(6) for byte in (5, 17))  # pid, parent
    result = boot(f"mknod /tmp/inject c 240 0; exec 4>/tmp/inject; echo 'pm 0 text 0x{address_in('pm', 'undo_scrub')} c3' >&4\n" + flips
                  + "kill -0 $$; echo $?; (exit 7); echo $?; sh -c 'echo $PPID' >/tmp/a; [ $(cat /tmp/a) = $$ ] && echo right", add=INJECTOR, icount=True, leak_check=False)
    assert result.out == "0\n7\nright\n" and result.klog.count("pm: undo: mended when it was to be used") >= 4, result.klog[-2000:]
    assert "refused" not in result.klog


@pytest.mark.parametrize("head", ["servers", "shares"])
def test_flipped_list(boot, head):
    """Where one of VFS's lists begins flips, and nobody dies of it: the list would end early, and what is put into it would have the flipped address, which is right then in both mirrors."""
    place = address_in("vfs", head)
    result = boot(f"""mknod /tmp/inject c 240 0; exec 4>/tmp/inject; echo 'vfs 0 text 0x{address_in('vfs', 'undo_scrub')} c3' >&4
        echo 'vfs 0 data 0x{place} 6' >&4; echo a | cat; mknod /tmp/other c 1 3; echo b >/tmp/other; cat /proc/uptime >/tmp/c && echo right""", add=INJECTOR, icount=True, leak_check=False)
    assert result.out == "a\nright\n", result.out
    assert re.findall(r"vfs: undo: mended (.*): at", result.klog) == ["when it was to be used"] and "refused" not in result.klog, result.klog[-1500:]


def test_flipped_between_steps(boot):
    """A bit that DS dies of when it has answered one request and not yet received the next: nobody could be refused anything, so it would die of it for ever."""
    publish = int(address_in("ds", "served"), 16) + 48  # struct service_table: none there
    result = boot(f"""mknod /tmp/inject c 240 0; exec 4>/tmp/inject; echo 'ds 0 text 0x{address_in("ds", "undo_scrub")} c3' >&4; echo ds 0 data {publish + 5:#x} 5 >&4
        service kill null; sleep 0.1; grep -c ' null killed ' /proc/recovery""", add=INJECTOR, icount=True, leak_check=False)
    assert result.out == "1\n" and f"ds: undo: mended: words, the first at 1 {publish:x} " in result.klog, result.klog[-1500:]


def test_scrubbing(boot):
    """A bit of VM's memory, and then one of its mirror, are put right before anybody dies, though VM has nothing else to do in between than what the shell wants of it: where init's second
    region ends, in a table that VM has mapped for itself. Before that a bit of when it is to look again flips, which would be in some 290 years, and one of how often looking has killed."""
    place, mirror = 0x100000010, 0x73d100000010  # POOL in servers/vm/space.c; UNDO_MIRROR + that
    pause = "sleep 1; ls / >/dev/null; sleep 1; ls / >/dev/null\n"
    off = f"echo vm 0 data {int(address_in('vm', 'undo_scrub_due'), 16) + 7:#x} 7 >&4; echo vm 0 data 0x{address_in('vm', 'scrub_tries')} 3 >&4\n"
    result = boot(f"mknod /tmp/inject c 240 0; exec 4>/tmp/inject\n{pause}{off}{pause}echo vm 0 data {place} 6 >&4\n{pause}echo vm 0 data {mirror} 3 >&4\n{pause}grep -c ' vm ' /proc/recovery", add=INJECTOR,
                  icount=True, timeout=120, leak_check=False, expect=1)
    found = re.findall(r"vm: undo: mended (before it was used|in the mirror): at, was, is (\w+) ", result.klog)
    assert result.out == "0\n" and found == [("before it was used", f"{place:x}"), ("in the mirror", f"{mirror:x}")], found


def test_lost_mirror(boot):
    """No page of the mirror is given any more: the commit is given up after some tries, and the server goes on without one."""
    place = address_in("rs", "succeed_make_room")
    result = boot(f"""mknod /tmp/inject c 240 0; exec 4>/tmp/inject; echo 'rs 0 text 0x{place} 31c0c3' >&4
        n=0; files() {{ while [ $n -lt $1 ]; do : >/tmp/$n; n=$((n + 1)); done; }}
        files 200; echo 'rs 0 text 0x{place} {bytes_at("rs", place, 3)}' >&4; files 1500; ls /tmp | wc -l; service kill ram; ls /tmp | wc -l""", add=INJECTOR, icount=True, timeout=120, leak_check=False)
    assert result.out == "1501\n1501\n" and result.klog.count("ram: undo: the mirror is lost") == 1 and "refused" not in result.klog, result.out


def test_refused_fork(boot, program):
    """What a request that is refused had others do is taken back there: VM has a space for each child that PM could not finish, and has few."""
    place = address_in("pm", "thread_new")
    result = boot(f"""chmod 755 /forks; mknod /tmp/inject c 240 0; exec 4>/tmp/inject; mkfifo /tmp/go; exec 5<>/tmp/go; /forks 700 <&5 >/tmp/said 2>&1 &
        sleep 0.1; echo 'pm 0 text 0x{place} 0f0b' >&4; echo >&5; wait; echo 'pm 0 text 0x{place} {bytes_at("pm", place, 2)}' >&4; cat /tmp/said; echo | /forks 30""",
                  add={**INJECTOR, "/forks": program("forks")}, icount=True, timeout=120, leak_check=False)
    assert result.out == "0 made, 700 refused\n30 made, 0 refused\n", result.out


def test_ordinary_failure(boot):
    """Killed as anything is killed: a record, a line in the log, the same process."""
    out = boot("""before=$(pidof vfs pm vm ds rs); for name in vfs pm vm ds ram rs; do kill -9 $(pidof $name); service kill $name; done; sleep 0.1
        [ "$(pidof vfs pm vm ds rs)" = "$before" ] && echo same; grep -c ' killed 9 .* rolled-back ' /proc/recovery; service log rs | grep -c 'killed 9 .*; it goes on'
        service storm vfs 10 2>&1; service fuse e1000 5 2>&1; service storm vfs 2>&1; service restart vfs 2>&1""", nics=["e1000"], expect=1).out.splitlines()
    assert out[0] == "same" and out[1] == "12" and int(out[2]) >= 6
    said = [line for line in out[3:] if "--help" not in line]
    assert "storm needs" in said[0] and "does not keep its memory" in said[1] and "storm needs" in said[2] and "not permitted" in said[-1]


def test_all_in_one_instant(boot):
    """One kill of all seven, in each order, again and again while the work is done: each finds its callees and its callers dead, too."""
    orders = ["rs ds vm pm vfs net ram", "ram net vfs pm vm ds rs", "pm rs vfs vm ram ds net"]
    kills = "".join(f"kill -9 {' '.join(f'${name}' for name in order.split())}; usleep 1000; " for order in orders)
    result = boot(f"""for s in rs ds vm pm vfs net ram; do eval $s=$(pidof $s); done; (while [ ! -e /tmp/.end ]; do {kills} done) & killer=$!
        sh /etc/work; : >/tmp/.end; wait $killer; rm -rf /tmp/* /tmp/.end; echo ==; service list""", add={"/etc/work": WORK}, icount=True, timeout=30, leak_check=False)
    work, listed = result.out.split("==\n")
    died = deaths(listed)
    assert work == "" and "undo:" not in result.klog and "essential server" not in result.klog, work
    assert min(died[name] for name in [*SERVERS, "net"]) > 60, died


def test_handlers_cannot_be_written():
    """Which function a request gets is no server's data, of which a bit may flip: the tables lie with its program."""
    for server in ("ds", "vm", "pm", "vfs", "net", "ram", "ext4"):
        symbols = subprocess.run(["nm", BUILD / f"services/{server}.debug"], capture_output=True, text=True, check=True).stdout
        found = re.findall(r"^\w+ (\w) (?:\w+_calls|(?:\w+_)?entries)(?:\.\d+)?$", symbols, re.M)
        assert set(found) & set("rR"), (server, found)
        assert not set(found) & set("bBdD"), (server, found)
