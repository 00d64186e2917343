"""From `optbuild.toml` or a preset to a checked `BuildProfile`: find, read, refuse, merge, validate, resolve."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from pydantic import ValidationError

from optbuild.adapters import adapter_of
from optbuild.errors import BuildProfileError, UsageError
from optbuild.profile.check import (
    find_cargo_argument_faults,
    find_path_faults,
    find_reference_faults,
    find_target_faults,
    find_workload_kind_faults,
    find_workload_name_faults,
)
from optbuild.profile.check_tune import find_tune_faults
from optbuild.profile.command_options import CommandOptions
from optbuild.profile.confine import find_workspace
from optbuild.profile.document import Document, load_document, parse_document
from optbuild.profile.explain import explain
from optbuild.profile.extend import Extended, load_extended
from optbuild.profile.faults import Fault, KeyPath, RefusedValueError
from optbuild.profile.inherit import resolve_variants
from optbuild.profile.merge import Layer, merge_layers
from optbuild.profile.model import SCHEMA_VERSION, BuildProfile, PresetName, ProfileSettings
from optbuild.profile.placeholders import double_braces, literal_text
from optbuild.profile.workloads import Use, Workload

FILE_NAME = "optbuild.toml"
_DEFAULT_PRESET = PresetName("pgo")
_DEFAULT_BASELINE = "release"


def searched_paths(start: Path) -> tuple[Path, ...]:
    """Every path where a build profile may be, nearest first."""
    directory = start.absolute()
    return tuple(each / FILE_NAME for each in (directory, *directory.parents))


def find_build_profile(start: Path) -> Path | None:
    """Find the build profile of a directory by walking up from it."""
    return next((path for path in searched_paths(start) if _is_file(path)), None)


def load_build_profile(source: Path | PresetName, *, directory: Path) -> BuildProfile:
    """Load and check a build profile with all that it extends.

    Args:
        source: A file, or a preset.
        directory: What a relative `source` is relative to, and what the paths in a preset are relative to.

    Raises:
        BuildProfileError: It cannot be read or is wrong; carries every problem found.
    """
    path = directory / source if isinstance(source, Path) else None
    document = load_document(path or PresetName(str(source)))
    return _check(document, path=path, base=path.parent if path else directory)


def parse_build_profile(text: str, *, label: str, directory: Path) -> BuildProfile:
    """Check the text of a build profile as if it lay in a directory, where no file of it is.

    Args:
        text: The build profile.
        label: What it is called in messages.
        directory: What its paths are relative to.

    Raises:
        BuildProfileError: It is wrong; carries every problem found.
    """
    return _check(parse_document(text.encode(), label=label), path=None, base=directory)


def _check(document: Document, *, path: Path | None, base: Path) -> BuildProfile:
    workspace = find_workspace(base)
    extended = load_extended(document, workspace=workspace)
    layer = extended.layer
    if extended.is_whole and layer.tree.get("variants", {}) == {}:
        layer = _add_default_variants(layer, workspace=workspace)
    faults = list(_find_faults(extended, layer, directory=base, workspace=workspace))
    # Checked already, file by file.
    judged = {"schema": SCHEMA_VERSION, "extends": None}
    try:
        settings = adapter_of(ProfileSettings).validate_python(layer.tree | judged)
    except ValidationError as error:
        faults += explain(error, layer.tree)
        settings = None
    problems = [*extended.problems, *map(layer.make_problem, faults)]
    if problems or settings is None:
        ordered = sorted(problems, key=lambda located: located.origin)
        raise BuildProfileError(tuple(dict.fromkeys(located.problem for located in ordered)))
    origins = {_named(place, settings): str(origin) for place, origin in layer.origins.items()}
    return _make_build_profile(settings, path=path, directory=base, origins=origins)


def default_build_profile(directory: Path) -> BuildProfile:
    """The build profile of a project that has none: preset `pgo`, without workloads."""
    return load_build_profile(_DEFAULT_PRESET, directory=directory)


def command_line_workload(
    argv: Iterable[str],
    use: Iterable[Use],
    directory: Path,
    name: str | None = None,
    options: CommandOptions = CommandOptions(),  # noqa: B008 - frozen
) -> Workload:
    """Make a workload from a command on the command line.

    Args:
        argv: The program and its arguments, with placeholders; other braces are literal.
        use: What it is for.
        directory: Where it runs.
        name: Its name; default: the command on one line.
        options: Its standard input and variables.

    Raises:
        UsageError: The command is empty, or a placeholder is unknown.
    """
    words = tuple(argv)
    if not words or not words[0].strip():
        raise UsageError("the command of the workload is empty", help="write it after `--`: optbuild pgo -- {bin} …")
    title = name if name is not None else " ".join(" ".join(map(_quoted, words)).split())
    stdin = None if options.stdin is None else literal_text(str(options.stdin))
    return Workload(
        name=title,
        command=command_line_words(words),
        cwd=str(directory),
        use=tuple(use),
        stdin=stdin,
        env=dict(zip(options.env, command_line_words(options.env.values()), strict=True)),
        pass_env=options.pass_env,
    )


def command_line_words(words: Iterable[str]) -> tuple[str, ...]:
    """Convert words of the command line to a build profile's: double braces that do not belong to a placeholder.

    Raises:
        UsageError: A placeholder is unknown.
    """
    try:
        return tuple(map(double_braces, words))
    except RefusedValueError as error:
        raise UsageError(str(error), help=error.help) from error


def _quoted(word: str) -> str:
    """A word as users type it: quoted only if a shell would split it, so `{bin}` stays as it is."""
    return word if word and not set(word) & set(" \t\n'\"\\") else shlex.quote(word)


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a directory without permission to look into it
        return False


def _add_default_variants(layer: Layer, *, workspace: Path) -> Layer:
    preset = load_extended(load_document(_DEFAULT_PRESET), workspace=workspace).layer
    variants = Layer(
        tree={"variants": preset.tree["variants"]},
        origins={path: origin for path, origin in preset.origins.items() if path[:1] == ("variants",)},
    )
    return merge_layers(layer, variants)


def _find_faults(extended: Extended, layer: Layer, *, directory: Path, workspace: Path) -> Iterator[Fault]:
    # Unless everything extended was found, a variant could seem to be missing.
    if extended.is_whole:
        yield from find_reference_faults(layer.tree)
    yield from find_target_faults(layer.tree)
    yield from find_workload_name_faults(layer.tree)
    yield from find_workload_kind_faults(layer.tree)
    yield from find_cargo_argument_faults(layer.tree)
    yield from find_path_faults(layer.tree, directory=directory, workspace=workspace)
    yield from find_tune_faults(layer.tree)


def _named(place: KeyPath, settings: ProfileSettings) -> KeyPath:
    """The path of a key, with a workload's name in place of its number."""
    match place:
        case ("workloads", int(index), *rest):
            return ("workloads", settings.workloads[index].name, *rest)
    return place


def _make_build_profile(
    settings: ProfileSettings, *, path: Path | None, directory: Path, origins: Mapping[KeyPath, str]
) -> BuildProfile:
    variants = resolve_variants(settings.variants)
    baseline = settings.measure.baseline
    if baseline is None:
        baseline = _DEFAULT_BASELINE if _DEFAULT_BASELINE in variants else next(iter(variants))
    return BuildProfile(
        path=path,
        directory=directory,
        project=settings.project,
        variants=variants,
        workloads=settings.workloads,
        raw_profiles=settings.raw_profiles,
        profile_data=settings.profile_data,
        evidence=settings.evidence,
        measure=replace(settings.measure, baseline=baseline),
        gates=settings.gates,
        tune=settings.tune,
        origins=origins,
    )
