"""Render a whole plan: as data for `--json`, and action by action for users."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

from optbuild.plan.action import ActionId, Entry
from optbuild.plan.forecast import Estimate, Expectation, Forecast
from optbuild.plan.model import Plan, PlannedVariant
from optbuild.plan.ways import Attempt
from optbuild.text import sanitize_line
from optbuild.units import format_bytes, format_duration

_SHOWN = (
    "expect", "only if", "needs", "tries", "server", "ready", "argv", "how", "beside", "repeat", "cwd", "env", "stdin",
    "timeout", "inputs", "writes", "arms", "budget", "counts",
)  # fmt: skip
_NOTHING: Mapping[ActionId, Forecast] = {}
_UNKNOWN = Estimate(each_s={})


def plan_to_dict(
    plan: Plan, forecasts: Mapping[ActionId, Forecast] = _NOTHING, estimate: Estimate = _UNKNOWN
) -> dict[str, object]:
    """The whole plan as JSON-able data, with outputs of actions by name and the expectation for each action."""
    conditions = _find_conditions(plan)
    return {
        "schema": "optbuild/plan/1",
        "variants": [
            {
                "name": variant.name,
                "compile": variant.compile,
                "programs": dict(variant.programs),
                "merge": next((attempt.merge for attempt in variant.attempts), None),
                "attempts": [_attempt_to_dict(attempt) for attempt in variant.attempts],
                "skipped": variant.skipped,
                "parts": {
                    name: {"compile": part.compile, "attempts": [_attempt_to_dict(each) for each in part.attempts]}
                    for name, part in variant.parts.items()
                },
            }
            for variant in plan.variants
        ],
        "actions": [
            _entry_to_dict(action) | conditions.get(action.id, {}) | _forecast_to_dict(forecasts.get(action.id))
            for action in plan.listing
        ],
        "estimate": {
            "seconds": estimate.seconds,
            "unknown_actions": estimate.unknown,
            "memory_bytes": estimate.memory_bytes,
            "disk_bytes": estimate.disk_bytes,
        },
        "directories": [str(path) for path in plan.directories],
        "notes": list(plan.notes),
        "folds": [
            {
                "variant": fold.variant,
                "name": fold.build.name,
                "left_out": list(fold.left_out),
                "workloads": list(fold.workloads),
                "compile": fold.build.compile,
                "attempts": [_attempt_to_dict(attempt) for attempt in fold.build.attempts],
            }
            for fold in plan.folds
        ],
    }


def render_actions(plan: Plan, forecasts: Mapping[ActionId, Forecast] = _NOTHING) -> str:
    """The whole plan as text: each action with its argv, directory, environment additions and timeout."""
    conditions = _find_conditions(plan)
    lines: list[str] = []
    for variant in plan.variants:
        state = f"skipped: {variant.skipped}" if variant.skipped else f"built by {variant.compile}"
        lines.append(sanitize_line(f"variant {variant.name}: {state}"))
    for fold in plan.folds:
        measured = f"{fold.build.name}: built by {fold.build.compile}, measured on {', '.join(fold.workloads)}"
        lines.append(sanitize_line(f"fold {measured}"))
    for action in plan.listing:
        content = _entry_to_dict(action) | conditions.get(action.id, {}) | _expectation(forecasts.get(action.id))
        lines += ["", f"{action.id}  {sanitize_line(action.label)}"]
        for key in _SHOWN:
            lines += [f"  {key:<8}{sanitize_line(text)}" for text in _texts(key, content.get(key))]
    return "\n".join(lines) + "\n"


def _attempt_to_dict(attempt: Attempt) -> dict[str, object]:
    return {
        "name": attempt.name,
        "instrument": attempt.instrument,
        "merge": attempt.merge,
        "compile": attempt.compile,
        "mends": sorted(attempt.mends),
    }


def _find_conditions(plan: Plan) -> dict[ActionId, dict[str, str]]:
    """The conditions of actions that are not always carried out."""
    awaited = plan.awaited()
    conditions: dict[ActionId, dict[str, str]] = {}
    for variant, build in _tried(plan):
        for before, attempt in pairwise(build.attempts):
            only_if = {"only if": f"the attempt {before.name} of {variant} is rejected"}
            for action in plan.serving(build, attempt) - awaited:
                conditions.setdefault(action, only_if)
    return conditions


def _tried(plan: Plan) -> list[tuple[str, PlannedVariant]]:
    """Everything that may be built in several ways; folds follow their variant's way of training."""
    return [
        *((variant.name, variant) for variant in plan.variants),
        *((part.name, part) for variant in plan.variants for part in variant.parts.values()),
        *((fold.variant, fold.build) for fold in plan.folds),
    ]


def _forecast_to_dict(forecast: Forecast | None) -> dict[str, object]:
    if forecast is None:
        return {}
    return {"forecast": {"expectation": forecast.expectation, "why": forecast.why, "last_s": forecast.last_s}}


def _expectation(forecast: Forecast | None) -> dict[str, str]:
    if forecast is None or forecast.expectation is Expectation.ONLY_IF:
        return {}
    took = "" if forecast.last_s is None else f" (took {format_duration(forecast.last_s)})"
    return {"expect": f"{forecast.expectation}: {forecast.why}{took}"}


def describe_estimate(estimate: Estimate) -> str:
    """The time, memory and disk space; empty if no time is known."""
    if not estimate.seconds:
        return ""
    facts = [format_duration(estimate.seconds)]
    if estimate.unknown:
        facts[0] += f" and {estimate.unknown} action{'s' * (estimate.unknown != 1)} of unknown length"
    if estimate.memory_bytes is not None:
        facts.append(f"{format_bytes(estimate.memory_bytes)} of memory in its largest process")
    if estimate.disk_bytes is not None:
        facts.append(f"{format_bytes(estimate.disk_bytes)} on disk")
    return ", ".join(facts)


def _texts(key: str, value: object) -> list[str]:
    if value is None or value in ([], {}):
        return []
    if key == "beside" and isinstance(value, dict):
        return [f"{moment}: {shell_like(argv)}" for moment, argv in value.items()]
    if isinstance(value, dict):
        return [f"{name}={text}" for name, text in value.items()]
    if isinstance(value, list):
        if key in {"argv", "server"} and isinstance(value[0], list):
            return [shell_like(argv) for argv in value]
        return [shell_like(value)] if key in {"argv", "server"} else [", ".join(map(str, value))]
    return [str(value)]


def shell_like(argv: Sequence[str]) -> str:
    """A command as typed in a shell, with quotes where needed."""
    return " ".join(word if word and not set(word) & set(" '\"\\\n\t") else repr(word) for word in argv)


def _entry_to_dict(entry: Entry[object]) -> dict[str, object]:
    common = {"id": entry.id, "kind": entry.kind, "label": entry.label, "needs": list(entry.needs)}
    return {**common, **entry.details()}
