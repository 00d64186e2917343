"""The output of build scripts: why cargo reruns one, and whether two runs generated the same.

Cargo's own log of this (`CARGO_LOG`) is expensive. The facts that it decides by are in files next to a script's output.

Sources: The Cargo Book, "Build Scripts", https://doc.rust-lang.org/cargo/reference/build-scripts.html#change-detection
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from optbuild.events import Emit, Level, Notice
from optbuild.making.cargo.listener import Listener, is_below_target
from optbuild.plan.kinds.compile import Compile
from optbuild.plan.results import ScriptRun
from optbuild.text import sanitize_line
from optbuild.tools.cargo import BuildScriptExecuted, CompilerArtifact, short_package_name

_WATCHED = ("cargo:rerun-if-changed=", "cargo::rerun-if-changed=")
_MOST_FILES = 1000  # of generated code; more are not compared


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildScripts(Listener):
    """Finds what the build scripts of a program have left behind.

    Attributes:
        earlier: What there was before this build.
        roots: The directory of each package.
        out_dirs: Where the build script of each package writes.
    """

    action: Compile
    emit: Emit
    earlier: Mapping[Path, int]
    roots: dict[str, Path] = field(default_factory=dict)
    out_dirs: dict[str, Path] = field(default_factory=dict)

    def on_unit(self, unit: CompilerArtifact) -> None:
        """Note where a package is."""
        if unit.manifest_path is not None:
            self.roots[unit.package_id] = unit.manifest_path.parent

    def on_script(self, script: BuildScriptExecuted) -> None:
        """Note where a script writes; those of build scripts and macros do not concern the program."""
        if script.out_dir is not None and is_below_target(self.action, script.out_dir):
            self.out_dirs[script.package_id] = script.out_dir

    def read(self) -> dict[str, ScriptRun]:
        """Look at what they have left; report those that run in every build, or ran again."""
        scripts = {}
        for package_id, out_dir in self.out_dirs.items():
            name, root = short_package_name(package_id), self.roots.get(package_id, out_dir)
            scripts[package_id] = script = read_script_run(name, out_dir, root, self.earlier)
            when, why = ("runs in every build", script.always) if script.always else ("ran again", script.again)
            if why is not None:
                message = f"the build script of {sanitize_line(name)} {when}: {why}; what it belongs to is built again"
                remedy = "name only files that are there, and that no build changes, by cargo:rerun-if-changed"
                self.emit(Notice(level=Level.INFO, code="build-script-ran", message=message, help=remedy))
        return scripts


def find_earlier_runs(cargo_target: Path) -> dict[Path, int]:
    """The build scripts' runs in a target directory, each with the time that cargo compares."""
    outputs = (path for depth in ("*", "*/*") for path in cargo_target.glob(f"{depth}/build/*/output"))
    return {path.parent: _mtime_ns(path) for path in outputs}


def read_script_run(package: str, out_dir: Path, root: Path, earlier: Mapping[Path, int]) -> ScriptRun:
    """Inspect the output of a build script.

    Args:
        package: The name of its package.
        out_dir: Its `OUT_DIR`.
        root: The directory of its package, where it runs.
        earlier: The runs that existed before this build.
    """
    output = out_dir.parent / "output"
    try:
        printed = output.read_bytes()
    except OSError:
        return ScriptRun(package=package)
    ran_ns, ran_before_ns = _mtime_ns(output), earlier.get(out_dir.parent)
    watched = tuple(_watched(printed, root))
    was_run = ran_before_ns is not None and ran_before_ns != ran_ns
    return ScriptRun(
        package=package,
        printed=_digest(printed, out_dir),
        code={str(path.relative_to(out_dir)): _digest(path.read_bytes(), out_dir) for path in _code_below(out_dir)},
        always=_why_stale(watched, ran_ns),
        again=_why_stale(watched, ran_before_ns) if was_run and ran_before_ns is not None else None,
    )


def describe_differences(ours: Mapping[str, ScriptRun], theirs: Mapping[str, ScriptRun]) -> tuple[str, ...]:
    """The build scripts that behaved differently in two builds, each with its first difference."""
    changes = [*describe_other_code(ours, theirs)]
    for key, script in ours.items():
        other = theirs.get(key)
        if other is not None and other.code == script.code and other.printed != script.printed:
            changes.append(
                f"the build script of {sanitize_line(script.package)} printed different instructions for cargo"
            )
    return tuple(changes)


def describe_other_code(ours: Mapping[str, ScriptRun], theirs: Mapping[str, ScriptRun]) -> tuple[str, ...]:
    """The build scripts that generated different code in two builds, each with the first file that differs."""
    changes = []
    for key, script in ours.items():
        other = theirs.get(key)
        if other is not None and other.code != script.code:
            names = sorted(name for name, _ in set(script.code.items()) ^ set(other.code.items()))
            changes.append(f"the build script of {sanitize_line(script.package)} generated a different {names[0]}")
    return tuple(changes)


REMEDY = (
    "make the build script deterministic: use a BTreeMap instead of a HashMap, sort directory entries, use "
    "SOURCE_DATE_EPOCH for the time; and list its inputs with cargo:rerun-if-changed, only existing files"
)


def _watched(printed: bytes, root: Path) -> Iterator[tuple[str, Path]]:
    """The files that a build script declares as inputs: as it writes them, and their paths."""
    for line in printed.decode("utf-8", "surrogateescape").splitlines():
        for prefix in _WATCHED:
            if line.startswith(prefix):
                name = line.removeprefix(prefix)
                yield name, root / name


def _why_stale(watched: Iterable[tuple[str, Path]], ran_ns: int) -> str | None:
    for name, path in watched:
        if not path.exists():
            return f"its rerun-if-changed names {sanitize_line(name)}, which does not exist"
        if _newest_ns(path) > ran_ns:
            return f"its rerun-if-changed names {sanitize_line(name)}, which has changed since it ran"
    return None


def _newest_ns(path: Path) -> int:
    """When a file, or anything below a directory, was last changed."""
    below = (Path(place) / name for place, _, names in os.walk(path) for name in names)
    return max((_mtime_ns(each) for each in (path, *below)), default=0)


def _mtime_ns(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


def _code_below(out_dir: Path) -> list[Path]:
    found = sorted(path for path in out_dir.rglob("*.rs") if path.is_file())
    return found if len(found) <= _MOST_FILES else []


def _digest(data: bytes, out_dir: Path) -> str:
    """The hash of what a script wrote, independent of its directory."""
    return hashlib.sha256(data.replace(os.fsencode(out_dir), b"")).hexdigest()
