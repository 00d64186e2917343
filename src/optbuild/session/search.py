"""Everything before a search builds anything: its candidates, what is left out and why, and its plan."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from optbuild.errors import UsageError, located
from optbuild.plan.action import ActionId
from optbuild.plan.forecast import Forecast
from optbuild.plan.kinds.compile import Compile
from optbuild.plan.kinds.train import Train
from optbuild.plan.model import Plan
from optbuild.plan.overview import render_overview
from optbuild.plan.planner import baseline_name, make_plan
from optbuild.plan.steps.allocator import find_allocator_obstacle
from optbuild.profile.candidates import Candidate, find_baseline_levels, make_candidates
from optbuild.profile.model import BuildProfile
from optbuild.profile.search_choices import Combinations, Objective, Space
from optbuild.profile.spaces import factors_of, objective_of
from optbuild.profile.stages import Stages, make_stages
from optbuild.profile.tune import DEFAULT_LEVEL, Levels
from optbuild.profile.variants import PgoMode, Variant
from optbuild.project.lockfile import load_locked_packages
from optbuild.project.model import Project
from optbuild.record.history import History
from optbuild.record.search import LeftOutRecord
from optbuild.session.builders import for_builder
from optbuild.session.cpus import find_cpu_needs
from optbuild.session.forecast import estimate_all, estimate_runs
from optbuild.session.opening import discover_for, load_for, open_project
from optbuild.session.prepare import Prepared, prepare
from optbuild.session.request import Machine, RunRequest
from optbuild.session.targets import choose_targets
from optbuild.text import sanitize_line
from optbuild.toolchain.lookup import Inquiry
from optbuild.toolchain.model import Toolchain
from optbuild.units import format_duration

BUILD_SHARE = 0.6
"""Of the budget: after it, no further candidate is begun."""
_MOST_CANDIDATES = 512
_CPU_OF_X86 = "x86-64"


@dataclass(frozen=True, slots=True, kw_only=True)
class TuneRequest:
    """What to search.

    Attributes:
        run: The project, its workloads, and how it is built.
        space: Replaces that of the build profile, and its factors.
        objective: Replaces that of the build profile.
        budget_s: Likewise.
    """

    run: RunRequest
    space: Space | None = None
    objective: Objective | None = None
    budget_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """A search that could start now.

    Attributes:
        prepared: Its plan: the baseline and the candidates, cheapest first.
        factors: With their levels.
        points: The levels of every combination that can be built, and the variant that stands for it.
        stages: Which candidates wait for what others show.
        max_size_growth: How much larger than the baseline's binaries the winner's may be; None sets no limit.
    """

    prepared: Prepared
    factors: Mapping[str, Levels]
    candidates: tuple[Candidate, ...]
    left_out: tuple[LeftOutRecord, ...]
    points: tuple[tuple[Mapping[str, Any], str], ...]
    stages: Stages
    objective: Objective
    budget_s: float
    max_size_growth: float | None

    @property
    def baseline(self) -> Variant:
        """What the candidates vary."""
        profile = self.prepared.build_profile
        return profile.variants[baseline_name(profile)]

    @property
    def plan(self) -> Plan:
        """How all of them are built."""
        return self.prepared.plan


def prepare_search(request: TuneRequest, machine: Machine, *, trusted: bool) -> Search:
    """Find the candidates, and plan to build and measure them.

    Raises:
        UsageError: The command line or the build profile cannot be used, or there is nothing to search.
        ToolchainError: The machine lacks something.
        WorkloadError: A workload's program is missing.
    """
    build_profile = _with_request(load_for(request.run, machine), request)
    factors = factors_of(build_profile.tune)
    baseline = build_profile.variants[baseline_name(build_profile)]
    _require_searchable(build_profile, factors, baseline)
    toolchain = discover_for(build_profile, machine, trusted=trusted)
    left_out: dict[str, str] = {}
    project = open_project((build_profile.directory / build_profile.project.manifest).resolve(), toolchain, machine)
    known = _known_here(factors, build_profile, project, toolchain, left_out)
    found = make_candidates(baseline, known, build_profile.variants)
    found = _fitting(found, build_profile, project, toolchain, machine, left_out)
    prepared = prepare(request.run, machine, trusted=trusted, build_profile=_with_candidates(build_profile, found))
    if prepared.plan.measure is None:
        raise UsageError(
            f"a search measures, and nothing can be measured here: {prepared.inputs.not_measurable}",
            help="name an emulator as the target's `runner` in Cargo's configuration, or search on such a machine",
        )
    equals = dict(_equals(prepared.plan))
    own = [(levels, baseline.name) for levels in find_baseline_levels(baseline, known)]
    points = (*own, *((each.levels, equals.get(each.name, each.name)) for each in found))
    are_staged = build_profile.tune.combinations is Combinations.PROMISING
    left_out |= {name: f"it has the same settings as {other}" for name, other in equals.items()}
    found = tuple(each for each in found if each.name not in left_out)
    if not found:
        raise UsageError(
            "there is nothing to search: every combination of levels gives the baseline, or cannot run here",
            help="name more `factors` under [tune], or another `space`",
            location=build_profile.where("tune", "factors"),
        )
    return Search(
        prepared=_only(prepared, (baseline.name, *(each.name for each in found))),
        factors=factors,
        candidates=found,
        left_out=tuple(LeftOutRecord(variant=name, reason=reason) for name, reason in left_out.items()),
        points=points,
        stages=make_stages(known, points, baseline=baseline.name) if are_staged else Stages(),
        objective=objective_of(build_profile.tune),
        budget_s=build_profile.tune.budget_s,
        max_size_growth=build_profile.tune.max_size_growth,
    )


def _with_request(build_profile: BuildProfile, request: TuneRequest) -> BuildProfile:
    tune = build_profile.tune
    if request.space is not None:
        tune = replace(tune, space=request.space, factors={})
    if request.objective is not None:
        tune = replace(tune, objective=request.objective)
    if request.budget_s is not None:
        tune = replace(tune, budget_s=request.budget_s)
    return replace(build_profile, tune=tune)


def _require_searchable(build_profile: BuildProfile, factors: Mapping[str, Levels], baseline: Variant) -> None:
    """Refuse what is too much, and factors that contradict each other."""
    combinations = math.prod(map(len, factors.values()))
    if combinations > _MOST_CANDIDATES:
        raise UsageError(
            f"the factors have {combinations:,} combinations, and a search takes at most {_MOST_CANDIDATES}",
            help="leave out levels: fix first what is least in doubt, and search again around the winner",
            location=build_profile.where("tune", "factors"),
        )
    levels = factors.get("pgo", (baseline.pgo is not PgoMode.OFF,))
    has_pgo = any(level is not False for level in levels if level != "default" or baseline.pgo is not PgoMode.OFF)
    written = [key for key in ("hot-count", "count-scale", "layout") if len(factors.get(key, ())) > 1]
    if written and not has_pgo:
        raise UsageError(
            f"`tune.factors.{written[0]}` has an effect only with PGO, and no candidate has it",
            help=f"add pgo = [true] to the factors, or remove `{written[0]}`",
            location=build_profile.where("tune", "factors", written[0]),
        )


def _known_here(
    factors: Mapping[str, Levels],
    build_profile: BuildProfile,
    project: Project,
    toolchain: Toolchain,
    left_out: dict[str, str],
) -> Mapping[str, Levels]:
    """The factors without levels of a space that cannot be had here; written ones are an error later."""
    written = build_profile.tune.factors
    foreign: dict[str, Callable[[Any], str | None]] = {}
    if "target-cpu" in factors.keys() - written.keys() and not toolchain.target.startswith("x86_64"):
        no_such = f"{toolchain.target} has no such CPU"
        foreign["target-cpu"] = lambda level: no_such if str(level).startswith(_CPU_OF_X86) else None
    if "allocator" in factors.keys() - written.keys():
        chosen = choose_targets(project, build_profile, (baseline_name(build_profile),))
        targets = for_builder(chosen, build_profile)
        obstacle = find_allocator_obstacle(toolchain, targets, load_locked_packages(project.lockfile))
        foreign["allocator"] = lambda level: None if obstacle is None or level == DEFAULT_LEVEL else obstacle[0]
    known = dict(factors)
    for key, find_reason in foreign.items():
        reasons = {level: reason for level in factors[key] if (reason := find_reason(level)) is not None}
        left_out |= {f"{key} = {level}": reason for level, reason in reasons.items()}
        known[key] = tuple(level for level in factors[key] if level not in reasons) or (DEFAULT_LEVEL,)
    return known


def _fitting(
    candidates: tuple[Candidate, ...],
    build_profile: BuildProfile,
    project: Project,
    toolchain: Toolchain,
    machine: Machine,
    left_out: dict[str, str],
) -> tuple[Candidate, ...]:
    """The candidates that this machine's CPU can run."""
    if not any(each.variant.target_cpu or each.variant.rustflags for each in candidates):
        return candidates
    inquiry = Inquiry(executor=machine.executor, directory=project.directory, environ=machine.environ)
    names = tuple(each.name for each in candidates)
    with located(build_profile.where("tune", "factors", "target-cpu")):
        needs = find_cpu_needs(_with_candidates(build_profile, candidates), names, project, toolchain, inquiry)
    missing = {name: f"this machine's CPU lacks {', '.join(need.missing_here)}" for name, need in needs.items()}
    left_out |= {name: missing[name] for name, need in needs.items() if need.missing_here}
    return tuple(each for each in candidates if each.name not in left_out)


