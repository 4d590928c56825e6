# SPDX-License-Identifier: BSD-2-Clause
"""Sound: what QEMU's card is given is a file on the host, and is compared sample by sample."""
import re
import struct

import pytest

RATE = 44100
GAP = RATE * 50 // 1000  # frames of silence in the midst of it, at most
MODULUS = 32749
# what the card has fetched at the end is in the file only when it was played
REST = "; status=$?; usleep 100000; exit $status"


def frame(k):
    """Left and right of the k-th frame: no two are alike, none is silence."""
    return 1 + k % MODULUS, -1 - k // MODULUS


def wav(rate, channels, bits, sound, size=None, extra=b"", tag=1):
    block = channels * bits // 8
    form = struct.pack("<HHIIHH", tag, channels, rate, rate * block, block, bits)
    return (b"RIFF" + struct.pack("<I", 36 + len(extra) + len(sound)) + b"WAVE" + extra + b"fmt " + struct.pack("<I", len(form)) + form
            + b"data" + struct.pack("<I", len(sound) if size is None else size) + sound)


def stereo(count, first=0):
    return b"".join(struct.pack("<hh", *frame(k)) for k in range(first, first + count))


def song(tmp_path, seconds, name="song.wav", first=0):
    path = tmp_path / name
    path.write_bytes(wav(RATE, 2, 16, stereo(round(seconds * RATE), first)))
    return path


def recording(path):
    """All frames that the card has played, as pairs."""
    data = path.read_bytes()[44:]
    return list(struct.iter_unpack("<hh", data[:len(data) // 4 * 4]))


def heard(path, expected):
    """They are all there, each once, in order; returns the lengths of the silences between them."""
    at, gap, gaps = 0, 0, []
    for played in recording(path):
        if played == (0, 0):
            gap += 1
            continue
        assert at < len(expected) and played == expected[at], f"frame {at} of {len(expected)}: {played} in place of {expected[at:at + 1]}"
        if gap and at:
            gaps.append(gap)
        at, gap = at + 1, 0
    assert at == len(expected), f"it ends after {at} of {len(expected)} frames"
    return gaps


def heard_song(path, seconds):
    return heard(path, [frame(k) for k in range(round(seconds * RATE))])


def test_plays(boot, tmp_path):
    """Two files, one from a pipe; every sample, no gap. Then all is as before."""
    out = tmp_path / "out.wav"
    files = {"/a.wav": song(tmp_path, 0.7), "/b.wav": song(tmp_path, 0.5, "b.wav", round(0.7 * RATE))}
    result = boot(f"play /a.wav && cat /b.wav | play -q -{REST}", sound=f"wav:{out}", add=files, leak_check=False)
    assert result.out == "/a.wav: 44100 Hz, 16 bits, stereo\n"
    assert max(heard_song(out, 1.2), default=0) < 2 * GAP  # (between the two)


@pytest.mark.parametrize("every, seconds", [(500, 2.6), (40, 0.8)])
def test_driver_dies(boot, tmp_path, every, seconds):
    """The driver is killed again and again: each fresh copy goes on where the card is. (Time is that of the guest's instructions, so the host's speed is of no account.)"""
    out = tmp_path / "out.wav"
    result = boot(f"service kill es1370 --every {every} >/dev/null & killer=$!; play /song.wav{REST.replace('usleep', 'kill $killer; usleep')}", sound=f"wav:{out}",
                  add={"/song.wav": song(tmp_path, seconds)}, icount=True, leak_check=False)
    assert result.out == "/song.wav: 44100 Hz, 16 bits, stereo\n"
    assert max(heard_song(out, seconds), default=0) < GAP
    assert len(re.findall(r"es1370: killed", result.klog)) >= seconds * 1000 / every - 1
