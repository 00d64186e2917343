"""Judge a shipped program by the record of the run that is said to have made it: pure, nothing is run.

Sources:
    x86-64 psABI, "Micro-architecture levels": https://gitlab.com/x86-psABIs/x86-64-ABI; under the names that rustc has
    for these features
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from optbuild.record.model import RunRecord
from optbuild.record.variants import ArtifactRecord, VariantRecord
from optbuild.record.verification import CheckVerdict, VerifiedCheck
from optbuild.tools.elf import ElfFacts, Relro
from optbuild.units import format_percent

_LEVELS: Final[tuple[tuple[str, ...], ...]] = (
    ("fxsr", "sse", "sse2"),
    ("cmpxchg16b", "lahfsahf", "popcnt", "sse3", "sse4.1", "sse4.2", "ssse3"),
    ("avx", "avx2", "bmi1", "bmi2", "f16c", "fma", "lzcnt", "movbe", "xsave"),
    ("avx512bw", "avx512cd", "avx512dq", "avx512f", "avx512vl"),
)
_LEVEL_NAMES = {"x86-64": 1, "x86-64-v2": 2, "x86-64-v3": 3, "x86-64-v4": 4}
_MACHINES: Final = {
    "x86_64": "EM_X86_64",
    "aarch64": "EM_AARCH64",
    "i686": "EM_386",
    "i586": "EM_386",
    "armv7": "EM_ARM",
    "arm": "EM_ARM",
    "riscv64gc": "EM_RISCV",
    "powerpc64le": "EM_PPC64",
    "powerpc64": "EM_PPC64",
    "s390x": "EM_S390",
    "loongarch64": "EM_LOONGARCH",
}
_NOT_OPTIMISED: Final = frozenset({"0", "1"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ShippedProgram:
    """A program that somebody is to get.

    Attributes:
        bin: Its name in the record, as far as it is known.
        sha256: Of its bytes.
        elf: What it says of itself; None for another format.
        instrumentation: Sections and symbols that only an instrumented program has.
        plain: What the plain build of the record says of itself; None where that is not here.
    """

    bin: str | None
    sha256: str
    elf: ElfFacts | None
    instrumentation: tuple[str, ...]
    plain: ElfFacts | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """The variant that a program is, and its name there."""

    variant: VariantRecord
    artifact: ArtifactRecord


def find_origin(record: RunRecord, sha256: str, bin_name: str | None) -> Origin | None:
    """The artifact of a record that a program is: rather not the plain build's, if two are the same."""
    found = [
        Origin(variant=variant, artifact=artifact)
        for variant in record.variants
        for artifact in variant.artifacts
        if artifact.sha256 == sha256 and bin_name in {None, artifact.bin}
    ]
    return min(found, key=lambda origin: origin.variant.baseline, default=None)


def find_plain(record: RunRecord, bin_name: str | None) -> ArtifactRecord | None:
    """The plain build of a program; None if it is not known which."""
    artifacts = () if record.baseline is None else record.baseline.artifacts
    found = [artifact for artifact in artifacts if bin_name in {None, artifact.bin}]
    return found[0] if len(found) == 1 else None


def judge_program(program: ShippedProgram, record: RunRecord) -> tuple[VerifiedCheck, ...]:
    """Look at everything that a shipped program has to be."""
    origin = find_origin(record, program.sha256, program.bin)
    return (
        _in_record(program, record, origin),
        _optimised(record, origin),
        _not_instrumented(program),
        _differs(program, record, origin),
        *_hardening(program),
        _machine(program, record),
        _cpu(program, record, origin),
    )


def _check(name: str, passed: bool | None, figure: str, remedy: str = "") -> VerifiedCheck:  # noqa: FBT001 - private
    verdict = CheckVerdict.NOT_CHECKED if passed is None else CheckVerdict.PASS if passed else CheckVerdict.FAIL
    return VerifiedCheck(name=name, verdict=verdict, figure=figure, help=remedy if passed is False else "")


def _in_record(program: ShippedProgram, record: RunRecord, origin: Origin | None) -> VerifiedCheck:
    if origin is not None:
        return _check("in the record", True, f"{origin.variant.name}/{origin.artifact.bin} of run {record.run_id}")
    remedy = (
        "ship the file that the run has left, byte for byte: let cargo strip it (strip = true in the variant), and let "
        "nothing build or rewrite it afterwards"
    )
    return _check("in the record", False, f"sha256 {program.sha256[:16]}… is none of run {record.run_id}", remedy)


def _optimised(record: RunRecord, origin: Origin | None) -> VerifiedCheck:
    name = "optimised"
    if origin is None:
        return _check(name, None, "the program is not in the record")
    variant, settings = origin.variant, _settings(record, origin.variant)
    if variant.baseline:
        return _check(name, False, f"{variant.name} is the plain build", "ship another variant")
    level = str(settings.get("opt-level", ""))
    if level in _NOT_OPTIMISED:
        return _check(name, False, f"opt-level = {level}", "set opt-level = 3 in the variant")
    pgo = variant.pgo_by_bin.get(origin.artifact.bin, variant.pgo)
    if pgo is not None and pgo.applied:
        share = "" if pgo.matched_ratio is None else f", {format_percent(pgo.matched_ratio).lstrip('+')} matched"
        return _check(name, True, f"PGO was applied: {pgo.functions_with_counts:,} functions with counts{share}")
    if settings.get("pgo", "off") == "required" or pgo is not None:
        return _check(name, False, "PGO was not applied", "optbuild report --evidence")
    words = [
        f"{key} = {settings[key]}" for key in ("opt-level", "lto", "codegen-units", "target-cpu") if key in settings
    ]
    return _check(name, True, f"without PGO: {', '.join(words) or 'settings of its own'}")


