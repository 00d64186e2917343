"""The argument lists and environment of git: the revision of a directory, without running what its repository names.

A repository's own configuration can name programs: an fsmonitor, hooks, filters that `git status` runs over files, a
transport that fetches missing objects. The author of the directory chose them, so none may run.

Sources:
    git-config(1): https://git-scm.com/docs/git-config, git(1), "Environment Variables": https://git-scm.com/docs/git,
    gitattributes(5), `filter`: https://git-scm.com/docs/gitattributes
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

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
