"""A plan on one screen: the variants, what runs and what is reused, how long it takes, and where it writes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from optbuild.plan.action import ActionId, Argument, Output, render_argument
from optbuild.plan.forecast import Estimate, Expectation, Forecast
from optbuild.plan.kinds.bolt import BoltTrain
from optbuild.plan.kinds.compile import Compile, Recipe
from optbuild.plan.kinds.merge import MergeProfiles
from optbuild.plan.kinds.profile_data import MatchProfileData
from optbuild.plan.kinds.train import Train
from optbuild.plan.model import Plan, PlannedVariant
from optbuild.plan.render import describe_estimate, shell_like
from optbuild.text import name_some, sanitize_line
from optbuild.tools.llvm_bolt import EMIT_RELOCATIONS, KEEP_SYMBOLS
from optbuild.tools.mimalloc import ARCHIVE, END_OF_WHOLE, LINK_WHOLE
from optbuild.tools.rustc import HOT_COUNT, ORDER_BY_PROFILE, ORDER_BY_START, PROFILE_USE, WARN, WARN_MISSING_FUNCTIONS
from optbuild.units import format_duration, format_share
from optbuild.workloads.invocation import Invocation
from optbuild.workloads.words import render_words

_GAP = 2
_MOST_COMMANDS = 6
_FLAGS_OF_STEPS = (
    PROFILE_USE,
    ORDER_BY_START,
    WARN_MISSING_FUNCTIONS,
    WARN,
    EMIT_RELOCATIONS,
    KEEP_SYMBOLS,
    LINK_WHOLE,
    END_OF_WHOLE,
)
_Forecasts = Mapping[ActionId, Forecast]


def render_overview(plan: Plan, forecasts: _Forecasts, estimate: Estimate) -> str:
    """Describe what a run would do: notes, a line for each variant, and the run as a whole.

    Args:
        plan: The plan.
        forecasts: The expectation for each of its actions, without choices.
        estimate: The time and space of the actions that are expected to run.
    """
    rows = [("variant", "settings", "made by", "expected")]
    rows += [_variant_row(plan, place, forecasts) for place in range(len(plan.variants))]
    facts = [*_workload_facts(plan), *_run_facts(plan, forecasts, estimate)]
    facts += [("writes below", str(path)) for path in plan.directories]
    lines = [*(f"note: {note}" for note in plan.notes), *_aligned(rows), "", *_aligned(facts)]
    return "\n".join(map(sanitize_line, lines)) + "\n"


def _aligned(rows: Sequence[tuple[str, ...]]) -> list[str]:
    widths = [max(map(len, column)) + _GAP for column in zip(*rows, strict=True)]
    return ["".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _variant_row(plan: Plan, place: int, forecasts: _Forecasts) -> tuple[str, str, str, str]:
    variant = plan.variants[place]
    if variant.compile is None:
        return variant.name, "", "", f"skipped: {variant.skipped}"
    serving = plan.serving(variant)
    builds = [action for action in plan.of_kind(Compile) if action.id in serving]
    trains = len(list(plan.find(Train, serving)))
    shared_with = _shared_with(variant)
    # What another variant trains is built for that one.
    before = frozenset[ActionId]().union(*map(plan.serving, plan.variants[:place])) if shared_with else frozenset()
    own = sum(action.id not in before for action in builds)
    steps = f"{own} build{'s' * (own != 1)}"
    if shared_with:
        steps += f", shares the training of {', '.join(shared_with)}"
    elif trains:
        steps += f", {trains} training run{'s' * (trains != 1)}"
    if laid_out := list(plan.find(BoltTrain, serving)):
        steps += f", BOLT after {len(laid_out)} more"
    takes = any(plan.find(MatchProfileData, serving))
    settings = [
        *(["pgo"] if trains else ["pgo from profile data"] if takes else []),
        *(["bolt"] if laid_out else []),
        *_settings(builds[-1].recipe),
        *_scales(plan, serving),
    ]
    return variant.name, ", ".join(settings) or "none: as cargo builds it", steps, _expected(serving, forecasts)


def _shared_with(variant: PlannedVariant) -> list[str]:
    """The variants whose training serves this one, if its first attempt is accepted."""
    firsts = [build.attempts[0] for build in (variant, *variant.parts.values()) if build.attempts]
    return [*dict.fromkeys(first.shared_with for first in firsts if first.shared_with is not None)]


def _settings(recipe: Recipe) -> list[str]:
    """What a recipe adds to the project's own Cargo profile, apart from PGO and BOLT."""
    prefix = f"profile.{recipe.cargo_profile}."
    settings = [f"{key.removeprefix(prefix)} = {value}" for key, value in recipe.config]
    features = [f"features = {','.join(recipe.features)}"] if recipe.features else []
    flags = [flag for flag in map(_show_flag, recipe.rustflags) if not flag.startswith(_FLAGS_OF_STEPS)]
    return [*settings, *features, *flags]


