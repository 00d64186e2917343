"""How `doctor` asks before it installs, and how its findings look."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Callable

from optbuild.errors import UsageError
from optbuild.events import Level
from optbuild.text import sanitize
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
        return json.dumps({"schema": "optbuild/doctor/1", "findings": rows}, indent=2, ensure_ascii=False) + "\n"
    width = max(len(finding.subject) for finding in findings)
    lines = []
    for finding in findings:
        lines.append(f"{_WORDS[finding.level]:<8}{finding.subject:<{width}}  {sanitize(finding.message)}")
        if finding.remedy:
            lines.append(f"{'':<8}{'':<{width}}  help: {sanitize(finding.remedy)}")
    return "\n".join(lines) + "\n"


def make_confirm(*, yes: bool) -> Callable[[tuple[InstallStep, ...]], bool]:
    """A question that shows every command before any of them runs."""

    def confirm(steps: tuple[InstallStep, ...]) -> bool:
        sys.stderr.write("what is missing can be installed by, in this order until it is there:\n")
        for step in steps:
            sys.stderr.write(f"  {shlex.join(step.argv)}\n")
        if yes:
            return True
        if not sys.stdin.isatty():
            raise UsageError("there is no terminal to ask on", help="agree beforehand: optbuild doctor --fix --yes")
        sys.stderr.write("run them? [y/N] ")
        sys.stderr.flush()
        return sys.stdin.readline().strip().lower() in {"y", "yes"}

    return confirm
