from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from optbuild.measure.guard import Reading
from validation import guard_rate
from validation.guard_page import Block, Session, Slice, load_within, render
from validation.guard_rate import LoggedGuard


def make_block(load_cpu_s: float = 0.0, reason: str | None = None) -> Block:
    """A superblock of one second."""
    return Block(elapsed_s=1.0, load_cpu_s=load_cpu_s, steal_ratio=0.0, foreign_ratio=load_cpu_s, reason=reason)


def make_session(*blocks: Block, **given: Any) -> Session:  # noqa: ANN401 - its fields
    """A session beside a load that came and went."""
    session = Session(
        regime="half of the time",
        seconds=40.0,
        seed=5713,
        host="Slide Rule 9, 1 core, Linux 9",
        load_average=1.25,
        noisy=True,
        blocks=blocks,
    )
    return Session.parse({**session.as_json(), **given})


def cells(page: str, beginning: str) -> list[str]:
    """The row that begins so."""
    (line,) = [line for line in page.splitlines() if line.startswith(f"| {beginning} |")]
    return line.strip("| ").split(" | ")


def test_the_loads_own_log_says_what_it_took() -> None:
    """Of a slice across the border of a superblock its part counts, of others all or nothing."""
    slices = [Slice(0.0, 1.0, 0.5), Slice(1.0, 2.0, 0.4), Slice(5.0, 6.0, 1.0)]
    assert load_within(slices, 0.5, 3.0) == pytest.approx(0.25 + 0.4)
    assert load_within(slices, 1.25, 1.5) == pytest.approx(0.1)
    assert load_within(slices, 2.0, 5.0) == 0.0
    assert load_within([], 0.0, 9.0) == 0.0


@pytest.mark.parametrize(
    ("elapsed_s", "load_cpu_s", "affected"),
    [(1.0, 0.05, False), (1.0, 0.051, True), (0.1, 0.02, False), (0.1, 0.021, True), (1.0, 0.0, False)],
)
def test_affected_is_what_a_quiet_machine_would_not_let_pass(
    elapsed_s: float,
    load_cpu_s: float,
    affected: bool,  # noqa: FBT001 - a column of the table above
) -> None:
    """More than a twentieth of the time, and more than two ticks of the kernel's clock."""
    block = Block(elapsed_s=elapsed_s, load_cpu_s=load_cpu_s, steal_ratio=None, foreign_ratio=None, reason=None)
    assert block.is_affected is affected


@pytest.mark.parametrize(("found", "of", "judged"), [(200, 200, "met"), (96, 100, "undecided"), (80, 100, "missed")])
def test_of_the_affected_superblocks_95_percent_have_to_be_tainted(found: int, of: int, judged: str) -> None:
    """The interval of the share is held against the target; what the load did not touch is counted beside it."""
    affected = [make_block(0.4, "other programs used 41% of a core")] * found + [make_block(0.4)] * (of - found)
    page = render([make_session(*affected, *[make_block()] * 9, make_block(reason="steal 7%"))])
    row = cells(page, "half of the time")
    assert row[1:4] == [str(of + 10), "1 of 1", row[3]]
    assert row[3].startswith(f"{found} of {of}: ")
    assert row[4] == str(found)
    assert row[5].startswith("1 of 10: ")
    assert row[6] == "0"  # what the hypervisor takes is no other program's doing, and no proof against the guard
    assert cells(page, "Superblocks that are tainted")[-1] == judged


def test_beside_something_else_nothing_is_proven() -> None:
    """Where untouched superblocks are tainted as well, finding the affected ones is no feat, and no target is met."""
    affected = [make_block(0.4, "other programs used 41% of a core")] * 200
    page = render([make_session(*affected, *[make_block()] * 8, *[make_block(reason="other programs used 50%")] * 2)])
    assert cells(page, "Superblocks that are tainted")[-1] == "undecided"
    assert "Of 10 superblocks that the load did not touch 2 were tainted by other programs" in page
    assert cells(render([make_session(*affected)]), "Superblocks that are tainted")[-1] == "undecided"


def test_small_loads_are_told_as_well() -> None:
    """By what the load took, so that a reader sees where the guard begins to see."""
    page = render([make_session(make_block(0.01), make_block(0.03, "x"), make_block(0.07, "x"), make_block(0.3, "x"))])
    assert cells(page, "up to 2%")[1].startswith("0 of 1")
    assert cells(page, "2 to 5%")[1].startswith("1 of 1")
    assert cells(page, "5 to 10%")[1].startswith("1 of 1")
    assert cells(page, "10 to 25%")[1] == "–"
    assert cells(page, "above 25%")[1].startswith("1 of 1")


def test_without_affected_superblocks_nothing_is_judged() -> None:
    """The load may never have come; the machine is told all the same."""
    page = render([make_session(make_block(), regime="no load", noisy=False), make_session(load_average=0.5)])
    assert "1 sessions" not in page
    assert "Machine: Slide Rule 9, 1 core, Linux 9. 2 sessions of 40 s, load averages 0.5 to 1.2." in page
    assert cells(page, "no load")[2:4] == ["0 of 1", "–"]
    assert cells(page, "Superblocks that are tainted")[-1] == "undecided"


def test_sessions_are_kept_and_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A line each; the page can be written from them at any time, and not from none."""
    monkeypatch.setattr(guard_rate, "RAW", tmp_path / "raw" / "guard.jsonl")
    monkeypatch.setattr(guard_rate, "PAGE", tmp_path / "page.md")
    with pytest.raises(SystemExit):
        guard_rate.main(["--page"])
    sessions = [make_session(make_block(0.4, "x")), make_session(make_block())]
    for session in sessions:
        guard_rate.append(session)
    assert guard_rate.load() == sessions
    guard_rate.main(["--page"])
    assert (tmp_path / "page.md").read_text() == render(sessions)
    assert all(json.loads(line) for line in (tmp_path / "raw" / "guard.jsonl").read_text().splitlines())


def test_the_guard_is_logged_and_not_changed() -> None:
    """Each superblock has its times and what was said of it, by the rules of the guard itself."""
    now = iter(range(100))
    busy = iter([0.0, 0.0, 0.0, 0.4, 0.4, 0.4, 0.4, 9.0])

    def read() -> Reading:
        return Reading(monotonic_s=float(next(now)), boottime_s=0.0, busy_s=next(busy), steal_s=0.0)

    guard = LoggedGuard(read=read, own_cpu_s=lambda: 0.0)
    for _ in range(2):
        guard.begin()
        guard.end(programs_cpu_s=0.0)
    assert list(zip(guard.begun_s, guard.ended_s, strict=True)) == [(1.0, 2.0), (5.0, 6.0)]
    reasons = [guard.judge(disturbance) for disturbance in guard.disturbances]
    assert [guard.said[id(disturbance)] for disturbance in guard.disturbances] == reasons
    assert reasons[1] is not None
