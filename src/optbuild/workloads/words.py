"""The words of a workload's commands: what planning a run fills, and what only its start fills.

Binaries differ between variants and ports between runs; everything else is known when planning.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from optbuild.errors import UsageError
from optbuild.profile.placeholders import Placeholder, PlaceholderKind, parse_placeholders
from optbuild.project.model import LibFile
from optbuild.tools.wheels import WHEEL
from optbuild.workloads.environment import is_secret_name

Word = tuple[str | Placeholder, ...]
Words = tuple[Word, ...]
"""An argv in pieces; only `{bin}`, `{lib}` and `{port}` remain in it.

They have the name of a program, the file name of a library or the name of a port.
"""


LOADER_PATH = "DYLD_FALLBACK_LIBRARY_PATH" if sys.platform == "darwin" else "LD_LIBRARY_PATH"
"""The variable that names directories with shared libraries to the loader."""
_SHARED_LIBRARY = re.compile(r"lib.+\.(?:dylib|so(?:\.[\d.]+)?)")


def is_wheel(name: str) -> bool:
    """Whether a file is named like a wheel of Python."""
    return name.endswith(".whl")


def is_shared_library(name: str) -> bool:
    """Whether a file is named as the loader looks for it."""
    return _SHARED_LIBRARY.fullmatch(name) is not None


def join_paths(*paths: str | None) -> str:
    """Directories as a variable such as `LD_LIBRARY_PATH` lists them."""
    return os.pathsep.join(path for path in paths if path)


def named_in(words: Iterable[Word], *kinds: PlaceholderKind) -> tuple[str, ...]:
    """The names of all placeholders of these kinds, each once."""
    pieces = (piece for word in words for piece in word if isinstance(piece, Placeholder) and piece.kind in kinds)
    return tuple(dict.fromkeys(piece.argument or "" for piece in pieces))


def render_words(words: Iterable[Word]) -> tuple[str, ...]:
    """An argv as the user wrote it, with `{bin:NAME}` for binaries."""
    return tuple("".join(map(_shown, word)) for word in words)


@dataclass(frozen=True, slots=True, kw_only=True)
class Values:
    """The values of one run's placeholders.

    Attributes:
        binaries: Programs by name, libraries by file name.
        ports: By name; the name of a plain `{port}` is empty.
    """

    binaries: Mapping[str, Path]
    ports: Mapping[str, int] = field(default_factory=dict)

    def library_directory(self, known: Collection[str]) -> str | None:
        """Where shared libraries stand next to the programs that load them; None without other than known ones."""
        found = (path for name, path in self.binaries.items() if is_shared_library(name) and name not in known)
        path = next(found, None)
        return None if path is None else str(path.parent)

    def fill(self, word: Word) -> str:
        """A word with every placeholder replaced."""
        return "".join(piece if isinstance(piece, str) else self._value(piece) for piece in word)

    def fill_all(self, words: Iterable[Word]) -> tuple[str, ...]:
        """An argv with every placeholder replaced."""
        return tuple(map(self.fill, words))

    def _value(self, placeholder: Placeholder) -> str:
        name = WHEEL if placeholder.kind is PlaceholderKind.WHEEL else placeholder.argument or ""
        return str(self.ports[name] if placeholder.kind is PlaceholderKind.PORT else self.binaries[name])


def _shown(piece: str | Placeholder) -> str:
    if isinstance(piece, str):
        return piece
    return f"{{{piece.kind}:{piece.argument}}}" if piece.argument else f"{{{piece.kind}}}"


@dataclass(frozen=True, slots=True, kw_only=True)
class BuiltNames:
    """What is built, by the names that workloads call it, and what starts it.

    Attributes:
        bins: The binaries.
        default_bin: What `{bin}` stands for, if unambiguous.
        libs: The libraries.
        runner: What starts the binaries, if configured.
        needs_runner: They do not run here without it.
        python: The interpreter that a wheel is built for; None if none is built.
    """

    bins: tuple[str, ...] = ()
    default_bin: str | None = None
    libs: tuple[LibFile, ...] = ()
    runner: tuple[str, ...] = ()
    needs_runner: bool = True
    python: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WordFiller:
    """Fills the placeholders of one workload that are known when planning.

    Attributes:
        workload: Its name, for errors.
        built: What it may name.
        scratch: What `{scratch}` stands for.
        environ: The caller's environment, for `{env:NAME}`.
    """

    workload: str
    built: BuiltNames
    scratch: Path
    environ: Mapping[str, str]

    def words(self, texts: Iterable[str]) -> Words:
        """Fill an argv, with the runner before a program that is built.

        Raises:
            UsageError: A placeholder has no value: no such binary, an ambiguous `{bin}`, an unset variable, a secret;
                or a binary that needs a runner is not the program itself.
        """
        words, runner = tuple(map(self.word, texts)), self.built.runner
        if not runner or not named_in(words, PlaceholderKind.BIN):
            return words
        if named_in(words[1:], PlaceholderKind.BIN) or len(words[0]) > 1:
            if not self.built.needs_runner:
                return words
            message = f"{{bin}} does not run here by itself, and {runner[0]} can run it only as a command's program"
            raise self._error(message, "let the command begin with {bin}, without a script around it")
        return (*((word,) for word in runner), *words)

    def word(self, text: str) -> Word:
        """Fill everything except built files and ports; join neighbouring text."""
        return tuple(_joined(self._fill(piece) for piece in parse_placeholders(text))) or ("",)

    def text(self, text: str) -> str:
        """Fill a text that may name neither built files nor a port, such as the path of an input."""
        word = self.word(text)
        if len(word) != 1 or not isinstance(word[0], str):
            remedy = "only commands know {bin}, {lib} and {port}"
            raise self._error(f"{text!r} may name neither built files nor a port", remedy)
        return word[0]

    def _fill(self, piece: str | Placeholder) -> str | Placeholder:
        if isinstance(piece, str) or piece.kind is PlaceholderKind.PORT:
            return piece
        name = piece.argument or ""
        match piece.kind:
            case PlaceholderKind.SCRATCH:
                return str(self.scratch)
            case PlaceholderKind.ENV:
                return self._variable(piece, name)
            case PlaceholderKind.LIB:
                return self._library(name)
            case PlaceholderKind.WHEEL | PlaceholderKind.PYTHON:
                return self._of_wheel(piece)
            case _:
                return self._binary(piece, name)

    def _of_wheel(self, placeholder: Placeholder) -> str | Placeholder:
        """The interpreter, or the directory of the unpacked wheel, which only a run knows."""
        if self.built.python is None:
            remedy = 'write builder = "maturin" under [project]'
            raise self._error(f"{_shown(placeholder)}: no wheel is built", remedy)
        return str(self.built.python) if placeholder.kind is PlaceholderKind.PYTHON else placeholder

    def _variable(self, placeholder: Placeholder, name: str) -> str:
        if is_secret_name(name):
            raise self._error(
                f"{_shown(placeholder)} looks like a secret", "arguments are shown and recorded: use a file"
            )
        if name not in self.environ:
            raise self._error(f"{_shown(placeholder)}: that variable is not set", f"set it first: export {name}=…")
        return self.environ[name]

    def _binary(self, placeholder: Placeholder, name: str) -> Placeholder:
        known = ", ".join(f"{{bin:{bin_name}}}" for bin_name in self.built.bins)
        if not self.built.bins:
            raise self._error(f"{_shown(placeholder)}: no program is built", "use {lib}, or write `bins`")
        if not name:
            if self.built.default_bin is None:
                raise self._error("{bin} could be any of several binaries", f"name one: {known}")
            return Placeholder(kind=PlaceholderKind.BIN, argument=self.built.default_bin)
        if name not in self.built.bins:
            raise self._error(f"{_shown(placeholder)}: no such binary is built", f"there is {known}")
        return placeholder

    def _library(self, name: str) -> Placeholder:
        """A library by its name, the shared one if it has two files, or by its file's name."""
        found = [lib for lib in self.built.libs if not name or lib.is_called(name)]
        if len({lib.name for lib in found}) == 1:
            return Placeholder(kind=PlaceholderKind.LIB, argument=found[0].file_name)
        known = ", ".join(f"{{lib:{lib.name}}}" for lib in self.built.libs)
        if found:
            raise self._error("{lib} could be any of several libraries", f"name one: {known}")
        remedy = 'libraries without crate-type "cdylib" or "staticlib" are for Rust only: see its Cargo.toml'
        message = f"{{lib{':' * bool(name)}{name}}}: no such library is built"
        raise self._error(message, f"there is {known}" if known else remedy)

    def _error(self, message: str, help: str) -> UsageError:  # noqa: A002 - the word users read
        return UsageError(f"workload {self.workload!r}: {message}", help=help)


def _joined(pieces: Iterable[str | Placeholder]) -> Iterator[str | Placeholder]:
    """The same pieces, with neighbouring texts joined."""
    text: str | None = None
    for piece in pieces:
        if isinstance(piece, str):
            text = piece if text is None else text + piece
            continue
        if text is not None:
            yield text
            text = None
        yield piece
    if text is not None:
        yield text
