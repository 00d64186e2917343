"""The shared libraries that a program is linked with and that come from cargo: built, searched, or shipped by it.

Only `cargo run` points the loader to them. So they are kept with the program and placed next to it wherever it runs:
each variant then loads its own.

Sources:
    The Cargo Book, "Environment variables", dynamic library paths:
    https://doc.rust-lang.org/cargo/reference/environment-variables.html#dynamic-library-paths
"""

from __future__ import annotations

import mmap
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from optbuild.events import Emit, Level, Notice
from optbuild.making.cargo.listener import Listener, is_below_target, is_for_target
from optbuild.making.cargo.products import Products
from optbuild.plan.kinds.compile import Compile
from optbuild.text import sanitize_line
from optbuild.tools.cargo import BuildScriptExecuted, CompilerArtifact
from optbuild.workloads.words import is_shared_library


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedLibraries(Listener):
    """Finds those that a build has made or names.

    Attributes:
        sysroot: Where rustc's toolchain lies, for its own.
        built: Libraries of Rust that were built for the program.
        directories: Where build scripts have put some, as far as that is below the target directory.
    """

    action: Compile
    emit: Emit
    sysroot: Path | None
    built: list[Path] = field(default_factory=list)
    directories: list[Path] = field(default_factory=list)

    def on_unit(self, unit: CompilerArtifact) -> None:
        """Note what was built for the program."""
        if is_for_target(self.action, unit):
            self.built.extend(path for path in unit.filenames if is_shared_library(path.name))

    def on_script(self, script: BuildScriptExecuted) -> None:
        """Note where a build script has put libraries."""
        self.directories.extend(path for path in script.library_directories if is_below_target(self.action, path))

    def find_loaded_by(self, products: Products) -> dict[str, Path]:
        """Those that the products load, and that only `cargo run` would let them find."""
        programs = [products.files[name] for name in products.wanted if name in products.files]
        own = () if self.sysroot is None else (self.sysroot / "lib/rustlib" / self.action.recipe.target / "lib",)
        known = {path.resolve() for path in programs}
        candidates = [*self.built, *libraries_in((*self.directories, *own))]
        loaded = find_loaded(programs, [path for path in candidates if path.resolve() not in known])
        if loaded:
            names = f"{', '.join(map(sanitize_line, products.wanted))} loads {', '.join(map(sanitize_line, loaded))}"
            message = f"{names}, which only `cargo run` would find: kept with it, and the loader gets their directory"
            self.emit(Notice(level=Level.INFO, code="shared-libraries", message=message))
        return loaded


def libraries_in(directories: Iterable[Path]) -> list[Path]:
    """The shared libraries in some directories; a missing directory has none."""
    return [
        path
        for directory in directories
        if directory.is_dir()
        for path in sorted(directory.iterdir())
        if is_shared_library(path.name) and path.is_file()
    ]


def find_loaded(programs: Iterable[Path], candidates: Iterable[Path]) -> dict[str, Path]:
    """Which libraries some programs load, directly or through other libraries; the first of each name.

    A program names in plain text what the loader has to find. If it names a library without loading it, the copy is
    unused.
    """
    known: dict[str, Path] = {}
    for path in candidates:
        known.setdefault(path.name, path)
    found: dict[str, Path] = {}
    left = [*programs]
    while left:
        for name in _named_in(left.pop(), [name for name in known if name not in found]):
            found[name] = known[name]
            left.append(known[name])
    return dict(sorted(found.items()))


def _named_in(program: Path, names: list[str]) -> list[str]:
    if not names or program.stat().st_size == 0:
        return []
    with program.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as content:
        return [name for name in names if content.find(b"\0" + name.encode() + b"\0") >= 0]
