# SPDX-License-Identifier: BSD-2-Clause
"""Sound: what QEMU's card is given is a file on the host, and is compared sample by sample."""
import re
import struct

import pytest

RATE = 44100
GAP = RATE * 50 // 1000  # frames of silence in the midst of it, at most
MODULUS = 32749
# what the card has fetched at the end is in the file only when it was played
REST = "; status=$?; usleep 400000; exit $status"


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
    """Two files, one from a pipe: every sample, in order."""
    out = tmp_path / "out.wav"
    files = {"/a.wav": song(tmp_path, 0.7), "/b.wav": song(tmp_path, 0.5, "b.wav", round(0.7 * RATE))}
    result = boot(f"play /a.wav && cat /b.wav | play -q -{REST}", sound=f"wav:{out}", add=files, leak_check=False)
    assert result.out == "/a.wav: 44100 Hz, 16 bits, stereo\n"
    heard_song(out, 1.2)


@pytest.mark.parametrize("every, seconds", [(500, 2.6), (40, 0.8)])
def test_driver_dies(boot, tmp_path, every, seconds):
    """The driver is killed again and again: each fresh copy goes on where the card is. (Time is that of the guest's instructions, so the host's speed is of no account.)"""
    out = tmp_path / "out.wav"
    result = boot(f"service kill es1370 --every {every} >/dev/null & killer=$!; play /song.wav{REST.replace('usleep', 'kill $killer; usleep')}", sound=f"wav:{out}",
                  add={"/song.wav": song(tmp_path, seconds)}, icount=True, leak_check=False)
    assert result.out == "/song.wav: 44100 Hz, 16 bits, stereo\n"
    assert max(heard_song(out, seconds), default=0) < GAP
    assert len(re.findall(r"es1370: killed", result.klog)) >= seconds * 1000 / every - 1


def test_server_dies(boot, tmp_path):
    """The audio server, too: the player goes on behind what was taken; the driver is killed beside."""
    out = tmp_path / "out.wav"
    result = boot(f"(while usleep 270000; do service kill audio; done) >/dev/null 2>&1 & killer=$!; service kill es1370 --every 190 >/dev/null & play /song.wav{REST.replace('usleep', 'kill $killer $!; usleep')}",
                  sound=f"wav:{out}", add={"/song.wav": song(tmp_path, 2)}, icount=True, leak_check=False)
    times = re.fullmatch(r"/song.wav: 44100 Hz, 16 bits, stereo\ninterrupted (\d+) times, and gone on with\n", result.out)
    assert times and 3 <= int(times[1]) <= len(re.findall(r"audio: killed", result.klog))
    assert max(heard_song(out, 2), default=0) < GAP


def test_driver_is_away(boot, tmp_path):
    """It is taken down while something is played, and put up again: the player waits; for so long as it was told. One player at a time."""
    out = tmp_path / "out.wav"
    result = boot("play -q /song.wav & player=$!; usleep 300000; play /song.wav; service down es1370; play /song.wav; usleep 1000000; service up es1370; wait $player; echo $?; "
                  f"play -q -w 1 /song.wav & player=$!; usleep 300000; service down es1370; wait $player; echo $?; service up es1370{REST}", sound=f"wav:{out}", add={"/song.wav": song(tmp_path, 1)}, leak_check=False)
    assert result.out == ("play: /dev/dsp: somebody else is playing\nplay: /dev/dsp: there is no sound card, or its driver does not work\n0\n"
                          "play: /dev/dsp: there is no sound card, or its driver does not work\n1\n")
    once = [frame(k) for k in range(RATE)]
    played = [f for f in recording(out) if f != (0, 0)]
    assert played[:RATE] == once and played[RATE:] == once[:len(played) - RATE] and len(played) > RATE * 1.2