def _scales(plan: Plan, serving: frozenset[ActionId]) -> list[str]:
    """What the counts are multiplied by."""
    merged = [action.count_scale for action in plan.find(MergeProfiles, serving)]
    matched = [action.count_scale for action in plan.find(MatchProfileData, serving)]
    return [f"count-scale = {scale}" for scale in dict.fromkeys((*merged, *matched)) if scale is not None]


def _show_flag(flag: Argument) -> str:
    """A flag as users know it: as it is written, or the setting that it stands for."""
    match flag:
        case (str() as head, Output(name=share)) if head == HOT_COUNT:
            return f'hot-count = "{share}"'
        case (str() as head, Output()) if head == ORDER_BY_PROFILE:
            return 'layout = "startup"'
        case (_, Output(name=archive)) if archive == ARCHIVE:
            return 'allocator = "mimalloc"'
        case (str() as whole,) if whole.startswith(HOT_COUNT):
            return f"hot-count = {whole.removeprefix(HOT_COUNT)}"
        case _:
            return render_argument(flag)


def _expected(serving: frozenset[ActionId], forecasts: _Forecasts) -> str:
    expected = [forecasts[action].expectation for action in serving if action in forecasts]
    if not expected:
        return ""
    if Expectation.RUNS not in expected:
        return "reused if cargo finds it fresh"
    running = expected.count(Expectation.RUNS)
    return "runs" if running == len(expected) else f"runs {running} of {len(expected)} steps, reuses the others"


def _workload_facts(plan: Plan) -> list[tuple[str, str]]:
    awaited = plan.awaited()
    trained = [action.workload for action in plan.of_kind(Train) if action.id in awaited]
    measured = [] if plan.measure is None else list(plan.measure.workloads)
    facts = [("trains on", _names(trained))] if trained else []
    if plan.measure is not None:
        facts.append(("measures on", f"{_names(measured)}, for at most {format_duration(plan.measure.max_time_s)}"))
    commands = dict.fromkeys(command for workload in (*trained, *measured) for command in _commands(workload))
    facts += [*commands][:_MOST_COMMANDS]
    if (more := len(commands) - _MOST_COMMANDS) > 0:
        facts.append(("", f"and {more} more"))
    if plan.controls:
        facts.append(("beside them", name_some([control.name for control in plan.controls])))
    if plan.folds:
        facts.append(("cross-validates", f"{len(plan.folds)} further builds, each without some of the training"))
    return facts


def _commands(workload: Invocation) -> Iterator[tuple[str, str]]:
    """What is timed, and the server that it is sent to."""
    if workload.server is not None:
        yield "server", shell_like(render_words(workload.server.argv))
    yield "argv" if workload.server is None else "load", shell_like(workload.shown_argv())


def _names(workloads: Sequence[Invocation]) -> str:
    return ", ".join(dict.fromkeys(workload.name for workload in workloads))


def _run_facts(plan: Plan, forecasts: _Forecasts, estimate: Estimate) -> list[tuple[str, str]]:
    expected = [each.expectation for each in forecasts.values()]
    facts = []
    if expected:
        runs, kept = expected.count(Expectation.RUNS), expected.count(Expectation.CARGO_DECIDES)
        kept += expected.count(Expectation.REUSED)
        facts.append(("steps", f"{runs} run, {kept} are reused if cargo finds them fresh"))
    if matches := list(plan.of_kind(MatchProfileData)):
        files = ", ".join(dict.fromkeys(str(action.file) for action in matches))
        limit = format_share(max(action.min_matched for action in matches))
        trains = any(attempt.mends for build in plan.builds for attempt in build.attempts)
        otherwise = "is trained" if trains else "fails"
        facts.append(("profile data", f"{files}; a variant that has less than {limit} of its counts {otherwise}"))
    by_ways: dict[str, list[str]] = {}
    for build in plan.builds:
        if len(build.attempts) > 1:
            by_ways.setdefault(", else ".join(attempt.name for attempt in build.attempts), []).append(build.name)
    if by_ways:
        spare = expected.count(Expectation.ONLY_IF)
        only_if = f" ({spare} further steps only if a way is rejected)" if spare else ""
        ways = [f"{name_some(names)}: {attempts}" for attempts, names in by_ways.items()]
        facts.append(("ways to train", "; ".join(ways) + only_if))
    taken = describe_estimate(estimate)
    nothing_runs = bool(expected) and Expectation.RUNS not in expected
    unknown = "next to nothing" if nothing_runs else "unknown before the first run"
    return [*facts, ("takes", f"{taken}, by the last run" if taken else unknown)]
