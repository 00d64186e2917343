"""Check that a binary built differently from the variant itself has counted the same functions.

Training without link-time optimisation, or with the rustflags of another variant, instruments another recipe than the
one that is optimised. That is accepted only if no function with counts is lost: rustc finds none with another control
flow, and none of the functions that it compiled without data is one that the profile has counts for under another name.
Functions that never ran may be absent: the linker drops more of them from the one binary than from the other, and the
optimiser learns nothing from them.

Code for one CPU may be hot, have a separate name, and be absent from another CPU's profile. So a compilation for a CPU
with the counts of another variant may lack data only for functions that lacked data there.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

from optbuild.errors import AttemptFault, ProfileDataError
from optbuild.plan.counts import ProfileContents
from optbuild.plan.results import Compiled, ProfileUse
from optbuild.portable.names import read_name
from optbuild.tools.mangling import crate_of, function_path, unit_crate, without_unit


def check_nothing_lost(
    variant: str, attempt: str, compiled: Compiled, *, look_into: Callable[[], ProfileContents]
) -> None:
    """Check that an optimising compilation found every function that ran.

    Args:
        variant: Its name.
        attempt: How it was trained.
        compiled: The optimising compilation.
        look_into: Lists the profile; asked only if functions were compiled without data.

    Raises:
        ProfileDataError: Functions with counts were lost.
    """
    use = compiled.profile_use
    if use is None:
        return
    missing = _missing(use)
    lost = find_lost(missing, look_into(), use.versions) if missing else frozenset()
    if not lost and not use.mismatched_functions:
        return
    example = f", {min(lost)} among them" if lost else ""
    raise ProfileDataError(
        f"variant {variant}: training as {attempt} lost {len(lost)} functions with counts{example}, and "
        f"{use.mismatched_functions} have a different control flow",
        help='set training-lto = "same" in this variant, or remove that key: optbuild then falls back to it if needed',
        location=str(compiled.log),
        fault=AttemptFault.UNFIT,
    )


def check_nothing_more(variant: str, compiled: Compiled, twin: Compiled | None, *, are_renamed: bool = False) -> None:
    """Check that compiling with other settings has met no function without data that has data with the twin's.

    Where no function lacks data, there is none to compare: that holds without the twin, which may have been skipped or
    trained otherwise.

    Args:
        variant: The name of the variant.
        compiled: Its optimising compilation.
        twin: That of the variant whose counts it takes; None if there is none to compare it with.
        are_renamed: Functions have other names there, and are compared by path.

    Raises:
        ProfileDataError: There is such a function, or functions lack data and there is nothing to compare them with.
    """
    without_data = _without_data(compiled, are_renamed=are_renamed)
    if compiled.profile_use is not None and not without_data:
        return
    what = "there is nothing to compare it with"
    if twin is not None:
        more = without_data - _without_data(twin, are_renamed=are_renamed)
        if not more:
            return
        what = f"{len(more)} functions exist only with its own settings and have no counts, {min(more)} among them"
    raise ProfileDataError(
        f"variant {variant}: it takes the counts of another variant, but {what}",
        help="no action needed: it is trained itself",
        location=str(compiled.log),
        fault=AttemptFault.UNFIT,
    )


def _missing(use: ProfileUse) -> set[str]:
    return {name for names in use.missing_names.values() for name in names}


def _without_data(compiled: Compiled, *, are_renamed: bool) -> set[str]:
    names = set() if compiled.profile_use is None else _missing(compiled.profile_use)
    return {read_name(name).path for name in names} if are_renamed else set(map(without_unit, names))


def find_lost(missing: Collection[str], contents: ProfileContents, versions: Mapping[str, int]) -> frozenset[str]:
    """The functions compiled without data for which the profile seems to have counts under another name.

    Such a function has the same symbol after the name of another unit of its crate, or the same path with a different
    hash. Instances of generic code share a path: if the profile has several, a missing one is simply another instance.
    Crates with separate instances share even the symbol: counts of one are not a loss for another. Two versions of one
    crate share the paths of their functions: the counts belong to the version that has data.

    Args:
        missing: Functions that were compiled without data, each after its unit's name if known.
        contents: What the profile contains.
        versions: How many libraries have a crate's name, if several do.
    """
    symbols_by_path: dict[str | None, set[str]] = {}
    for name in contents.names:
        symbols_by_path.setdefault(function_path(name), set()).add(without_unit(name))
    crates_by_symbol: dict[str, set[str | None]] = {}
    for name in contents.names_with_counts:
        crates_by_symbol.setdefault(without_unit(name), set()).add(unit_crate(name))
    crates_by_path = {
        path: crates
        for symbol, crates in crates_by_symbol.items()
        if (path := function_path(symbol)) is not None and len(symbols_by_path[path]) == 1
    }
    without_data: dict[str | None, set[str | None]] = {}
    for name in missing:
        without_data.setdefault(function_path(name), set()).add(unit_crate(name))

    def is_lost(name: str) -> bool:
        path, own = function_path(name), unit_crate(name)
        crates = crates_by_symbol.get(without_unit(name))
        if crates is None:
            crates = crates_by_path.get(path or "", set())
            if len(without_data[path]) < versions.get(crate_of(name) or "", 1):
                crates = crates - {None}  # another version's
        return bool(crates) if own is None else not crates.isdisjoint({own, None})

    return frozenset(filter(is_lost, missing))