def test_calls(boot, tmp_path, program):
    """What players ask for, by the numbers of OSS."""
    out = boot("/sound_calls", sound="none", add={"/sound_calls": program("sound_calls")}, leak_check=False).out
    assert out.splitlines() == [
        "opened 1 -16 -19",  # EBUSY, ENODEV
        "opened: 8018 8 1; 16 of 16 fragments of 128, 2048 bytes",
        "formats 8 16 16 24",
        "channels 1 1 1 2",
        "rates 48662 3997 44100 44100",
        "set: 44100 16 2; 16 of 16 fragments of 4096, 65536 bytes",
        "fragments -22 524300 4096",
        "fragments: 44100 16 2; 8 of 8 fragments of 4096, 32768 bytes",
        "subdivided -22 2",
        "subdivided: 44100 16 2; 16 of 16 fragments of 2048, 32768 bytes",
        "caps 0x1200 version 0x30802",
        "refused -22 -22 -22 -25 -9 1",
        "faults -14 -14 -14",
        "written 1 3 17640",
        "delay 17644 17644 0 17644",
        "sync 0; played 17644 blocks 8 at 17644; played 17644 blocks 0 at 17644",
        "reset 0 0",
        "ready 1 0 1 -11 1 1 0 1",
        "mixer by dsp 0x11",
        "masks 17 17 0 0 0",
        "volume 25648 25648 25700 25700",
        "refused -22 -25 -22 0 es1370",
    ]


