"""Find the functions that were inlined at sampled addresses, by the debug information of the files that they are in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from optbuild.execution.command import Command, Executor, ProgramNotFoundError
from optbuild.observe.raw import Inlined
from optbuild.toolchain.lookup import find_program, is_program
from optbuild.toolchain.search import VERSIONED_DIRECTORIES
from optbuild.tools import addr2line

_ANSWER_S = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class InlineResolver:
    """Asks a symbolizer; without one, no inlined function is known.

    Attributes:
        program: LLVM's symbolizer or GNU addr2line.
        scratch: A directory for the questions.
    """

    executor: Executor
    environ: Mapping[str, str]
    program: Path | None
    scratch: Path

    def resolve(self, addresses: Mapping[str, frozenset[int]]) -> Inlined:
        """The functions at addresses of files; those of files that cannot be read are left out."""
        found: dict[tuple[str, int], tuple[str, ...]] = {}
        for module, of_module in addresses.items():
            answer = addr2line.parse_functions(self._ask(Path(module), sorted(of_module)))
            found |= {(module, address): names for address, names in answer.items()}
        return found

    def locate(self, file: Path, addresses: frozenset[int]) -> Mapping[int, tuple[addr2line.Place, ...]]:
        """The functions at addresses of a file with their places in the source; none if it cannot be read."""
        return addr2line.parse_places(self._ask(file, sorted(addresses)))

    def _ask(self, file: Path, addresses: list[int]) -> str:
        """What the symbolizer says of addresses; nothing if it cannot be asked."""
        if self.program is None or not addresses or not file.is_file():
            return ""
        question = self.scratch / "addresses"
        question.write_text(addr2line.render_addresses(addresses))
        command = Command(
            argv=addr2line.make_argv(str(self.program), file),
            cwd=self.scratch,
            env={**self.environ, "LC_ALL": "C", "DEBUGINFOD_URLS": ""},  # nothing is fetched from a network
            stdin=question,
            timeout_s=_ANSWER_S,
        )
        try:
            completed = self.executor.run(command)
        except ProgramNotFoundError:
            return ""
        finally:
            question.unlink(missing_ok=True)
        return completed.stdout.decode("utf-8", "replace") if completed.exit_code == 0 else ""


def find_symbolizer(environ: Mapping[str, str], llvm_major: int | None) -> Path | None:
    """The best program that knows inlined functions; LLVM's of the compiler's version reads all that it has written.

    Args:
        environ: The caller's environment.
        llvm_major: That of rustc, if known.
    """
    if llvm_major is not None:
        name = addr2line.PROGRAMS[0]
        if (versioned := find_program(f"{name}-{llvm_major}", environ)) is not None:
            return versioned
        places = (Path(place.format(major=llvm_major)) / name for place in VERSIONED_DIRECTORIES)
        if (found := next(filter(is_program, places), None)) is not None:
            return found
    return next(filter(None, (find_program(name, environ) for name in addr2line.PROGRAMS)), None)
