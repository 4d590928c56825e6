# SPDX-License-Identifier: BSD-2-Clause
"""The person at the machine: keyboard and screen, typed and read through QEMU (tests/screenkeys.py)."""
import re
import shlex
import socket
import subprocess
import threading
from contextlib import contextmanager

import pytest

import qemu
from conftest import BUILD, LOADED, TOP
from machine import Terminal, autopsy, machine
from screenkeys import COLUMNS, Person, Viewer

PROMPT = "bardo:~#"
DEATHS = 12
UEFI = "/usr/share/ovmf/OVMF.fd"  # Debian's package ovmf
KILLS = "kill -9 $(pidof console) $(pidof keyboard)"


@pytest.fixture
def sit(boot, tmp_path):
    """with sit(command) as (person, end): the system runs `command` again and again, every 0.3 s, until end(then) is called, which
    runs `then` and returns its result. more: of QEMU's arguments."""
    @contextmanager
    def at_the_machine(command=":", then="", more=(), **options):
        path, monitor, outcome = tmp_path / "qmp", tmp_path / "monitor", {}
        script = f"echo begun >/dev/tty1; until [ -e /tmp/done ]; do {command}; usleep 300000; done >/dev/null\n{then}"

        def run():
            try:
                outcome["result"] = boot(script, qemu=shlex.join(["-vga", "std", "-qmp", f"unix:{path},server=on,wait=off", *qemu.monitor(monitor), *more]), **options)
            except BaseException as error:  # to be raised where it is waited for
                outcome["error"] = error
        thread = threading.Thread(target=run)
        thread.start()
        person = Person(path)

        def end():
            person.press("alt", "f4")
            person.type("\n>/tmp/done\n")
            thread.join()
            if "error" in outcome:
                raise outcome["error"]
            return outcome["result"]
        try:
            with autopsy(monitor):
                person.wait_line(f"{PROMPT} begun")
                yield person, end
        finally:
            if thread.is_alive():
                try:
                    person.say("quit")
                except (OSError, ValueError, AssertionError):
                    pass
                thread.join()
            person.close()
    return at_the_machine


def settled(person, lines):
    """The screen shows exactly these lines, from the top."""
    return person.wait(lambda shown: "\n".join(shown).rstrip() == "\n".join(lines), "\n".join(lines))


def test_killed_while_typing(sit):
    """Both drivers die three times a second while somebody works: each key arrives once, the screen is as it was."""
    words = ["The quick brown Fox", "jumps (over) the lazy_Dog", "0123456789 !@#$%^&*", "~/a\\b;c`d,e.f<g>h?"]
    with sit(KILLS, then="grep -c -E ' (console|keyboard) killed .* adopted' /proc/recovery; grep -E -c ' (console|keyboard) .* reset ' /proc/recovery; true") as (person, end):
        deaths = 0
        while deaths < DEATHS:
            person.type("clear; grep -c ' killed ' /proc/recovery\n")
            expected = person.wait(lambda lines: lines[0].isdigit() and lines[1:] == [PROMPT] + [""] * 23, "the number of deaths")[:1]
            deaths = int(expected[0])
            for word in words:
                person.type(f"echo '{word}'\n")
                expected += [f"{PROMPT} echo '{word}'", word]
                settled(person, [*expected, PROMPT])
        person.type("seq 1 200\n")
        settled(person, [str(n) for n in range(177, 201)] + [PROMPT])
        person.press("alt", "f2")
        person.wait(lambda lines: PROMPT in lines and "200" not in lines, "the second console")
        person.press("alt", "f1")
        settled(person, [str(n) for n in range(177, 201)] + [PROMPT])
        adopted, reset = map(int, end().out.split())
        assert adopted >= DEATHS and reset == 0


def test_keys_that_the_controller_holds(sit, tmp_path):
    """What is typed while the keyboard has no driver, since the last one has died, waits in the controller, and is read by the fresh copy."""
    word = tmp_path / "word"
    with sit(more=["-chardev", f"socket,path={word},server=on,wait=off,id=word", "-serial", "chardev:word"], then="grep -c ' keyboard killed ' /proc/recovery") as (person, end), \
            socket.socket(socket.AF_UNIX) as second:
        person.type("clear; service wait uart.1; service hold keyboard; service kill keyboard; until service list keyboard | grep -q held; do :; done; echo no''body; head -n 1 /dev/ttyS1; service restart keyboard")
        person.press("ret", held=True)  # (its release may find nobody any more)
        shown = person.wait_line("nobody")
        for key in ("e", "c", "h", "o", "spc", "7"):
            person.press(key, held=True)
        assert person.lines() == shown, "somebody has taken what was typed"
        second.connect(str(word))
        second.sendall(b"now\n")
        person.wait_line("now")
        person.wait_taken()
        person.type("8\n")
        lines = person.wait(lambda lines: "78" in lines, "what was typed meanwhile")
        assert lines.count("78") == 1
        assert end().out == "1\n"


