# SPDX-License-Identifier: BSD-2-Clause
"""Faults in a service's program, made from a seed: what tools/inject and tools/campaign share.

A fault is a command of tests/inject/inject.c, or for a static fault the same bytes in the program's file. Number N of a seed is the same fault
whatever the others are, as long as the program is the same.
"""
import random
import re
import struct
import subprocess
from dataclasses import dataclass

import capstone
from capstone import x86

import qemu

QUEUE = 0x720000000000  # QUEUE_WINDOW, QUEUE_CHIP_OFFSET of abi/
CHIP = 0x8000
REGISTERS = ["r15", "r14", "r13", "r12", "rbp", "rbx", "r11", "r10", "r9", "r8", "rax", "rcx", "rdx", "rsi", "rdi"]  # struct registers
RIP, RSP = 17, 20
NUMBERS = {name: number for number, name in enumerate(REGISTERS)} | {"rip": RIP, "rsp": RSP}
ARGUMENTS = {"rdi", "edi", "rsi", "esi", "rdx", "edx", "rcx", "ecx", "r8", "r8d", "r9", "r9d"}
# What a driver runs once, or never: seldom picked, since a fault that is not reached says nothing.
RARE = ("adopt", "reset", "open", "start", "main", "panic", "log_", "printf", "put_", "ds_call", "service_", "probe", "exit", "_init", "_fini", "identify")
KINDS = {  # how often each is made
    "bit": 20, "nop": 12, "register operand": 12, "address operand": 10, "branch": 10, "bound": 8, "argument": 6, "result": 6,
    "register": 8, "stack": 6, "data": 6, "ring": 8,
}


@dataclass
class Fault:
    number: int
    kind: str
    where: str  # for people: function + offset, and what is done there
    trap: int
    action: str  # text, register, stack, data
    place: int
    value: str  # bytes in hexadecimal, or the number of a bit
    file_offset: int = -1  # text: where it is in the file

    def command(self, service):
        return f"{service} {self.trap:#x} {self.action} {self.place:#x} {self.value}"

    def image_command(self, service, archive_offset):
        """In the program itself, of which every copy is made; archive_offset: where the boot archive has the file."""
        return f"{service} 0 image {self.place:#x} {self.value} {archive_offset + self.file_offset:#x}"

    def is_static(self):
        return self.action == "text"


class Program:
    """A service's program, decoded: build/services/NAME.debug."""

    def __init__(self, service):
        self.service = service
        path = qemu.build_folder() / f"services/{service}.debug"
        self.image = path.read_bytes()
        self.segments = self.read_segments()
        symbols = self.read_symbols(path)
        decoder = capstone.Cs(capstone.CS_ARCH_X86, capstone.CS_MODE_64)
        decoder.detail = True
        self.functions = {}
        for name, address, size in symbols["text"]:
            offset = self.offset(address)
            instructions = list(decoder.disasm(self.image[offset:offset + size], address))
            if instructions:
                self.functions[name] = [one for one in instructions if one.mnemonic != "nop"]  # those are never run
        self.data = symbols["data"]
        self.common = [name for name in self.functions if not any(word in name for word in RARE)] or list(self.functions)
        self.all = list(self.functions)

    def read_segments(self):
        at, size, count = struct.unpack_from("<Q", self.image, 32)[0], *struct.unpack_from("<HH", self.image, 54)
        rows = [struct.unpack_from("<IIQQQQ", self.image, at + i * size) for i in range(count)]
        return [(address, offset, length) for kind, _, offset, address, _, length in rows if kind == 1]

    def offset(self, address):
        for start, offset, length in self.segments:
            if start <= address < start + length:
                return address - start + offset
        raise ValueError(f"{address:#x} is not in the file")

    @staticmethod
    def read_symbols(path):
        """The project's own functions and variables; those of the C library come after them."""
        rows = [line.split() for line in subprocess.run(["nm", "-S", "-n", path], capture_output=True, text=True, check=True).stdout.splitlines()]
        rows = [(row[3], int(row[0], 16), int(row[1], 16), row[2]) for row in rows if len(row) == 4]
        end = min([address for name, address, _, _ in rows if name in ("__udivti3", "__init_libc", "__libc_start_main")])
        text = [row[:3] for row in rows if row[3] in "tT" and row[1] < end and not row[0].startswith(("_", "exit", "main"))]
        data = [row[:3] for row in rows if row[3] in "bBdD" and not row[0].startswith(("__", "program_", "main_tls", "builtin_tls", "_env", "environ", "completed."))]
        return {"text": text, "data": data}