def bytes_of(count, seed):
    """8 bits, and never silence."""
    return bytes(1 + (k * seed) % 127 + 128 * (k * seed // 127 % 2) for k in range(count))


def wide(byte):
    return (byte - 128) * 256


def test_formats(boot, tmp_path):
    """8 and 16 bits, mono and stereo, one after the other; extensible formats; what comes ahead of the sound is skipped."""
    out, n = tmp_path / "out.wav", 5000
    left, right = bytes_of(n, 3), bytes_of(n, 5)
    mono = [1 + k for k in range(n)]
    guid = struct.pack("<HHIHHQ", 22, 16, 3, 1, 0, 0x719b3800aa000010 << 16 & (1 << 64) - 1)[:-8] + bytes.fromhex("00001000800000aa00389b71")
    extensible = b"RIFF\0\0\0\0WAVEfmt " + struct.pack("<IHHIIHH", 40, 0xfffe, 2, 22050, 88200, 4, 16) + guid + b"data" + struct.pack("<I", 4 * n) + stereo(n)
    files = {"/1": wav(22050, 1, 8, left), "/2": wav(22050, 2, 8, bytes(b for pair in zip(left, right) for b in pair), extra=b"LIST\3\0\0\0abc\0"), "/3": wav(22050, 1, 16, struct.pack(f"<{n}h", *mono)), "/4": extensible}
    assert len(extensible) == 12 + 8 + 40 + 8 + 4 * n
    result = boot(f"play -q /1 /2 /3 /4{REST}", sound=f"wav:{out},out.frequency=22050", add=files, leak_check=False)
    assert result.out == ""
    expected = [(wide(b), wide(b)) for b in left] + [(wide(a), wide(b)) for a, b in zip(left, right)] + [(s, s) for s in mono] + [frame(k) for k in range(n)]
    heard(out, expected)


def test_as_it_is_opened(boot, tmp_path):
    """8000 Hz (8018), 8 bits, mono; all of it is played when the program has ended."""
    out, sound = tmp_path / "out.wav", bytes_of(5001, 7)
    boot("cat /raw >/dev/dsp; dd if=/raw of=/dev/dsp bs=333 2>/dev/null; usleep 700000", sound=f"wav:{out},out.frequency=8018", add={"/raw": sound}, icount=True, leak_check=False)
    heard(out, [(wide(b), wide(b)) for b in sound + sound])


def test_mixer(boot, tmp_path):
    """Volumes stay over the death of whoever keeps them; that of what is written is to be heard."""
    out = tmp_path / "out.wav"
    result = boot("mixer; mixer vol 70:30; mixer pcm 50:0; service kill audio; service kill es1370; usleep 300000; mixer; mixer pcm; mixer pcm 101; mixer pcm 3:; mixer cd; mixer pcm 1 2; "
                  f"mixer --help | head -n 1; play -q /song.wav; mixer vol 0; mixer vol{REST}", sound=f"wav:{out}", add={"/song.wav": song(tmp_path, 0.3)}, leak_check=False)
    usage = "usage: mixer [vol|pcm [LEVEL[:RIGHT]]]"
    lines = result.out.splitlines()
    assert lines[:5] == ["vol 100:100", "pcm 100:100", "vol 70:30", "pcm 50:0", "pcm 50:0"] and lines.count(usage) == 5 and lines[-1] == "vol 0:0"
    left = [f[0] for f in recording(out)]
    while left and left[-1] == 0:
        left.pop()
    expected = [frame(k)[0] // 2 for k in range(round(0.3 * RATE))]
    assert left[next(i for i, value in enumerate(left) if value):] == expected[1:] and not any(f[1] for f in recording(out))


def test_absent(boot):
    out = boot("play /etc/hosts; echo $?; mixer; echo $?; cat /etc/hosts >/dev/dsp", leak_check=False, expect=1).out
    assert re.fullmatch("play: /dev/dsp: there is no sound card, or its driver does not work\n1\nmixer: /dev/mixer: there is no sound card\n1\n.*: can't create /dev/dsp: No such device\n", out), out


BAD = {
    "short": (b"RI", "it is no WAV file"),
    "text": (b"This is a text, and no sound at all.", "it is no WAV file"),
    "headless": (wav(RATE, 2, 16, b"")[:30], "the file ends before the sound begins"),
    "soundless": (b"RIFF\0\0\0\0WAVE" + b"junk\0\0\0\0" * 1000, "there is no sound in it"),
    "first": (b"RIFF\0\0\0\0WAVEdata\4\0\0\0abcd", "the sound comes before its format"),
    "odd": (b"RIFF\0\0\0\0WAVEfmt \4\0\0\0abcd", "its format is described in a way that is not known"),
    "huge": (b"RIFF\0\0\0\0WAVEfmt \xff\xff\xff\xff" + bytes(100), "its format is described in a way that is not known"),
    "float": (wav(RATE, 2, 16, b"abcd", tag=3), "it is compressed, or not of whole numbers: only PCM can be played"),
    "five": (wav(RATE, 5, 16, bytes(10)), "it is neither mono nor stereo"),
    "deep": (wav(RATE, 2, 24, bytes(6)), "its samples have neither 8 nor 16 bits"),
    "fast": (wav(96000, 2, 16, b"abcd"), "its rate is not between 4000 and 48000 Hz"),
    "still": (wav(0, 2, 16, b"abcd"), "its rate is not between 4000 and 48000 Hz"),
    "frames": (wav(RATE, 2, 16, b"abcd").replace(b"\4\0\x10\0", b"\3\0\x10\0"), "its frames are not of the size that channels and bits give"),
    "early": (wav(RATE, 2, 16, b"abcd" * 10 + b"x", size=400), "the file ends early: 40 of 400 bytes of sound are there"),
    "missing": (None, "No such file or directory"),
}
USAGE = """play: unrecognized option: x
usage: play [-q] [-d DEVICE] [-w SECONDS] FILE...
play: -w x: not a number of seconds up to 3600
play: -w 3601: not a number of seconds up to 3600
2
usage: play [-q] [-d DEVICE] [-w SECONDS] FILE...
"""


def test_bad_files(boot):
    """Each is refused in words, the next is played nevertheless, and the status is 1."""
    names = " ".join(f"/bad/{name}" for name in BAD)
    files = {f"/bad/{name}": content for name, (content, _) in BAD.items() if content is not None}
    out = boot(f"play -q {names}; echo $?; play -q /48; echo $?; play -q /stream; echo $?; play -q /bin; echo $?; for words in -x '' '-w x /48' '-w 3601 /48'; do play $words 2>&1 | head -n 1; done; play 2>/dev/null; echo $?; play --help | head -n 1", sound="none", leak_check=False,
               add=files | {"/48": wav(48000, 1, 8, b"abcd"), "/stream": wav(RATE, 1, 8, b"abcd", size=0xffffffff)}).out
    assert out == "".join(f"play: /bad/{name}: {why}\n" for name, (_, why) in BAD.items()) + "1\nplay: /48: is played at 48662 Hz in place of 48000\n0\n0\nplay: /bin: Is a directory\n1\n" + USAGE


def test_leaves_nothing(boot, tmp_path):
    """Forty programs that wait, none of which is turned away, killed ones, interrupted ones: the device is free afterwards, and nothing is held."""
    out = boot("exec 3>/dev/dsp; n=0; while [ $n -lt 40 ]; do head -c 3000 /dev/zero >&3 2>/tmp/errors.$n & n=$((n + 1)); done; usleep 200000; kill -9 $(pidof head) 2>/dev/null; wait; exec 3>&-; "
               "grep -h -c unavailable /tmp/errors.* | sort -u | tail -n 1; rm /tmp/errors.*; play -q /song.wav & usleep 300000; kill $!; wait $! 2>/dev/null; echo $?; play -q /song.wav & usleep 100000; kill -9 $!; wait $! 2>/dev/null; "
               "play -q /song.wav; echo $?", sound="none", add={"/song.wav": song(tmp_path, 0.6)}).out
    assert out.split() == ["0", "143", "0"]
