# SPDX-License-Identifier: BSD-2-Clause
"""The clock goes as fast as it should. By the guest's clock under icount, where the TSC has exactly 1 GHz on every host."""
import re

from conftest import BUILD, TOP

EXACT_NS = 1_500  # in half a second: 3 ppm


def test_a_wrong_rate_is_found_out(boot):
    """bench/services/misclock.c sets the rate wrong by 800 ppm: 400 us in half a second. Within seconds it is right, and the clock never goes back."""
    result = boot("for i in $(seq 30); do dmesg | grep -q 'MISCLOCK end' && break; sleep 1; done; grep clock_hz /proc/bardo/kernel", icount=True,
                  leak_check=False, timeout=240, add={"/lib/bardo/misclock": BUILD / "services/misclock",
                                                      "/etc/bardo/misclock.svc": TOP / "bench/services/misclock.manifest"})
    ahead = [int(ns) for ns in re.findall(r"MISCLOCK \d+ ahead (-?\d+)", result.klog)]
    print(ahead, result.out)
    assert len(ahead) == 16 and "MISCLOCK back" not in result.klog
    assert max(ahead) > 300_000, "it was never wrong"
    assert max(abs(ns) for ns in ahead[-6:]) < EXACT_NS
    assert abs(int(result.out.split()[1]) - 10**9) < 3000
