# SPDX-License-Identifier: BSD-2-Clause
"""Live update (service update): a service gets another program while the system runs, and goes back by itself when that is no good."""
import os
import re
import shlex
import subprocess

import pytest

import inject_faults
from conftest import BUILD, TOP
from hostnet import served, sha1
from test_campaign import INJECTOR
from test_ext4 import make as make_ext4
from test_rolled_back import address_in

CRASHES, HANGS = b"\x0f\x0b", b"\xeb\xfe"  # ud2; jmp to itself


def make(*targets, **options):
    return subprocess.run(["make", "-C", TOP, "--no-print-directory", f"B={BUILD}", *targets], check=True, text=True, **options)


@pytest.fixture(scope="module")
def others():
    """{server: a program of it of which every function of its own is other machine code}."""
    make("-j2", "others")
    return {name: BUILD / "other/update" / name for name in ("rs", "ds", "pm", "vfs")}


def other(tmp_path, service, function, code):
    """Its program, with something else at the beginning of a function."""
    program = inject_faults.Program(service)
    image, at = bytearray(program.image), program.offset(program.functions[function][0].address)
    image[at:at + len(code)] = code
    path = tmp_path / f"other-{service}-{function}"
    path.write_bytes(image)
    return path


def test_under_load(boot, tmp_path):
    """Each of twenty updates takes over at once: a transfer goes on, a disk is read, and in the end nothing is left of them."""
    url, digest = served(tmp_path, 8)
    disk = tmp_path / "disk"
    disk.write_bytes(bytes(range(256)) * 4096)
    result = boot(f"""(n=0; while [ $n -lt 20 ]; do service update e1000 --image /new || echo lost; service update ahci || echo lost; usleep 30000; n=$((n + 1)); done) & updater=$!
        wget -q -O - {url} | sha1sum; head -c 1048576 /dev/sda | sha1sum; wait $updater; cat /proc/recovery""",
                  nics=["e1000"], disks=[str(disk)], add={"/new": BUILD / "services/e1000.debug"})
    assert re.findall(r"^(\w{40})  -$", result.out, re.M) == [digest, sha1(disk.read_bytes())] and "lost" not in result.out
    assert set(re.findall(r"^\d+ (?:e1000|ahci) (\w+) ", result.out, re.M)) == {"update"}


@pytest.mark.parametrize("deaths", ["storm rs 500", "storm rs 90", "fuse rs 1000"])
def test_while_others_die(boot, deaths):
    """RS dies of each update several times, and fs/proc, through which it comes: each is done once more, and to the end; nor do many in a row count as failures. What a step reads of
    RS's own memory, and gives back, is there when the step is done again."""
    result = boot(f"""service {deaths}; service storm proc 20000; n=0; while [ $n -lt 15 ]; do service update e1000 --image /new || echo lost; service update log || echo lost; n=$((n + 1)); done
        service {deaths[:-len(deaths.split()[-1])]}0; service storm proc 0; ping -c 1 10.0.2.2 >/dev/null || echo lost; service status log | grep restarts""", nics=["e1000"], add={"/new": BUILD / "services/e1000.debug"}, leak_check=False, icount=True)
    assert re.fullmatch(r"restarts +15\n", result.out) and "log: 9 failures" not in result.klog and "a request that kills is refused" not in result.klog


def test_instances(boot, tmp_path):
    """A mount that has begun with an update, and dies when that has been replaced by the next one: its program is there as long as it needs it."""
    images = [tmp_path / name for name in "ab"]
    for image in images:
        subprocess.run(["truncate", "-s", "8M", image], check=True)
        subprocess.run(["/sbin/mke2fs", "-q", "-F", "-t", "ext4", image], check=True)
    out = boot("""until [ -b /dev/sdb ]; do usleep 50000; done; mkdir /tmp/a /tmp/b; mount -t ext4 /dev/sda /tmp/a; service update ext4 && mount -t ext4 /dev/sdb /tmp/b; echo here >/tmp/b/x
        service update ext4 && service kill ext4.1; service wait ext4.1 --timeout 20 && cat /tmp/b/x; umount /tmp/a /tmp/b""", disks=[str(image) for image in images], leak_check=False).out
    assert out == "here\n"


