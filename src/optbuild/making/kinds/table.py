"""The kinds of actions. To add one, write it in a module here and give it a row."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from optbuild.making.kinds import bolt
from optbuild.making.kinds.check_outputs import CompareKind, ProbeKind
from optbuild.making.kinds.compile import CompileKind
from optbuild.making.kinds.kind import Kind
from optbuild.making.kinds.make_allocator import AllocatorKind
from optbuild.making.kinds.make_object import ObjectKind
from optbuild.making.kinds.merge import MergeKind
from optbuild.making.kinds.profile_data import MatchKind
from optbuild.making.kinds.train import TrainKind
from optbuild.plan.action import Action
from optbuild.plan.kinds.bolt import BoltInstrument, BoltMerge, BoltOptimise, BoltTrain, Strip
from optbuild.plan.kinds.check_outputs import CompareOutputs, ProbeOutputs
from optbuild.plan.kinds.compile import Compile
from optbuild.plan.kinds.make_allocator import MakeAllocator
from optbuild.plan.kinds.make_object import MakeObject
from optbuild.plan.kinds.merge import MergeProfiles
from optbuild.plan.kinds.profile_data import MatchProfileData
from optbuild.plan.kinds.train import Train

KINDS: Mapping[type[Action[Any]], Kind[Any, Any]] = {
    Compile: CompileKind(),
    MakeObject: ObjectKind(),
    MakeAllocator: AllocatorKind(),
    Train: TrainKind(),
    MergeProfiles: MergeKind(),
    MatchProfileData: MatchKind(),
    BoltInstrument: bolt.InstrumentKind(),
    BoltTrain: bolt.TrainKind(),
    BoltMerge: bolt.MergeKind(),
    BoltOptimise: bolt.OptimiseKind(),
    Strip: bolt.StripKind(),
    ProbeOutputs: ProbeKind(),
    CompareOutputs: CompareKind(),
}


def kind_of(action: Action[Any]) -> Kind[Any, Any]:
    """The kind that performs an action."""
    return KINDS[type(action)]
