"""The argument lists and environment of git: revisions and their files, without running what a repository names.

A repository's own configuration can name programs: an fsmonitor, hooks, filters that `git status` runs over files, a
transport that fetches missing objects. The author of the directory chose them, so none may run.

Sources:
    git-config(1): https://git-scm.com/docs/git-config, git(1), "Environment Variables": https://git-scm.com/docs/git,
    gitattributes(5), `filter`: https://git-scm.com/docs/gitattributes
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

_GIT = ("git", "-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null")

# Set while git runs a hook or an alias: they would point to another directory.
_ELSEWHERE = frozenset(
    {
        "GIT_ALTERNATE_OBJECT_DIRECTORIES",
        "GIT_COMMON_DIR",
        "GIT_DIR",
        "GIT_INDEX_FILE",
        "GIT_NAMESPACE",
        "GIT_OBJECT_DIRECTORY",
        "GIT_PREFIX",
        "GIT_WORK_TREE",
    }
)
_OWN_SCOPES = frozenset({"local", "worktree"})


def filter_settings_argv() -> tuple[str, ...]:
    """List the settings of all filters with the scope each comes from; exit code 1 when there are none."""
    return (*_GIT, "config", "--show-scope", "--null", "--name-only", "--get-regexp", r"^filter\.")


def parse_own_filters(stdout: bytes) -> tuple[str, ...]:
    """The filters that the repository itself defines, from `filter_settings_argv`; the user's own are trusted."""
    fields = stdout.decode("utf-8", "surrogateescape").split("\0")
    names = (name for scope, name in zip(fields[::2], fields[1::2], strict=False) if scope in _OWN_SCOPES)
    return tuple(dict.fromkeys(name.removeprefix("filter.").rpartition(".")[0] for name in names))


def head_argv() -> tuple[str, ...]:
    """Print the hash of the commit that is checked out."""
    return (*_GIT, "rev-parse", "--verify", "--quiet", "HEAD")


def status_argv() -> tuple[str, ...]:
    """Print a line for each file that differs from the commit or is unknown to git; nothing when clean.

    Changes inside submodules do not count: finding them would obey the submodules' own configuration.
    """
    return (*_GIT, "status", "--porcelain", "--untracked-files=normal", "--ignore-submodules=dirty")


def environment(environ: Mapping[str, str], own_filters: Iterable[str] = ()) -> dict[str, str]:
    """The environment for all of these commands.

    Args:
        environ: The user's.
        own_filters: The repository's filters, which are turned off.
    """
    result = {name: value for name, value in environ.items() if name not in _ELSEWHERE}
    result |= {
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_NO_LAZY_FETCH": "1",
        "GIT_ALLOW_PROTOCOL": "",
        "GIT_TERMINAL_PROMPT": "0",
    }
    given = result.get("GIT_CONFIG_COUNT", "")
    count = int(given) if given.isdecimal() else 0
    for name in own_filters:
        for setting, value in (("clean", ""), ("smudge", ""), ("process", ""), ("required", "false")):
            result[f"GIT_CONFIG_KEY_{count}"] = f"filter.{name}.{setting}"
            result[f"GIT_CONFIG_VALUE_{count}"] = value
            count += 1
    if count:
        result["GIT_CONFIG_COUNT"] = str(count)
    return result


def repository_argv() -> tuple[str, ...]:
    """Print, a line each: the top directory, the git directory, the object format, whether it is shallow."""
    questions = ("--show-toplevel", "--git-common-dir", "--show-object-format", "--is-shallow-repository")
    return (*_GIT, "rev-parse", *questions)