def test_each_that_can(boot):
    """All, one after the other; a program that the memory of one that keeps it does not fit is refused."""
    out = boot("""for s in $(service list | tail -n +2 | awk '$3 == "up" { print $1 }'); do service update $s 2>&1 && echo "updated $s"; done; service update ds --image /lib/bardo/pm 2>&1; service update pm --image /lib/bardo/e1000 2>&1
        sleep 1; service list | awk '$3 != "up" { print $1, $3 }'""", nics=["e1000"]).out
    assert set("disk tty pci proc dev log audio lp e1000 ahci uart keyboard null clock rtc rs ds vm pm vfs net ram".split()) <= set(re.findall(r"^updated (\S+)", out, re.M))
    assert re.findall(r"^service: update (\S+): it keeps its memory, which that program does not fit", out, re.M) == ["ds", "pm"]


@pytest.mark.parametrize("function, code, defect, after", [("driver_loop_run", CRASHES, "exception 6", 0), ("driver_loop_run", HANGS, "heartbeat", 0), ("e1000_transmit", CRASHES, "exception 6", 0),
                                                           ("", b"", "exception 6", 2)], ids=["crashes", "hangs", "sends", "after two seconds"])
def test_goes_back(boot, tmp_path, function, code, defect, after):
    """One that dies in its start, or hangs there, or dies when a frame is to be sent: in the midst of a transfer, or (tests/services/mortal.c) when it has lived for two seconds. The transfer comes to its end."""
    url, digest = served(tmp_path, 16)
    result = boot(f"""ping -c 1 10.0.2.2 >/dev/null; (sleep {after}; wget -q -O - {url} | sha1sum) & usleep 50000; service update e1000 --image /ill --wait; echo $?; wait
        ping -c 2 10.0.2.2 | grep -c '2 packets received'; service list e1000 | tail -1; cat /proc/recovery""", nics=["e1000"], add={"/ill": BUILD / "services/mortal.debug" if after else other(tmp_path, "e1000", function, code)})
    assert "service: update e1000: it has failed, and the program before it is back: see 'service log rs'\n1\n" in result.out and "\n1\ne1000 " in result.out and re.search(r"^e1000 +\d+ up ", result.out, re.M), result.out
    assert f"{digest}  -\n" in result.out and f"rs: e1000: its update has failed ({defect}" in result.klog, result.out
    new, ill = (re.search(rf"^\d+ e1000 {how}.*", result.out, re.M)[0].split() for how in ("update ", "(?!update )"))
    assert after == 0 or int(ill[8]) - int(new[8]) > after * 1e9, (new, ill)


def test_stands(boot):
    """After ten seconds; then a failure of it is one as always, and what is restarted is the new one."""
    result = boot("service update e1000 --image /new --wait; echo $?; service kill e1000; service wait e1000; service restart e1000; service wait e1000; service list e1000 | tail -1", nics=["e1000"],
                  add={"/new": BUILD / "services/e1000.debug"}, icount=True, timeout=200)
    assert result.out.startswith("0\n") and "rs: e1000: its update stands" in result.klog


def test_wrong_words(boot):
    out = boot("""service update nobody 2>&1; echo $?; service update e1000 --image /none 2>&1; echo $?; service update e1000 --image /etc/passwd 2>&1; echo $?; service update e1000 --image /tmp 2>&1; echo $?
        service update 2>&1 | head -1; service kill null --image x 2>&1 | head -1; echo x >/proc/bardo/control 2>&1; echo 'update e1000 5' >/proc/bardo/control; echo $?
        su -s /bin/sh nobody -c 'service update e1000' 2>&1; echo $?; service status e1000 | grep -c 'up'""", nics=["e1000"]).out
    assert re.sub(r"/bin/sh: |sh: ", "", out).startswith("service: update nobody: there is no such service\n1\nservice: update e1000: /none: No such file or directory\n1\n"
                                            "service: update e1000: this is no program for a service: see 'service log rs'\n1\nservice: update e1000: /tmp: not a file of 1 byte to 8 MB\n1\n"), out
    assert "not permitted" in out or "Permission denied" in out


