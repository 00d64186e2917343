"""`optbuild compare`: two versions of a program, built the same way and measured in turns. Read `compare` first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from optbuild.errors import OptbuildError, UsageError
from optbuild.events import Level, Notice
from optbuild.files import claim_directory
from optbuild.project.repository import Repository, find_repository
from optbuild.record.lock import blaming_deletion, hold_lock
from optbuild.record.model import RunRecord
from optbuild.session.compare_request import CompareRequest
from optbuild.session.debug_builds import require_optimised_file
from optbuild.session.inspect import find_layout
from optbuild.session.prepare import require_ours
from optbuild.session.request import Machine, RunRequest
from optbuild.session.run import RunFailedError
from optbuild.session.sides import Side, SideMaker, about
from optbuild.session.sources import Source, SourceMaker
from optbuild.session.version_arms import (
    VersionArm,
    arm_of,
    arm_of_program,
    benchmarks_of,
    compare_outputs,
    find_renamed,
    probe_old,
    run_contest,
)
from optbuild.session.version_builds import build_versions
from optbuild.session.version_choices import OnDifference, ProfileOwner
from optbuild.session.versions import NEW, OLD, Versions
from optbuild.toolchain.requirements import require_platform

_HASH_DIGITS = 12


def compare(request: CompareRequest, machine: Machine) -> RunRecord:
    """Build both versions, compare their outputs, measure them in turns, and keep the record.

    Raises:
        OptbuildError: The comparison could not begin.
        RunFailedError: It began and failed; what was finished is kept and in the record.
    """
    require_platform(machine.platform)
    layout = find_layout(request.run, machine, trusted=True)
    require_ours(layout)
    repository = _find_repository(request, machine)
    commits = _resolve(request, repository)  # a wrong name need not wait for another run
    claim_directory(layout.root)
    with hold_lock(layout.lock, wait=request.run.wait, emit=machine.emit), blaming_deletion(layout.root):
        versions = Versions(machine=machine, layout=layout, command_line=request.run.command_line)
        _prepare(request, versions, repository, commits)
        _announce(versions, request.profile_of)
        try:
            with blaming_deletion(layout.root):
                _carry_out(request, versions)
            return versions.close()
        except OptbuildError as error:
            raise RunFailedError(error, versions.close(error)) from error


def _carry_out(request: CompareRequest, versions: Versions) -> None:
    build_versions(versions)
    old, new = _old_arm(versions), arm_of(versions.ledgers[NEW])
    with about(OLD, str(versions.program.path) if versions.program else versions.sides[OLD].source.name):
        old = probe_old(versions, old, fresh=request.run.fresh)
    compare_outputs(versions, old, new, fails=request.on_difference is OnDifference.FAIL)
    run_contest(versions, old, new)


def _find_repository(request: CompareRequest, machine: Machine) -> Repository | None:
    """The repository of the project; a program can be compared without one."""
    run = request.run
    repository = find_repository(run.directory.resolve(), machine.executor, machine.environ)
    if repository is None and (request.old is not None or request.new is not None):
        raise UsageError(
            "this project is not in a git repository, so it has no revisions",
            help="git init, and commit each version; or name the program of the old one: "
            "optbuild compare --baseline-binary PATH",
            location=str(run.directory.resolve()),
        )
    return repository


def _prepare(
    request: CompareRequest, versions: Versions, repository: Repository | None, commits: Mapping[str, str]
) -> None:
    """Put the files of both versions where they are built, and find out what would stop that later."""
    run, machine = request.run, replace(versions.machine, emit=versions.emit)
    sources = SourceMaker(layout=versions.layout, machine=machine)
    new = _open(request.new, commits.get(NEW), repository, sources, run)
    makes = SideMaker(
        request=run,
        machine=machine,
        top=run.directory.resolve() if repository is None else repository.top,
        variant=request.variant,
        owner=request.profile_of,
        compares_outputs=request.on_difference is not OnDifference.NONE,
        emit=versions.emit,
    )
    if request.baseline_binary is not None:
        side = makes.prepare_new(new)
        versions.sides = {NEW: side}
        if not run.allow_debug:
            require_optimised_file(request.baseline_binary, "--baseline-binary")
        versions.program = sources.copy_program(request.baseline_binary, as_name=_only_program(side))
        return
    old = _open(request.old, commits.get(OLD), repository, sources, run)
    _refuse_the_same(old, new)
    sources.prune(old, new)
    prepared = makes.prepare_both(old, new)
    versions.sides = dict(zip((OLD, NEW), prepared, strict=True))
    find_renamed(*prepared)  # refuses what the old version lacks


def _resolve(request: CompareRequest, repository: Repository | None) -> Mapping[str, str]:
    """The commits of the revisions that are named, before any file is written."""
    named = ((OLD, request.old), (NEW, request.new))
    return {
        arm: repository.resolve(revision) for arm, revision in named if revision is not None and repository is not None
    }


def _open(
    revision: str | None, commit: str | None, repository: Repository | None, sources: SourceMaker, run: RunRequest
) -> Source:
    if repository is None:
        return sources.in_place(run.directory.resolve())
    if revision is None or commit is None:
        return sources.from_working_tree(repository)
    return sources.from_revision(repository, revision, commit)


def _refuse_the_same(old: Source, new: Source) -> None:
    if old.commit != new.commit or new.dirty is not False:
        return
    commit = (old.commit or "")[:_HASH_DIGITS]
    raise UsageError(
        f"{old.name} and {new.name} are the same commit {commit}, and nothing has changed: there is nothing to compare",
        help="name an older version: optbuild compare HEAD~1; to see how well this machine measures: "
        "optbuild doctor --measure",
    )


def _only_program(side: Side) -> str:
    """The one thing that all benchmarks run, which a program stands for."""
    used = {name for workload in benchmarks_of(side) for name in workload.bins}
    if any(workload.call is not None for workload in benchmarks_of(side)) or len(used) != 1:
        raise UsageError(
            "--baseline-binary is one program, and the benchmarks run "
            + (", ".join(sorted(used)) if len(used) > 1 else "something else than a program of the project"),
            help="measure with a workload that runs one program: optbuild compare --baseline-binary PATH -- {bin} ARGS",
        )
    return next(iter(used))


def _announce(versions: Versions, owner: ProfileOwner) -> None:
    """Say what is compared, before anything is built."""
    new = versions.sides[NEW]
    old = f"{versions.program.path}" if versions.program else versions.sides[OLD].source.describe()
    whose = "" if versions.program else f", {_describe_profile(versions, owner)}"
    message = f"comparing {old} with {new.source.describe()}, variant {new.variant}{whose}"
    versions.emit(Notice(level=Level.INFO, code="compare", message=message))


def _describe_profile(versions: Versions, owner: ProfileOwner) -> str:
    if owner is ProfileOwner.EACH:
        return "each by its own build profile, with the benchmarks of the new one"
    name = versions.sides[str(owner)].source.name
    return f"both by the build profile of {name}, with its workloads and their files"


def _old_arm(versions: Versions) -> VersionArm:
    if versions.program is not None:
        return arm_of_program(versions.program)
    side = versions.sides[OLD]
    return arm_of(versions.ledgers[OLD], renamed=find_renamed(side, versions.sides[NEW]), owned=versions.layout.root)
