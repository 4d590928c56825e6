# SPDX-License-Identifier: BSD-2-Clause
"""What programs have written into files in memory and pipes lies where the server that keeps it cannot reach it itself (lib/vault)."""
import re
import subprocess

from conftest import BUILD
from test_campaign import INJECTOR
from test_rolled_back import address_in

VAULT_OF = """vault_of() { grep -e ' *---p ' /proc/$(pidof $1)/maps | tail -n 1 | cut -d- -f1; }
plant() { echo "$1 0 text 0x$2 $3" >/tmp/inject; }
reversed() { for n in 15 13 11 9 7 5 3 1; do printf %s $(echo 0000$1 | cut -c$n-$((n + 1))); done; }
"""


def disassembled(server, function):
    """[(address, bytes in hexadecimal, text)]"""
    text = subprocess.run(["objdump", "-d", "-w", f"--disassemble={function}", BUILD / f"services/{server}.debug"], capture_output=True, text=True, check=True).stdout
    return [(row[0], row[1].replace(" ", ""), row[2]) for row in re.findall(r"^ +(\w+):\t([0-9a-f ]+)\t(.*)$", text, re.M)]


def test_server_cannot_reach_it(boot):
    """An instruction of ram's, or of VFS's, that stores where the bytes are (movabs %al, address) is an exception; its request fails, and the bytes are what they were."""
    result = boot(VAULT_OF + f"""mknod /tmp/inject c 240 0; head -c 300000 /dev/urandom >/tmp/a; sum=$(md5sum </tmp/a)
        plant ram {address_in("ram", "make_symlink")} a2$(reversed $(vault_of ram)); ln -s x /tmp/link 2>&1; [ "$(md5sum </tmp/a)" = "$sum" ] && echo the file is whole
        mkfifo /tmp/f; exec 3<>/tmp/f; echo in the pipe >&3
        plant vfs {address_in("vfs", "symlink_at")} a2$(reversed $(vault_of vfs)); ln -s x /tmp/link 2>&1; head -n 1 <&3
        grep -c '^[0-9]* ram exception 14 .* rolled-back' /proc/recovery; grep -c '^[0-9]* vfs exception 14 .* rolled-back' /proc/recovery""",
                  add=INJECTOR, leak_check=False)
    assert result.out.splitlines() == ["ln: /tmp/link: Input/output error", "the file is whole", "ln: /tmp/link: Input/output error", "in the pipe", "1", "1"], result.out


def test_refused_write_leaves_no_trace(boot):
    """A write that kills ram when its bytes are in the file already: they are taken back, in what the file had and in what is new."""
    code = disassembled("ram", "do_transfer")
    place, was, _ = code[next(i for i, (_, _, text) in enumerate(code) if re.match("call .*<transfer>", text)) + 1]
    result = boot(f"""mknod /tmp/inject c 240 0; exec 4>/tmp/inject; head -c 3000 /dev/urandom >/tmp/a; cp /tmp/a /tmp/b; exec 3<>/tmp/a; x=$(seq 1 2000)
        echo 'ram 0 text 0x{place} 0f0b' >&4; echo "$x" >&3; echo $?; echo 'ram 0 text 0x{place} {was[:4]}' >&4
        cmp /tmp/a /tmp/b && wc -c </tmp/a; grep -c '^[0-9]* ram exception 6 .* rolled-back' /proc/recovery; dd if=/dev/zero of=/tmp/a bs=1 seek=9999 count=1 2>/dev/null
        tail -c 7000 /tmp/a | tr -d '\\0' | wc -c""", add=INJECTOR, leak_check=False)
    assert result.out.splitlines() == ["sh: write error: Input/output error", "1", "3000", "1", "0"], result.out
