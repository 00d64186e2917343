"""What a plan shows about a workload that an action runs."""

from __future__ import annotations

from optbuild.plan.action import ActionId
from optbuild.units import format_duration
from optbuild.workloads.invocation import Invocation, Ready
from optbuild.workloads.words import render_words


def describe_workload(workload: Invocation, binaries: ActionId) -> dict[str, object]:
    """The command, its directory and its inputs; ready for JSON."""
    server = workload.server
    beside = {str(moment): list(render_words(words)) for moment, words in workload.beside.items()}
    details: dict[str, object] = {
        "argv": list(workload.shown_argv()),
        "server": None if server is None else list(render_words(server.argv)),
        "ready": None if server is None else _describe_ready(server.ready),
        "beside": beside,
        "cwd": str(workload.cwd),
        "env": {**workload.declared_env, **dict.fromkeys(workload.passed_env, "(from your environment)")},
        "stdin": None if workload.stdin is None else str(workload.stdin),
        "timeout": format_duration(workload.timeout_s),
        "inputs": [str(path) for path in workload.inputs],
        "writes": str(workload.scratch),
    }
    if workload.call is not None:
        details["how"] = f"each program of {binaries}, one after another, as cargo would start it"
    return details


def _describe_ready(ready: Ready) -> str:
    return f"{ready.kind} {render_words((ready.value,))[0]} within {format_duration(ready.within_s)}"