# ---- servers that keep their memory ----

ROUNDS = int(os.environ.get("UPDATES", 6)) // 2 # of each
ALL = "rs ds vm pm vfs net ram e1000 ext4"


def test_servers_under_load(boot, tmp_path, others):
    """All seven, to and fro between two programs of which none of its own functions is the same, and a driver and ext4; meanwhile a transfer, files, and programs that begin and end. By the guest's
    clock none of the servers keeps anybody waiting for a millisecond. Longer: UPDATES=1000 tools/test tests/system/test_update.py -k servers_under_load -s"""
    url, digest = served(tmp_path, 8)
    result = boot(f"""mkdir /mnt; mount -t ext4 /dev/sda /mnt
        (n=0; while [ $n -lt {ROUNDS} ]; do for s in {ALL}; do new=/new/$s; [ -f $new ] || new=/lib/bardo/$s; service update $s --image $new || echo lost; service update $s || echo lost
            done; n=$((n + 1)); done) & updater=$!
        for d in /tmp /mnt; do (i=0; while kill -0 $updater 2>/dev/null; do echo $i >$d/x$((i % 7)); [ "$(cat $d/x$((i % 7)) | tr -d '\\n')" = $i ] || echo wrong; i=$((i + 1)); done) & done
        (while kill -0 $updater 2>/dev/null; do wget -q -O - {url} | sha1sum; done) &
        wait; umount /mnt; cat /proc/recovery; service list | awk '$7 == "update" {{ print $1, $6 }}' | sort""",
                  nics=["e1000"], disks=[str(make_ext4(tmp_path / "disk"))], add={f"/new/{name}": path for name, path in others.items()}, icount=True, leak_check=False, timeout=120 + 60 * ROUNDS)
    rows = [line.split() for line in result.out.splitlines() if re.match(r"\d+ \S+ update ", line)]
    assert "lost" not in result.out and "wrong" not in result.out and set(re.findall(r"^(\w{40})  -$", result.out, re.M)) == {digest}, result.out
    assert set(re.findall(r"^\d+ \S+ (\w+) ", result.out, re.M)) == {"update"}
    assert {name: int(n) for name, n in re.findall(r"^(\w+) (\d+)$", result.out, re.M)} == {name: 2 * ROUNDS for name in ALL.split()}
    pauses = {row[1]: max(int(r[12]) - int(r[10] if r[7] == "rolled-back" else r[8]) for r in rows if r[1] == row[1]) for row in rows} # to ready_ns, from stopped_ns or detected_ns
    print("longest pause in us, of the last 256:", {name: ns / 1000 for name, ns in pauses.items()})
    assert max(ns for name, ns in pauses.items() if name not in ("e1000", "ext4")) < 1000000


CRASHES_IN = {"rs": "request_list", "vfs": "sys_getdents64", "pm": "sys_fork", "net": "ethernet_input", "ds": "list", "ram": "do_read_directory", "vm": "sys_brk"}


def test_servers_go_back(boot, tmp_path):
    """Each gets a program that dies of something that everybody asks for: the program before it is back, does that, and nobody has noticed."""
    url, digest = served(tmp_path, 8)
    ill = {f"/ill/{name}": other(tmp_path, name, function, CRASHES) for name, function in CRASHES_IN.items()}
    result = boot(f"""wget -q -O - {url} | sha1sum & for s in {" ".join(CRASHES_IN)}; do service update $s --image /ill/$s >/dev/null 2>&1; ls / >/dev/null || echo lost; time true 2>/dev/null; ping -c 1 10.0.2.2 >/dev/null || echo lost
        service store >/dev/null; service list >/dev/null || echo lost; done; wait; cat /proc/recovery""", nics=["e1000"], add=ill, leak_check=False)
    assert result.out.startswith(digest) or f"\n{digest}  -\n" in result.out
    assert "lost" not in result.out, result.out
    assert sorted(re.findall(r"rs: (\w+): its update has failed \(exception 6\): the program before it is back", result.klog)) == sorted(CRASHES_IN)


