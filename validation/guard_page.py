"""How many affected superblocks the noise guard found, as a page from the raw sessions and nothing else."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from validation.document import Table, render_page
from validation.rates import Outcome, Rate

_TARGET = 0.95
_QUIET = 0.1
_LEAST_RATIO = 0.05
_LEAST_S = 0.02
_NOTHING = "–"
_WHAT = (
    "Written by `nox -s validate-real -- --guard` from [guard.jsonl](guard.jsonl), which holds every superblock. A "
    "real program is measured against its copy while a load comes and goes on the same core. The load logs the CPU "
    "time that it gets; the guard sees only the kernel's counters. Intervals in brackets are 95% Clopper–Pearson "
    "intervals in percent."
)


@dataclass(frozen=True, slots=True)
class Slice:
    """Some milliseconds in which the load computed, and the CPU time that it got."""

    begin_s: float
    end_s: float
    cpu_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A superblock.

    Attributes:
        load_cpu_s: CPU seconds that the load used meanwhile, by its own log.
        steal_ratio: As the guard saw it; so is `foreign_ratio`.
        reason: What the guard said of it; None where it had nothing to say.
    """

    elapsed_s: float
    load_cpu_s: float
    steal_ratio: float | None
    foreign_ratio: float | None
    reason: str | None

    @property
    def is_tainted_by_programs(self) -> bool:
        """The guard said so of other programs of this machine, not of the hypervisor."""
        return self.reason is not None and "programs" in self.reason

    @property
    def is_affected(self) -> bool:
        """The load took more than the guard lets pass on a quiet machine: 5% of the time, and two clock ticks."""
        return self.load_cpu_s > max(_LEAST_RATIO * self.elapsed_s, _LEAST_S)


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One measuring session alongside a load."""

    regime: str
    seconds: float
    seed: int
    host: str
    load_average: float
    noisy: bool
    blocks: tuple[Block, ...]

    def as_json(self) -> dict[str, Any]:
        """For a line of the raw results."""
        return dataclasses.asdict(self)

    @classmethod
    def parse(cls, data: Mapping[str, Any]) -> Session:
        """From such a line."""
        return cls(**{**data, "blocks": tuple(Block(**block) for block in data["blocks"])})


def load_within(slices: Iterable[Slice], begin_s: float, end_s: float) -> float:
    """CPU seconds that a load used within a time; of a slice across its border in proportion."""
    total = 0.0
    for one in slices:
        shared_s = min(one.end_s, end_s) - max(one.begin_s, begin_s)
        if shared_s > 0:
            total += one.cpu_s * shared_s / (one.end_s - one.begin_s)
    return total


def render(sessions: Sequence[Session]) -> str:
    """Give the page.

    Args:
        sessions: At least one.
    """
    loads = [one.load_average for one in sessions]
    seconds = "/".join(f"{value:g}" for value in sorted({one.seconds for one in sessions}))
    machine = (
        f"Machine: {'; '.join(dict.fromkeys(one.host for one in sessions))}. {len(sessions)} sessions of {seconds} s, "
        f"load averages {min(loads):.1f} to {max(loads):.1f}."
    )
    return render_page(
        [_found(sessions), _by_share(sessions)], title="Validation of the noise guard", opening=[_WHAT, machine]
    )


def _found(sessions: Sequence[Session]) -> Table:
    rows = []
    affected: list[Block] = []
    untouched = [block for one in sessions for block in one.blocks if not block.load_cpu_s]
    beside = sum(block.is_tainted_by_programs for block in untouched)
    is_quiet = bool(untouched) and beside <= _QUIET * len(untouched)
    for regime in dict.fromkeys(one.regime for one in sessions):
        own = [one for one in sessions if one.regime == regime]
        blocks = [block for one in own for block in one.blocks]
        hit = [block for block in blocks if block.is_affected]
        clean = [block for block in blocks if not block.load_cpu_s]
        affected += hit
        rows.append(
            (
                regime,
                str(len(blocks)),
                f"{sum(one.noisy for one in own)} of {len(own)}",
                _tainted(hit),
                str(sum(block.is_tainted_by_programs for block in hit)),
                _tainted(clean),
                str(sum(block.is_tainted_by_programs for block in clean)),
            )
        )
    return Table(
        title="Superblocks that are tainted",
        target="at least 95% of the superblocks that the load affected",
        text=(
            "*Affected*: by its own log the load used more than 5% of the superblock's time and more than 20 ms, which "
            "is what the guard lets pass on a quiet machine. *Untouched*: the load did not run at all; something else "
            "taints those. If that is time taken by the hypervisor, the guard is right, and it checks that first: so "
            "*by programs* counts only its reports about other programs. *Noisy*: more than a tenth "
            "of the session's superblocks were disturbed, so none was measured again."
        ),
        header=(
            "load",
            "superblocks",
            "noisy sessions",
            "affected, tainted",
            "by programs",
            "untouched, tainted",
            "by programs",
        ),
        rows=tuple(rows),
        outcome=Rate(hits=_count(affected), trials=len(affected)).against(_TARGET, 1.0)
        if affected and is_quiet
        else Outcome.OPEN,
        remark=""
        if is_quiet
        else f"Of {len(untouched)} superblocks that the load did not touch {beside} were tainted by other programs: "
        "something else was running, so tainted superblocks prove nothing. Run it on a quiet core.",
    )


def _by_share(sessions: Sequence[Session]) -> Table:
    blocks = [block for one in sessions for block in one.blocks]
    kinds: Mapping[str, Callable[[float], bool]] = {
        "0%": lambda share: share == 0,
        "up to 2%": lambda share: 0 < share <= 0.02,  # noqa: PLR2004 - as it says
        "2 to 5%": lambda share: 0.02 < share <= 0.05,  # noqa: PLR2004
        "5 to 10%": lambda share: 0.05 < share <= 0.1,  # noqa: PLR2004
        "10 to 25%": lambda share: 0.1 < share <= 0.25,  # noqa: PLR2004
        "above 25%": lambda share: share > 0.25,  # noqa: PLR2004
    }
    return Table(
        title="By what the load took",
        target=None,
        text="All sessions together: of a superblock's time, the share that the load used.",
        header=("share", "tainted"),
        rows=tuple(
            (name, _tainted([block for block in blocks if belongs(block.load_cpu_s / block.elapsed_s)]))
            for name, belongs in kinds.items()
        ),
    )


def _count(blocks: Iterable[Block]) -> int:
    return sum(block.reason is not None for block in blocks)


def _tainted(blocks: Sequence[Block]) -> str:
    return f"{_count(blocks)} of {len(blocks)}: {Rate(hits=_count(blocks), trials=len(blocks))}" if blocks else _NOTHING
