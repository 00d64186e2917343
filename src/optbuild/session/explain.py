"""`optbuild explain VARIANT`: build it and another one as a run does, and compare their functions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from optbuild import __version__
from optbuild.errors import UsageError
from optbuild.events import Level, Notice
from optbuild.explain.compare import ProfileCounts, explain_program
from optbuild.explain.functions import group_counts
from optbuild.files import storage_error
from optbuild.plan.planner import baseline_name, check_variants
from optbuild.portable.profile_records import parse_record
from optbuild.profile.model import BuildProfile
from optbuild.record.evidence import PgoRecord
from optbuild.record.explanation import ExplainedProgram, Explanation, UsedProfile
from optbuild.record.model import RunRecord
from optbuild.record.variants import VariantRecord
from optbuild.session.inspect import find_layout
from optbuild.session.opening import load_for
from optbuild.session.profiles import read_profile
from optbuild.session.request import Machine, RunRequest
from optbuild.session.run import run
from optbuild.tools.symbols import ProgramSymbols, read_symbols

KEEP_SYMBOLS = "-Cstrip=none"
"""In the rustflags, where it is in no mangled name: `strip = false` in the Cargo profile would cost all counts."""
_PLACE = "explain"


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplainRequest:
    """What to explain.

    Attributes:
        run: Which project, and how it is built.
        variant: Its name.
        against: The variant that it is compared with; None takes the nearest that it inherits from.
        bin: The only program to look at.
    """

    run: RunRequest
    variant: str
    against: str | None = None
    bin: str | None = None


def explain(request: ExplainRequest, machine: Machine) -> Explanation:
    """Build both variants, read their functions and counts, and compare.

    Raises:
        OptbuildError: The request cannot be met.
        RunFailedError: A build failed.
    """
    build_profile = load_for(request.run, machine)
    against = _find_against(request, build_profile)
    asked = replace(request.run, variants=(request.variant, against), measure=False, made_for="explain")
    flags: tuple[str, ...] = ()
    record = run(asked, machine)
    symbols = _read_both(record, request, against)
    if not all(each.functions for pair in symbols.values() for each in pair):
        record, flags = _keep_symbols(asked, machine), (KEEP_SYMBOLS,)
        symbols = _read_both(record, request, against)
    _require_symbols(symbols)
    return Explanation(
        optbuild_version=__version__,
        variant=request.variant,
        against=against,
        run_id=record.run_id,
        built_with=flags,
        programs=tuple(_explain_all(symbols, record, (request.variant, against), machine)),
    )


def _find_against(request: ExplainRequest, build_profile: BuildProfile) -> str:
    """The variant to compare with."""
    check_variants(build_profile, (request.variant, *([] if request.against is None else [request.against])))
    variant = build_profile.variants[request.variant]
    found = request.against or next(iter(variant.ancestors), None) or baseline_name(build_profile)
    if found == request.variant:
        others = [name for name in build_profile.variants if name != request.variant]
        raise UsageError(
            f"variant {request.variant} cannot be compared with itself",
            help=f"optbuild explain {request.variant} --against {others[-1]}" if others else "add another variant",
        )
    return found


def _keep_symbols(asked: RunRequest, machine: Machine) -> RunRecord:
    """Build again with symbols, and publish the programs elsewhere: they are not what users get."""
    message = f"a program is stripped: both variants are built again with {KEEP_SYMBOLS}, which changes no code"
    machine.emit(Notice(level=Level.INFO, code="symbols-kept", message=message))
    place = find_layout(asked, machine, trusted=True).root / _PLACE
    return run(replace(asked, rustflags=(KEEP_SYMBOLS,), out=place), machine)


_Pair = tuple[ProgramSymbols, ProgramSymbols]


def _read_both(record: RunRecord, request: ExplainRequest, against: str) -> dict[str, _Pair]:
    """The functions of each program in both variants."""
    ours, theirs = (_built(record, name) for name in (request.variant, against))
    others = {artifact.bin: artifact for artifact in theirs.artifacts}
    programs = [artifact for artifact in ours.artifacts if artifact.bin in others]
    if request.bin is not None:
        programs = [artifact for artifact in programs if artifact.bin == request.bin]
    if not programs:
        names = ", ".join(artifact.bin for artifact in ours.artifacts)
        raise UsageError(f"there is no program {request.bin!r}", help=f"--bin takes one of: {names}")
    return {each.bin: (_read(each.path), _read(others[each.bin].path)) for each in programs}


def _built(record: RunRecord, name: str) -> VariantRecord:
    found = next(each for each in record.variants if each.name == name)
    if not found.artifacts:
        raise UsageError(
            f"variant {name} was not built: {found.reason or found.status}",
            help="run `optbuild plan`, which says why variants are skipped, or name another one",
        )
    return found


def _read(path: str) -> ProgramSymbols:
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise storage_error(Path(path), error) from error
    try:
        found = read_symbols(data)
    except ValueError as error:
        raise UsageError(f"{path} cannot be read: {error}", help="optbuild build --fresh", location=path) from error
    if found is None:
        raise UsageError(
            f"the functions of {path} cannot be read: it is not an ELF program",
            help="explain a variant that is built for Linux",
            location=path,
        )
    return found


def _require_symbols(symbols: Mapping[str, _Pair]) -> None:
    """Refuse a program that has no symbols, whatever it was built with."""
    for name, pair in symbols.items():
        if not all(each.functions for each in pair):
            raise UsageError(
                f"{name} has no symbols, although it was built with {KEEP_SYMBOLS}",
                help="remove what strips it: `-s` or `--strip-all` among the link arguments (optbuild plan -v)",
            )


def _explain_all(
    symbols: Mapping[str, _Pair], record: RunRecord, variants: tuple[str, str], machine: Machine
) -> list[ExplainedProgram]:
    """Compare each program, with the counts of the variant, else with those of the other one."""
    known: dict[str, ProfileCounts] = {}

    def counts_of(pgo: PgoRecord, of: str) -> ProfileCounts:
        parsed = [(each.name, parse_record(each)) for each in read_profile(Path(pgo.profdata.path), record, machine)]
        used = UsedProfile(
            of=of,
            path=pgo.profdata.path,
            functions=pgo.functions,
            functions_with_counts=pgo.functions_with_counts,
            total_count=pgo.total_count,
        )
        return ProfileCounts(used=used, by_path=group_counts(parsed))

    found = []
    for name, (ours, theirs) in symbols.items():
        profiles = ((each, _profile_of(_built(record, each), name)) for each in variants)
        pgo = next(((each, profile) for each, profile in profiles if profile is not None), None)
        counts = None
        if pgo is not None:
            path = pgo[1].profdata.path
            counts = known[path] = known.get(path) or counts_of(pgo[1], pgo[0])
        found.append(explain_program(name, ours, theirs, counts))
    return found


def _profile_of(variant: VariantRecord, program: str) -> PgoRecord | None:
    return variant.pgo_by_bin.get(program, variant.pgo)