def test_server_that_hangs_goes_back(boot, tmp_path):
    """That takes as long to be seen as its probation is: it does not stand as long as it has not come back to its loop."""
    result = boot("service update ds --image /ill; service store >/dev/null; echo $?", add={"/ill": other(tmp_path, "ds", "list", HANGS)}, leak_check=False)
    assert result.out == "0\n" and "rs: ds: its update has failed (heartbeat" in result.klog


def fit(tmp_path, change, file="servers/ds/snapshots.c", place=""):
    """tools/update for a server (ds), of which a file is other. (its result, the program)"""
    tmp_path.mkdir(exist_ok=True)
    server, object_ = file.split("/")[1], file.replace(".c", ".o")
    words = shlex.split(make("-n", "-W", "tools/update", f"BASE={BUILD}", f"{BUILD}/update/{server}", capture_output=True).stdout.split("tools/update fit ", 1)[1].splitlines()[0])
    compile_ = shlex.split(next(line for line in make("-n", "-W", file, f"{BUILD}/{object_}", capture_output=True).stdout.splitlines() if " -c " in line))
    source, made = tmp_path / file, tmp_path / object_
    source.parent.mkdir(parents=True, exist_ok=True)
    source.write_text(change((TOP / file).read_text()))
    subprocess.run([*compile_[:compile_.index("-c")], "-Wno-error", "-c", "-o", made, source], cwd=TOP, check=True)
    made.with_suffix(".d").unlink(missing_ok=True)
    words[1] = str(tmp_path / f"{server}.debug")
    words = [str(made) if word.endswith(object_) else word for word in words]
    return subprocess.run([TOP / "tools/update", "fit", *words], cwd=TOP, capture_output=True, text=True, env=dict(os.environ, PLACE=place)), tmp_path / f"{server}.debug"


def test_update_of_rs_dies_in_next(boot, tmp_path):
    """RS's new program dies when it is to be updated itself, while it writes what it would go back by: that is still whole."""
    done, program = fit(tmp_path, lambda text: text.replace(
        "add_call(swap, KERNEL_MAP, m);", 'if (swap->calls == 3 && image == service_named("rs")->update.old) __builtin_trap();\n            add_call(swap, KERNEL_MAP, m);'), "servers/rs/swap.c")
    assert done.returncode == 0, done.stderr
    assert boot("service update rs --image /ill; echo $?; service update rs; echo $?", add={"/ill": program}, leak_check=False).out == "0\n0\n"


def test_new_variables(boot, tmp_path):
    """A function that does more, with a variable and a text of its own."""
    done, program = fit(tmp_path, lambda text: text.replace("static struct snapshot *find(", "static unsigned long looks;\n\nstatic struct snapshot *find(").replace(
        "key)\n{\n    for", 'key)\n{\n    log_always("a new one looks for the %luth time", ++looks);\n    for'))
    assert done.returncode == 0 and "it has variables of its own" in done.stdout, done.stderr
    result = boot("service update ds --image /new; echo $?; service kill tty; service wait tty; service kill ds; service wait ds; service kill tty; service wait tty; service update ds 2>&1; true", add={"/new": program}, leak_check=False)
    assert "ds: a new one looks for the 1th time" in result.klog and "ds: a new one looks for the 2th time" in result.klog
    assert result.out.startswith("0\n") and "which that program does not fit" in result.out # the old one does not know that variable


