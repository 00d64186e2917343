"""Make sure that a binary which was built in another way than the variant itself has counted the same functions.

Training without link-time optimisation instruments another recipe than the one that is optimised. That is accepted only
where no function with counts is lost: rustc finds none with another control flow, and none of the functions that it
compiled without data is one that the profile has counts for under another name. Functions that never ran may be absent:
the linker drops more of them from the one binary than from the other, and the optimiser learns nothing from them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from optbuild.build.model import Compiled, ProfileContents
from optbuild.errors import AttemptFault, ProfileDataError
from optbuild.tools.mangling import function_path, without_unit


def check_nothing_lost(variant: str, compiled: Compiled, *, look_into: Callable[[], ProfileContents]) -> None:
    """Check that an optimising compilation found every function that ran.

    Args:
        variant: Its name.
        compiled: The optimising compilation.
        look_into: Lists the profile; asked only if functions were compiled without data.

    Raises:
        ProfileDataError: Functions with counts were lost.
    """
    use = compiled.profile_use
    if use is None:
        return
    missing = {name for names in use.missing_names.values() for name in names}
    lost = find_lost(missing, look_into()) if missing else frozenset()
    if not lost and not use.mismatched_functions:
        return
    example = f", {min(lost)} among them" if lost else ""
    raise ProfileDataError(
        f"variant {variant}: training without LTO lost {len(lost)} functions with counts{example}, and "
        f"{use.mismatched_functions} have another control flow",
        help='write training-lto = "same" in this variant, or leave that out, so that it is done where it is needed',
        location=str(compiled.log),
        fault=AttemptFault.UNFIT,
    )


def find_lost(missing: Iterable[str], contents: ProfileContents) -> frozenset[str]:
    """The functions compiled without data which the profile seems to have counts for under another name.

    One has the same symbol behind the name of another unit, or the same path with another hash. Instances of generic
    code share a path: where the profile knows several, one that is missing is one more.

    Args:
        missing: Symbols of the functions that were compiled without data.
        contents: What the profile knows.
    """
    symbols_by_path: dict[str | None, set[str]] = {}
    for name in contents.names:
        symbols_by_path.setdefault(function_path(name), set()).add(without_unit(name))
    counted = {without_unit(name) for name in contents.names_with_counts}
    counted_paths = {path for path in map(function_path, counted) if len(symbols_by_path.get(path, ())) == 1} - {None}
    return frozenset(name for name in missing if name in counted or function_path(name) in counted_paths)