def pick(chance, program, suits):
    """An instruction of the kind that is wanted: (function, index)."""
    for _ in range(300):
        name = chance.choice(program.common if chance.random() < 0.93 else program.all)
        at = chance.randrange(len(program.functions[name]))
        if suits(program.functions[name], at):
            return name, at
    return None


def put(instruction, offset, value):
    changed = bytearray(instruction.bytes)
    changed[offset] = value
    return bytes(changed)


NOPS = {1: "90", 2: "6690", 3: "0f1f00", 4: "0f1f4000", 5: "0f1f440000", 6: "660f1f440000", 7: "0f1f8000000000", 8: "0f1f840000000000"}


def nops(length):
    out = ""
    while length:
        step = min(length, 8)
        out += NOPS[step]
        length -= step
    return bytes.fromhex(out)


def flip_bit(chance, instruction):
    at = chance.randrange(8 * instruction.size)
    return put(instruction, at // 8, instruction.bytes[at // 8] ^ 1 << at % 8)


def change_register(chance, instruction):
    return put(instruction, instruction.modrm_offset, instruction.bytes[instruction.modrm_offset] ^ chance.randrange(1, 8) << chance.choice([0, 3]))


def change_address(chance, instruction):
    if instruction.disp_offset and chance.randrange(3):
        return put(instruction, instruction.disp_offset, (instruction.bytes[instruction.disp_offset] + chance.choice([1, 2, 4, 8, -1, -4, -8, 64])) & 255)
    return put(instruction, instruction.modrm_offset, instruction.bytes[instruction.modrm_offset] ^ chance.randrange(1, 8))


def invert_branch(chance, instruction):
    at = 1 if instruction.bytes[0] == 0x0f else 0
    return put(instruction, at, instruction.bytes[at] ^ 1)


def change_bound(chance, instruction):
    at = instruction.imm_offset
    return put(instruction, at, (instruction.bytes[at] + chance.choice([1, -1, 2, 16, 128])) & 255)


def has_memory(instruction):
    return any(operand.type == x86.X86_OP_MEM for operand in instruction.operands)


def is_branch(instruction):
    return instruction.mnemonic.startswith("j") and instruction.mnemonic != "jmp"


def is_argument(function, at):
    """Sets a register that the call which follows takes as argument."""
    instruction = function[at]
    if instruction.mnemonic not in ("mov", "lea", "xor") or instruction.op_str.split(",")[0] not in ARGUMENTS:
        return False
    return any(later.mnemonic in ("call", "syscall", "jmp") for later in function[at + 1:at + 9])


def is_result(function, at):
    return function[at].mnemonic == "ret" or (function[at].op_str.split(",")[0] in ("eax", "rax", "al") and any(later.mnemonic == "ret" for later in function[at + 1:at + 6]))


TEXT = {  # kind: which instruction, and its new bytes
    "bit": (lambda f, i: True, flip_bit),
    "nop": (lambda f, i: f[i].mnemonic != "nop", lambda chance, instruction: nops(instruction.size)),
    "register operand": (lambda f, i: f[i].modrm_offset, change_register),
    "address operand": (lambda f, i: f[i].modrm_offset and has_memory(f[i]), change_address),
    "branch": (lambda f, i: is_branch(f[i]), invert_branch),
    "bound": (lambda f, i: f[i].imm_offset and f[i].mnemonic in ("cmp", "add", "sub", "and", "test", "mov", "shr", "shl"), change_bound),
    "argument": (is_argument, lambda chance, instruction: nops(instruction.size)),
    "result": (is_result, None),
}


def text_fault(chance, program, number, kind):
    suits, change = TEXT[kind]
    found = pick(chance, program, suits)
    if not found:
        return text_fault(chance, program, number, "bit")
    name, at = found
    instruction = program.functions[name][at]
    here = f"{name}+{instruction.address - program.functions[name][0].address:#x}: {instruction.mnemonic} {instruction.op_str}"
    if kind == "result" and instruction.mnemonic == "ret":
        bit = chance.choice([0, 1, 2, 7, 8, 31])
        return Fault(number, kind, f"{here}: bit {bit} of rax", instruction.address, "register", NUMBERS["rax"], str(bit))
    changed = change(chance, instruction) if change else nops(instruction.size)
    decoded = next(capstone.Cs(capstone.CS_ARCH_X86, capstone.CS_MODE_64).disasm(changed, instruction.address), None)
    after = f"{decoded.mnemonic} {decoded.op_str}".strip() if decoded else "(no instruction)"
    return Fault(number, kind, f"{here} -> {after}", instruction.address, "text", instruction.address, changed.hex(), program.offset(instruction.address))


def other_fault(chance, program, number, kind):
    if kind == "ring":
        at = chance.randrange(0x2400) if chance.randrange(2) else CHIP + chance.randrange(0x2000)
        return Fault(number, kind, f"queue+{at:#x}", 0, "data", QUEUE + at, str(chance.randrange(8)))
    if kind == "data":
        name, address, size = chance.choice(program.data)
        at = address + chance.randrange(max(size, 1))
        bit = chance.randrange(8)
        return Fault(number, kind, f"{name}+{at - address:#x}: bit {bit}", 0, "data", at, str(bit))
    name, at = pick(chance, program, lambda f, i: True)
    instruction = program.functions[name][at]
    here = f"{name}+{instruction.address - program.functions[name][0].address:#x}: {instruction.mnemonic} {instruction.op_str}"
    if kind == "stack":
        offset = chance.randrange(0x100)
        return Fault(number, kind, f"{here}: rsp+{offset:#x}", instruction.address, "stack", offset, str(chance.randrange(8)))
    register = chance.choice(REGISTERS * 2 + ["rip", "rsp"])
    bit = chance.choice([chance.randrange(64), chance.randrange(16)])
    return Fault(number, kind, f"{here}: bit {bit} of {register}", instruction.address, "register", NUMBERS[register], str(bit))


def make(program, seed, number):
    chance = random.Random(f"{program.service}/{seed}/{number}")
    kind = chance.choices(list(KINDS), list(KINDS.values()))[0]
    return text_fault(chance, program, number, kind) if kind in TEXT else other_fault(chance, program, number, kind)


def plain(text):
    """An instruction without what depends on where it is: targets of branches, distances to data."""
    return re.sub(r"(?<=rip [+-] )0x[0-9a-f]+|\b0x[4-9a-f][0-9a-f]{5}\b", "X", text).strip()


def becomes(instruction, changed, wanted):
    """Do these bytes in its place read as wanted, and a branch goes where it went?"""
    decoded = next(capstone.Cs(capstone.CS_ARCH_X86, capstone.CS_MODE_64).disasm(changed, instruction.address), None)
    if not decoded or changed == bytes(instruction.bytes) or decoded.size != instruction.size:
        return False
    return plain(f"{decoded.mnemonic} {decoded.op_str}") == plain(wanted) and (not is_branch(decoded) or decoded.op_str == instruction.op_str)


def alike(program, where):
    """Instructions of a function as a text names them ("FUNCTION+0x1f: OLD"), in a program that may have changed since: the nearest to that place first."""
    name, offset, old = re.fullmatch(r"(\w+)\+(0x[0-9a-f]+): (.*)", where).groups()
    function = program.functions[name]
    found = [one for one in function if plain(f"{one.mnemonic} {one.op_str}") == plain(old)]
    return sorted(found, key=lambda one: abs(one.address - function[0].address - int(offset, 16)))


def like(program, number, where):
    """A fault as it was once reported: "FUNCTION+0x1f: OLD -> NEW", or "FUNCTION+0x1f: OLD: bit 3 of rbx", or "VARIABLE+0x1f: bit 3"."""
    datum = re.fullmatch(r"(\w+)(?:\.\d+)?\+(0x[0-9a-f]+): bit (\d+)", where)
    if datum:
        address = next((address for name, address, _ in program.data if name.partition(".")[0] == datum[1]), None)
        if address is None:
            raise SystemExit(f"{program.service} has no such variable any more: {where}")
        return Fault(number, "like", where, 0, "data", address + int(datum[2], 16), datum[3])
    register = re.fullmatch(r"(.*): bit (\d+) of (\w+)", where)
    place, _, new = (register[1], "", "") if register else where.partition(" -> ")
    for one in alike(program, place):
        if register:
            return Fault(number, "like", where, one.address, "register", NUMBERS[register[3]], register[2])
        for changed in (nops(one.size), *(put(one, at, value) for at in range(one.size) for value in range(256))):
            if becomes(one, changed, new):
                return Fault(number, "like", where, one.address, "text", one.address, changed.hex(), program.offset(one.address))
    raise SystemExit(f"{program.service} has no such instruction any more: {where}")
