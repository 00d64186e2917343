"""The winner of a search becomes a variant of the build profile, and nothing else of the file changes."""

from __future__ import annotations

import difflib
from dataclasses import replace
from pathlib import Path

import pytest
from inline_snapshot import snapshot

from optbuild.errors import UsageError
from optbuild.measure.model import Verdict
from optbuild.profile.load import load_build_profile
from optbuild.record.model import RunRecord
from optbuild.record.search import CandidateRecord, ScreeningRecord, SearchRecord
from optbuild.session.earlier import tells_more
from optbuild.session.proposal import Proposal
from optbuild.session.request import RunRequest
from optbuild.session.tuned import NothingProven, add_variant, propose_tuned
from optbuild.testing import make_comparison, make_run_record
from tests.unit.test_init import make_machine

SETTINGS = {"inherits": "release", "lto": "fat", "codegen-units": 1, "pgo": True, "rustflags": ("-Cx=1",)}

PROFILE = """\
schema = 1  # the format

[variants.release]   # what we ship
[variants.lto]
inherits = "release"
lto = "fat"          # slow to build

[[workloads]]
name = "books"
command = ["{bin}", "a"]
"""


def changed(text: str) -> str:
    """The lines that were added or removed."""
    after = add_variant(text, "tuned", SETTINGS)
    lines = difflib.unified_diff(text.splitlines(), after.splitlines(), lineterm="", n=0)
    return "\n".join(line for line in lines if not line.startswith(("---", "+++", "@@")))


def test_the_variant_is_added_after_the_others() -> None:
    """Comments, order and blank lines of all that is there stay."""
    assert changed(PROFILE) == snapshot("""\
+
+[variants.tuned]
+inherits = "release"
+lto = "fat"
+codegen-units = 1
+pgo = true
+rustflags = ["-Cx=1"]\
""")


@pytest.mark.parametrize("present", ["", "[variants.tuned]\nlto = false\n"])
def test_a_file_of_windows_stays_one(present: str) -> None:
    """Its line endings and its byte order mark stay, whether the variant is added or replaced."""
    before = "\ufeff" + (PROFILE + present).replace("\n", "\r\n")
    after = add_variant(before, "tuned", SETTINGS)
    assert after.startswith("\ufeff")
    assert after.count("\n") == after.count("\r\n") > before.count("\r\n")


def test_a_variant_of_that_name_is_replaced() -> None:
    """Settings that it had before are gone."""
    text = PROFILE + '\n[variants.tuned]\ninherits = "lto"\npanic = "abort"\n'
    assert changed(text) == snapshot("""\
+[variants.tuned]
+inherits = "release"
+lto = "fat"
+codegen-units = 1
+pgo = true
+rustflags = ["-Cx=1"]
-[variants.tuned]
-inherits = "lto"
-panic = "abort"\
""")


def test_a_profile_without_variants_keeps_those_of_the_preset(tmp_path: Path) -> None:
    """It had release, lto and pgo without naming them; a variant of its own would take their place."""
    text = 'schema = 1\n\n[[workloads]]\nname = "w"\ncommand = ["{bin}"]\n'
    path = tmp_path / "optbuild.toml"
    path.write_text(text)
    before = load_build_profile(path, directory=tmp_path)
    path.write_text(add_variant(text, "tuned", SETTINGS))
    after = load_build_profile(path, directory=tmp_path)
    assert [*after.variants] == [*before.variants, "tuned"]
    assert after.variants["tuned"].rustflags == ("-Cx=1",)


def test_what_is_not_toml_is_left_alone() -> None:
    """It is refused."""
    with pytest.raises(ValueError, match="line 1"):
        add_variant("schema = ", "tuned", SETTINGS)


def a_record(winner: str | None, verdict: Verdict | None, objective: str = "time") -> RunRecord:
    """A search with one candidate."""
    candidate = CandidateRecord(
        variant="pgo",
        settings={"pgo": True},
        build_s=2.5,
        size_bytes=1000,
        dropped_after=None,
        reason=None,
        change=-0.2,
        ci_low=None,
        ci_high=None,
        rounds=12,
    )
    confirmed = None if verdict is None else make_comparison(verdict=verdict)
    search = SearchRecord(
        objective=objective,
        budget_s=600.0,
        max_time_s=20.0,
        candidates=(candidate,),
        winner=winner,
        confirmation=confirmed,
    )
    return replace(make_run_record(), search=search)


