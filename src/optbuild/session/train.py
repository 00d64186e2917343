"""`optbuild train`: train a variant as a run does, and keep its counts in the file that a project commits."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from optbuild import __version__
from optbuild.errors import ProfileDataError, UsageError
from optbuild.files import atomic_write, sha256_of
from optbuild.making.training.outlines import note_outlines
from optbuild.making.training.profile_data import load_portable_profile
from optbuild.plan.lent_names import identify_build
from optbuild.plan.parts import has_parts
from optbuild.plan.variants import draft_recipe
from optbuild.portable.aging import merge_aged
from optbuild.portable.difference import Difference, compare
from optbuild.portable.encoding import PortableProfile, decode, encode
from optbuild.portable.head import TrainedInput, TrainedWorkload, Training
from optbuild.portable.lent_names import as_instrumented, encode_names, names_path
from optbuild.portable.lock import Lock, lock_path
from optbuild.portable.matching import match
from optbuild.profile.model import BuildProfile
from optbuild.profile.variants import CodeLayout
from optbuild.profile.workloads import Use, Workload
from optbuild.record.model import RunRecord
from optbuild.session.opening import load_for
from optbuild.session.prepare import Prepared, prepare
from optbuild.session.profiles import read_profile
from optbuild.session.request import Machine, RunRequest
from optbuild.session.run import run
from optbuild.tools.profile_text import FunctionRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainRequest:
    """What to train.

    Attributes:
        run: Which project, and how it is built.
        variant: Its name; None takes the last with PGO.
        merge: Add to what is there, whose counts are halved; otherwise it is replaced.
    """

    run: RunRequest
    variant: str | None = None
    merge: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """What came of a training, not written yet: a person sees the difference first.

    Attributes:
        path: The file that it belongs in.
        data: Its bytes.
        profile: What is in it.
        names: The bytes of the file with the names of its functions; None if each program has its own profile.
        lock: What its lock says.
        difference: What changed; None where there was no profile before.
    """

    path: Path
    data: bytes
    profile: PortableProfile
    names: bytes | None
    lock: Lock
    difference: Difference | None


def train(request: TrainRequest, machine: Machine) -> Trained:
    """Instrument, train, and prove; what came of it is written by `keep`.

    Raises:
        OptbuildError: The request cannot be met.
        RunFailedError: The training failed.
    """
    build_profile = load_for(request.run, machine)
    variant, path = find_variant(request.variant, build_profile), find_path(build_profile)
    old = load_portable_profile(path) if path.is_file() else None  # a broken one is reported before anything is built
    asked = replace(
        request.run,
        variants=(variant,),
        measure=False,
        ignore_profile_data=True,
        notes_outlines=True,
        made_for="train",
    )
    record = run(asked, machine)
    records = _read_counts(record, variant, machine, path)
    prepared = prepare(asked, machine, trusted=True)
    counts = note_outlines(records, prepared.inputs.layout.control_flow)
    if request.merge and old is not None:
        counts = merge_aged(old.functions, counts)
    data = encode(_describe(record, variant, build_profile), counts, written_by=f"optbuild {__version__}")
    new = decode(data, location=str(path))
    program = [as_instrumented(each) for each in records]
    build = _identify(prepared, variant)
    names = None if build is None else encode_names(program)
    return Trained(
        path=path,
        data=data,
        profile=new,
        names=names,
        lock=Lock.of(new, matched_ratio=match(new.functions, program).matched_ratio, names=names, build=build),
        difference=None if old is None else compare(old.functions, new.functions),
    )


def keep(trained: Trained) -> None:
    """Write the portable profile, the names of its functions, and the lock of both.

    Raises:
        StorageError: They cannot be written.
    """
    if trained.names is not None:
        atomic_write(names_path(trained.path), trained.names)
    atomic_write(trained.path, trained.data)
    atomic_write(lock_path(trained.path), trained.lock.render())


def _identify(prepared: Prepared, name: str) -> str | None:
    """Which build was trained; None if each program has its own profile, or `Cargo.lock` is missing."""
    inputs, variant = prepared.inputs, prepared.build_profile.variants[name]
    if has_parts(variant, inputs.targets) or inputs.lockfile_sha256 is None:
        return None
    recipe = draft_recipe(variant, inputs)
    return identify_build(recipe, inputs.project, inputs.toolchain, inputs.lockfile_sha256)


def find_variant(wanted: str | None, build_profile: BuildProfile) -> str:
    """The variant that is trained.

    Raises:
        UsageError: There is none, or its counts cannot be kept.
    """
    with_pgo = [name for name, variant in build_profile.variants.items() if variant.takes_foreign_counts]
    if wanted in with_pgo:
        return wanted or ""
    in_order = [name for name, variant in build_profile.variants.items() if variant.layout is CodeLayout.STARTUP]
    if wanted in in_order or (wanted is None and not with_pgo and in_order):
        raise UsageError(
            f'variant {wanted or in_order[-1]} has layout = "startup", and a committed file does not say in which '
            "order functions first run",
            help=f"name one of: {', '.join(with_pgo)}" if with_pgo else "add a variant with PGO and without `layout`",
        )
    if wanted is not None or not with_pgo:
        named = "no variant" if wanted is None else f"no variant {wanted!r} that"
        raise UsageError(
            f"the build profile has {named} with PGO".replace("that with", "with"),
            help=f"name one of: {', '.join(with_pgo)}" if with_pgo else "add `pgo = true` to a variant",
        )
    return with_pgo[-1]


def find_path(build_profile: BuildProfile) -> Path:
    """Where the portable profile is kept.

    Raises:
        UsageError: The build profile does not say it.
    """
    if build_profile.profile_data.path is None:
        raise UsageError(
            "the build profile does not say where the counts are to be kept",
            help='write [profile-data] with path = "pgo/NAME.pgodata"',
            location=None if build_profile.path is None else str(build_profile.path),
        )
    return build_profile.directory / build_profile.profile_data.path


def _read_counts(record: RunRecord, variant: str, machine: Machine, path: Path) -> list[FunctionRecord]:
    trained = next(each for each in record.variants if each.name == variant).pgo
    if trained is None:
        raise ProfileDataError(f"variant {variant} was not trained", help="optbuild doctor", location=str(path))
    return read_profile(Path(trained.profdata.path), record, machine)


def _describe(record: RunRecord, variant: str, build_profile: BuildProfile) -> Training:
    toolchain, project, settings = record.toolchain, record.project, build_profile.variants[variant]
    assert toolchain is not None and project is not None  # noqa: S101, PT018 - for mypy: a run that ended well has both
    recipe = {"lto": settings.lto, "codegen-units": settings.codegen_units, "panic": settings.panic}
    return Training(
        package=project.package or "",
        rustc=toolchain.rustc,
        llvm=None if toolchain.llvm_major is None else str(toolchain.llvm_major),
        target=toolchain.target,
        recipe=(variant, *(f"{key} = {json.dumps(value)}" for key, value in recipe.items() if value is not None)),
        workloads=tuple(
            TrainedWorkload(
                name=workload.name,
                weight=workload.weight,
                inputs=tuple(_find_inputs(workload, build_profile.directory)),
            )
            for workload in build_profile.workloads
            if Use.TRAIN in workload.use
        ),
    )


def _find_inputs(workload: Workload, directory: Path) -> Iterator[TrainedInput]:
    """The files that a workload declares or names, as they were trained on."""
    for base, words in ((directory, workload.inputs), (directory / workload.cwd, workload.command or ())):
        for word in words:
            if (base / word).is_file():
                yield TrainedInput(path=word, sha256=sha256_of(base / word))