def _settings(record: RunRecord, variant: VariantRecord) -> Mapping[str, Any]:
    name = record.arms[0].variant if record.arms else variant.name
    variants = (record.build_profile or {}).get("variants", {})
    found = variants.get(name, {}) if isinstance(variants, Mapping) else {}
    return found if isinstance(found, Mapping) else {}


def _not_instrumented(program: ShippedProgram) -> VerifiedCheck:
    if program.instrumentation:
        remedy = "ship the optimised program; an instrumented one is slow and writes .profraw files where it runs"
        return _check("not instrumented", False, f"it has {', '.join(program.instrumentation[:3])}", remedy)
    return _check("not instrumented", True, "no section or symbol that counts")


def _differs(program: ShippedProgram, record: RunRecord, origin: Origin | None) -> VerifiedCheck:
    name = "differs from the plain build"
    plain = find_plain(record, program.bin if origin is None else origin.artifact.bin)
    if plain is None or record.baseline is None:
        return _check(name, None, "the record has no plain build of this program")
    if plain.sha256 != program.sha256:
        return _check(name, True, f"{record.baseline.name} is {plain.sha256[:16]}…")
    remedy = "ship the binary of another variant: something may have built over it with plain `cargo build`"
    return _check(name, False, f"it is the same as {record.baseline.name}, byte for byte", remedy)


def _hardening(program: ShippedProgram) -> Iterator[VerifiedCheck]:
    elf, plain = program.elf, program.plain
    if elf is None:
        yield from (_check(name, None, "only ELF programs are looked at") for name in ("RELRO", "NX", "PIE"))
        return
    without = ", as the plain build"
    relro_kept = elf.relro is Relro.FULL or (plain is not None and plain.relro is elf.relro)
    yield _check(
        "RELRO",
        relro_kept,
        elf.relro.value + without * (relro_kept and elf.relro is not Relro.FULL),
        "link with -Clink-arg=-Wl,-z,relro,-z,now, and see what rewrote the program after the link",
    )
    nx_kept = not elf.executable_stack or (plain is not None and plain.executable_stack)
    yield _check(
        "NX",
        nx_kept,
        "the stack holds no code" if not elf.executable_stack else f"the stack may hold code{without * nx_kept}",
        "link with -Clink-arg=-Wl,-z,noexecstack; an assembler file without .note.GNU-stack causes this",
    )
    pie_kept = elf.position_independent or (plain is not None and not plain.position_independent)
    yield _check(
        "PIE",
        pie_kept,
        "position independent" if elf.position_independent else f"at a fixed address{without * pie_kept}",
        "leave out -Crelocation-model=static and -no-pie",
    )


def _machine(program: ShippedProgram, record: RunRecord) -> VerifiedCheck:
    target = None if record.toolchain is None else record.toolchain.target
    expected = None if target is None else _MACHINES.get(target.partition("-")[0])
    if program.elf is None or expected is None:
        reason = "only ELF programs are looked at" if program.elf is None else f"target {target}"
        return _check("machine", None, reason)
    figure = f"{program.elf.machine}, target {target}"
    return _check("machine", program.elf.machine == expected, figure, "ship the program of the target that it is for")


def _cpu(program: ShippedProgram, record: RunRecord, origin: Origin | None) -> VerifiedCheck:
    """Compare what a program needs of a CPU with the level that its variant names; its code is not looked through."""
    name = "CPU level"
    if origin is None:
        return _check(name, None, "the program is not in the record")
    claimed = str(_settings(record, origin.variant).get("target-cpu", "")) or None
    needs = origin.variant.cpu_features
    marker = None if program.elf is None else program.elf.isa_level
    if needs is None:
        return _check(name, None, "the record does not say which features its code needs")
    if claimed is not None and claimed not in _LEVEL_NAMES:
        return _check(
            name, None, f"target-cpu {claimed} is not a level; its code needs {', '.join(needs) or 'no more'}"
        )
    if claimed is None and record.toolchain is not None and not record.toolchain.target.startswith("x86_64"):
        figure = f"its code needs {', '.join(needs)}" if needs else "any CPU of the target"
        return _check(name, None if needs else True, figure)
    return _cpu_of_level(name, claimed, needs, marker)


def _cpu_of_level(name: str, claimed: str | None, needs: tuple[str, ...], marker: int | None) -> VerifiedCheck:
    level = 1 if claimed is None else _LEVEL_NAMES[claimed]
    has = {feature for features in _LEVELS[:level] for feature in features}
    said = claimed or "any CPU of the target"
    if beyond := sorted(set(needs) - has):
        remedy = "name in target-cpu what the program needs, or leave out -Ctarget-feature in rustflags"
        return _check(name, False, f"{said} is claimed, and its code needs {', '.join(beyond)}", remedy)
    if marker is not None and marker > level:
        remedy = "see which library that is linked in is compiled for a newer CPU"
        return _check(name, False, f"{said} is claimed, and its ISA marker demands x86-64-v{marker}", remedy)
    marked = "no ISA marker" if marker is None else f"ISA marker x86-64-v{marker}"
    return _check(name, True, f"{said}, {marked}")
