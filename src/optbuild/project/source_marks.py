"""What source code says of how a program is used, by the names that stand in it. A guess, and never more than that."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

_MOST_FILES = 400
_MOST_BYTES = 1 << 20

_ARGUMENTS = (
    *("env::args", "args_os(", "clap", "structopt", "argh", "pico_args", "lexopt", "docopt", "bpaf", "gumdrop"),
    *("xflags", "getopts"),
)
_SUBCOMMANDS = ("Subcommand", "subcommand(", ".subcommands(")
_STDIN = ("stdin()", "io::stdin")
_SERVERS = ("TcpListener", "UdpSocket", "UnixListener", "axum", "actix_web", "hyper::", "warp::", "rocket::", "tonic::")
_SCREENS = ("crossterm", "ratatui", "termion", "cursive", "winit", "bevy", "egui", "dialoguer", "rustyline", "pixels::")
_NETWORK = ("reqwest", "ureq::", "TcpStream", "curl::", "isahc")
_WRITES = (
    *("fs::write", "File::create", "OpenOptions", "remove_file", "remove_dir", "fs::rename", "set_len", "create_dir"),
    "fs::copy",
)
_VARIABLE = re.compile(r"""\bvar(?:_os)?\(\s*"(\w+)"|\benv\s*=\s*"(\w+)\"""")


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceMarks:
    """What some sources mention.

    Attributes:
        arguments: The command line.
        subcommands: Commands of the command line, one of which it then needs.
        stdin: Standard input.
        serves: Listening for connections.
        interactive: A screen or a window, or questions.
        network: Connecting elsewhere.
        writes: Making, changing or deleting files.
    """

    arguments: bool = False
    subcommands: bool = False
    stdin: bool = False
    serves: bool = False
    interactive: bool = False
    network: bool = False
    writes: bool = False

    @property
    def stands_alone(self) -> bool:
        """Whether nothing hints that it needs anybody or anything from outside to run to its end."""
        return not (self.serves or self.interactive or self.network)


def find_marks(texts: Iterable[str]) -> SourceMarks:
    """Look for names of functions and crates."""
    whole = "\n".join(texts)

    def has(names: tuple[str, ...]) -> bool:
        return any(name in whole for name in names)

    return SourceMarks(
        arguments=has(_ARGUMENTS),
        subcommands=has(_SUBCOMMANDS),
        stdin=has(_STDIN),
        serves=has(_SERVERS),
        interactive=has(_SCREENS),
        network=has(_NETWORK),
        writes=has(_WRITES),
    )


def find_variables(texts: Iterable[str]) -> frozenset[str]:
    """Names of variables that a program reads when it runs: by `std::env::var`, or by `env = "NAME"` of clap."""
    return frozenset(name for text in texts for pair in _VARIABLE.findall(text) for name in pair if name)


def read_package_sources(directory: Path) -> tuple[str, ...]:
    """All sources below a package's `src`, whichever target they belong to; what cannot be read not."""
    paths = islice(sorted((directory / "src").rglob("*.rs")), _MOST_FILES)
    return tuple(text for path in paths if (text := read_text(path)) is not None)


def read_sources(source: Path) -> tuple[str, ...]:
    """A target's main file and its modules: all of its directory where it has one to itself; what cannot be read not.

    Args:
        source: Such as `src/main.rs`, `src/bin/tool.rs`, `examples/demo/main.rs`.
    """
    own_directory = source.name in {"main.rs", "lib.rs"}
    paths = _below(source.parent) if own_directory else iter([source])
    return tuple(text for path in paths if (text := read_text(path)) is not None)


def read_text(path: Path) -> str | None:
    """A file's text, or None where there is none, or far more than anybody writes."""
    try:
        if not path.is_file() or path.stat().st_size > _MOST_BYTES:
            return None
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None


def _below(directory: Path) -> Iterator[Path]:
    for number, path in enumerate(sorted(directory.rglob("*.rs"))):
        if number >= _MOST_FILES:
            return
        if "bin" not in path.relative_to(directory).parts[:-1]:  # other programs of the package
            yield path
