"""Ask before `doctor` installs, and render its findings."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Callable

from optbuild.errors import UsageError
from optbuild.events import Level
from optbuild.text import sanitize, sanitize_line
from optbuild.toolchain.install import InstallStep
from optbuild.toolchain.model import Finding

_WORDS = {Level.INFO: "ok", Level.WARNING: "warning", Level.ERROR: "error"}


def has_errors(findings: tuple[Finding, ...]) -> bool:
    """Whether optbuild cannot do its work here."""
    return any(finding.level is Level.ERROR for finding in findings)


def render_findings(findings: tuple[Finding, ...], *, as_json: bool) -> str:
    """A line for each finding, and one for its remedy."""
    if as_json:
        rows = [
            {
                "level": finding.level,
                "subject": finding.subject,
                "message": finding.message,
                "remedy": finding.remedy or None,
            }
            for finding in findings
        ]
        return json.dumps({"schema": "optbuild/doctor/1", "findings": rows}, indent=2) + "\n"
    width = max(len(finding.subject) for finding in findings)
    margin = " " * (8 + width + 2)  # foreign text never begins a line at the left margin
    lines = []
    for finding in findings:
        message = sanitize(finding.message).replace("\n", f"\n{margin}")
        lines.append(f"{_WORDS[finding.level]:<8}{finding.subject:<{width}}  {message}")
        if finding.remedy:
            lines.append(f"{margin}help: {sanitize_line(finding.remedy)}")
    return "\n".join(lines) + "\n"


def make_confirm(*, yes: bool) -> Callable[[tuple[InstallStep, ...]], bool]:
    """A question that shows every command before any of them runs."""

    def confirm(steps: tuple[InstallStep, ...]) -> bool:
        sys.stderr.write("these commands install what is missing, tried in this order:\n")
        for step in steps:
            sys.stderr.write(f"  {sanitize_line(shlex.join(step.argv))}\n")
        if yes:
            return True
        if not sys.stdin.isatty():
            raise UsageError("there is no terminal to ask on", help="agree in advance: optbuild doctor --fix --yes")
        sys.stderr.write("run them? [y/N] ")
        sys.stderr.flush()
        return sys.stdin.readline().strip().lower() in {"y", "yes"}

    return confirm