def commit_argv(revision: str) -> tuple[str, ...]:
    """Print the hash of the commit that a revision means; a revision is never taken for an option."""
    return (*_GIT, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")


def refs_argv() -> tuple[str, ...]:
    """List tags and branches for `parse_refs`."""
    form = "--format=%(objectname) %(*objectname) %(refname)"
    return (*_GIT, "for-each-ref", form, "refs/tags", "refs/heads", "refs/remotes")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ref:
    """A tag or a branch.

    Attributes:
        name: The whole name, such as `refs/tags/v1.2.0`.
        points_to: The hash of what it names: of an annotated tag the tag object.
        commit: The hash of the commit behind it.
    """

    name: str
    points_to: str
    commit: str

    @property
    def short(self) -> str:
        """The name as people type it."""
        return self.name.split("/", 2)[2]


def parse_refs(stdout: bytes) -> tuple[Ref, ...]:
    """The answer to `refs_argv`."""
    lines = stdout.decode("utf-8", "surrogateescape").splitlines()
    fields = [line.split(" ", 2) for line in lines]
    return tuple(Ref(name=name, points_to=own, commit=peeled or own) for own, peeled, name in fields)


def render_packed_refs(refs: Iterable[Ref]) -> str:
    """The same refs as the file `packed-refs` of another repository."""
    return "".join(f"{ref.points_to} {ref.name}\n" for ref in refs)


def entries_argv(commit: str) -> tuple[str, ...]:
    """List all files and submodules of a commit for `parse_entries`."""
    return (*_GIT, "ls-tree", "-r", "-z", "--full-tree", commit)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A file of a commit, or a submodule: then `hash` is the commit that it stands at."""

    path: str
    hash: str
    is_submodule: bool


def parse_entries(stdout: bytes) -> tuple[Entry, ...]:
    """The answer to `entries_argv`."""
    entries = []
    for line in stdout.decode("utf-8", "surrogateescape").split("\0"):
        head, tab, path = line.partition("\t")
        if tab:
            mode, _, digest = head.split(" ")
            entries.append(Entry(path=path, hash=digest, is_submodule=mode == "160000"))
    return tuple(entries)


def files_argv() -> tuple[str, ...]:
    """List what belongs to a working tree: tracked files, and others that are not ignored."""
    return (*_GIT, "ls-files", "-z", "--cached", "--others", "--exclude-standard")


def ignored_argv() -> tuple[str, ...]:
    """List what is ignored in a working tree; a directory of nothing else stands for its content."""
    return (*_GIT, "ls-files", "-z", "--others", "--ignored", "--exclude-standard", "--directory")


def parse_names(stdout: bytes) -> tuple[str, ...]:
    """Names that each end with a null; a file that is in conflict is listed several times."""
    names = stdout.decode("utf-8", "surrogateescape").split("\0")
    return tuple(dict.fromkeys(name for name in names if name))


def submodules_argv() -> tuple[str, ...]:
    """List paths of submodules from `.gitmodules` of a checked-out tree; exit code 1 when there are none."""
    return (*_GIT, "config", "--file", ".gitmodules", "--null", "--get-regexp", r"^submodule\..*\.path$")


def parse_submodules(stdout: bytes) -> dict[str, str]:
    """The names of submodules by their paths, from `submodules_argv`."""
    fields = (field.partition("\n") for field in stdout.decode("utf-8", "surrogateescape").split("\0") if field)
    return {path: key.removeprefix("submodule.").removesuffix(".path") for key, _, path in fields}


def init_argv(object_format: str) -> tuple[str, ...]:
    """Make an empty repository of one's own, without what a user's template would put there."""
    return (*_GIT, "init", "--quiet", "--template=", f"--object-format={object_format}")


def reset_argv(*, hard: bool) -> tuple[str, ...]:
    """Make the index that of the commit, and with `hard` the files as well."""
    return (*_GIT, "reset", "--quiet", "--hard" if hard else "--mixed")


def clone_argv(url: str, directory: str) -> tuple[str, ...]:
    """Fetch a repository that the user has named, without its files and without what a template would put there."""
    return (*_GIT, "clone", "--quiet", "--no-checkout", "--template=", "--", url, directory)


def fetch_commit_argv(commit: str) -> tuple[str, ...]:
    """Fetch a commit that no branch and no tag leads to, where the server gives it."""
    return (*_GIT, "fetch", "--quiet", "origin", commit)


def checkout_argv(commit: str) -> tuple[str, ...]:
    """Make the files of a commit."""
    return (*_GIT, "checkout", "--quiet", "--detach", commit)


def fetch_submodules_argv() -> tuple[str, ...]:
    """Fetch the submodules of the commit that is checked out, and theirs, and make their files."""
    return (*_GIT, "submodule", "--quiet", "update", "--init", "--recursive")


def fetching_environment(environ: Mapping[str, str], url: str) -> dict[str, str]:
    """The environment of commands that fetch from a URL of the user's, who is asked nothing.

    A submodule is fetched from where the repository says: from the network, and from this machine's files only where
    the repository itself came from there.
    """
    is_here = url.startswith(("/", "file:"))
    protocols = ("https", "http", "ssh", "git", *(["file"] if is_here else []))
    return {**environment(environ), "GIT_ALLOW_PROTOCOL": ":".join(protocols), "GIT_NO_LAZY_FETCH": "0"}
