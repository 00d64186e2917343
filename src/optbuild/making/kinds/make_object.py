"""Make an object: compile code that is linked into instrumented builds only."""

from __future__ import annotations

from optbuild.making.cargo.linked_object import make_object
from optbuild.making.keys import Kept
from optbuild.making.kinds.kind import Kind, Shown
from optbuild.making.order.exclusivity import Budget, Demand, Exclusivity
from optbuild.making.tools import Tools
from optbuild.plan.kinds.make_object import MakeObject
from optbuild.plan.results import MadeObject, Results


class ObjectKind(Kind[MakeObject, MadeObject]):
    """Small objects, each made once."""

    def perform(self, action: MakeObject, _results: Results, tools: Tools) -> MadeObject:
        """Compile it unless it exists."""
        return make_object(action, tools.executor, tools.environ)

    def find_kept(self, action: MakeObject, _results: Results, _kept: Kept) -> MadeObject | None:
        """The file, whose name states everything that it depends on."""
        return MadeObject(path=action.file, reused=True) if action.file.is_file() else None

    def show(self, action: MakeObject, _tools: Tools) -> Shown:
        """The compiler."""
        return Shown(argv=(str(action.rustc), "--emit=obj"))

    def demand(self, action: MakeObject, _tools: Tools, _budget: Budget, *, alone: Exclusivity) -> Demand:
        """The file, which versions of a project share."""
        return Demand(exclusivity=alone, places=frozenset({action.file}))

    def describe(self, result: MadeObject) -> str:
        """Its file."""
        return result.path.name