def propose(directory: Path, record: RunRecord, text: str = PROFILE) -> str:
    """The proposed text."""
    proposal = answer(directory, record, text)
    assert isinstance(proposal, Proposal)
    return proposal.after


def refuse(directory: Path, record: RunRecord) -> NothingProven:
    """Why nothing is proposed."""
    refusal = answer(directory, record)
    assert isinstance(refusal, NothingProven)
    return refusal


def answer(directory: Path, record: RunRecord, text: str = PROFILE) -> Proposal | NothingProven:
    """What is said of a search in a project with this build profile."""
    (directory / "Cargo.toml").write_text("[package]\n")
    (directory / "optbuild.toml").write_text(text)
    return propose_tuned(record, RunRequest(directory=directory), make_machine(directory))


def test_a_proven_winner_is_proposed(tmp_path: Path) -> None:
    """With the settings in which it differs from the baseline."""
    after = propose(tmp_path, a_record("pgo", Verdict.FASTER))
    assert after.partition("[variants.tuned]\n")[2].splitlines()[:2] == ['inherits = "release"', "pgo = true"]


def test_a_winner_with_bolt_keeps_it(tmp_path: Path) -> None:
    """With "auto" a build without measuring would leave out what the search has chosen."""
    record = a_record("pgo", Verdict.FASTER)
    assert record.search is not None
    (found,) = record.search.candidates
    bolted = replace(found, settings={"pgo": True, "bolt": "auto"})
    after = propose(tmp_path, replace(record, search=replace(record.search, candidates=(bolted,))))
    assert after.partition("[variants.tuned]\n")[2].splitlines()[1:3] == ["pgo = true", "bolt = true"]


@pytest.mark.parametrize("verdict", [None, Verdict.SAME, Verdict.INCONCLUSIVE, Verdict.SLOWER])
def test_what_is_not_proven_is_not_written(tmp_path: Path, verdict: Verdict | None) -> None:
    """It says what the confirmation was, and which options give it more time."""
    refused = refuse(tmp_path, a_record("pgo", verdict))
    assert "pgo was chosen, but" in refused.message
    assert "optbuild tune --write --max-time 1m;" in refused.advice


def test_a_budget_that_leaves_the_confirmation_no_more_time_grows_too(tmp_path: Path) -> None:
    """Otherwise the longer confirmation that is advised could not be had."""
    record = a_record("pgo", Verdict.INCONCLUSIVE)
    assert record.search is not None
    record = replace(record, search=replace(record.search, budget_s=600.0, max_time_s=120.0))
    assert "--max-time 4m --budget 20m" in refuse(tmp_path, record).advice


@pytest.mark.parametrize(
    ("verdict", "objective", "max_time_s", "expected"),
    [
        (Verdict.INCONCLUSIVE, "time", 40.0, True),
        (Verdict.INCONCLUSIVE, "time", 20.0, False),
        (Verdict.INCONCLUSIVE, "size", 40.0, False),
        (Verdict.FASTER, "time", 40.0, False),
        (Verdict.SAME, "time", 40.0, False),
    ],
)
def test_more_time_goes_on_with_a_winner_that_was_not_confirmed(
    verdict: Verdict, objective: str, max_time_s: float, *, expected: bool
) -> None:
    """The advice to give it more time would otherwise show the old result again."""
    found = a_record("pgo", verdict, objective).search
    assert found is not None
    race = ScreeningRecord(looks=(8, 13), confidence=0.95, rounds=13, resumed_rounds=0, duration_s=9.0, series=())
    found = replace(found, screening=race)
    assert tells_more(found, budget_s=found.budget_s, max_time_s=max_time_s) is expected


def test_the_smallest_program_need_not_be_faster(tmp_path: Path) -> None:
    """Size was asked for, and sizes are exact."""
    assert "[variants.tuned]" in propose(tmp_path, a_record("pgo", Verdict.SLOWER, "size"))


@pytest.mark.parametrize("winner", [None, "release"])
def test_a_baseline_that_won_is_not_written(tmp_path: Path, winner: str | None) -> None:
    """There is nothing to add."""
    assert "no candidate is better than release" in refuse(tmp_path, a_record(winner, None)).message


def test_without_a_build_profile_there_is_nowhere_to_write(tmp_path: Path) -> None:
    """`init` makes one."""
    with pytest.raises(UsageError, match=r"no optbuild\.toml"):
        propose_tuned(a_record("pgo", Verdict.FASTER), RunRequest(directory=tmp_path), make_machine(tmp_path))
