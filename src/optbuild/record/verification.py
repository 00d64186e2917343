"""What `optbuild verify` found: one row for each thing that was looked at, as data; its JSON has its own schema.

Not for looking: `verify_binary` judges files, and `session` builds.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, Literal

from optbuild.adapters import adapter_of, make_json_schema
from optbuild.record.store import dump_ascii

SCHEMA: Final = "optbuild/verification/1"


class CheckVerdict(StrEnum):
    """Whether a check is passed."""

    PASS = "pass"  # noqa: S105 - a verdict
    FAIL = "fail"
    NOT_CHECKED = "not-checked"


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedCheck:
    """One thing that was looked at.

    Attributes:
        name: What it is about.
        figure: What was found, or why it was not looked at.
        help: What mends it; empty where nothing need be done.
    """

    name: str
    verdict: CheckVerdict
    figure: str
    help: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """All checks of a file or of a project.

    Attributes:
        subject: The file, with the member of an archive behind a colon; or the variant.
        bin: The program's name in the record; None where it has none.
        variant: The variant that it is, or that was built; None if the file is none.
        sha256: Of the program; None where several or none were looked at.
        run_id: The record that it was compared with, or that was made.
    """

    schema: Literal["optbuild/verification/1"] = SCHEMA
    optbuild_version: str
    subject: str
    bin: str | None
    variant: str | None
    sha256: str | None
    run_id: str | None
    checks: tuple[VerifiedCheck, ...]

    @property
    def failed(self) -> tuple[VerifiedCheck, ...]:
        """The checks that are not passed."""
        return tuple(check for check in self.checks if check.verdict is CheckVerdict.FAIL)


def render_verification(found: Verification) -> str:
    """A verification as one JSON document."""
    return dump_ascii(adapter_of(Verification).dump_python(found, mode="json"), indent=2) + "\n"


def render_verification_schema() -> str:
    """The JSON schema of a verification as the text of a file."""
    return json.dumps(make_verification_schema(), indent=2, ensure_ascii=False) + "\n"


def make_verification_schema() -> dict[str, Any]:
    """The JSON schema of a verification."""
    return make_json_schema(Verification, "optbuild verification")
