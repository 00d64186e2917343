"""The builds of a comparison: both versions side by side, as far as that costs no work twice.

A version that was never built begins with a copy of what cargo has built of another one. Where that is there before the
builds, or never, both versions begin at once. Otherwise the first build of the new version waits until the old version
has made the same kind of build, and is copied from it: what both depend on is compiled once. From then on both go on at
the same time.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from optbuild.errors import BuildError
from optbuild.making.order.together import Loan
from optbuild.session.ledger import Ledger
from optbuild.session.prepare import load_history
from optbuild.session.run import announce_plan, build_together, warn_of_unpassed
from optbuild.session.seeding import seed_directory
from optbuild.session.sides import Side, about
from optbuild.session.sources import SourceMaker
from optbuild.session.versions import NEW, OLD, Versions


def build_versions(versions: Versions) -> None:
    """Build the versions, or find them built; a failure says which version it is about.

    Raises:
        OptbuildError: What ended the builds early; finished results are in the ledgers.
    """
    sides = [versions.sides[name] for name in (OLD, NEW) if name in versions.sides]
    for side in sides:
        versions.ledgers[side.name] = _begin(versions, side)
    loans = _seed(versions, sides)
    ledgers = [versions.ledgers[side.name] for side in sides]
    versions.side_by_side = len({ledger.prepared.shared_jobs for ledger in ledgers}) == 1
    with versions.in_order_of_versions():
        for group in [ledgers] if versions.side_by_side else [[ledger] for ledger in ledgers]:
            build_together(group, loans)
            if any(ledger.built.ended_by is not None for ledger in group):
                break
    _require_built(versions, sides)


def _begin(versions: Versions, side: Side) -> Ledger:
    ledger = Ledger(
        prepared=side.prepared,
        request=side.request,
        machine=replace(side.machine, emit=versions.emit_for(side.name)),
        history=load_history(versions.layout),
    )
    announce_plan(ledger)
    if side.name == NEW:
        warn_of_unpassed(ledger)
    return ledger


def _seed(versions: Versions, sides: list[Side]) -> tuple[Loan, ...]:
    """Copy what is there of other versions; what the old version makes first is lent to the new one."""
    loans: list[Loan] = []
    for side in sides:
        with about(side.name, side.source.name):
            missing = SourceMaker(layout=versions.layout, machine=side.machine).seed(side.source)
        if side.name == NEW and OLD in versions.sides:
            old = versions.sides[OLD].source.layout.root
            for place in missing:
                take = partial(seed_directory, side.source.layout, old / place.name, side.source.files)
                loans.append(Loan(place=place, source=old / place.name, take=take))
    return tuple(loans)


def _require_built(versions: Versions, sides: list[Side]) -> None:
    """Raise what ended the builds, and otherwise the first reason why there is no program to measure."""
    for side in sides:
        if (error := versions.ledgers[side.name].built.ended_by) is not None:
            with about(side.name, side.source.name):
                raise error
    for side in sides:
        built = versions.ledgers[side.name].built
        with about(side.name, side.source.name):
            if failure := next(iter(built.failures.values()), None):
                raise failure
            if not built.is_built(built.plan.baseline):
                reason = built.skipped.get(side.variant, "it was not reached")
                raise BuildError(
                    f"the variant {side.variant} was not built: {reason}",
                    help="compare another variant: optbuild compare --variant NAME …",
                )
