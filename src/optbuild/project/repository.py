"""A user's git repository, asked and never written to: where it lies, what a revision means, what its files are.

Not for making the files of a revision: `project/checkout` does that, in a repository of our own.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from optbuild.errors import ToolchainError, UsageError
from optbuild.execution.command import Command, Completed, Executor, ProgramNotFoundError
from optbuild.text import last_lines, sanitize_line
from optbuild.tools import git

_TIMEOUT_S = 600.0
_RANGE = ".."


@dataclass(frozen=True, slots=True, kw_only=True)
class Repository:
    """A repository, and what to ask it with.

    Attributes:
        top: The top directory of its working tree.
        common: Its git directory, which linked worktrees share.
        object_format: `sha1` or `sha256`.
        is_shallow: Its history ends somewhere.
    """

    top: Path
    common: Path
    object_format: str
    is_shallow: bool
    executor: Executor
    environ: Mapping[str, str]

    @property
    def objects(self) -> Path:
        """Where its objects lie."""
        return self.common / "objects"

    def ask(self, argv: tuple[str, ...], *, cwd: Path | None = None) -> Completed:
        """Run git.

        Raises:
            ToolchainError: git is not installed.
            InterruptedRunError: A signal arrived.
        """
        return run_git(argv, cwd or self.top, self.executor, self.environ)

    def refs(self) -> tuple[git.Ref, ...]:
        """Its tags and branches."""
        return git.parse_refs(self.ask(git.refs_argv()).stdout)

    def find_commit(self, revision: str) -> str | None:
        """The commit that a revision means; None where it means none."""
        answer = self.ask(git.commit_argv(revision))
        return answer.stdout.decode("ascii", "replace").strip() if answer.exit_code == 0 else None

    def resolve(self, revision: str) -> str:
        """The commit that a revision means.

        Raises:
            UsageError: It means none, or a tag and a branch of this name mean different ones.
        """
        shown = sanitize_line(revision)
        if _RANGE in revision:
            old, new = (sanitize_line(each.lstrip(".")) for each in revision.split(_RANGE, 1))
            raise UsageError(
                f"{shown!r} is a range of commits, not a revision",
                help=f"name both ends: optbuild compare {old or 'HEAD'} {new or 'HEAD'}",
            )
        refs = self.refs()
        found = [ref for ref in refs if ref.name in {f"refs/tags/{revision}", f"refs/heads/{revision}"}]
        if len({ref.commit for ref in found}) > 1:
            names = " or ".join(sanitize_line(ref.name) for ref in found)
            raise UsageError(f"{shown!r} is both a tag and a branch", help=f"say which: {names}")
        commit = self.find_commit(revision)
        if commit is None:
            raise self._unknown(revision, refs)
        return commit

    def _unknown(self, revision: str, refs: tuple[git.Ref, ...]) -> UsageError:
        names = [ref.short for ref in refs]
        nearest = [sanitize_line(name) for name in difflib.get_close_matches(revision, names, n=3)]
        remedies = [f"did you mean {', '.join(nearest)}?"] if nearest else []
        shallow = ""
        if self.is_shallow:
            shallow = ", and this clone is shallow: it does not have the whole history"
            remedies.append("git fetch --unshallow --tags")
        else:
            remedies.append("fetch what is not here yet: git fetch --tags; list what is here: git tag --list")
        return UsageError(
            f"git knows no revision {sanitize_line(revision)!r}{shallow}",
            help="; or ".join(remedies),
            location=str(self.top),
        )


def run_git(argv: tuple[str, ...], cwd: Path, executor: Executor, environ: Mapping[str, str]) -> Completed:
    """Run git, which fetches nothing, asks nothing and runs no hook.

    Raises:
        ToolchainError: It is not installed.
        InterruptedRunError: A signal arrived.
    """
    # Git LFS would look for its objects in the wrong repository, and then in the network.
    env = {**git.environment(environ), "GIT_LFS_SKIP_SMUDGE": "1", "LC_ALL": "C.UTF-8"}
    try:
        return executor.run(Command(argv=argv, cwd=cwd, env=env, timeout_s=_TIMEOUT_S))
    except ProgramNotFoundError as error:
        raise ToolchainError(
            f"git cannot be run: {error.reason}",
            help="install git; to compare with a program that was built before, it is not needed: "
            "optbuild compare --baseline-binary PATH",
        ) from error


def find_repository(directory: Path, executor: Executor, environ: Mapping[str, str]) -> Repository | None:
    """The repository that a directory belongs to; None where there is none.

    Raises:
        ToolchainError: git is not installed, or refuses the repository.
        InterruptedRunError: A signal arrived.
    """
    answer = run_git(git.repository_argv(), directory, executor, environ)
    lines = os.fsdecode(answer.stdout).splitlines()
    if answer.exit_code == 0:
        top, common, object_format, shallow = lines[:4]
        return Repository(
            top=Path(top).resolve(),
            common=(directory / common).resolve(),
            object_format=object_format,
            is_shallow=shallow == "true",
            executor=executor,
            environ=environ,
        )
    if b"not a git repository" in answer.stderr:
        return None
    raise ToolchainError(
        "git refuses this repository",
        help="see what git says: git -C DIR status",
        location=str(directory),
        detail=last_lines(answer.stderr),
    )
