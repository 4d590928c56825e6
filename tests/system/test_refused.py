# SPDX-License-Identifier: BSD-2-Clause
"""Steps of servers that keep their memory which kill each time and are refused: all else goes on, and nothing is lost but what kills."""
from hostnet import served
from test_campaign import INJECTOR
from test_rolled_back import address_in, bytes_at


def poisoned(server, function, work, code="0f0b", before=""):
    """`before`, then the work with an instruction in that function that kills, then the function as it was."""
    place = address_in(server, function)
    return f"""mknod /tmp/inject c 240 0; exec 4>/tmp/inject
        {before}
        echo '{server} 0 text 0x{place} {code}' >&4
        {work}
        echo '{server} 0 text 0x{place} {bytes_at(server, place, len(code) // 2)}' >&4
        """


def test_frame_that_kills(boot, tmp_path):
    """A frame that kills net each time it is looked at is dropped; those behind it are taken."""
    url, digest = served(tmp_path, 3)
    out = boot("until ifconfig e0 | grep -q 10.0.2.15; do usleep 20000; done\n" + poisoned("net", "icmp_input", f"""
        for n in 1 2 3; do ping -c 1 -W 1 10.0.2.2 >/dev/null && echo BAD answered; wget -q -O - {url} | sha1sum; done""")
               + "ping -c 1 -W 1 10.0.2.2 | grep -c ' 1 packets received'", nics=["e1000"], add=INJECTOR, leak_check=False).out
    assert out == f"{digest}  -\n" * 3 + "1\n", out


PAUSE = "n=0; while [ $n -lt 300 ]; do n=$((n + 1)); done"  # (a child that ends would be a signal, too)
REFUSED = "undo: a request that kills is refused"


def test_kill_of_a_keeper_is_refused(boot):
    """RS dies each time that it copies what a killed server was: that goes on."""
    result = boot(poisoned("rs", "corpse_copy", "kill -9 $(pidof vfs) & usleep 3000") + "wait; ls -d /tmp; service kill vfs; ls -d /tmp; service list | grep -c 'vfs .* up '",
                  add=INJECTOR, icount=True, leak_check=False)
    assert result.out.splitlines()[-3:] == ["/tmp", "/tmp", "1"] and f"rs: {REFUSED}" in result.klog, result.out


def test_exception_of_a_keeper_is_refused(boot):
    """The same when it dies of an exception: nobody would ever let it go on. (A link on the root file system, which the way to take the poison back does not go through.)"""
    place = address_in("ram", "make_symlink")
    result = boot(poisoned("rs", "corpse_copy", f"""echo 'ram 0 text 0x{place} 0f0b' >&4
        ln -s a /tmp/link & {PAUSE.replace("300", "1500")}""") + f"""echo 'ram 0 text 0x{place} {bytes_at("ram", place, 2)}' >&4
        wait; ln -s a /tmp/link2; readlink /tmp/link2; rm -f /tmp/link2""", add=INJECTOR, icount=True, leak_check=False)
    assert result.out.splitlines()[-1] == "a" and f"rs: {REFUSED}" in result.klog, result.out


def test_replacement_is_refused(boot):
    """RS dies when it replaces a driver that it has stopped, which nobody would complain of: the driver goes on, and ends when it is told to."""
    result = boot(poisoned("rs", "spawn_fresh", "kill -9 $(pidof null) 2>/dev/null; usleep 50000") + "usleep 200000; service down null", add=INJECTOR, icount=True, leak_check=False)
    assert f"rs: {REFUSED}" in result.klog and "null: incarnation 1 swallowed" in result.klog, result.klog[-1500:]


def test_signal_to_one_that_runs_is_refused(boot):
    """PM dies each time that it makes a signal's frame: who was to have it goes on, by itself, and has the next one."""
    result = boot("(trap 'echo got' USR1; n=0; while [ $n -lt 30000 ]; do n=$((n + 1)); done; echo half; while [ $n -lt 90000 ]; do n=$((n + 1)); done; echo whole) & usleep 5000\n"
                  + poisoned("pm", "frame_push", "kill -USR1 $! 2>&1") + "usleep 900000; kill -USR1 $!; wait", add=INJECTOR, icount=True, leak_check=False)
    assert result.out.endswith(": Input/output error\nhalf\ngot\nwhole\n") and f"pm: {REFUSED}" in result.klog, result.out


def test_signal_to_one_that_waits_is_refused(boot):
    """The same with one that is in a call of VFS, which gives it up for the signal: that call fails, and it has the next signal."""
    result = boot("mkfifo /tmp/f; (trap 'echo got' USR1; until read x </tmp/f; do :; done; echo BAD) & usleep 5000\n"
                  + poisoned("pm", "frame_push", "kill -USR1 $!; " + PAUSE) + "usleep 200000; kill -USR1 $!; usleep 50000; kill -9 $!; wait $!; echo $?", add=INJECTOR, icount=True, leak_check=False)
    assert "Input/output error" in result.out and result.out.endswith("got\n137\n") and "BAD" not in result.out and f"pm: {REFUSED}" in result.klog, result.out


def test_end_of_a_child_is_refused(boot):
    """PM dies each time that it tells a parent of its child's end: the parent learns of it when it can."""
    out = boot("usleep 3000 &\n" + poisoned("pm", "frame_push", PAUSE + "; " + PAUSE.replace("300", "600")) + "wait $!; echo $?", add=INJECTOR, icount=True, leak_check=False)
    assert out.out == "0\n" and f"pm: {REFUSED}" in out.klog, out.out


def test_event_is_refused(boot, program):
    """VFS dies each time that it wakes somebody whose socket is ready: he is woken when it can."""
    out = boot("poll_listen & usleep 20000\n" + poisoned("vfs", "remote_ready", "nc -w 1 127.0.0.1 7000 </dev/null; usleep 20000") + "wait; echo ended",
               add={**INJECTOR, "/bin/poll_listen": program("poll_listen")}, icount=True, leak_check=False).out
    assert out == "ready\nended\n", out