def _with_candidates(build_profile: BuildProfile, candidates: tuple[Candidate, ...]) -> BuildProfile:
    """The build profile with the baseline and the candidates in the place of its variants."""
    name = baseline_name(build_profile)
    place = build_profile.where("tune", "factors")
    variants = {name: build_profile.variants[name], **{each.name: each.variant for each in candidates}}
    origins = {path: origin for path, origin in build_profile.origins.items() if path[:1] != ("variants",)}
    origins |= {path: origin for path, origin in build_profile.origins.items() if path[:2] == ("variants", name)}
    if place is not None:
        origins |= {("variants", each.name): place for each in candidates}
    return replace(build_profile, variants=variants, origins=origins)


def _equals(plan: Plan) -> Iterator[tuple[str, str]]:
    """The variants for which the same is built as for an earlier one, and that one."""
    first: dict[object, str] = {}
    for variant in plan.variants:
        if variant.compile in first:
            yield variant.name, first[variant.compile]
        elif variant.compile is not None:
            first[variant.compile] = variant.name


def _only(prepared: Prepared, names: tuple[str, ...]) -> Prepared:
    """The same with fewer variants."""
    inputs = prepared.inputs
    variants = {name: inputs.build_profile.variants[name] for name in names}
    inputs = replace(
        inputs,
        build_profile=replace(inputs.build_profile, variants=variants),
        cpu_needs={name: inputs.cpu_needs[name] for name in names},
    )
    return replace(prepared, inputs=inputs, plan=make_plan(inputs, names, measure=True, with_controls=False))


