# SPDX-License-Identifier: BSD-2-Clause
"""/dev and /proc."""
import re


def test_devices(boot):
    result = boot("echo lost >/dev/null; wc -c </dev/null; head -c 100000 /dev/zero | tr -d '\\0' | wc -c; echo x 2>&1 >/dev/full || echo full; "
                  "head -c 16 /dev/urandom | wc -c; ls -l /dev/null | cut -c1-10; echo via stdout >/dev/stdout; echo piped | cat /dev/stdin")
    assert result.out == "0\n0\nsh: write error: No space left on device\nfull\n16\ncrw-rw-rw-\nvia stdout\npiped\n"


def test_random_is_random(boot):
    a, b = boot("head -c 64 /dev/urandom | hexdump -v -e '/1 \"%02x\"'; echo; head -c 64 /dev/urandom | hexdump -v -e '/1 \"%02x\"'; echo").out.split()
    assert a != b and len(set(re.findall("..", a))) > 20


def test_process_files(boot):
    result = boot("cat /proc/self/comm; readlink /proc/self/exe; cd /tmp; readlink /proc/$$/cwd; grep -c . /proc/self/maps; "
                  "ls /proc/self/fd | head -3; sleep 10 & sleep 0.3; grep Name /proc/$!/status; kill $!; cat /proc/99999/stat", expect=1)
    lines = result.out.splitlines()
    assert lines[:3] == ["cat", "/bin/busybox", "/tmp"] and int(lines[3]) > 3 and lines[4:8] == ["0", "1", "2", "Name:\tsleep"]
    assert "No such file" in lines[8]


def test_services_are_processes(boot):
    result = boot("ps; pidof e1000; kill -0 $(pidof uart) && echo alive; cat /proc/bardo/services", nics=["e1000"])
    for name in ("rs", "ds", "vm", "pm", "vfs", "ram", "proc", "dev", "tty", "net", "uart", "e1000"):
        assert re.search(rf"^ *[0-9]+ root .*\[?{name}\]?$", result.out, re.M), name
        assert re.search(rf"^{name} [0-9]+ up ", result.out, re.M), name


def test_system_files(boot):
    result = boot("cat /proc/uptime /proc/meminfo /proc/cpuinfo /proc/stat /proc/version /proc/filesystems /proc/mounts; free; uptime; "
                  "top -b -n 1 | head -5; uname -s")
    for expected in (r"^MemTotal: +\d+ kB", r"^processor\t: 0", r"^cpu  \d+", r"^Linux version", r"^\S+ / ", r"^Mem:", r"load average", r"^Linux$"):
        assert re.search(expected, result.out, re.M), expected


def test_files_that_a_user_keeps_open(boot):
    """However many of /proc a user has open, root sees what there is, and so does another user."""
    keep = "for i in $(seq 50); do sleep 100 3</proc/stat 4</proc/uptime 5</proc/meminfo 6</proc/version & done; wait"
    result = boot(f"""su user -c '{keep}' >/dev/null 2>/tmp/said & sleep 3; grep -c 'Too many' /tmp/said; su user -c 'cat /proc/uptime' 2>&1 | grep -c 'Too many'
        grep -c '^cpu ' /proc/stat; [ $(ps | wc -l) -gt 20 ] && service status vfs | grep -o "up$"; su nobody -s /bin/sh -c 'cat /proc/version' | cut -d' ' -f1
        kill $(pidof sleep); wait; su user -c 'cat /proc/version' | cut -d' ' -f1; rm /tmp/said""")
    print(result.out)
    refused, *rest = result.out.splitlines()
    assert int(refused) > 10 and rest == ["1", "1", "up", "Linux", "Linux"]


def test_control_is_for_root(boot):
    result = boot("su user -c 'echo restart e1000 >/proc/bardo/control' 2>&1; echo no-such-command x >/proc/bardo/control; "
                  "echo up nobody >/proc/bardo/control", expect=1)
    assert re.search("ermission|permitted", result.out) and "Invalid argument" in result.out and "No such process" in result.out


def test_what_is_open_outlives_the_server(boot, program):
    """Files and directories of /proc go on when its server is killed, at rest and in the midst of calls; of a process that has ended
    they say what Linux says (ESRCH, ENOENT)."""
    assert boot("chmod 755 /proc_kept; /proc_kept", add={"/proc_kept": program("proc_kept")}, icount=True, timeout=150, leak_check=False).out == "kept\n"