def test_flip_after_update(boot, others):
    """What has another program is looked through as before: up to where its variables end, not to what lies elsewhere since then."""
    flips = "".join(f"echo vfs 0 data {int(address_in('vfs', name), 16) + 5:#x} 4 >&4\n" for name in ("servers", "shares", "fifos"))
    result = boot(f"mknod /tmp/inject c 240 0; exec 4>/tmp/inject; service update vfs --image /new; sleep 11\n{flips}ls / >/tmp/a; mkfifo /tmp/f; (echo x >/tmp/f) & read x </tmp/f; echo $x; wc -l </tmp/a | grep -c .",
                  add={**INJECTOR, "/new": others["vfs"]}, icount=True, leak_check=False)
    assert result.out == "x\n1\n" and "undo: mended" in result.klog and "refused" not in result.klog, result.out  # by who has died of them, or before


def test_new_variable_of_rs(boot, tmp_path):
    """RS, to which nobody gives pages for the mirror, stores to a variable that it had not when it began."""
    done, program = fit(tmp_path, lambda text: text.replace("void succeeded(struct service *s, uint64_t when)\n{", "static unsigned long looks;\n\nvoid succeeded(struct service *s, uint64_t when)\n{\n    looks++;"), "servers/rs/succeed.c")
    assert done.returncode == 0 and "it has variables of its own" in done.stdout, done.stderr
    result = boot("service update rs --image /new; sleep 11; for n in 1 2 3 4 5 6; do service kill vfs; ls / >/dev/null; done; grep -c ' rs exception ' /proc/recovery; service status rs | grep -c '^state *up'",
                  add={"/new": program}, icount=True, leak_check=False)
    assert result.out == "0\n1\n", result.out


def test_place_of_another(boot, tmp_path):
    """What one update has put elsewhere stays there, since memory may point to it: another one that wants the same place is refused."""
    done = {n: fit(tmp_path / n, lambda text: text.replace("give_back(struct snapshot *s)\n{", f'give_back(struct snapshot *s)\n{{\n    __asm__ volatile(".fill {n}, 1, 0x90");'), place="7") for n in ("1", "2")}
    assert all(result.returncode == 0 and "1 functions are others" in result.stdout for result, _ in done.values()), done
    out = boot("for n in 1 1 2; do service update ds --image /$n 2>&1; echo $?; service update ds; done", add={f"/{n}": program for n, (_, program) in done.items()}, leak_check=False).out
    assert out.startswith("0\n0\nservice: update ds: an earlier update lies where this one belongs") and out.endswith("\n1\n")


@pytest.mark.parametrize("change, why", [
    (lambda text: text.replace("store[DS_STORE]", "store[DS_STORE + 8]"), "store has"),
    (lambda text: text.replace("static struct snapshot {", "static struct snapshot {\n    long other;"), "struct snapshot is not what it was"),
    (lambda text: text.replace("static size_t used;", "static long used;"), "used is not what it was"),
])
def test_what_does_not_fit(tmp_path, change, why):
    """Another size, or another type: it is refused, and said which."""
    done, program = fit(tmp_path, change)
    assert done.returncode == 1 and why in done.stderr and not program.exists(), done.stderr


def test_addresses_of_functions(others):
    """A function that is elsewhere has the address that it had, so that what a server has kept can be compared with it (epoll does)."""
    def functions(program):
        lines = subprocess.run(["nm", program], check=True, capture_output=True, text=True).stdout.splitlines()
        return {line.split()[2]: int(line.split()[0], 16) for line in lines if re.match(r"\w+ [tT] ", line)}
    before, now = functions(BUILD / "services/vfs.debug"), functions(f"{others['vfs']}.debug")
    code = subprocess.run(["objdump", "-d", "--no-show-raw-insn", f"{others['vfs']}.debug"], check=True, capture_output=True, text=True).stdout
    named = {int(n, 16) for n in re.findall(r"\$0x([0-9a-f]+)", code)}
    assert before["item_woken"] in named and now["item_woken"] != before["item_woken"]
    assert [name for name in before.keys() & now.keys() if now[name] != before[name] and now[name] in named and "." not in name] == ["main"] # which runs once
