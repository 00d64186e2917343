"""Compile: call cargo, with everything that affects what it builds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import ClassVar

from optbuild.plan.action import Action, Argument, render_argument
from optbuild.plan.results import Compiled
from optbuild.profile.cargo_words import CargoCall
from optbuild.tools.builders import BuilderName
from optbuild.tools.cargo import FLAG_SEPARATOR


class Role(StrEnum):
    """The purpose of a compilation."""

    BUILD = "build"
    INSTRUMENT = "instrument"
    OPTIMISE = "optimise"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """Everything that affects what cargo builds, except the sources.

    Attributes:
        libs: File names of libraries for other languages.
        call: Build what cargo would run, instead of programs and libraries by name.
        config: Cargo profile settings by `--config` key, values in TOML.
        inherited_rustflags: The user's own flags, as cargo would find them.
        rustflags: Flags that optbuild appends to them.
    """

    packages: tuple[str, ...]
    bins: tuple[str, ...] = ()
    examples: tuple[str, ...] = ()
    libs: tuple[str, ...] = ()
    call: CargoCall | None = None
    target: str
    cargo_profile: str
    features: tuple[str, ...] = ()
    no_default_features: bool = False
    all_features: bool = False
    config: tuple[tuple[str, str], ...] = ()
    inherited_rustflags: tuple[str, ...] = ()
    rustflags: tuple[Argument, ...] = ()
    cargo_args: tuple[str, ...] = ()

    @property
    def products(self) -> tuple[str, ...]:
        """The names of everything that is built: names of programs, and file names of libraries."""
        return (*self.bins, *self.examples, *self.libs)


@dataclass(frozen=True, slots=True, kw_only=True)
class Compile(Action[Compiled]):
    """Call cargo; its programs and libraries are kept.

    Attributes:
        env: Additions to the caller's environment.
        cargo_target: Cargo's target directory.
        directory: Where copies of the binaries are kept.
        links_whole_program: Link-time optimisation looks at all crates at once, which takes memory.
        builder: What calls cargo.
        glibc: The newest version of glibc that what it builds may need, if that is limited.
        scripts: Programs that the call uses, which are written before it.
        python_tag: That of the wheel which trains and measures, such as `cp311`, if there may be several.
    """

    kind: ClassVar[str] = "compile"

    role: Role
    recipe: Recipe
    argv: tuple[str, ...]
    cwd: Path
    env: Mapping[str, Argument]
    cargo_target: Path
    directory: Path
    links_whole_program: bool = False
    builder: BuilderName = BuilderName.CARGO
    glibc: str | None = None
    scripts: Mapping[Path, str] = field(default_factory=dict)
    python_tag: str | None = None

    def details(self) -> Mapping[str, object]:
        """The call of cargo."""
        env = {name: render_argument(value).replace(FLAG_SEPARATOR, " ") for name, value in self.env.items()}
        return {"argv": list(self.argv), "cwd": str(self.cwd), "env": env, "writes": str(self.directory)}
