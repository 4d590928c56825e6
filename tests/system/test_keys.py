# SPDX-License-Identifier: BSD-2-Clause
"""Keys of a manifest that no other test looks at: what `priority`, `stack` and `archive` come to (tests/services/keyed.c)."""
import re

import pytest

from conftest import BUILD, TOP

PAGE = 4096
TOP_OF_STACK = 0x7ffff0000000
ARCHIVE = int(re.search(r"BOOT_ARCHIVE (0x[0-9a-f]+)", (TOP / "abi/kernel.h").read_text())[1], 16)
UNTIL = """until_said() { n=0; until grep -q "$1" /proc/bardo/log; do n=$((n + 1)); [ $n -lt 300 ] || return 1; usleep 20000; done; }
"""


def keyed(name, parameters, **keys):
    keys = {"class": "server", "calls": "rs ds", "heartbeat": "0", "restart": "no", "parameters": parameters, **keys}
    return {f"/etc/bardo/{name}.svc": "".join(f"{key} {value}\n" for key, value in keys.items()), f"/lib/bardo/{name}": BUILD / "services/keyed"}


@pytest.mark.parametrize("size,pages", [("8K", 2), ("20000", 5), ("", 16), ("96K", 24)])
def test_stack(boot, size, pages):
    """So many pages are there for reading and writing, and the one below is not. (A size is made whole pages; without the key it is 64K.)"""
    result = boot(UNTIL + "until_said 'keyed: exception'", icount=True, add=keyed("keyed", "stack", **({"stack": size} if size else {})), leak_check=False)
    fault = re.search(r"rs: keyed: exception 14 .*, address ([0-9a-f]+)", result.klog)
    assert (TOP_OF_STACK - 1 - int(fault[1], 16)) // PAGE == pages, fault[0]


@pytest.mark.parametrize("archive", ["yes", "no", ""])
def test_archive(boot, archive):
    """Who has it reads it; for who has not, nothing is mapped there."""
    result = boot(UNTIL + "until_said 'keyed: \\(exception\\|archive: it begins\\)'", icount=True, add=keyed("keyed", "archive", **({"archive": archive} if archive else {})), leak_check=False)
    told = re.findall(r"keyed: archive: (.*)", result.klog)
    fault = re.search(r"keyed: exception.*", result.klog)
    if archive == "yes":
        assert told == ["told of some bytes", "it begins with 070701"] and not fault
    else:
        assert told == ["told of no bytes"] and f"{ARCHIVE:x}" in fault[0], fault


def spans(result):
    """{service: (from, to)}, in ms of the guest's clock."""
    return {name: (int(began) / 1000, int(ended) / 1000) for name, began, ended in re.findall(r"(\w+): toil: from (\d+) to (\d+) us", result.klog)}


@pytest.mark.parametrize("first,second", [(3, 8), (8, 3), (6, None)])
def test_priority(boot, first, second):
    """Two that want the processor from the same instant on: who has the smaller number is done before the other begins; equals take turns (without the key it is 6)."""
    result = boot(UNTIL + "until_said 'one: toil' && until_said 'two: toil'", icount=True, leak_check=False,
                  add={**keyed("one", "toil 3000", priority=first), **keyed("two", "toil 3000", **({"priority": second} if second else {}))})
    one, two = spans(result)["one"], spans(result)["two"]
    if second:
        urgent, other = (one, two) if first < second else (two, one)
        assert 3000 <= urgent[0] < 3001 and urgent[1] <= other[0] < urgent[1] + 1, (one, two)
    else:
        assert 3000 <= min(one[0], two[0]) < 3001 and min(one[1], two[1]) - max(one[0], two[0]) > 0.7 * max(one[1] - one[0], two[1] - two[0]), (one, two)
