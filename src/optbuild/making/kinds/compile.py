"""Compile: call cargo, watch the sources, and prove that a profile took effect."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from optbuild.errors import AttemptFault, BuildError, NotComparableError, OptbuildError
from optbuild.making.built import Built
from optbuild.making.cargo.allocator import check_allocator
from optbuild.making.cargo.kept import find_cargo_build, find_kept
from optbuild.making.keys import Kept
from optbuild.making.kinds.kind import Kind, Outlook, Retry, Shown
from optbuild.making.order.exclusivity import Budget, Demand, Exclusivity
from optbuild.making.proof.prover import Proof, compared_with
from optbuild.making.tools import Tools
from optbuild.plan.action import JOBSERVER, ActionId, Output, resolve_argument
from optbuild.plan.counts import CheckedProfile
from optbuild.plan.forecast import Expectation
from optbuild.plan.kinds.compile import Compile, Role
from optbuild.plan.kinds.make_allocator import MakeAllocator
from optbuild.plan.results import PROFDATA, Binaries, Compiled, MadeObject, Results
from optbuild.units import format_bytes

LTO_BYTES = 2 << 30
"""What a link of the whole program may need if no earlier run has shown it: some gigabytes for large programs."""


class CompileKind(Kind[Compile, Compiled]):
    """Calls of cargo."""

    outlook = Outlook(
        expectation=Expectation.CARGO_DECIDES, kept="it was built before", never_done="it was not built before"
    )
    depends_on_needs = False
    retry = Retry(error=NotComparableError, code="build-alone", reason="its sources were written")

    def perform(self, action: Compile, results: Results, tools: Tools) -> Compiled:
        """Build what the action says."""
        return tools.cargo.compile(action, environment_of(action, results, tools), tools.logs / f"{action.id}.log")

    def find_kept(self, action: Compile, _results: Results, _kept: Kept) -> Binaries | None:
        """The copies of what was built."""
        artifacts = find_kept(action)
        build = find_cargo_build(action)
        return None if artifacts is None else Binaries(artifacts=artifacts, reused=True, cargo_build=build)

    def show(self, action: Compile, tools: Tools) -> Shown:
        """The call, with the number of crates of the last build of the same programs."""
        log = tools.logs / f"{action.id}.log"
        return Shown(argv=action.argv, log=log, unit="crates", total=tools.cargo.units_of(action))

    def describe(self, result: Compiled) -> str:
        """Crates and bytes."""
        size = format_bytes(result.size_bytes)
        crates = f"{result.units} crate{'s' * (result.units != 1)}"
        return f"{crates}, {size}" if result.artifacts else crates

    def demand(self, action: Compile, _tools: Tools, budget: Budget, *, alone: Exclusivity) -> Demand:
        """Cargo's target directory, and memory for a link of the whole program."""
        least_bytes = LTO_BYTES if action.links_whole_program else 0
        return Demand(
            exclusivity=alone,
            places=frozenset({action.cargo_target}),
            memory_bytes=budget.peaks.get(action.id, least_bytes),
            ends_in_link=action.links_whole_program,
        )

    def peak_rss_bytes(self, result: Compiled) -> int | None:
        """The memory of the linker, with link-time optimisation."""
        return result.peak_rss_bytes

    def begin(self, action: Compile, results: Results, tools: Tools) -> Callable[[Compiled], Compiled]:
        """Watch the sources: cargo is called again if one was written during the build."""
        began_ns = tools.sources.now_ns()

        def look(built: Compiled) -> Compiled:
            latest = built

            def build_again() -> bool:
                nonlocal latest
                env, log = environment_of(action, results, tools), tools.logs / f"{action.id}.again.log"
                with tools.cargo.turn():
                    again = tools.cargo.compile(action, env, log)
                latest = replace(built, artifacts=again.artifacts, scripts=again.scripts)
                return again.reused

            tools.sources.add(built.executables, build_again, since_ns=began_ns)
            return latest

        return look

    def compared_with(self, action: Compile, built: Built) -> frozenset[ActionId]:
        """The builds without the profile, and of the variant whose counts it takes."""
        return compared_with(action, built)

    def prove(self, action: Compile, result: Compiled, built: Built, tools: Tools) -> Proof | None:
        """Look for the allocator, and for the evidence that the profile took effect."""
        if any(isinstance(built.plan.entry(need), MakeAllocator) for need in action.needs):
            check_allocator(action.label, result)
        return tools.prover.prove(action, result, built)

    def fault(self, action: Compile, error: OptbuildError) -> AttemptFault | None:
        """A fault if the instrumented program cannot be built or the profile had no effect."""
        if action.role is Role.INSTRUMENT and isinstance(error, BuildError):
            return AttemptFault.NOT_BUILT
        return super().fault(action, error)


def environment_of(action: Compile, results: Results, tools: Tools) -> dict[str, str]:
    """The additions to cargo's environment, every output resolved."""

    def value_of(output: Output) -> str:
        if output == JOBSERVER:
            return tools.cargo.jobserver_auth
        checked = results[output.action]
        if isinstance(checked, MadeObject):
            return str(checked.path)
        assert isinstance(checked, CheckedProfile)  # noqa: S101 - nothing else has outputs that are named in one
        if output.name != PROFDATA:
            return str(checked.profile.hot_counts[output.name])
        return str(checked.profile.path)

    return {name: resolve_argument(value, value_of) for name, value in action.env.items()}
