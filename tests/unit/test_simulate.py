from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from inline_snapshot import snapshot

from optbuild.measure import statistics
from optbuild.measure.statistics import Floats
from validation import experiments, invariants, peers, simulate, trials, verdict_runs, verdict_time
from validation.document import Table, render
from validation.noise import MODELS, NoiseModel, Shape, simulate_runs
from validation.rates import Outcome, Rate, worst

TINY = experiments.Size(sessions=10, whole=10, real=1, random=1)


@pytest.mark.parametrize(
    ("hits", "trials", "low", "high"), [(0, 10, 0.0, 0.3085), (4, 200, 0.0055, 0.0504), (10, 10, 0.6915, 1.0)]
)
def test_a_rate_carries_its_clopper_pearson_interval(hits: int, trials: int, low: float, high: float) -> None:
    """The intervals are the exact binomial ones of the printed tables."""
    assert Rate(hits=hits, trials=trials).interval == pytest.approx((low, high), abs=1e-4)


@pytest.mark.parametrize(
    ("hits", "outcome"), [(9550, Outcome.MET), (9410, Outcome.OPEN), (9300, Outcome.MISSED), (9800, Outcome.MISSED)]
)
def test_a_target_is_met_only_where_the_whole_interval_meets_it(hits: int, outcome: Outcome) -> None:
    """A rate whose interval crosses the border decides nothing."""
    assert Rate(hits=hits, trials=10_000).against(0.94, 0.97) is outcome


def test_a_table_is_as_good_as_its_worst_row() -> None:
    """One missed row outweighs any number of met ones, an undecided one too."""
    assert worst([Outcome.MET, Outcome.MISSED, Outcome.OPEN]) is Outcome.MISSED
    assert worst([Outcome.MET, Outcome.OPEN, Outcome.MET]) is Outcome.OPEN
    assert worst([Outcome.MET]) is Outcome.MET


@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
def test_noise_has_the_size_it_names_and_its_seed_repeats_it(model: NoiseModel) -> None:
    """Every model is finite, scatters by about sigma or more, and depends on its generator alone."""
    shape = (200, 10, 2, 6)

    noise = model(np.random.default_rng(1), shape, 0.02)

    assert noise.shape == shape
    assert np.isfinite(noise).all()
    assert 0.015 < noise.std() < 0.08
    assert (noise == model(np.random.default_rng(1), shape, 0.02)).all()


def test_the_memory_of_a_run_is_the_one_named() -> None:
    """The autoregression has the lag-1 correlation 0.3, and the same variance from its first run on."""
    noise = MODELS["AR(1) 0.3"](np.random.default_rng(2), (4000, 5, 1, 4), 0.02).reshape(4000, 20)

    assert np.corrcoef(noise[:, 0], noise[:, 1])[0, 1] == pytest.approx(0.3, abs=0.05)
    assert noise[:, 0].std() == pytest.approx(0.02, rel=0.05)
    assert noise[:, -1].std() == pytest.approx(0.02, rel=0.05)


def ramp(generator: np.random.Generator, shape: Shape, sigma: float) -> Floats:
    """Give each run its place in time."""
    return np.broadcast_to(np.arange(math.prod(shape[1:]), dtype=np.float64).reshape(shape[1:]), shape)


def test_simulated_superblocks_are_mirrored() -> None:
    """With a linear drift and nothing else, the arms of a superblock have equal means: the order cancels it."""
    logs = simulate_runs(ramp, np.random.default_rng(3), (5, 4, 2), arms=3, sigma=1.0)
    means = logs.mean(axis=-1)

    assert logs.shape == (5, 4, 2, 3, 2)
    assert (means == means[..., :1]).all()
    assert len(np.unique(logs[0, 0, 0])) == 6


def test_stacked_intervals_are_the_ones_optbuild_computes() -> None:
    """The array form of the interval is the function that analyses real sessions."""
    d = np.random.default_rng(4).normal(size=(20, 12))
    low, high = trials.intervals(d, 0.0125)

    assert [(a, b) for a, b in zip(low, high, strict=True)] == [
        statistics.signed_rank_interval(row, 0.0125) for row in d
    ]
    with pytest.raises(ValueError, match="too few"):
        trials.intervals(d[:, :5], 0.05)


def test_the_simulated_pipeline_is_the_real_one() -> None:
    """Rounds, verdicts and half-widths agree session by session with `needed_rounds` and `analyse`."""
    differing, _, _ = invariants.check_pipeline(np.random.default_rng(5), 1)

    assert (differing.hits, differing.trials) == (0, len(MODELS))


def test_a_family_at_half_the_level_finds_less() -> None:
    """A stricter level takes at least as many rounds."""
    (plain, halved) = trials.collect(
        MODELS["lognormal"],
        np.random.default_rng(6),
        sessions=40,
        sigma=0.03,
        settings=[trials.Setting(min_effect=0.0), trials.Setting(min_effect=0.0, alpha=0.025)],
    )

    assert plain.rounds.shape == (40,)
    assert (halved.rounds >= plain.rounds).all()
    assert halved.rounds.mean() > plain.rounds.mean()


@pytest.mark.parametrize("rule", [*peers.UNPAIRED, *peers.OURS])
def test_every_rule_finds_what_is_plain_and_nothing_in_equal_runs(rule: str) -> None:
    """A program 30% slower is found under little noise; a program against itself is not."""
    decide = {**peers.UNPAIRED, **peers.OURS}[rule]
    runs = np.random.default_rng(7).normal(0.0, 0.01, (5, 40))
    others = np.random.default_rng(8).normal(math.log(1.3), 0.01, (5, 40))

    assert decide(runs, others).all()
    assert decide(others, runs).all()
    assert not decide(runs, runs).any()


