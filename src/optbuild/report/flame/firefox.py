"""A file for the Firefox Profiler, https://profiler.firefox.com.

A recording has no times, only weights: its stacks stand one after another, each for as long as it was seen. The flame
graph and the call tree of the profiler are right, its time line is not an order of events.

Sources:
    Firefox Profiler, `src/profile-logic/import/linux-perf.js`: how a recording of perf becomes a Gecko profile of
    version 24, which the profiler brings up to date itself
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from optbuild import __version__
from optbuild.observe.call_tree import thread_group
from optbuild.observe.profiles import Profiled
from optbuild.observe.samples import Frame, Samples
from optbuild.text import sanitize_line

_GECKO_VERSION = 24
_MOST_SAMPLES = 5000
_MILLISECONDS = 1e3
_CATEGORIES = (
    {"name": "User", "color": "yellow", "subcategories": ["Other"]},
    {"name": "Kernel", "color": "orange", "subcategories": ["Other"]},
)
_FRAME_KEYS = (
    "location",
    "relevantForJS",
    "innerWindowID",
    "implementation",
    "optimizations",
    "line",
    "column",
    "category",
    "subcategory",
)


def render_firefox(profiled: Profiled) -> str:
    """A thread of the file for each workload, variant and thread."""
    each = [
        (f"{workload.workload}, {arm}", profile.samples)
        for workload in profiled.workloads
        for arm, profile in workload.arms.items()
    ]
    whole = sum(samples.total for _, samples in each)
    interval = whole / _MOST_SAMPLES or 1.0
    threads = [
        thread.describe(pid=pid, tid=pid * 1000 + place)
        for pid, (name, samples) in enumerate(each, start=1)
        for place, thread in enumerate(_threads(name, samples, interval))
    ]
    unit_ms = _MILLISECONDS if all(samples.unit.is_time for _, samples in each) else 1.0
    meta = {
        "interval": interval * unit_ms,
        "processType": 0,
        "product": sanitize_line(f"{profiled.project}, optbuild {__version__}"),
        "stackwalk": 1,
        "debug": 0,
        "gcpoison": 0,
        "asyncstack": 1,
        "startTime": 0,
        "shutdownTime": None,
        "version": _GECKO_VERSION,
        "presymbolicated": True,
        "categories": _CATEGORIES,
        "markerSchema": [],
    }
    document = {"meta": meta, "libs": [], "threads": threads, "processes": [], "pausedRanges": []}
    return json.dumps(document, ensure_ascii=False) + "\n"


def _threads(name: str, samples: Samples, interval: float) -> Iterator[_Thread]:
    threads: dict[str, _Thread] = {}
    unit_ms = _MILLISECONDS if samples.unit.is_time else 1.0
    for stack in samples.stacks:
        group = thread_group(stack.thread)
        thread = threads.setdefault(
            group, _Thread(name=sanitize_line(f"{name}: {group}"), interval_ms=interval * unit_ms)
        )
        thread.add(stack.frames, round(stack.weight / interval))
    return iter(threads.values())


@dataclass(slots=True, kw_only=True)
class _Thread:
    """Tables of strings, frames and stacks, each of which is written once."""

    name: str
    interval_ms: float
    _strings: dict[str, int] = field(default_factory=dict)
    _frames: dict[tuple[str, bool], int] = field(default_factory=dict)
    _stacks: dict[tuple[int | None, int], int] = field(default_factory=dict)
    _samples: list[int] = field(default_factory=list)

    def add(self, frames: tuple[Frame, ...], times: int) -> None:
        """Add a stack that was seen some times."""
        prefix: int | None = None
        for frame in frames:
            text = sanitize_line(f"{frame.function} (in {frame.module})")
            self._strings.setdefault(text, len(self._strings))
            known = self._frames.setdefault((text, frame.is_kernel), len(self._frames))
            prefix = self._stacks.setdefault((prefix, known), len(self._stacks))
        if prefix is not None:
            self._samples += [prefix] * times

    def describe(self, *, pid: int, tid: int) -> Mapping[str, Any]:
        """The thread as the profiler reads it."""
        frames = [
            [self._strings[text], False, 0, None, None, None, None, int(is_kernel), None]
            for text, is_kernel in self._frames
        ]
        samples = [[stack, place * self.interval_ms, 0] for place, stack in enumerate(self._samples)]
        return {
            "name": self.name,
            "pid": pid,
            "tid": tid,
            "processType": "default",
            "registerTime": 0,
            "unregisterTime": None,
            "markers": _table(("name", "startTime", "endTime", "phase", "category", "data"), []),
            "samples": _table(("stack", "time", "responsiveness"), samples),
            "frameTable": _table(_FRAME_KEYS, frames),
            "stackTable": _table(("prefix", "frame"), [list(key) for key in self._stacks]),
            "stringTable": list(self._strings),
        }


def _table(keys: tuple[str, ...], rows: list[list[Any]]) -> Mapping[str, Any]:
    return {"schema": dict(zip(keys, range(len(keys)), strict=True)), "data": rows}