def count_trainings(search: Search) -> int:
    """How many trainings the first attempts of all candidates take together."""
    return _count_trainings(search.plan, search.plan.awaited())


def _count_trainings(plan: Plan, serving: frozenset[ActionId]) -> int:
    return len({training.binaries for training in plan.find(Train, serving)})


def foretell(search: Search, history: History) -> tuple[str, ...]:
    """What a search is going to do, and for how long."""
    waiting = search.stages.combined
    count, omitted = len(search.candidates), len(search.left_out)
    what = f"{count} candidate{'s' * (count != 1)} against {search.baseline.name}"
    if omitted:
        what += f"; {omitted} combination{'s are' if omitted > 1 else ' is'} left out"
    built = _describe_builds(search)
    if waiting:
        built = f"{count - len(waiting)} of them first, with {built}; the other {len(waiting)} only if those promise it"
    estimate = estimate_all(search.plan, history)
    known = "how long the builds take is not known yet"
    if estimate.seconds:
        rest = f", {estimate.unknown} actions of unknown length besides" if estimate.unknown else ""
        known = f"last time all builds took {format_duration(estimate.seconds)}{rest}"
    limits = f"the search takes at most {format_duration(search.budget_s)}; {_describe_limits(search)}"
    return what, built, f"{limits}; {known}"


def _describe_builds(search: Search) -> str:
    """How much is built at first."""
    plan, waiting = search.plan, search.stages.combined
    first = [variant for variant in plan.variants if variant.name not in waiting]
    serving = frozenset[ActionId]().union(*map(plan.serving, first))
    builds, trainings = sum(1 for _ in plan.find(Compile, serving)), _count_trainings(plan, serving)
    trained = sum(bool(variant.attempts) for variant in first)
    return f"{builds} builds" + (f", {trained} with PGO from {_count(trainings, 'training')}" if trained else "")


def _describe_limits(search: Search) -> str:
    """How long the parts of a search may take."""
    most_s = search.prepared.build_profile.measure.max_time_s
    race = f"the race takes at most {format_duration(most_s)}, or as long as the builds"
    return f"no candidate is begun after {format_duration(BUILD_SHARE * search.budget_s)}; {race}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' * (number != 1)}"


def describe_search(search: Search, history: History) -> dict[str, Any]:
    """What a search would do, ready for JSON."""
    estimate = estimate_all(search.plan, history)
    return {
        "schema": "optbuild/search-plan/1",
        "baseline": search.baseline.name,
        "objective": str(search.objective),
        "budget_s": search.budget_s,
        "max_size_growth": search.max_size_growth,
        "candidates": [
            {"variant": each.name, "settings": each.settings, "waits": each.name in search.stages.combined}
            for each in search.candidates
        ],
        "left_out": [{"variant": each.variant, "reason": each.reason} for each in search.left_out],
        "trainings": count_trainings(search),
        "known_s": estimate.seconds or None,
        "unknown_actions": estimate.unknown,
    }


def render_search(search: Search, prepared_forecasts: Mapping[ActionId, Forecast], history: History) -> str:
    """Show what a search would do: its candidates in the order of building, what is left out, and how long it takes."""
    overview = render_overview(search.plan, prepared_forecasts, estimate_runs(search.plan, prepared_forecasts, history))
    left_out = [sanitize_line(f"left out: {each.variant}: {each.reason}") for each in search.left_out]
    waiting = sanitize_line(f"only if others promise it: {', '.join(search.stages.combined)}")
    facts = ["", overview.rstrip(), *([waiting] if search.stages.combined else []), *left_out]
    return "\n".join([*map(sanitize_line, foretell(search, history)), *facts]) + "\n"