def test_both_orders_get_the_same_noise() -> None:
    """In sequence or interleaved, the two programs share out one set of runs."""
    runs = peers.simulate_two(MODELS["drift 5%"], np.random.default_rng(9), sessions=3, sigma=0.02)

    sequence, mixed = (np.sort(np.concatenate(pair, axis=-1)) for pair in (runs.in_sequence, runs.interleaved))

    assert (sequence == mixed).all()
    assert runs.in_sequence[0].mean() < runs.in_sequence[1].mean()


def test_a_page_is_made_from_its_tables_alone() -> None:
    """Targets, outcomes and remarks stand where a reader looks for them."""
    met = Table(title="One", target="all is well", text="Text.", header=("a", "b"), rows=(("x", "1%"),))
    missed = Table(
        title="Two",
        target="none fails",
        text="More.",
        header=("a",),
        rows=(("y",),),
        outcome=Outcome.MISSED,
        remark="Because.",
    )

    page = render([met, missed], command="make", versions="libraries")

    assert page.split("\n\n")[2:] == snapshot(
        [
            """\
| question | target | outcome |
| :-- | :-- | :-- |
| One | all is well |  |
| Two | none fails | missed |\
""",
            "## One",
            "Text.",
            """\
| a | b |
| :-- | --: |
| x | 1% |\
""",
            "## Two",
            "Target: none fails. **Missed.**",
            "Because.",
            "More.",
            """\
| a |
| :-- |
| y |
""",
        ]
    )


def test_the_whole_page_can_be_made_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every experiment runs at a tiny size, and the same seed prints the page that it wrote."""
    page = tmp_path / "docs" / "validation.md"
    monkeypatch.setattr(simulate, "PAGE", page)
    monkeypatch.setattr(simulate, "REDUCED", TINY)

    simulate.main(["--write", "--seed", "3"])
    first = page.read_text(encoding="utf-8")
    capsys.readouterr()
    simulate.main(["--seed", "3"])
    again = capsys.readouterr()

    assert again.out == first
    assert [line for line in again.err.splitlines() if line.startswith("Invariants")] == ["Invariants: met"]
    assert "nan" not in first


def test_another_seed_is_another_source_of_chance() -> None:
    """Seeds and rows have sources of their own; the same seed and row have the same one."""
    draws = {(seed, row): experiments.source(seed, row).random() for seed in (3, 4) for row in ("a", "b")}

    assert len(set(draws.values())) == 4
    assert experiments.source(3, "a").random() == draws[3, "a"]


@pytest.mark.parametrize(
    ("outcome", "remark", "status"),
    [(Outcome.MISSED, "", 1), (Outcome.MISSED, "Because.", 0), (Outcome.OPEN, "", 0), (Outcome.MET, "", 0)],
)
def test_a_missed_target_without_a_reason_fails_the_command(
    monkeypatch: pytest.MonkeyPatch, outcome: Outcome, remark: str, status: int
) -> None:
    """A promise that is broken is noticed; a shortfall that the page explains is not an error."""
    table = Table(title="T", target="t", text="t", header=("h",), rows=(("r",),), outcome=outcome, remark=remark)
    monkeypatch.setattr(simulate, "EXPERIMENTS", (lambda *_: table,))

    assert simulate.main([]) == status


def test_the_time_to_a_verdict_is_counted_in_runs_and_seconds() -> None:
    """On a quiet machine both designs call the gain faster, after their least rounds, and the small one is cheaper."""
    case = verdict_time.Case(change=0.25, workloads=1, noise="quiet", run_s=0.02)
    before = verdict_time.measure_before(np.random.default_rng(1), case, 5)
    now = verdict_time.measure_now(np.random.default_rng(1), case, 5)
    assert (before.right, now.right) == (1.0, 1.0)
    assert before.runs == 3 + 10 * (1 + 3 * 6)
    assert now.runs == 3 + 10 * (1 + 3 * 2)
    assert now.seconds == pytest.approx(now.runs * (0.02 * (3 - 0.25) / 3 + verdict_time.OVERHEAD_S))


def test_the_runs_until_a_gain_is_found_are_the_fewest_that_suffice() -> None:
    """A large gain takes the least rounds; a critical value that nothing reaches takes more runs than there are."""
    search = verdict_runs.Search(change=0.25, workloads=1, machine="quiet")
    assert verdict_runs.own_runs(np.random.default_rng(1), search, 5) == 3 + 6 * 3
    assert verdict_runs.welch_runs(np.random.default_rng(1), search, 5, lambda _, __: 0.0) == 2 * (1 + 3)
    assert verdict_runs.welch_runs(np.random.default_rng(1), search, 2, lambda _, __: np.inf) == np.inf


def test_a_critical_value_for_any_machine_is_that_of_the_worst() -> None:
    """Whoever does not know the machine has to allow for each."""
    calibration = verdict_runs.Calibration(lambda *row: experiments.source(1, *row), 20)
    each = [calibration.of(machine)(5, 1) for machine in verdict_runs.MACHINES]
    assert calibration.of_any(5, 1) == max(each) > min(each)


def test_bursts_take_their_share_of_the_time() -> None:
    """A fifth of the runs is slower, in stretches of about twenty."""
    noise = verdict_runs.bursting(np.random.default_rng(1), (40, 1, 1, 2000), 1e-6).reshape(40, 2000)
    slow = noise > 0.05
    assert slow.mean() == pytest.approx(0.2, abs=0.03)
    assert slow.sum() / (slow[:, 1:] & ~slow[:, :-1]).sum() == pytest.approx(20, rel=0.2)
