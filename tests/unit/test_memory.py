"""Rounds on disk: a contest that was killed goes on, and rounds of another contest are never mixed in."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from optbuild.events import ActionProgressed, ActionStarted
from optbuild.measure.memory import open_memory
from optbuild.measure.model import A_PRIME, Superblock
from optbuild.measure.sampling import stay_to_the_end
from tests.unit.contest_cases import Track


@pytest.fixture
def track(tmp_path: Path) -> Track:
    """A race of two candidates for six rounds at most."""
    made = Track(tmp_path, arms={"release": 1.0, "lto": 0.9, "pgo": 0.8})
    made.settings = replace(made.settings, looks=(6,))
    return made


def values_of(rounds: tuple[Superblock, ...]) -> list[dict[str, tuple[float, ...]]]:
    """What was measured in each round."""
    return [dict(block.values) for block in rounds]


def test_a_contest_goes_on_after_the_rounds_that_are_kept(track: Track, tmp_path: Path) -> None:
    """The kept rounds are the first ones of the result, to the last digit, and only the others are run."""
    path = tmp_path / "race.rounds"
    track.settings = replace(track.settings, looks=(4,))
    track.memory = open_memory(path, "key")
    before = track.measure().series[0].rounds
    track.settings = replace(track.settings, looks=(6,))
    track.memory = open_memory(path, "key")
    assert len(track.memory.rounds) == 4
    ran = len(track.executor.commands)
    after = track.measure().series[0].rounds
    assert values_of(after[:4]) == values_of(before)
    assert len(after) == 6
    arms, warm_up = 4, 4
    assert len(track.executor.commands) - ran == warm_up + 2 * arms


def test_a_candidate_that_left_before_stays_away(track: Track, tmp_path: Path) -> None:
    """Who is missing in the last kept round has left."""
    path = tmp_path / "race.rounds"
    track = Track(tmp_path, arms={**track.arms, "wide": 0.7}, settings=replace(track.settings, looks=(4,)))
    track.leaving = lambda series: frozenset({"lto"}) if len(series[0].rounds) >= 2 else frozenset()
    track.memory = open_memory(path, "key")
    first = track.measure()
    assert first.left == frozenset({"lto"})
    track.leaving = stay_to_the_end
    track.memory = open_memory(path, "key")
    again = track.measure()
    assert again.left == frozenset({"lto"})
    assert all("lto" not in block.order for block in again.series[0].rounds[2:])


def test_a_race_ends_when_one_candidate_is_left(track: Track) -> None:
    """There is nothing left to decide; the baseline and its copy ran to the end."""
    track.leaving = lambda series: frozenset({"lto"}) if len(series[0].rounds) >= 2 else frozenset()
    rounds = track.measure().series[0].rounds
    assert len(rounds) == 2
    assert {"release", A_PRIME} <= set(rounds[-1].order)


def test_rounds_of_another_contest_are_dropped(track: Track, tmp_path: Path) -> None:
    """A changed binary, input or setting has another key."""
    path = tmp_path / "race.rounds"
    track.memory = open_memory(path, "key")
    track.measure()
    assert open_memory(path, "other").rounds == ()
    assert open_memory(path, "key").rounds == ()


@pytest.mark.parametrize("damage", [b'{"small": {"order', b"", b"\xff\xfe"])
def test_a_line_that_was_cut_off_is_no_round(track: Track, tmp_path: Path, damage: bytes) -> None:
    """The process was killed while it wrote; what was written before counts, and new rounds follow it."""
    path = tmp_path / "race.rounds"
    track.settings = replace(track.settings, looks=(3,))
    track.memory = open_memory(path, "key")
    track.measure()
    path.write_bytes(path.read_bytes() + damage)
    memory = open_memory(path, "key")
    assert len(memory.rounds) == 3
    memory.keep(memory.rounds[0])
    assert len(open_memory(path, "key").rounds) == 4


def test_a_race_shows_the_way_to_its_next_look(track: Track) -> None:
    """Not to its last one, which few races reach; and no further than the time reaches."""
    track.settings = replace(track.settings, looks=(3, 5, 100), max_time_s=34.0)
    track.measure()
    totals = [event.total for event in track.heard if isinstance(event, ActionStarted)]
    progress = [event for event in track.heard if isinstance(event, ActionProgressed)]
    assert totals[0] == 3
    assert [(event.done, event.total) for event in progress[:4]] == [(1, 3), (2, 3), (3, 5), (4, 5)]
    assert 5 < (progress[4].total or 0) < 10
    assert progress[0].detail.startswith("then 2 candidates may leave, ")
