"""Make an allocator: compile what is linked into programs in place of the C library's allocator."""

from __future__ import annotations

from optbuild.making.cargo.allocator import make_allocator
from optbuild.making.keys import Kept
from optbuild.making.kinds.kind import Kind, Outlook, Shown
from optbuild.making.order.exclusivity import Budget, Demand, Exclusivity
from optbuild.making.tools import Tools
from optbuild.plan.kinds.make_allocator import MakeAllocator
from optbuild.plan.results import MadeObject, Results


class AllocatorKind(Kind[MakeAllocator, MadeObject]):
    """Archives, each made once."""

    outlook = Outlook(kept="its archive is kept")
    depends_on_needs = False

    def perform(self, action: MakeAllocator, _results: Results, tools: Tools) -> MadeObject:
        """Compile it unless it exists."""
        return make_allocator(action, tools.executor, tools.environ, log=tools.logs / f"{action.id}.log")

    def find_kept(self, action: MakeAllocator, _results: Results, _kept: Kept) -> MadeObject | None:
        """The file, whose name states everything that it depends on."""
        return MadeObject(path=action.file, reused=True) if action.file.is_file() else None

    def show(self, action: MakeAllocator, tools: Tools) -> Shown:
        """The call of cargo."""
        return Shown(argv=action.argv, log=tools.logs / f"{action.id}.log")

    def demand(self, action: MakeAllocator, _tools: Tools, _budget: Budget, *, alone: Exclusivity) -> Demand:
        """Its own target directory, which versions of a project share."""
        return Demand(exclusivity=alone, places=frozenset({action.cargo_target}))

    def describe(self, result: MadeObject) -> str:
        """Its file."""
        return result.path.name
