"""Stand-ins and ready-made data for tests of optbuild and of what is built on it. Public; it needs no test framework.

Executors that start nothing:

- `ScriptedExecutor` answers with what a test wrote down, and keeps what it was asked;
- `RecordedExecutor` answers with what real programs once said (`Recording`, refreshed by `nox -s record`).

Factories (`make_…`) give a small but complete value: a project `demo` in `/p` with one binary, built by Rust 1.95.0 for
`TARGET`. Keywords replace what a test is about.
"""

from __future__ import annotations

from optbuild.testing.executors import (
    Answer,
    RecordedExecutor,
    Recording,
    Reply,
    ScriptedExecutor,
    load_recording,
    make_command,
    make_completed,
    make_indexed_profile,
    make_raw_profile,
    make_usage,
    raw_profile_path,
)
from optbuild.testing.records import make_comparison, make_pgo_record, make_run_record, make_variant_record
from optbuild.testing.values import (
    TARGET,
    make_build_profile,
    make_compiled,
    make_invocation,
    make_package,
    make_pgo_profile,
    make_plan_inputs,
    make_project,
    make_toolchain,
    make_variants,
)

__all__ = [
    "TARGET",
    "Answer",
    "RecordedExecutor",
    "Recording",
    "Reply",
    "ScriptedExecutor",
    "load_recording",
    "make_build_profile",
    "make_command",
    "make_comparison",
    "make_compiled",
    "make_completed",
    "make_indexed_profile",
    "make_invocation",
    "make_package",
    "make_pgo_profile",
    "make_pgo_record",
    "make_plan_inputs",
    "make_project",
    "make_raw_profile",
    "make_run_record",
    "make_toolchain",
    "make_usage",
    "make_variant_record",
    "make_variants",
    "raw_profile_path",
]
