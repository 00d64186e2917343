"""Files of other tools: folded stacks, speedscope, the Firefox profiler."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from optbuild import __version__
from optbuild.observe.call_tree import Change, Node, make_tree, thread_group
from optbuild.observe.profiles import Profiled
from optbuild.observe.samples import Samples, fold
from optbuild.report.flame.table import make_title, unit_of
from optbuild.text import sanitize_line

_MICROSECONDS = 1e6
_SEPARATOR, _INSTEAD = ";", ":"  # an array's type is written `[T;N]`


def folded_name(name: str) -> str:
    """A name that does not end early in folded stacks."""
    return sanitize_line(name).replace(_SEPARATOR, _INSTEAD) or "?"


def fold_for_files(profiled: Profiled, arm: str) -> Mapping[tuple[str, ...], int]:
    """Folded stacks of one variant, in whole numbers: microseconds of a run, or instructions."""
    found: dict[tuple[str, ...], int] = {}
    for each in profiled.workloads:
        prefix = (each.workload,) if len(profiled.workloads) > 1 else ()
        samples = each.arms[arm].samples
        factor = _MICROSECONDS if samples.unit.is_time else 1.0
        for path, weight in fold(samples, thread_group).items():
            names = tuple(map(folded_name, (*prefix, *path)))
            found[names] = found.get(names, 0) + round(weight * factor)
    return {path: weight for path, weight in found.items() if weight}


def render_folded(profiled: Profiled) -> str:
    """One line for each stack, the outermost function first; two numbers if variants are compared, the base first.

    Sources:
        https://www.brendangregg.com/FlameGraphs/cpuflamegraphs.html, and `inferno-diff-folded` for two numbers
    """
    stacks = fold_for_files(profiled, profiled.variant)
    if profiled.base is None:
        return render_stacks({path: (weight,) for path, weight in stacks.items()})
    base = fold_for_files(profiled, profiled.base)
    return render_stacks({path: (base.get(path, 0), stacks.get(path, 0)) for path in {*stacks, *base}})


def render_stacks(stacks: Mapping[tuple[str, ...], tuple[int, ...]]) -> str:
    """Folded stacks as text."""
    lines = (f"{_SEPARATOR.join(path)} {' '.join(map(str, numbers))}\n" for path, numbers in sorted(stacks.items()))
    return "".join(lines)


def fold_for_drawing(profiled: Profiled) -> dict[tuple[str, ...], tuple[int, int]]:
    """Folded stacks of both variants, the base first; where a difference is within the noise, both are equal."""
    factor = _MICROSECONDS if unit_of(profiled).is_time else 1.0
    found: dict[tuple[str, ...], tuple[int, int]] = {}

    def walk(node: Node, path: tuple[str, ...]) -> None:
        now, before = node.itself.variant, node.itself.base or 0.0
        if node.itself.change is Change.NOISE:
            before = now = (now + before) / 2
        if path and (now or before):
            old = found.get(path, (0, 0))
            found[path] = (old[0] + round(before * factor), old[1] + round(now * factor))
        for child in node.children:
            walk(child, (*path, folded_name(child.name)))

    walk(make_tree(profiled), ())
    return {path: weights for path, weights in found.items() if any(weights)}


def render_speedscope(profiled: Profiled) -> str:
    """A file for speedscope, with one profile for each workload and variant.

    Sources:
        https://www.speedscope.app/file-format-schema.json
    """
    frames: dict[tuple[str, str], int] = {}
    profiles = [
        _speedscope_profile(f"{sanitize_line(each.workload)}, {arm}", profile.samples, frames)
        for each in profiled.workloads
        for arm, profile in each.arms.items()
    ]
    document = {
        "$schema": "https://www.speedscope.app/file-format-schema.json",
        "name": make_title(profiled),
        "exporter": f"optbuild {__version__}",
        "shared": {"frames": [{"name": name, "file": module} for name, module in frames]},
        "profiles": profiles,
    }
    return json.dumps(document, ensure_ascii=False) + "\n"


def _speedscope_profile(name: str, samples: Samples, frames: dict[tuple[str, str], int]) -> dict[str, Any]:
    stacks, weights = [], []
    for stack in samples.stacks:
        path = [(thread_group(stack.thread), ""), *((frame.function, frame.module) for frame in stack.frames)]
        keys = [(sanitize_line(function), sanitize_line(module)) for function, module in path]
        stacks.append([frames.setdefault(key, len(frames)) for key in keys])
        weights.append(stack.weight)
    return {
        "type": "sampled",
        "name": name,
        "unit": "seconds" if samples.unit.is_time else "none",
        "startValue": 0,
        "endValue": sum(weights),
        "samples": stacks,
        "weights": weights,
    }
