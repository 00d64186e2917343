"""What a build profile must keep to beyond the type of each key; looks at the raw tree, so that all is told at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from optbuild.profile.confine import find_escape
from optbuild.profile.faults import Fault, KeyPath, render_value
from optbuild.profile.inherit import find_inheritance_faults, suggest_variant
from optbuild.profile.merge import value_at


def find_reference_faults(tree: Mapping[str, Any]) -> Iterator[Fault]:
    """Find variants that are named and do not exist, and cycles of `inherits`."""
    variants = value_at(tree, ("variants",))
    if not isinstance(variants, dict):
        return
    yield from find_inheritance_faults({name: value_at(settings, ("inherits",)) for name, settings in variants.items()})
    baseline = value_at(tree, ("measure", "baseline"))
    if isinstance(baseline, str) and baseline not in variants:
        yield Fault(
            path=("measure", "baseline"),
            message=f"`measure.baseline` names the unknown variant {render_value(baseline)}",
            help=suggest_variant(baseline, variants),
        )


def find_workload_name_faults(tree: Mapping[str, Any]) -> Iterator[Fault]:
    """Find workloads that share a name."""
    seen: set[str] = set()
    for index in range(_workload_count(tree)):
        path: KeyPath = ("workloads", index, "name")
        name = value_at(tree, path)
        if not isinstance(name, str):
            continue
        if name in seen:
            yield Fault(
                path=path,
                message=f"two workloads are named {render_value(name)}",
                help="give each workload a name of its own",
            )
        seen.add(name)


def find_path_faults(tree: Mapping[str, Any], *, directory: Path, workspace: Path) -> Iterator[Fault]:
    """Find paths that leave the workspace.

    Args:
        tree: The raw build profile.
        directory: What its paths are relative to; output files are relative to their workload's `cwd`.
        workspace: What they must stay inside, resolved.
    """
    for key, start in _confined_keys(tree, directory):
        text = value_at(tree, key)
        if isinstance(text, str):
            fault = find_escape(text, directory=start, workspace=workspace, key=key)
            if fault:
                yield fault


def _confined_keys(tree: Mapping[str, Any], directory: Path) -> Iterator[tuple[KeyPath, Path]]:
    yield ("project", "manifest"), directory
    for index in range(_workload_count(tree)):
        cwd = value_at(tree, ("workloads", index, "cwd"))
        yield ("workloads", index, "cwd"), directory
        outputs = value_at(tree, ("workloads", index, "compare-output"))
        for position in range(len(outputs) if isinstance(outputs, list) else 0):
            yield ("workloads", index, "compare-output", position), directory / (cwd if isinstance(cwd, str) else "")


def _workload_count(tree: Mapping[str, Any]) -> int:
    workloads = tree.get("workloads")
    return len(workloads) if isinstance(workloads, list) else 0