def test_editors(sit):
    """busybox vi and less, with cursor keys, page keys, Delete, Home and End."""
    with sit(then="cat /root/f") as (person, end):
        person.type("seq 1 100 >f; vi f\n")
        person.wait(lambda lines: lines[0] == "1" and lines[23] == "24" and "f" in lines[24], "vi")
        for key in ("pgdn", "down", "down"):
            person.press(key)
        person.type("iNew: ")
        person.press("end")
        person.type("!")
        person.press("home")
        person.press("delete")
        person.type("N")
        person.press("esc")
        lines = person.wait(lambda lines: any(line.startswith("New: ") for line in lines), "what was typed")
        number = re.match(r"New: (\d+)!", next(line for line in lines if line.startswith("New"))).group(1)
        person.wait(lambda lines: lines[24].startswith("- f"), "the end of the insertion")
        person.type(":wq\n")
        person.wait(lambda lines: any(line.startswith(PROMPT) for line in lines), "the prompt")
        person.type("clear; less f\n")
        person.wait(lambda lines: lines[0] == "1" and lines[23] == "24", "less")
        person.press("pgdn")
        person.wait(lambda lines: lines[0] == "25", "the next page")
        person.press("up")
        person.wait(lambda lines: lines[0] == "24", "one line back")
        person.press("end")
        lines = person.wait(lambda lines: "100" in lines and "(END)" in lines[24], "the end")
        assert 0x70 in person.attributes(24)
        person.type("q")
        person.wait(lambda lines: any(line.startswith(PROMPT) for line in lines), "the prompt")
        file = end().out.split("\n")
    assert file[:-1] == [str(n) if str(n) != number else f"New: {n}!" for n in range(1, 101)]


def test_reset(sit):
    """Devices that are set up anew, registers, colours and font: the same picture, pixel by pixel; the keyboard types as before."""
    picture = "seq 15; printf '\\033[?25l\\033[1;31;44mX\\033[m\\033[4mZ\\033[0;7m \\033[m'\n"
    with sit() as (person, end):
        shots = []
        for orders in ("", "service restart console --reset; service restart keyboard --reset"):
            person.type(orders + "; clear\n" if orders else "clear\n")
            settled(person, [PROMPT])
            person.type(picture)
            person.wait_line(f"XZ {PROMPT}")
            person.say("screendump", filename=str(person.dump))
            shots.append(person.dump.read_bytes())
        assert shots[0] == shots[1] and len(set(shots[0][100:])) >= 4
        end()


def test_consoles(sit):
    """Four sessions; ^C, job control and top; /dev/tty0; a shell that ends is followed by another."""
    with sit() as (person, end):
        for n in (2, 3, 4, 1):
            person.press("alt", f"f{n}")
            person.wait(lambda lines: any(line.startswith(PROMPT) for line in lines), "a prompt")
            person.type(f"clear; echo {n}; stty size\n")
            settled(person, [f"{n}", "25 80", PROMPT])
        person.press("alt", "left")
        settled(person, ["4", "25 80", PROMPT])
        person.press("alt", "right")
        settled(person, ["1", "25 80", PROMPT])
        person.type("clear; cat\n")
        settled(person, [""])
        person.type("x\n")
        settled(person, ["x", "x"])
        person.press("ctrl", "c")
        settled(person, ["x", "x", "^C", PROMPT])
        person.type("sleep 100\n")
        while not any("Stopped" in line for line in person.lines()):
            person.press("ctrl", "z")  # (The shell itself, before it has started the job, takes no notice.)
        person.type("kill -9 %1; wait; clear; top\n")
        lines = person.wait(lambda lines: lines[0].startswith("Mem:") and any("PID" in line for line in lines), "top")
        row = next(n for n, line in enumerate(lines) if "PID" in line)
        assert 0x70 in set(person.attributes(row)[:COLUMNS])  # its headings are in reverse
        person.type("q")
        person.type("clear; exit\n")
        person.wait(lambda lines: any("built-in shell" in line for line in lines), "another shell")
        person.type("clear; chvt 3; echo he''re >/dev/tty0\n")
        person.wait(lambda lines: "here" in "".join(lines), "what was written to tty0")
        end()


def test_tty_dies(sit):
    """The terminal server dies, too: the screen stays, with the console that is shown; what is typed meanwhile arrives."""
    with sit() as (person, end):
        person.press("alt", "f2")
        person.wait(lambda lines: PROMPT in lines, "the second console")
        person.type("clear; seq 3; service kill tty; echo gone; sleep 3; echo back\n")
        person.wait(lambda lines: lines[1:5] == ["1", "2", "3", "gone"] or lines[0:4] == ["1", "2", "3", "gone"], "the end of tty")
        person.type("echo Ahead\n")
        lines = person.wait(lambda lines: "Ahead" in lines, "what was typed ahead")
        assert [line for line in lines if line in ("1", "2", "3", "gone", "back", "Ahead")] == ["1", "2", "3", "gone", "back", "Ahead"]
        end()


