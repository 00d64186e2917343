"""What can pay, from one sampled and one counted run of a workload: findings, each with its figure. Pure.

A finding never says how much faster a program gets, only what it can gain at most: if a part of the time took none at
all (Amdahl's law).

Sources: G. M. Amdahl, "Validity of the single processor approach to achieving large scale computing capabilities",
AFIPS 1967, https://doi.org/10.1145/1465482.1465560
"""

from __future__ import annotations

from collections.abc import Iterator

from optbuild.observe.observation import Advice, Observation, Prospect, Remedy
from optbuild.observe.rules import RULES, WORTH, Parts
from optbuild.observe.shares import Part, find_hot, weigh_parts
from optbuild.units import format_share

_MOST = 0.8
"""From this share on, a part decides: nothing else can pay much."""

_WORDS = {Remedy.LTO: "LTO", Remedy.PGO: "PGO", Remedy.BOLT: "BOLT", Remedy.ALLOCATOR: "another allocator"}


def advise(seen: Observation) -> Advice:
    """Say what can pay on a workload, and what cannot."""
    parts = weigh_parts(seen.samples, seen.own_crates)
    hot = find_hot(seen.samples)
    found = [finding for rule in RULES for finding in rule(seen, parts, hot)]
    found.sort(key=lambda finding: -(finding.share or 0.0))
    prospects = tuple(_weigh_prospects(seen, parts))
    return Advice(
        parts=parts,
        waiting_share=seen.waiting_share,
        findings=tuple(found),
        prospects=prospects,
        summary=_summarise(seen, parts, prospects),
    )


def _weigh_prospects(seen: Observation, parts: Parts) -> Iterator[Prospect]:
    rust = (parts[Part.OWN] + parts[Part.RUST]) * seen.running_share
    allocating = parts[Part.ALLOCATOR] * seen.running_share
    for remedy, name in ((Remedy.LTO, "LTO"), (Remedy.PGO, "PGO"), (Remedy.BOLT, "BOLT")):
        can_pay = rust >= 2 * WORTH and not (remedy is Remedy.LTO and seen.has_lto)
        reason = f"{name} acts on compiled Rust code, {format_share(rust)} of the time"
        if remedy is Remedy.LTO and seen.has_lto:
            reason = "this variant has it already"
        yield Prospect(remedy=remedy, can_pay=can_pay, at_most=rust, reason=reason)
    reason = f"an allocator acts on {format_share(allocating)} of the time"
    if seen.allocator is not None:
        reason += f"; this program has {seen.allocator} already"
    yield Prospect(remedy=Remedy.ALLOCATOR, can_pay=allocating >= WORTH, at_most=allocating, reason=reason)


def _summarise(seen: Observation, parts: Parts, prospects: tuple[Prospect, ...]) -> str:
    rust = (parts[Part.OWN] + parts[Part.RUST]) * seen.running_share
    beyond = {
        "is the kernel's": parts[Part.KERNEL] * seen.running_share,
        "is C code": parts[Part.C] * seen.running_share,
        "it waits": seen.waiting_share or 0.0,
    }
    paying = [_WORDS[each.remedy] for each in prospects if each.can_pay]
    if not paying or beyond["is the kernel's"] + beyond["it waits"] >= _MOST:
        largest = sorted(((share, words) for words, share in beyond.items() if share >= WORTH), reverse=True)
        said = ", ".join(f"{format_share(share)} of the time {words}" for share, words in largest)
        return f"leave it: {said}, which no build setting reaches"
    return f"worth a try: {', '.join(paying)}; {format_share(rust)} of the time is compiled Rust code"
