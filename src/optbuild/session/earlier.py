"""The key of a measurement, and the stored run or search that is still valid."""

from __future__ import annotations

from optbuild.making.order.decisions import TOO_LATE
from optbuild.measure.model import Comparison, Verdict
from optbuild.plan.fingerprint import fingerprint, make_result_key
from optbuild.plan.measure import Measure
from optbuild.plan.results import Results
from optbuild.profile.search_choices import Objective
from optbuild.record.model import HostRecord, RunRecord
from optbuild.record.search import SearchRecord
from optbuild.record.store import RecordStore
from optbuild.workloads.inputs import InputHashes

WAITING = "not built: there was no time to find out what its settings bring alone"
"""Why a combination was not built whose settings were not measured alone."""


def measurement_key(action: Measure, results: Results, hashes: InputHashes, host: HostRecord) -> str:
    """The key of a measurement: its recipe, and the content of binaries and inputs, on a machine like this.

    Args:
        action: The measuring.
        results: The binaries of its arms, as far as they were built.
        hashes: The hashes of the workloads' inputs.
        host: The machine.

    Raises:
        NotComparableError: An input has changed since the run began.
    """
    binaries: dict[str, str] = {}
    for variant, built in action.measured():
        arm = results.find(built)
        if arm is None:
            continue
        binaries |= {f"{variant} {name}": artifact.sha256 for name, artifact in arm.artifacts.items()}
        if arm.cargo_build is not None:  # the arguments and the environment that cargo gives to programs
            binaries[f"cargo {variant}"] = fingerprint(arm.cargo_build)
    inputs = {f"{w.name} {key}": value for w in action.workloads for key, value in hashes.resolve(w).items()}
    compared = {f"{w.name} compare-output": repr(w.comparing) for w in action.workloads}
    machine = {"host": f"{host.cpu}, {host.cores} cores, {host.kernel}"}
    return make_result_key(action.id, {**binaries, **inputs, **compared, **machine})


def find_earlier(result_key: str, action: Measure, records: RecordStore) -> RunRecord | None:
    """The newest complete run with this key, unless time ended it and there is more time now."""
    earlier = records.find_complete(result_key)
    if earlier is None or earlier.measure is None:
        return None
    is_short = earlier.measure.advice is not None and earlier.measure.max_time_s < action.max_time_s
    return None if is_short else earlier


def tells_more(found: SearchRecord, *, budget_s: float, max_time_s: float) -> bool:
    """Whether a search ended for lack of time, and could decide more with these limits."""
    if found.budget_s >= budget_s and found.max_time_s >= max_time_s:
        return False
    last = found.race or found.screening
    is_unbuilt = any(each.reason in {TOO_LATE, WAITING} for each in found.candidates)
    return is_unbuilt or last is None or bool(last.undecided) or is_unproven(found.objective, found.confirmation)


def is_unproven(objective: str, confirmation: Comparison | None) -> bool:
    """Whether a winner was chosen for its time, and its confirmation had too little time to tell."""
    return objective == Objective.TIME and confirmation is not None and confirmation.verdict is Verdict.INCONCLUSIVE
