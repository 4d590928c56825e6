# SPDX-License-Identifier: BSD-2-Clause
"""cpio (newc) archives, reproducible: sorted, no times, owner root, inode numbers in order."""
import os
import stat
from pathlib import Path

DIRECTORIES = {  # those that no file brings with it, or with a mode of their own
    "bin": 0o755, "sbin": 0o755, "dev": 0o755, "proc": 0o555, "tmp": 0o1777, "root": 0o700, "mnt": 0o755,
    "home": 0o755, "usr": 0o755, "var": 0o755, "var/run": 0o755, "var/log": 0o755, "var/mail": 0o1777, "var/spool": 0o755,
    "etc": 0o755, "etc/bardo": 0o755, "etc/bardo/policy": 0o755, "lib": 0o755, "lib/bardo": 0o755,
}


class Archive:
    """Entries by path; a later one replaces an earlier one; parents are made."""

    def __init__(self):
        self.entries = {}

    def add(self, path, mode, data=b""):
        path = path.strip("/")
        for parent in Path(path).parents:
            name = str(parent)
            if name != "." and name not in self.entries:
                self.entries[name] = (stat.S_IFDIR | DIRECTORIES.get(name, 0o755), b"")
        self.entries[path] = (mode, data)

    def add_file(self, path, source, mode=None):
        source = Path(source)
        if mode is None:
            mode = 0o755 if os.access(source, os.X_OK) else 0o644
        self.add(path, stat.S_IFREG | mode, source.read_bytes())

    def add_link(self, path, target):
        self.add(path, stat.S_IFLNK | 0o777, target.encode())

    def add_tree(self, source):
        for file in sorted(Path(source).rglob("*")):
            path = str(file.relative_to(source))
            if file.is_symlink():
                self.add_link(path, os.readlink(file))
            elif file.is_file():
                self.add_file(path, file)

    def bytes(self):
        out = bytearray()
        for number, path in enumerate(sorted(self.entries), 1):
            mode, data = self.entries[path]
            append_entry(out, number, path, mode, data)
        append_entry(out, 0, "TRAILER!!!", 0, b"")
        out += bytes(-len(out) % 512)
        return bytes(out)


def append_entry(out, number, path, mode, data):
    name = path.encode() + b"\0"
    links = 2 if stat.S_ISDIR(mode) else 1
    fields = [number, mode, 0, 0, links, 0, len(data), 0, 0, 0, 0, len(name), 0]
    out += b"070701" + b"".join(b"%08X" % field for field in fields) + name
    out += bytes(-len(out) % 4) + data
    out += bytes(-len(out) % 4)
