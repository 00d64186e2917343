"""The keys of stored results: what each step's result depends on, by content.

A result is reused exactly if its key is equal. So the key must contain everything that affects the result, and should
contain nothing else. How binaries were made does not matter if their content is known.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from optbuild.files import sha256_of
from optbuild.making.result_store import ResultStore
from optbuild.plan.action import Action, Id
from optbuild.plan.counts import BranchCounts, Counts, PgoProfile
from optbuild.plan.fingerprint import fingerprint, make_action_id, make_result_key
from optbuild.plan.kinds.bolt import BoltMerge, BoltTrain
from optbuild.plan.kinds.check_outputs import CompareOutputs, ProbeOutputs
from optbuild.plan.kinds.merge import MergeProfiles
from optbuild.plan.kinds.profile_data import MatchProfileData
from optbuild.plan.kinds.train import Train
from optbuild.plan.results import Artifact, CargoTraining, Probed
from optbuild.portable.matching import TRANSLATOR
from optbuild.workloads.cargo_build import CargoBuild
from optbuild.workloads.inputs import InputHashes

_SUMMARY = {"summary": "hot counts"}
"""What is kept of a merged profile besides its counts: earlier versions kept less."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """Where results of earlier runs are stored, and what their keys contain besides actions and other results."""

    results: ResultStore
    hashes: InputHashes
    profdata_version: str


def training_key(
    action: Train,
    binaries: Mapping[str, Artifact],
    cargo: CargoTraining | None,
    hashes: InputHashes,
    tool_version: str,
) -> str:
    """The key of one workload's counts.

    Raises:
        NotComparableError: What the workload reads has changed since the run began.
    """
    used = {**_contents(binaries), **hashes.resolve(action.workload)}
    if cargo is not None:
        used |= _how(cargo.build)
        used |= {f"program {name}": artifact.sha256 for name, artifact in cargo.program.items()}
    return make_result_key(action.id, {**used, **_tool(tool_version)})


def merge_key(
    action: MergeProfiles,
    profiles: Mapping[Id[Counts], PgoProfile],
    program: Mapping[str, Artifact],
    counted: Mapping[str, Artifact],
    tool_version: str,
) -> str:
    """The key of a merged profile, including the programs whose names its functions get, and those that counted."""
    contents = {str(training): profile.sha256 for training, profile in profiles.items()}
    contents |= {f"program {name}": artifact.sha256 for name, artifact in program.items()}
    contents |= {f"counted {name}": artifact.sha256 for name, artifact in counted.items()}
    contents |= {} if action.min_matched is None else {"translator": TRANSLATOR}
    return make_result_key(action.id, {**contents, **_tool(tool_version), **_SUMMARY})


def profile_data_key(action: MatchProfileData, program: Mapping[str, Artifact], tool_version: str) -> str:
    """The key of committed counts by the names of a program's functions."""
    contents = {f"program {name}": artifact.sha256 for name, artifact in program.items()}
    contents |= {"file": sha256_of(action.file), "translator": TRANSLATOR}
    contents |= {} if action.names is None else {"names": sha256_of(action.names)}
    return make_result_key(action.id, {**contents, **_tool(tool_version), **_SUMMARY})


def branch_training_key(action: BoltTrain, binaries: Mapping[str, Artifact], hashes: InputHashes) -> str:
    """The key of one workload's counts of branches.

    Raises:
        NotComparableError: What the workload reads has changed since the run began.
    """
    return make_result_key(action.id, {**_contents(binaries), **hashes.resolve(action.workload)})


def branch_merge_key(action: BoltMerge, counted: Mapping[Id[BranchCounts], BranchCounts]) -> str:
    """The key of merged counts of branches."""
    contents = {
        f"{training} {name}": counts.sha256
        for training, each in counted.items()
        for name, counts in each.programs.items()
    }
    return make_result_key(action.id, contents)


def linked_key(action: Action[object], binaries: Mapping[str, Artifact], counts: BranchCounts | None = None) -> str:
    """The key of programs that a tool makes of linked ones; the action's id has the tool and its options."""
    counted = {} if counts is None else {f"counts {name}": each.sha256 for name, each in counts.programs.items()}
    return make_result_key(action.id, {**_contents(binaries), **counted})


def output_key(
    action: ProbeOutputs | CompareOutputs,
    binaries: Mapping[str, Artifact],
    hashes: InputHashes,
    cargo: CargoBuild | None = None,
    *,
    baseline: Probed | None = None,
) -> str:
    """The key of a workload's output and its comparison with the baseline's.

    Raises:
        NotComparableError: What the workload reads has changed since the run began.
    """
    recipe = make_action_id(action.kind, action.workload.recipe(), action.workload.comparing)
    used = {**_contents(binaries), **hashes.resolve(action.workload)}
    if cargo is not None:
        used |= _how(cargo)
    if baseline is not None:
        used |= {"baseline": baseline.sha256, "varies": " ".join(baseline.varying)}
    return make_result_key(recipe, used)


def _contents(binaries: Mapping[str, Artifact]) -> dict[str, str]:
    """Everything on the stage: a program may start its neighbour."""
    return {f"bin {name}": artifact.sha256 for name, artifact in binaries.items()}


def _how(build: CargoBuild) -> dict[str, str]:
    """How cargo would run what it has built."""
    return {"cargo": fingerprint(build)}


def _tool(version: str) -> dict[str, str]:
    return {"llvm-profdata": version}
