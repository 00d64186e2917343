"""`optbuild verify [VARIANT]`: do the committed counts still belong to this project, and is its build reproducible?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from optbuild import __version__
from optbuild.errors import ProfileDataError, UsageError
from optbuild.events import Level, Notice
from optbuild.files import remove_below, sha256_of
from optbuild.making.cargo.reproduction import describe_unlike_programs, describe_unlike_units
from optbuild.making.training.profile_data import load_portable_profile
from optbuild.portable.head import TrainedWorkload
from optbuild.portable.lock import Lock, lock_path
from optbuild.portable.matching import TRANSLATOR
from optbuild.profile.model import BuildProfile
from optbuild.profile.profile_data import UseProfileData
from optbuild.profile.variants import PgoMode
from optbuild.profile.workloads import Use, Workload
from optbuild.project.layout import Layout
from optbuild.record.model import RunRecord
from optbuild.record.variants import ArtifactRecord, VariantRecord
from optbuild.record.verification import CheckVerdict, Verification, VerifiedCheck
from optbuild.session.inspect import find_layout
from optbuild.session.opening import load_for
from optbuild.session.request import Machine, RunRequest
from optbuild.session.run import RunFailedError, run
from optbuild.text import sanitize_line
from optbuild.units import format_percent

_STEADY = (
    "let build scripts and macros write the same each time: sorted entries, SOURCE_DATE_EPOCH for the time, no path of "
    "the machine"
)
_TRAIN = "train again: optbuild train; until then builds take the counts as far as they match"


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyRequest:
    """What to verify.

    Attributes:
        run: Which project, and how it is built.
        variant: Its name; None takes the last with PGO, or the last.
        rebuild: Build it once more, elsewhere and from nothing.
    """

    run: RunRequest
    variant: str | None = None
    rebuild: bool = False


def verify(request: VerifyRequest, machine: Machine) -> Verification:
    """Compare the committed counts with what trained them, match them, and build again if asked.

    Raises:
        OptbuildError: There is nothing to verify, or the project cannot be built.
    """
    build_profile = load_for(request.run, machine)
    name = _find_variant(build_profile, request.variant)
    takes_counts = _takes_counts(build_profile, name)
    _require_something(build_profile, name, request, takes_counts=takes_counts)
    lock = _read_lock(build_profile) if takes_counts else None
    asked = replace(request.run, variants=(name,), measure=False, require_profile_data=takes_counts, made_for="verify")
    checks: list[VerifiedCheck] = []
    try:
        record = run(asked, machine)
    except RunFailedError as failure:
        if not takes_counts or failure.error.code != ProfileDataError.code:
            raise failure.error from failure
        record = failure.record
        checks.append(_fail("matched", failure.error.message, failure.error.help))
    variant = next(each for each in record.variants if each.name == name)
    if takes_counts:
        checks[:0] = _check_lock(lock, build_profile, record)
        checks += _check_matched(variant, build_profile)
    else:
        checks.append(_unchecked("profile data", "this variant takes no committed counts"))
    if request.rebuild and variant.artifacts:
        checks += _check_rebuilt(asked, variant, find_layout(request.run, machine, trusted=True), machine)
    return Verification(
        optbuild_version=__version__,
        subject=f"variant {name}",
        bin=None,
        variant=name,
        sha256=None,
        run_id=record.run_id,
        checks=tuple(checks),
    )


def _pass(name: str, figure: str) -> VerifiedCheck:
    return VerifiedCheck(name=name, verdict=CheckVerdict.PASS, figure=figure)


def _fail(name: str, figure: str, remedy: str) -> VerifiedCheck:
    return VerifiedCheck(name=name, verdict=CheckVerdict.FAIL, figure=figure, help=remedy)


def _unchecked(name: str, figure: str) -> VerifiedCheck:
    return VerifiedCheck(name=name, verdict=CheckVerdict.NOT_CHECKED, figure=figure)


def _find_variant(build_profile: BuildProfile, wanted: str | None) -> str:
    names = list(build_profile.variants)
    if wanted is not None and wanted not in names:
        raise UsageError(
            f"the build profile has no variant {wanted!r}",
            help=f"name one of: {', '.join(names)}; or a file: optbuild verify FILE --record record.json",
        )
    with_pgo = [name for name in names if build_profile.variants[name].pgo is not PgoMode.OFF]
    with_counts = [name for name in with_pgo if build_profile.variants[name].takes_foreign_counts]
    return wanted or (with_counts or with_pgo or names)[-1]


def _takes_counts(build_profile: BuildProfile, name: str) -> bool:
    wants = build_profile.variants[name].takes_foreign_counts
    named = build_profile.profile_data_file is not None
    return wants and named and build_profile.profile_data.use is not UseProfileData.NEVER


def _require_something(build_profile: BuildProfile, name: str, request: VerifyRequest, *, takes_counts: bool) -> None:
    """Refuse what would verify nothing, before anything is built."""
    if takes_counts:
        return
    if build_profile.variants[name].pgo is not PgoMode.OFF:
        raise UsageError(
            f"variant {name} takes no committed counts, and two trainings never count the same",
            help='write [profile-data] with path = "pgo/NAME.pgodata", and call optbuild train; without counts a '
            "variant without PGO can be verified: optbuild verify --rebuild release; and a file: optbuild verify FILE "
            "--record record.json",
        )
    if not request.rebuild:
        raise UsageError(
            f"there is nothing to verify: variant {name} takes no counts",
            help=f"see whether a clean build gives the same bytes: optbuild verify --rebuild {name}; or verify a "
            "file: optbuild verify FILE --record record.json",
        )


def _read_lock(build_profile: BuildProfile) -> Lock | None:
    """The lock of the committed counts; None where there is none."""
    path = build_profile.profile_data_file
    assert path is not None  # noqa: S101 - there are counts to take
    if not path.is_file():
        raise ProfileDataError(f"there is no {path}", help="write it: optbuild train", location=str(path))
    load_portable_profile(path)  # with its lock, if there is one
    lock = lock_path(path)
    return Lock.model_validate_json(lock.read_bytes()) if lock.is_file() else None


def _check_lock(lock: Lock | None, build_profile: BuildProfile, record: RunRecord) -> Iterator[VerifiedCheck]:
    if lock is None:
        yield _fail("lock", "the counts have no lock", "commit the lock as well, or train again: optbuild train")
        return
    yield _pass("lock", f"belongs to the counts ({lock.content_sha256[:16]}…)")
    trained, found = lock.training.rustc, "unknown" if record.toolchain is None else record.toolchain.rustc
    if trained == found:
        yield _pass("toolchain", f"rustc {found}")
    else:
        yield _fail("toolchain", f"trained by rustc {trained}, built by rustc {found}", _TRAIN)
    if lock.translator == TRANSLATOR:
        yield _pass("translator", f"version {TRANSLATOR}")
    else:
        figure = f"written with version {lock.translator}, read with version {TRANSLATOR}"
        yield _fail("translator", figure, "train again with this optbuild, or use the one that wrote the lock")
    workloads = {each.name: each for each in build_profile.workloads if Use.TRAIN in each.use}
    yield _check_workloads(lock.training.workloads, workloads)
    yield _check_inputs(lock.training.workloads, workloads, build_profile.directory)


def _check_workloads(trained: tuple[TrainedWorkload, ...], now: dict[str, Workload]) -> VerifiedCheck:
    before = {each.name: each.weight for each in trained}
    changed = [
        *(f"{name} is new" for name in now if name not in before),
        *(f"{name} is gone" for name in before if name not in now),
        *(
            f"{name} has weight {each.weight:g} (was {before[name]:g})"
            for name, each in now.items()
            if name in before and each.weight != before[name]
        ),
    ]
    if changed:
        return _fail("workloads", "; ".join(map(sanitize_line, changed)), _TRAIN)
    return _pass("workloads", f"{len(now)} as trained")


def _check_inputs(trained: tuple[TrainedWorkload, ...], now: dict[str, Workload], directory: Path) -> VerifiedCheck:
    changed, count = [], 0
    for each in trained:
        workload = now.get(each.name)
        for item in each.inputs if workload is not None else ():
            assert workload is not None  # noqa: S101 - for mypy
            count += 1
            places = (directory / item.path, directory / workload.cwd / item.path)
            if not any(path.is_file() and sha256_of(path) == item.sha256 for path in places):
                there = any(path.is_file() for path in places)
                changed.append(f"{item.path} {'has changed' if there else 'is not there'}")
        declared = {item.path for item in each.inputs}
        changed += [f"{word} is new" for word in (workload.inputs if workload else ()) if word not in declared]
    if changed:
        return _fail("inputs", "; ".join(map(sanitize_line, dict.fromkeys(changed))), _TRAIN)
    return _pass("inputs", f"{count} as trained") if count else _unchecked("inputs", "no input is named")


def _check_matched(variant: VariantRecord, build_profile: BuildProfile) -> Iterator[VerifiedCheck]:
    pgo, limit = variant.pgo, build_profile.profile_data.min_matched
    if pgo is not None and pgo.matched_ratio is not None and pgo.shared_with is None:
        matched = format_percent(pgo.matched_ratio).lstrip("+")
        yield _pass("matched", f"{matched} of the counts (min-matched is {format_percent(limit).lstrip('+')})")
        if pgo.applied:
            yield _pass("applied", f"{pgo.functions_with_counts:,} functions with counts")
        else:
            yield _fail("applied", "the evidence does not hold", "optbuild report --evidence")


def _check_rebuilt(
    asked: RunRequest, variant: VariantRecord, layout: Layout, machine: Machine
) -> Iterator[VerifiedCheck]:
    """Build everything again in another directory, whose paths are given the names of the first one's.

    That flag alone gives the directories of build scripts other names. So what differs is built once more in another
    directory with the same flag, and these two are compared.
    """
    root = layout.rebuilds
    remove_below(layout.root, root)
    try:
        first = _build_from_nothing(asked, variant.name, layout, root / "a", machine)
        size = sum(artifact.size_bytes for artifact in variant.artifacts)
        if not _unlike(variant, first):
            yield _pass("rebuild", f"the same {size:,} bytes; paths of the target directory were remapped")
            return
        second = _build_from_nothing(asked, variant.name, layout, root / "b", machine)
        unlike = _unlike(first, second)
        if not unlike:
            yield _pass(
                "rebuild",
                "two clean builds in other directories are the same with --remap-path-prefix; without it the program "
                f"holds names from {layout.root.parent}",
            )
            return
        owned = layout.root.name
        reasons = [*describe_unlike_units(root / "a" / owned, root / "b" / owned)]
        for ours, theirs in unlike:
            reasons += describe_unlike_programs(Path(ours.path), Path(theirs.path), root / "b")
        yield _fail("rebuild", "; ".join(reasons) or "the programs differ", _STEADY)
    except RunFailedError as failure:
        raise failure.error from failure
    finally:
        remove_below(layout.root, root)


def _build_from_nothing(asked: RunRequest, name: str, layout: Layout, place: Path, machine: Machine) -> VariantRecord:
    message = f"{name}: once more, in {place} and from nothing, to see whether two builds are alike"
    machine.emit(Notice(level=Level.INFO, code="built-again", message=message))
    flag = f"--remap-path-prefix={place}={layout.root.parent}"
    again = replace(asked, rustflags=(flag,), out=None, fresh=True)
    elsewhere = replace(machine, environ={**machine.environ, "CARGO_TARGET_DIR": str(place)})
    return next(each for each in run(again, elsewhere).variants if each.name == name)


def _unlike(ours: VariantRecord, theirs: VariantRecord) -> list[tuple[ArtifactRecord, ArtifactRecord]]:
    """The programs of two builds that are not the same bytes."""
    others = {artifact.bin: artifact for artifact in theirs.artifacts}
    return [(each, others[each.bin]) for each in ours.artifacts if others[each.bin].sha256 != each.sha256]
