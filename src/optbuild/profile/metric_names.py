"""What people call metrics, and what stands for it here."""

from __future__ import annotations

from collections.abc import Mapping

from optbuild.profile.faults import find_nearest
from optbuild.profile.workloads import MetricName

COUNTED: Mapping[str, str] = {
    "instructions": "leave `metric` out, or write another one: instructions are counted in every run and "
    "reported as well, exact; to compare by them alone: optbuild bench NAME=PATH… --metric instructions -- CMD",
    "allocations": "write `allocations = true` under [measure], which counts them in every run; to compare by them "
    "alone: optbuild bench NAME=PATH… --metric allocations -- CMD",
}
"""What is counted along with a metric, and how to have it."""

_SYNONYMS: Mapping[str, tuple[str, ...]] = {
    MetricName.WALL: (
        *("time", "real", "elapsed", "duration", "latency", "runtime", "seconds", "clock"),
        *("wall-time", "wall-clock", "walltime", "wallclock", "real-time", "elapsed-time", "run-time", "throughput"),
    ),
    MetricName.CPU: ("user", "sys", "system", "cpu-time", "cputime", "user-time", "user+sys", "task-clock", "cycles"),
    MetricName.FAULTS: ("page-faults", "pagefaults", "minor-faults", "major-faults", "minflt", "majflt"),
    MetricName.RSS: (
        *("memory", "mem", "peak-memory", "max-memory", "memory-usage", "resident", "footprint"),
        *("max-rss", "maxrss", "peak-rss", "rss-peak", "ru-maxrss", "vmhwm"),
    ),
    "instructions": ("instruction", "instrs", "insns", "instruction-count", "icount", "ir"),
    "allocations": ("allocation", "allocs", "alloc", "mallocs", "heap"),
}
_ELSEWHERE: Mapping[str, str] = {
    **dict.fromkeys(
        ("size", "binary-size", "file-size", "bytes"),
        "leave `metric` out: sizes are reported in every run; limit them by `max-size-growth` under [gates], or search "
        'for the smallest: objective = "size" under [tune]',
    ),
    **dict.fromkeys(
        ("build-time", "compile-time", "build", "compile"),
        "leave `metric` out: build times are in every report; limit them by `max-build-time-growth` under [gates]",
    ),
}


def find_metric(word: str) -> str | None:
    """The metric, or what is counted along with one, that the author of `word` most likely meant."""
    names = {called: name for name, synonyms in _SYNONYMS.items() for called in (name, *synonyms)}
    return names.get(_plain(word)) or find_nearest(_plain(word), [*MetricName, *COUNTED])


def suggest_metric(word: str) -> str | None:
    """What to write in a build profile instead of a metric that does not exist; None if nothing comes near."""
    meant = find_metric(word)
    if _plain(word) in _ELSEWHERE or meant is None:
        return _ELSEWHERE.get(_plain(word))
    return COUNTED.get(meant, f'did you mean "{meant}"?')


def _plain(word: str) -> str:
    return "-".join(word.lower().replace("_", " ").split())
