"""The packages that a new build profile may be for, the most promising first. Reads files, runs nothing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from optbuild.errors import UsageError
from optbuild.profile.edit import SCHEMA_FILE_NAME, Outline
from optbuild.project.model import BinTarget, Package, Project, SourceTarget
from optbuild.project.sample_files import find_data_directories, find_sample_files
from optbuild.project.selection import enabled_features, is_buildable, select_targets
from optbuild.project.source_marks import find_marks, read_sources, read_text
from optbuild.project.usage_lines import UsageCall, find_calls, find_usage
from optbuild.session.guessing import Facts, Guess, Program, Suite, Surety, guess_workloads

_MOST_PROGRAMS = 6
_READMES = ("README.md", "readme.md", "Readme.md", "README.markdown", "README.rst", "README")
_STAND_INS = ("README.md", "Cargo.toml")
_TOOLS_OF_THE_PROJECT = ("xtask", "xtasks")


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A package, the contents of its build profile, and how surely that runs."""

    package: Package
    outline: Outline
    surety: Surety


def find_candidates(project: Project, package: str | None, directory: Path) -> tuple[Candidate, ...]:
    """Every package that can be built and measured; those whose workloads run most surely come first.

    Args:
        project: The Cargo project.
        package: The only one wanted; None leaves the choice open.
        directory: The directory of the build profile.

    Raises:
        UsageError: The package does not exist, or nothing can be built.
    """
    try:
        packages = _packages(project, package)
    except UsageError:
        found = [_make_candidate(project, each, directory) for each in _libraries(project, package)]
        found = [each for each in found if each.outline.runs]  # only tests and benches can stand for a library
        if not found:
            raise
    else:
        found = [_make_candidate(project, each, directory) for each in packages]
    return tuple(sorted(found, key=lambda each: (each.package.name in _TOOLS_OF_THE_PROJECT, each.surety)))


def _packages(project: Project, name: str | None) -> tuple[Package, ...]:
    """The default choice if cargo or a name determines it, otherwise all that have something to build."""
    wanted = tuple(each for each in project.packages if name in {None, each.name})
    programs = tuple(each for each in wanted if each.bins)
    libraries = tuple(each for each in wanted if each.examples)
    try:
        return (select_targets(project, () if name is None else (name,), ()).packages[0],)
    except UsageError as error:
        if not wanted:
            choices = [
                f"optbuild init --package {each.name}" for each in project.packages if each.bins or each.examples
            ]
            advice = f"choose a package: {' or '.join(choices)}" if choices else error.help
            raise UsageError(error.message, help=advice, location=error.location) from error
        if not programs and not libraries:
            raise
        return programs or libraries


def _libraries(project: Project, name: str | None) -> tuple[Package, ...]:
    return tuple(each for each in project.packages if name in {None, each.name} and each.is_library_only)


def _make_candidate(project: Project, package: Package, directory: Path) -> Candidate:
    default = enabled_features(package, (), with_default=True)
    built, left_out = _buildable(package.bins, default)
    examples = () if built or package.libs else _buildable(package.examples, default)[0]
    features = tuple(sorted({name for target in (*built, *examples) for name in target.required_features} - default))
    facts = _find_facts(package, directory, built or examples, default.union(features), is_library=not built)
    guess = guess_workloads(facts)
    outline = Outline(
        package=None if _is_default(project, package) else package.name,
        bins=tuple(target.name for target in built),
        examples=_examples_to_build(examples, guess),
        libs=tuple(dict.fromkeys(lib.name for lib in package.libs)) if not built else (),
        features=features,
        left_out=tuple((target.name, target.required_features) for target in left_out),
        workloads=guess.workloads,
        data=find_data_directories(directory, package.manifest.parent),
        has_schema_file=(directory / SCHEMA_FILE_NAME).is_file(),
    )
    return Candidate(package=package, outline=outline, surety=guess.surety)


def _buildable(
    targets: tuple[BinTarget, ...], enabled: frozenset[str]
) -> tuple[tuple[BinTarget, ...], tuple[BinTarget, ...]]:
    """Those that cargo builds by default, or else all of them; and the rest."""
    unasked = tuple(target for target in targets if is_buildable(target, enabled))
    built = unasked or targets
    return built, tuple(target for target in targets if target not in built)


def _examples_to_build(examples: tuple[BinTarget, ...], guess: Guess) -> tuple[str, ...]:
    """Those that workloads run; if none does, the first represents the library."""
    names = [example.name for example in examples]
    used = {word for item in guess.workloads if item.is_active for word in item.words}
    run = tuple(name for name in names if f"{{bin:{name}}}" in used)
    return run or tuple(names[:1])


def _find_facts(
    package: Package,
    directory: Path,
    targets: tuple[BinTarget, ...],
    enabled: frozenset[str],
    *,
    is_library: bool,
) -> Facts:
    files = find_sample_files(directory, package.manifest.parent)
    sources = {(source.kind, source.name): source for source in package.sources}
    texts = _read_readmes(package, directory)
    programs = tuple(
        _make_program(source, texts, is_only=len(targets) == 1 and not is_library)
        for target in targets[:_MOST_PROGRAMS]
        if (source := sources.get(("example" if target.is_example else "bin", target.name))) is not None
    )
    named = {call.file for program in programs for call in program.calls if call.file} | set(_STAND_INS)
    return Facts(
        programs=programs,
        benches=_suites(package, "bench", enabled),
        tests=_suites(package, "test", enabled),
        files=files,
        present=frozenset(name for name in named if (directory / name).is_file()),
        unit_tests=_find_unit_tests(package),
        is_library=is_library,
    )


def _make_program(source: SourceTarget, texts: Iterable[str], *, is_only: bool) -> Program:
    code = read_sources(source.source)
    calls: tuple[UsageCall, ...] = (
        *(call for text in texts for call in find_calls(text, source.name)),
        *(call for text in code for call in find_usage(text, source.name)),
    )
    return Program(
        target=source,
        word="{bin}" if is_only else f"{{bin:{source.name}}}",
        marks=find_marks(code),
        calls=tuple(dict.fromkeys(calls)),
        size_bytes=sum(map(len, code)),
    )


def _suites(package: Package, kind: str, enabled: frozenset[str]) -> tuple[Suite, ...]:
    return tuple(
        Suite(
            target=source,
            text=read_text(source.source) or "",
            missing=tuple(name for name in source.required_features if name not in enabled),
        )
        for source in package.sources
        if source.kind == kind
    )


def _find_unit_tests(package: Package) -> str | None:
    """The option of `cargo test` that runs the tests in the sources of a package; None if it has none."""
    directory = package.manifest.parent / "src"
    for main, option in (("lib.rs", "--lib"), ("main.rs", "--bins")):
        if (directory / main).is_file() and any("#[test]" in text for text in read_sources(directory / main)):
            return option
    return None


def _read_readmes(package: Package, directory: Path) -> tuple[str, ...]:
    places = dict.fromkeys((package.manifest.parent, directory))
    found = {path.resolve(): text for place in places for name in _READMES if (text := read_text(path := place / name))}
    return tuple(found.values())


def _is_default(project: Project, package: Package) -> bool:
    """Whether a build profile without a package refers to this one."""
    if project.packages == (package,):
        return True
    try:
        return select_targets(project, (), ()).packages == (package,)
    except UsageError:
        return False
