"""What machines send each other about a unit, as JSON: what to do, and what was built."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Final, Literal

from pydantic import TypeAdapter

from optbuild import __version__
from optbuild.adapters import adapter_of
from optbuild.fleet.parcels import Listing
from optbuild.fleet.results import UnitResult
from optbuild.fleet.units import Unit
from optbuild.record.model import RunRecord
from optbuild.record.store import dump_ascii

ACTION_SCHEMA: Final = "optbuild/fleet-action/1"
BUILT_SCHEMA: Final = "optbuild/fleet-built/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """One unit to be done; the same document goes to the builder and to the benchmark worker.

    Attributes:
        sources: The project's files, where it is a path; empty where the worker fetches them.
        beside: The files next to the fleet's that it needs.
        identity: Of the sources, where they travel.
        url: Where a repository is, if the fleet's file names it by a path.
        idle_within_s: How long a benchmark worker waits for its machine to become idle.
    """

    schema: Literal["optbuild/fleet-action/1"] = ACTION_SCHEMA
    optbuild_version: str = __version__
    unit: Unit
    sources: Listing = field(default_factory=Listing)
    beside: Listing = field(default_factory=Listing)
    identity: str | None = None
    url: str | None = None
    jobs: int | None = None
    max_time_s: float | None = None
    keep_going: bool = False
    idle_within_s: float = 30.0
    command_line: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """What a builder has made of a unit.

    Attributes:
        failure: The unit's result, where it ended here.
        sources: The project's files, for workloads that read them.
        variants: For each variant the names of its programs, each with its file; the baseline first.
        proposed: The build profile, where it was proposed.
        stays: Why it is built and measured on one machine; empty otherwise.
        taken_s: How long that has taken.
    """

    schema: Literal["optbuild/fleet-built/1"] = BUILT_SCHEMA
    optbuild_version: str = __version__
    worker: str
    identity: str | None = None
    failure: UnitResult | None = None
    record: RunRecord | None = None
    sources: Listing = field(default_factory=Listing)
    programs: Listing = field(default_factory=Listing)
    variants: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    default_bin: str | None = None
    proposed: str | None = None
    stays: str = ""
    taken_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """A unit's result, and the worker that decided it: one that lacks something is not asked again."""

    result: UnitResult
    worker: str


@cache
def _actions() -> TypeAdapter[Action]:
    return TypeAdapter(Action)


def render_action(action: Action) -> str:
    """An action as JSON."""
    return dump_ascii(_actions().dump_python(action, mode="json"))


def parse_action(text: str) -> Action:
    """Read an action.

    Raises:
        ValueError: It is none, or one of another version of this format.
    """
    return _actions().validate_json(text)


def render_built(built: Built) -> str:
    """What was built as JSON."""
    return dump_ascii(adapter_of(Built).dump_python(built, mode="json"))


def parse_built(text: str) -> Built:
    """Read what was built.

    Raises:
        ValueError: It is not that.
    """
    return adapter_of(Built).validate_json(text)


def render_outcome(outcome: Outcome) -> str:
    """An outcome as JSON."""
    return dump_ascii(adapter_of(Outcome).dump_python(outcome, mode="json"))


def parse_outcome(text: str) -> Outcome:
    """Read an outcome.

    Raises:
        ValueError: It is none.
    """
    return adapter_of(Outcome).validate_json(text)
