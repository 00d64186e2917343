"""The files that `compare-output` names; not for what is in them."""

from __future__ import annotations

from pathlib import Path

from optbuild.profile.placeholders import PlaceholderKind

SCRATCH = f"{{{PlaceholderKind.SCRATCH}}}"


def find_output_files(compare_output: str | tuple[str, ...], *, cwd: Path, scratch: Path) -> dict[str, Path]:
    """Where the files are that a workload is known to write, by the names that they have in the build profile."""
    names = compare_output if isinstance(compare_output, tuple) else ()
    inside = f"{SCRATCH}/"
    return {name: scratch / name.removeprefix(inside) if name.startswith(inside) else cwd / name for name in names}
