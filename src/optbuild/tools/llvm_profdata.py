"""Merge raw profiles and inspect merged ones: arguments out, printed text and file headers in.

Not for deciding what a profile proves, nor for treating a file that a merge complained about.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from os import fsencode
from pathlib import Path
from typing import Literal

from optbuild.errors import ProfileDataError

HEADER_BYTES = 16
"""How many bytes at the start of a file `read_profile_header` needs."""

_VERSION = re.compile(r"(?P<vendor>\S+ )?LLVM version (?P<version>(?P<major>\d+)\S*)")


@dataclass(frozen=True, slots=True, kw_only=True)
class LlvmVersion:
    """The LLVM that a tool belongs to.

    Attributes:
        version: As printed, such as `22.1.2-rust-1.95.0-stable`.
        major: None for Apple's tools, whose numbers are not LLVM's.
    """

    version: str
    major: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileSummary:
    """The contents of a merged profile.

    Attributes:
        functions: Functions with a record.
        functions_with_counts: Those of them with at least one counter above zero.
        total_count: The sum of all counters; LLVM lets it wrap around at 2**64.
        maximum_function_count: The largest entry counter.
        maximum_block_count: The largest other counter.
        blocks: The number of all counters.
        is_ir_level: Made by `-C profile-generate`, not by coverage instrumentation.
        hot_counts: The count of a block from which on blocks make up a share of all counts, by that share: `p95`.
    """

    functions: int
    functions_with_counts: int
    total_count: int
    maximum_function_count: int
    maximum_block_count: int
    blocks: int
    is_ir_level: bool
    hot_counts: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileHeader:
    """The information in the first bytes of a profile.

    Attributes:
        kind: An instrumented program writes raw profiles; a merge writes indexed ones.
        version: Of that format; raw and indexed ones count separately.
        is_ir_level: Made by `-C profile-generate`, not by coverage instrumentation.
    """

    kind: Literal["raw", "indexed"]
    version: int
    is_ir_level: bool


def version_argv(tool: Path) -> tuple[str, ...]:
    """The argv that makes the tool print its version; a plain `--version` is an error in LLVM 14."""
    return (str(tool), "merge", "--version")


def parse_version(text: str) -> LlvmVersion:
    """Read the version that a vendor's banner contains.

    Raises:
        ValueError: There is no LLVM version in it.
    """
    match = _VERSION.search(text)
    if match is None:
        raise ValueError("no LLVM version in its output")
    major = None if match["vendor"] == "Apple " else int(match["major"])
    return LlvmVersion(version=match["version"], major=major)


def make_input_list(weighted: Iterable[tuple[int, Path]]) -> bytes:
    """The content of a list file for `merge_argv`: a line with weight and path for each input.

    The weight is always written: without it, a path with a comma would be split at the comma.

    Args:
        weighted: Weights of at least 1, which multiply the counts of their file.

    Raises:
        ProfileDataError: A path contains a newline or ends with a space, which a list file cannot express.
    """
    lines = []
    for weight, path in weighted:
        name = str(path)
        if "\n" in name or name != name.rstrip():
            raise ProfileDataError(
                f"llvm-profdata cannot read a file with this name: {name!r}",
                help="move the project to a directory whose name has no line break and no space at the end",
                location=repr(name),
            )
        lines.append(b"%d,%s\n" % (weight, fsencode(name)))
    return b"".join(lines)


def merge_argv(tool: Path, *, inputs_file: Path, output: Path) -> tuple[str, ...]:
    """The argv that merges profiles into one; a single broken file fails it, for silence would hide lost counts.

    Args:
        tool: Of rustc's LLVM major.
        inputs_file: A file with the content of `make_input_list`; the command line would overflow with many raw files.
        output: The indexed profile to write.
    """
    return (str(tool), "merge", f"--input-files={inputs_file}", f"--output={output}", "--failure-mode=any")


def text_argv(tool: Path, profile: Path, output: Path) -> tuple[str, ...]:
    """The argv that writes a profile as text, which `merge_argv` also accepts as input."""
    return (str(tool), "merge", "--text", f"--output={output}", str(profile))


def show_argv(tool: Path, profile: Path) -> tuple[str, ...]:
    """The argv that prints what `parse_show` reads."""
    return (str(tool), "show", "--value-cutoff=1", "--detailed-summary", str(profile))


def functions_argv(tool: Path, profile: Path) -> tuple[str, ...]:
    """The argv that prints what `parse_function_line` reads."""
    return (str(tool), "show", "--all-functions", "--counts", str(profile))


_HOT_COUNT = re.compile(
    r"^\d+ blocks (?:\(\S+%\) )?with count >= (?P<count>\d+) account for (?P<percent>[\d.]+) ?(?:%|percentage) of",
    re.MULTILINE,
)
_FUNCTION_NAME = re.compile(r"  (\S.*):")
_BLOCK_COUNTS = re.compile(r"    Block counts: \[([\d, ]*)\]")


def parse_function_line(line: str) -> str | tuple[int, ...] | None:
    """Read one line: the name of a function, or the counters of the one named last; None for other lines.

    A profile of IR level prints all counters as those of blocks.
    """
    if match := _FUNCTION_NAME.fullmatch(line):
        return match[1]
    match = _BLOCK_COUNTS.fullmatch(line)
    return None if match is None else tuple(map(int, filter(None, match[1].split(", "))))


def parse_show(text: str) -> ProfileSummary:
    """Read the summary of a merged profile.

    Raises:
        ValueError: A number is missing.
    """
    return ProfileSummary(
        functions=_number(text, "Total functions"),
        functions_with_counts=_number(text, "Number of functions with maximum count (>= 1)"),
        total_count=_number(text, "Total count"),
        maximum_function_count=_number(text, "Maximum function count"),
        maximum_block_count=_number(text, "Maximum internal block count"),
        blocks=_number(text, "Total number of blocks"),
        is_ir_level=re.search(r"^Instrumentation level: IR\b", text, re.MULTILINE) is not None,
        hot_counts={f"p{match['percent']}": int(match["count"]) for match in _HOT_COUNT.finditer(text)},
    )


def _number(text: str, label: str) -> int:
    match = re.search(rf"^{re.escape(label)}: (\d+)$", text, re.MULTILINE)
    if match is None:
        raise ValueError(f"no `{label}` in the summary")
    return int(match[1])


# The magic numbers in little-endian byte order, which every target above tier 3 uses except s390x and some PowerPC and
# MIPS ones; those write them in reverse.
_MAGICS: tuple[tuple[bytes, Literal["raw", "indexed"]], ...] = (
    (b"\x81rforpl\xff", "raw"),  # 64-bit targets
    (b"\x81Rforpl\xff", "raw"),  # 32-bit targets
    (b"\xfflprofi\x81", "indexed"),
)
_IR_LEVEL = 1 << 56
_VERSION_MASK = 0xFFFFFFFF


def read_profile_header(data: bytes) -> ProfileHeader | None:
    """Recognise a profile by its first `HEADER_BYTES`; None if they do not belong to a profile.

    A merge silently skips an empty file, and silently mixes in coverage profiles: check first.

    Sources:
        LLVM, `InstrProfData.inc` (`INSTR_PROF_RAW_MAGIC_64`, `VARIANT_MASK_IR_PROF`, `GET_VERSION`) and
        `InstrProf.h` (`IndexedInstrProf::Magic`):
        https://github.com/llvm/llvm-project/blob/main/llvm/include/llvm/ProfileData/InstrProfData.inc
    """
    if len(data) < HEADER_BYTES:
        return None
    for magic, kind in _MAGICS:
        # An indexed profile is little-endian wherever it was merged.
        if data.startswith(magic):
            word = int.from_bytes(data[8:16], "little")
        elif kind == "raw" and data.startswith(magic[::-1]):
            word = int.from_bytes(data[8:16], "big")
        else:
            continue
        return ProfileHeader(kind=kind, version=word & _VERSION_MASK, is_ir_level=bool(word & _IR_LEVEL))
    return None


# The words that begin LLVM's own reasons; they show where a file name that contains ": " ends.
_REASONS = "|".join(
    re.escape(words)
    for words in (
        "unrecognized instrumentation profile encoding format",
        "invalid instrumentation profile data",
        "unsupported instrumentation profile format version",
        "raw profile version mismatch",
        "too much profile data",
        "truncated profile data",
        "malformed instrumentation profile data",
        "excessively large counter value suggests corrupted profile data",
        "function control flow change detected",
        "function basic block count change detected",
        "function bitmap size change detected",
        "function value site count change detected",
        "counter overflow",
        "failed to uncompress data",
        "profile uses zlib compression",
        "No such file or directory",
        "Permission denied",
    )
)
_COMPLAINT = re.compile(rf"(?:warning|error): (?P<file>.+?): (?P<reason>(?:{_REASONS}).*)")
# A function's name may begin with the path of its C source, spaces included; most have none.
_OF_A_FUNCTION = re.compile(rf"(?!warning: |error: )(?P<file>.+?): \S+: (?P<reason>(?:{_REASONS}).*)")
_OF_A_C_FUNCTION = re.compile(rf"(?!warning: |error: )(?P<file>.+?): .+: (?P<reason>(?:{_REASONS}).*)")
_UNKNOWN = re.compile(r"(?:warning|error): (?P<file>.+?): (?P<reason>.+)")


OVERSIZED_COUNTER = "excessively large counter value"
"""The start of LLVM's reason for a raw profile with an impossibly high counter."""
OVERFLOW = "counter overflow"
"""LLVM's reason for a sum that is cut off at the largest counter; the merge continues and succeeds."""


def failed_inputs(lines: Iterable[str]) -> tuple[tuple[str, str], ...]:
    """The files that a merge complained about, each with its reason, in order and without repetition.

    A complaint about one function, such as a counter overflow, counts for its file; the merge continues after it and
    may succeed.

    Args:
        lines: What it wrote to standard error: a line for each function at worst, so any iterable will do.

    Sources:
        LLVM, `llvm-profdata.cpp` (`warn`, `exitWithError`, `handleMergeWriterError`) and `InstrProf.cpp`
        (`getInstrProfErrString`): https://github.com/llvm/llvm-project/tree/main/llvm
    """
    found: dict[tuple[str, str], None] = {}
    for line in lines:
        forms = (_COMPLAINT, _OF_A_FUNCTION, _OF_A_C_FUNCTION, _UNKNOWN)
        match = next(filter(None, (form.fullmatch(line.rstrip("\n")) for form in forms)), None)
        if match is not None:
            found[match["file"], match["reason"]] = None
    return tuple(found)
