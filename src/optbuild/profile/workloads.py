"""Workloads as the build profile has them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated, ClassVar, Literal

from pydantic import ConfigDict, Field, StrictBool

from optbuild.profile.values import (
    STRICT_KEYS,
    Argv,
    CargoWords,
    CompareOutput,
    DurationS,
    Pattern,
    PlainPath,
    Tolerance,
    VariableName,
    Word,
    WorkloadName,
)


class Use(StrEnum):
    """What a workload is for."""

    TRAIN = "train"
    BENCH = "bench"


class MetricName(StrEnum):
    """What a benchmark compares."""

    WALL = "wall"
    CPU = "cpu"
    FAULTS = "faults"
    RSS = "rss"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadySettings:
    """How a server shows that it is ready: exactly one of the four, and a time limit."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT_KEYS

    tcp: Annotated[Word | None, Field(description='It accepts connections at "{port}" or "HOST:PORT".')] = None
    http: Annotated[Word | None, Field(description="It answers a GET of this URL with success.")] = None
    stdout: Annotated[Word | None, Field(description="It prints this text.")] = None
    stderr: Annotated[Word | None, Field(description="It prints this text to standard error.")] = None
    within_s: Annotated[DurationS, Field(description="How long it may take.")] = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """A command, or a server with a load, that trains the PGO variants, measures all variants, or both."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT_KEYS

    name: Annotated[WorkloadName, Field(description="Any unique line of text.")]
    command: Annotated[
        Argv | None,
        Field(description="The program and its arguments: {bin}, {bin:NAME}, {scratch}, {env:NAME}."),
    ] = None
    server: Annotated[
        Argv | None,
        Field(description="A server to start for each run and stop afterwards; {port} is a free port."),
    ] = None
    ready: Annotated[
        ReadySettings | None,
        Field(
            description="How the server shows that it is ready; default: it accepts connections.",
            examples=[{"tcp": "{port}", "within": "30s"}],
        ),
    ] = None
    load: Annotated[
        Argv | None,
        Field(description="The command that sends the server a fixed number of requests; its wall time is measured."),
    ] = None
    cargo: Annotated[
        CargoWords | None,
        Field(description='Programs that cargo runs: "test", "bench" or "run", and its arguments.'),
    ] = None
    cwd: Annotated[PlainPath, Field(description="The directory it runs in, relative to this file.")] = "."
    use: Annotated[
        tuple[Use, ...], Field(min_length=1, description="What it is for: training, the benchmark, or both.")
    ] = (Use.TRAIN, Use.BENCH)
    weight: Annotated[
        float,
        Field(strict=True, gt=0, allow_inf_nan=False, description="Its share in the merged PGO profile."),
    ] = 1.0
    stdin: Annotated[Word | None, Field(description="A file for its standard input, relative to this file.")] = None
    env: Annotated[
        Mapping[VariableName, Word], Field(description="Environment variables to set.", examples=[{"LANG": "C"}])
    ] = field(default_factory=dict)
    pass_env: Annotated[
        tuple[VariableName, ...], Field(description="Environment variables to take from the caller.")
    ] = ()
    timeout_s: Annotated[DurationS, Field(description="The time after which it is stopped.")] = 300.0
    expect_exit: Annotated[int, Field(strict=True, ge=0, le=255, description="The exit code of success.")] = 0
    compare_output: Annotated[
        CompareOutput,
        Field(
            description="What must be equal in every variant: standard output and the files that it creates (`auto`), "
            "standard output only, files relative to cwd or below {scratch}, or nothing."
        ),
    ] = "auto"
    compare_filter: Annotated[
        tuple[Pattern, ...],
        Field(description="Regular expressions; text that they match in a line of its output is ignored."),
    ] = ()
    compare_tolerance: Annotated[
        Tolerance | None, Field(description="How much floats in its output may differ, relative to the larger.")
    ] = None
    inputs: Annotated[
        tuple[Word, ...], Field(description="Files and directories it reads, relative to this file.")
    ] = ()
    metric: Annotated[MetricName | None, Field(description="What to compare; default: that of [measure].")] = None
    stop_signal: Annotated[
        Literal["TERM", "INT", "HUP", "QUIT", "USR1", "USR2"], Field(description="The signal that asks it to end.")
    ] = "TERM"
    grace_s: Annotated[DurationS, Field(description="How long it may take to end before it is killed.")] = 10.0
    repeat: Annotated[
        int, Field(strict=True, ge=1, description="How many times training runs it; measuring chooses its own number.")
    ] = 1
    parallel: Annotated[
        StrictBool, Field(description="Training may run it alongside other workloads with this setting.")
    ] = False
    setup: Annotated[
        Argv | None, Field(description="A command to run once before its runs; files that it leaves in {scratch} stay.")
    ] = None
    prepare: Annotated[Argv | None, Field(description="A command to run before each run, not timed.")] = None
    conclude: Annotated[Argv | None, Field(description="A command to run after each run, not timed.")] = None
    flush_object: Annotated[
        StrictBool | None,
        Field(
            description="Link a handler into the instrumented build that saves a program's counts when a signal ends "
            "it; default: for servers."
        ),
    ] = None
    cleanup: Annotated[Argv | None, Field(description="A command to run once after its runs.")] = None


def slug(name: str) -> str:
    """A file name for a workload's name: its safe characters and eight hexadecimal digits of its hash."""
    safe = re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-").lower()[:40].rstrip("-")
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{safe}-{digest}" if safe else digest
