"""The files that `compare-output` names; not their contents."""

from __future__ import annotations

from pathlib import Path

from optbuild.profile.placeholders import PlaceholderKind

SCRATCH = f"{{{PlaceholderKind.SCRATCH}}}"


def find_output_files(compare_output: str | tuple[str, ...], *, cwd: Path, scratch: Path) -> dict[str, Path]:
    """The paths of the files that a workload is known to write, by their names in the build profile."""
    names = compare_output if isinstance(compare_output, tuple) else ()
    inside = f"{SCRATCH}/"
    return {name: scratch / name.removeprefix(inside) if name.startswith(inside) else cwd / name for name in names}
