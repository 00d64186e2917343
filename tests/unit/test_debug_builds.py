from __future__ import annotations

import struct
from pathlib import Path

import pytest

from optbuild.errors import UsageError
from optbuild.profile.model import ProjectSettings
from optbuild.profile.variants import Variant
from optbuild.project.model import CargoProfiles
from optbuild.session.debug_builds import require_optimised, require_optimised_file
from optbuild.testing import make_build_profile, make_project
from optbuild.tools.debug_marks import find_debug_marks

ASSERTION = b"unsafe precondition(s) violated: ptr::read requires"
OVERFLOW = b"attempt to add with overflow"
_NAMES = b"\0.text\0.shstrtab\0"


def make_elf(code: bytes, rest: bytes = b"", machine: int = 62) -> bytes:
    """A program that has only code, for x86-64 unless told otherwise."""
    header_size, section_size = 64, 64
    names_at = header_size + len(code)
    sections_at = names_at + len(_NAMES)
    header = b"\x7fELF" + bytes([2, 1, 1]) + bytes(9)
    header += struct.pack("<HHIQQQIHHHHHH", 2, machine, 1, 0, 0, sections_at, 0, 64, 56, 0, section_size, 3, 2)

    def section(name: int, kind: int, offset: int, size: int) -> bytes:
        return struct.pack("<IIQQQQIIQQ", name, kind, 0, 0, offset, size, 0, 0, 1, 0)

    table = bytes(64) + section(1, 1, header_size, len(code)) + section(7, 3, names_at, len(_NAMES))
    return header + code + _NAMES + table + rest


OPTIMISED = make_elf(b"\x90" * 8192 + b"\xeb\x00")
UNOPTIMISED = b"\x90\x90\xeb\x00" * 2048


def test_jumps_to_the_next_instruction_are_a_sign() -> None:
    """An optimised program has those bytes by chance only, one in many thousands."""
    assert not find_debug_marks(OPTIMISED).is_debug_build
    assert find_debug_marks(make_elf(UNOPTIMISED)).seen == ("code as with opt-level = 0",)
    assert not find_debug_marks(make_elf(UNOPTIMISED, machine=183)).is_debug_build


def test_overflow_checks_alone_are_what_some_projects_ship() -> None:
    """Debug assertions are not, and both together are Cargo's profile `dev`, optimised or not."""
    assert not find_debug_marks(OPTIMISED + OVERFLOW).is_debug_build
    marks = find_debug_marks(OPTIMISED + OVERFLOW + ASSERTION)
    assert marks.is_debug_build
    assert marks.seen == ("debug assertions", "overflow checks")


def test_what_is_left_behind_without_optimisation_is_no_assertion() -> None:
    """Checks that are switched off stay in code that nobody optimises."""
    assert find_debug_marks(make_elf(UNOPTIMISED, ASSERTION * 2)).seen == ("code as with opt-level = 0",)
    assert "debug assertions" in find_debug_marks(make_elf(UNOPTIMISED, ASSERTION * 9)).seen


@pytest.mark.parametrize("data", [b"", b"#!/bin/sh\n", b"\x7fELF", OPTIMISED[:100], OPTIMISED[:-10]])
def test_what_is_no_program_shows_nothing(data: bytes) -> None:
    """A script that starts one may be measured; a damaged file is found out when it runs."""
    assert not find_debug_marks(data).is_debug_build


def test_a_file_is_refused_with_what_was_seen(tmp_path: Path) -> None:
    """And with the option that measures it nevertheless."""
    path = tmp_path / "demo"
    path.write_bytes(make_elf(UNOPTIMISED, OVERFLOW))
    with pytest.raises(UsageError, match="new looks like a debug build") as caught:
        require_optimised_file(path, "new")
    assert "code as with opt-level = 0, overflow checks" in caught.value.message
    assert "--allow-debug" in caught.value.help
    path.write_bytes(OPTIMISED)
    require_optimised_file(path, "new")
    require_optimised_file(tmp_path / "missing", "new")


def refuse(variant: Variant, profile: str = "release", **tables: object) -> str:
    """What is said of a variant; nothing if it may be measured."""
    build_profile = make_build_profile(variant, project=ProjectSettings(cargo_profile=profile))
    project = make_project(cargo_profiles=CargoProfiles(tables=({}, tables), environ={}))
    try:
        require_optimised(build_profile, [variant.name], project)
    except UsageError as error:
        return error.message.partition("gives ")[2]
    return ""


def test_a_cargo_profile_without_optimisation_is_refused() -> None:
    """As Cargo's profile has it; a variant that sets its own level does so on purpose."""
    assert refuse(Variant(name="a")) == ""
    assert refuse(Variant(name="a"), "dev") == "opt-level = 0, debug assertions, overflow checks"
    assert refuse(Variant(name="a", opt_level=3), "dev") == "debug assertions, overflow checks"
    assert refuse(Variant(name="a", opt_level=0)) == "", "on purpose"
    assert refuse(Variant(name="a", rustflags=("-Copt-level=0",))) == "", "on purpose"
    assert refuse(Variant(name="a"), release={"opt-level": 0}) == "opt-level = 0"
    assert refuse(Variant(name="a", rustflags=("-C", "debug-assertions=off", "-Copt-level=2")), "dev") == ""
    assert refuse(Variant(name="a", overflow_checks=True)) == ""
    assert refuse(Variant(name="a"), release={"debug-assertions": True}) == ""
    assert refuse(Variant(name="a"), release={"debug-assertions": True, "opt-level": 0}) == (
        "opt-level = 0, debug assertions"
    )
    assert refuse(Variant(name="a", opt_level="s"), release={"opt-level": 0}) == ""