@pytest.mark.parametrize("plugged, absent, present", [("", "console", "keyboard"), ("-vga std -machine i8042=off", "keyboard", "console")])
def test_not_there(boot, plugged, absent, present):
    """No VGA, no keyboard controller: the driver says so once, and stays down."""
    result = boot("sleep 0.3; service list; (echo >/dev/tty1) 2>/dev/null; echo $?", qemu=plugged)
    assert re.search(rf"^{absent} +0 refused +\d+ s +0 ", result.out, re.M) and re.search(rf"^{present} +\d+ up +\d+ s +0 ", result.out, re.M)
    assert result.klog.count(f"{absent}: its device is none that it can drive") == 1
    assert result.out.endswith("\n1\n" if absent == "console" else "\n0\n")


def test_without_a_serial_line(tmp_path):
    """The CD in a machine that has a screen and a keyboard, and nothing else to talk to. Ctrl-Alt-Delete ends it."""
    made = subprocess.run(["make", "-C", TOP, "--no-print-directory", f"B={BUILD}", "iso", "APPEND=said=so"], capture_output=True, text=True)
    assert made.returncode == 0, made.stdout + made.stderr
    path, monitor = tmp_path / "qmp", tmp_path / "monitor"
    with machine(["qemu-system-x86_64", "-cpu", "max", "-m", "256", "-cdrom", BUILD / "bardo.iso", "-display", "none", "-no-reboot", "-serial", "none", "-parallel", "none",
                  "-qmp", f"unix:{path},server=on,wait=off", *qemu.monitor(monitor)], monitor, stdin=subprocess.DEVNULL) as emulator:
        person = Person(path)
        person.wait(lambda lines: PROMPT in lines, "the prompt", 60 * LOADED)
        person.type("cat /proc/cmdline; service list console | tail -n 1\n")
        person.wait(lambda lines: any("said=so" in line for line in lines) and any(re.match(r"console +\d+ up", line) for line in lines), "the command line")
        person.press("ctrl", "alt", "delete")
        assert emulator.wait(60 * LOADED) == 0


@pytest.mark.parametrize("size", ["1280x800x24", "640x480x16", ""])
def test_picture(tmp_path, size):
    """GRUB has set up a picture in place of text; or (no size) it is a UEFI machine, which has no text: a console like the other, also while its
    driver dies."""
    iso, output, qmp, monitor = (tmp_path / name for name in ("bardo.iso", "output", "qmp", "monitor"))
    made = subprocess.run(["make", "-C", TOP, "--no-print-directory", f"B={BUILD}", "iso", f"ISO={iso}", f"GFX={size}"], capture_output=True, text=True)
    assert made.returncode == 0, made.stdout + made.stderr
    with output.open("wb") as out, machine(["qemu-system-x86_64", "-cpu", "max", "-m", "256", "-cdrom", iso, "-display", "none", "-vga", "std", "-no-reboot",
                                            "-serial", "stdio", "-qmp", f"unix:{qmp},server=on,wait=off", *([] if size else ["-bios", UEFI]), *qemu.monitor(monitor)],
                                           monitor, stdin=subprocess.PIPE, stdout=out) as emulator:
        serial = Terminal(output, emulator)
        person = Viewer(qmp, BUILD / "gen/font.h")
        person.wait(lambda lines: any(line.startswith(PROMPT) for line in lines), PROMPT, 120 * LOADED)
        serial.type("n=0; while [ $n -lt 30 ]; do n=$((n + 1)); kill -9 $(pidof console); echo line $n >/dev/tty1; usleep 30000; done; echo o''ver\n")
        shown = person.wait_line("line 30", 60 * LOADED)
        at = shown.index("line 30")
        assert shown[at - 15:at] == [f"line {n}" for n in range(15, 30)], shown
        person.type("\necho Typed by hand, $((6 * 7))\n")
        person.wait_line("Typed by hand, 42", 60 * LOADED)
        person.press("alt", "f2")
        person.wait(lambda lines: "line 30" not in lines and any(line.startswith(PROMPT) for line in lines), "another console", 60 * LOADED)
        serial.type("service list console | tail -1; grep -c 'console .* adopted ' /proc/recovery; poweroff -f\n")
        assert emulator.wait(60 * LOADED) == 0
        person.close()
    text = output.read_bytes().decode(errors="replace")
    assert re.search(r"^console +\d+ up .* 30 killed ", text, re.M), text
    assert int(re.search(r"^(\d+)\r?$", text[text.rindex("poweroff -f"):], re.M)[1]) == 30, text
