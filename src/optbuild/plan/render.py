"""The whole of a plan: as data for `--json`, and action by action for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path

from optbuild.plan.actions import (
    Action,
    ActionId,
    Attempt,
    Choose,
    Compile,
    Gather,
    MakeObject,
    Measure,
    MergeProfiles,
    ProbeOutputs,
    Train,
    render_word,
)
from optbuild.plan.forecast import Estimate, Expectation, Forecast
from optbuild.plan.model import Plan, PlannedVariant
from optbuild.text import sanitize_line
from optbuild.tools.cargo import FLAG_SEPARATOR
from optbuild.tools.linked_object import compile_argv
from optbuild.tools.llvm_profdata import merge_argv
from optbuild.units import format_bytes, format_duration
from optbuild.workloads.invocation import Invocation, Ready
from optbuild.workloads.words import render_words

_SHOWN = (
    "expect", "only if", "needs", "tries", "server", "ready", "argv", "how", "beside", "repeat", "cwd", "env", "stdin",
    "timeout", "inputs", "writes", "arms", "budget", "counts",
)  # fmt: skip
_NOTHING: Mapping[ActionId, Forecast] = {}
_UNKNOWN = Estimate(each_s={})


def plan_to_dict(
    plan: Plan, forecasts: Mapping[ActionId, Forecast] = _NOTHING, estimate: Estimate = _UNKNOWN
) -> dict[str, object]:
    """The whole plan as JSON-able data, outputs of actions by name, and what is expected of each action."""
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
            _action_to_dict(action) | conditions.get(action.id, {}) | _forecast_to_dict(forecasts.get(action.id))
            for action in plan.actions
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
    """The whole plan for people: each action with its argv, directory, environment additions and timeout."""
    conditions = _find_conditions(plan)
    lines: list[str] = []
    for variant in plan.variants:
        state = f"skipped: {variant.skipped}" if variant.skipped else f"built by {variant.compile}"
        lines.append(sanitize_line(f"variant {variant.name}: {state}"))
    for fold in plan.folds:
        measured = f"{fold.build.name}: built by {fold.build.compile}, measured on {', '.join(fold.workloads)}"
        lines.append(sanitize_line(f"fold {measured}"))
    for action in plan.actions:
        content = _action_to_dict(action) | conditions.get(action.id, {}) | _expectation(forecasts.get(action.id))
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
    """What must have happened for the actions that are not always carried out."""
    awaited = plan.awaited()
    conditions: dict[ActionId, dict[str, str]] = {}
    for variant, build in _tried(plan):
        for before, attempt in pairwise(build.attempts):
            only_if = {"only if": f"the attempt {before.name} of {variant} is rejected"}
            for action in plan.serving(build, attempt) - awaited:
                conditions.setdefault(action, only_if)
    return conditions


def _tried(plan: Plan) -> list[tuple[str, PlannedVariant]]:
    """All that may be built in several ways; folds follow the way that their variant is trained in."""
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
    """How long, how much memory, how much disk; empty where no time is known."""
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
        if key == "argv" and value and isinstance(value[0], list):
            return [shell_like(argv) for argv in value]
        return [shell_like(value)] if key in {"argv", "server"} else [", ".join(map(str, value))]
    return [str(value)]


def shell_like(argv: Sequence[str]) -> str:
    """A command as people type it, words that a shell would split in quotes."""
    return " ".join(word if word and not set(word) & set(" '\"\\\n\t") else repr(word) for word in argv)


def _action_to_dict(action: Action) -> dict[str, object]:
    common: dict[str, object] = {
        "id": action.id,
        "kind": action.kind,
        "label": action.label,
        "needs": list(action.needs),
    }
    return common | _details(action)


def _details(action: Action) -> dict[str, object]:
    if isinstance(action, Compile):
        env = {name: render_word(word).replace(FLAG_SEPARATOR, " ") for name, word in action.env.items()}
        return {"argv": list(action.argv), "cwd": str(action.cwd), "env": env, "writes": str(action.directory)}
    if isinstance(action, MakeObject):
        source = action.object.with_suffix(".rs")
        argv = compile_argv(action.rustc, crate=action.crate, target=action.target, source=source, output=action.object)
        return {"argv": list(argv), "cwd": str(action.cwd), "writes": str(action.object.parent)}
    if isinstance(action, MergeProfiles):
        weighted = [f"{weight:g} × {{profdata:{train}}}" for train, weight in action.weights.items()]
        argv = merge_argv(action.tool, inputs_file=Path("{inputs}"), output=Path("{profdata}"))
        how = None if action.program is None else f"by the names that functions have in {action.program}"
        return {"argv": list(argv), "how": how, "inputs": weighted, "writes": str(action.directory)}
    if isinstance(action, (Choose, Gather)):
        return _sources(action)
    if isinstance(action, Measure):
        return {
            "argv": [list(workload.shown_argv()) for workload in action.workloads],
            "arms": [
                *(f"{arm.variant} ({arm.binaries})" for arm in action.arms),
                *(f"{arm.variant} ({arm.binaries}) on {', '.join(arm.workloads)} only" for arm in action.held_out),
                *(
                    f"{arm.variant} on {name} ({programs})"
                    for arm in (*action.arms, *action.held_out)
                    for name, programs in arm.programs.items()
                ),
            ],
            "budget": format_duration(action.max_time_s),
            "counts": "instructions, each once, by perf or callgrind if that takes a tenth of the budget at most",
            "writes": str(action.directory),
        }
    env = _workload_env(action.workload)
    server = action.workload.server
    beside = {str(moment): render_words(words) for moment, words in action.workload.beside.items()}
    details: dict[str, object] = {
        "argv": list(action.workload.shown_argv()),
        "server": None if server is None else list(render_words(server.argv)),
        "ready": None if server is None else _describe_ready(server.ready),
        "beside": {moment: list(argv) for moment, argv in beside.items()},
        "cwd": str(action.workload.cwd),
        "env": env,
        "stdin": None if action.workload.stdin is None else str(action.workload.stdin),
        "timeout": format_duration(action.workload.timeout_s),
        "inputs": [str(path) for path in action.workload.inputs],
        "writes": str(action.workload.scratch),
    }
    if action.workload.call is not None:
        details["how"] = f"each program of {action.binaries}, one after the other, as cargo would start it"
    if isinstance(action, Train):
        details["env"] = {**env, "LLVM_PROFILE_FILE": f"{action.directory}/…/%m_%p.profraw"}
        details["writes"] = str(action.directory)
        details["repeat"] = action.workload.repeat if action.workload.repeat > 1 else None
    if isinstance(action, ProbeOutputs):
        details["runs"] = 2
    return details


def _sources(action: Choose | Gather) -> dict[str, object]:
    """Where the binaries of an action come from that builds none itself."""
    if isinstance(action, Choose):
        return {"tries": [f"{attempt.name} ({attempt.compile})" for attempt in action.attempts]}
    return {"how": ", ".join(f"{name} by {built}" for name, built in action.programs.items())}


def _describe_ready(ready: Ready) -> str:
    return f"{ready.kind} {render_words((ready.value,))[0]} within {format_duration(ready.within_s)}"


def _workload_env(workload: Invocation) -> dict[str, str]:
    return {**workload.declared_env, **dict.fromkeys(workload.passed_env, "(from your environment)")}
