"""Signs in a program's file that it was built without optimisation, or to be instrumented; nothing of it is run.

rustc writes its flags nowhere, so only their traces are left:

- Debug assertions compile in the checks of unsafe preconditions, each with its message. Without them no such message is
  in a program, because the standard library of rustup is built without.
- Overflow checks bring the messages of arithmetic that overflows. They may be on in a release build on purpose.
- Without optimisation LLVM ends blocks with a jump to the next instruction (`eb 00` on x86-64). An optimised program
  has these two bytes only by chance, within other instructions.

Not found are debug builds of programs that consist almost only of the standard library, such as one that prints a line.
The record of decision 0025 has the figures of real programs.
"""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass
from typing import Any, Final

from elftools.common.exceptions import ELFError
from elftools.construct import ConstructError
from elftools.elf.elffile import ELFFile

from optbuild.tools.elf import find_instrumented_sections

_ASSERTION: Final = b"unsafe precondition(s) violated"
_LEFT_BEHIND: Final = 4
_OVERFLOW: Final = (
    b"attempt to add with overflow",
    b"attempt to subtract with overflow",
    b"attempt to multiply with overflow",
)
_X86_64: Final = "EM_X86_64"
_JUMP_TO_NEXT: Final = b"\xeb\x00"
_MOST_JUMPS_PER_KIB: Final = 0.3
_KIB: Final = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class DebugMarks:
    """What a program's file shows of how it was built.

    Attributes:
        unoptimised: Its code is not optimised; False also where that cannot be seen.
        debug_assertions: It has the messages of debug assertions.
        overflow_checks: It has the messages of arithmetic that overflows.
        instrumented: The sections that only an instrumented program has.
    """

    unoptimised: bool
    debug_assertions: bool
    overflow_checks: bool
    instrumented: tuple[str, ...] = ()

    @property
    def is_debug_build(self) -> bool:
        """Whether it is one: overflow checks alone are what some projects ship."""
        return self.unoptimised or self.debug_assertions

    @property
    def seen(self) -> tuple[str, ...]:
        """What was seen, for people."""
        return (
            *["code as with opt-level = 0"] * self.unoptimised,
            *["debug assertions"] * self.debug_assertions,
            *["overflow checks"] * self.overflow_checks,
        )


def find_debug_marks(data: bytes) -> DebugMarks:
    """Look at a program's file; one of a form that is not known shows nothing."""
    try:
        instrumented = find_instrumented_sections(data)
    except ValueError:  # cut short: whoever runs it will see
        instrumented = ()
    unoptimised = _is_unoptimised(data)
    return DebugMarks(
        unoptimised=unoptimised,
        # Without optimisation, a few checks that are switched off stay in the code.
        debug_assertions=data.count(_ASSERTION) > (_LEFT_BEHIND if unoptimised else 0),
        overflow_checks=any(message in data for message in _OVERFLOW),
        instrumented=instrumented,
    )


def _is_unoptimised(data: bytes) -> bool:
    code = _read_code(data)
    return bool(code) and code.count(_JUMP_TO_NEXT) * _KIB / len(code) > _MOST_JUMPS_PER_KIB


def _read_code(data: bytes) -> bytes:
    """The code of an ELF program for x86-64; nothing for another one."""
    try:
        elf: Any = ELFFile(io.BytesIO(data))
        section = elf.get_section_by_name(".text") if elf["e_machine"] == _X86_64 else None
        return b"" if section is None else section.data()
    except (ELFError, ConstructError, struct.error, AttributeError, KeyError, IndexError, TypeError):
        return b""  # as in `elf`: what is broken reaches pyelftools in many places
