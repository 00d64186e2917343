"""Give committed counts to the functions of a program that is built, under the names that they have there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from optbuild.errors import AttemptFault, ProfileDataError
from optbuild.events import Level, Notice
from optbuild.files import sha256_of, storage_error, writing
from optbuild.making.keys import profile_data_key
from optbuild.making.training.merging import ProfileMerger, RawMerge, is_intact
from optbuild.making.training.outlines import move_by_outlines
from optbuild.making.training.translation import describe_lost, list_functions
from optbuild.plan.counts import CheckedProfile
from optbuild.plan.kinds.profile_data import MatchProfileData
from optbuild.plan.lent_names import LentNames
from optbuild.plan.results import Artifact
from optbuild.portable.encoding import PortableProfile, decode
from optbuild.portable.lent_names import decode_names, names_path
from optbuild.portable.lock import Lock, check_lock, lock_path
from optbuild.portable.matching import Matching, match, render_translated
from optbuild.text import sanitize_line
from optbuild.tools.instrumentation import InstrumentedFunction
from optbuild.units import format_share


def load_portable_profile(path: Path) -> PortableProfile:
    """Read a committed profile, and see that its lock belongs to it.

    Raises:
        ProfileDataError: It is not one, or the lock is another one's.
        StorageError: It cannot be read.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise storage_error(path, error) from error
    profile = decode(data, location=str(path))
    load_lock(path, profile)
    return profile


def load_lock(path: Path, profile: PortableProfile) -> Lock | None:
    """Read the lock of a profile; None where there is none.

    Raises:
        ProfileDataError: It is another one's.
        StorageError: It cannot be read.
    """
    lock = lock_path(path)
    if not lock.is_file():
        return None
    try:
        data = lock.read_bytes()
    except OSError as error:
        raise storage_error(lock, error) from error
    return check_lock(lock, data, profile)


def load_names(path: Path) -> tuple[InstrumentedFunction, ...]:
    """Read the functions of the program that was trained.

    Raises:
        ProfileDataError: The file is damaged.
        StorageError: It cannot be read.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise storage_error(path, error) from error
    return decode_names(data, location=str(path))


def find_lent_names(path: Path, profile: PortableProfile) -> LentNames | None:
    """The names that are committed with a profile; None where they or their lock are not.

    Raises:
        ProfileDataError: They are those of another profile, or damaged.
        StorageError: They cannot be read.
    """
    names, lock = names_path(path), load_lock(path, profile)
    if lock is None or lock.names_sha256 is None or lock.build is None or not names.is_file():
        return None
    if sha256_of(names) != lock.names_sha256:
        raise ProfileDataError(
            f"{names} does not belong to the lock next to it",
            help="take all files from the same commit (git checkout), delete this one, or train again: optbuild train",
            location=str(names),
        )
    load_names(names)
    return LentNames(file=names, build=lock.build)


def match_profile_data(
    action: MatchProfileData, program: Mapping[str, Artifact], merger: ProfileMerger
) -> CheckedProfile:
    """Make the profile that a program is compiled with.

    Args:
        action: With the file.
        program: The instrumented binaries that lend their functions' names; empty if the names are committed.
        merger: Keeps what comes of it.

    Raises:
        ProfileDataError: The file is not a portable profile, or too little of it is in the program.
        StorageError: A file cannot be read or written.
    """
    key = profile_data_key(action, program, merger.profdata.tool.version)
    stored = merger.results.load(key, CheckedProfile)
    if stored is not None and is_intact(stored.profile):
        return stored
    profile = load_portable_profile(action.file)
    functions = list_functions(program) if action.names is None else load_names(action.names)
    matching = match(profile.functions, functions)
    if action.program is not None:  # an instrumented build has noted what blocks do
        matching = move_by_outlines(matching, functions, action.control_flow)
    _require_matched(matching, profile, action)
    text = merger.profdata.work / f"{action.id}.proftext"
    with writing(text):
        text.parent.mkdir(parents=True, exist_ok=True)
    with writing(text), text.open("w", encoding="utf-8", errors="surrogateescape") as stream:
        stream.writelines(render_translated(matching, functions))
    merged = merger.merge_all([(1, text)], action.id)
    text.unlink()
    assert merged.output is not None  # noqa: S101 - `merge_all` has seen to it
    summary = merger.profdata.summarise(merged.output)
    raw = RawMerge(unfinished=merged.output, summary=summary, unusable=(), raw_profiles=0)
    raw = merger.scale(raw, action.count_scale, label=action.id)
    kept = replace(
        merger.accept(raw, label=action.label),
        matched_ratio=matching.matched_ratio,
        approximate_ratio=matching.approximate_ratio,
    )
    crates = merger.profdata.look_into(kept.path).crates
    result = CheckedProfile(profile=kept, duration_s=0.0, reused=False, crates=crates)
    _tell_lost(matching, merger)
    merger.results.save(key, replace(result, reused=True))
    return result


def _require_matched(matching: Matching, profile: PortableProfile, action: MatchProfileData) -> None:
    """Accept a profile only where enough of its counts found their function."""
    if matching.total_count and matching.matched_ratio >= action.min_matched:
        return
    found = format_share(matching.matched_ratio if matching.total_count else 0.0)
    approximate = matching.approximate_ratio
    changed = f", and {format_share(approximate)} one that has changed" if approximate else ""
    raise ProfileDataError(
        f"only {found} of the counts in {action.file.name}, trained on {sanitize_line(profile.training.package)} "
        f"by {sanitize_line(profile.training.rustc)}, find their function "
        f"(`min-matched` is {format_share(action.min_matched)}){changed}",
        help="train again: optbuild train; or lower `min-matched` under [profile-data]: `optbuild train --check` shows "
        "which counts are kept",
        location=str(action.file),
        detail=describe_lost(matching) or None,
        fault=AttemptFault.UNFIT,
    )


def _tell_lost(matching: Matching, merger: ProfileMerger) -> None:
    if matching.lost:
        share = 1 - matching.matched_ratio - matching.approximate_ratio
        message = f"{format_share(share)} of the committed counts found no function"
        merger.emit(Notice(level=Level.INFO, code="counts-lost", message=f"{message}:\n{describe_lost(matching)}"))
