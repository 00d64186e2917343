from __future__ import annotations

import pytest

from optbuild.workloads.environment import find_meant_for_programs, is_secret_name, make_workload_env

CALLER = {
    "PATH": "/bin",
    "LANG": "de_DE.UTF-8",
    "LC_ALL": "C",
    "LC_MESSAGES": "C",
    "TZ": "UTC",
    "LD_LIBRARY_PATH": "/lib",
    "HOME": "/home/someone",
    "USER": "someone",
    "RUSTFLAGS": "-g",
    "LC_lower": "x",
    "LLVM_PROFILE_FILE": "x",
    "GITHUB_TOKEN": "t",
    "LC_AUTH": "s",
}


def test_a_workload_gets_what_programs_need_and_nothing_of_the_user_s_own() -> None:
    """Without a declaration there is the search path, the language and the time zone."""
    assert make_workload_env({}, (), CALLER) == {
        "PATH": "/bin",
        "LANG": "de_DE.UTF-8",
        "LC_ALL": "C",
        "LC_MESSAGES": "C",
        "TZ": "UTC",
        "LD_LIBRARY_PATH": "/lib",
    }


def test_passed_names_are_taken_where_they_are_set_and_no_secrets() -> None:
    """Naming a variable passes its value on, unless its name says that it is a secret."""
    env = make_workload_env({}, ("HOME", "UNSET", "GITHUB_TOKEN"), CALLER)

    assert env["HOME"] == "/home/someone"
    assert not env.keys() & {"UNSET", "GITHUB_TOKEN", "USER"}


def test_declared_variables_win_and_may_have_any_name() -> None:
    """What stands in the build profile is public already."""
    env = make_workload_env({"PATH": "/only", "API_KEY": "for-tests"}, ("HOME",), CALLER)

    assert env["PATH"] == "/only"
    assert env["API_KEY"] == "for-tests"


@pytest.mark.parametrize(
    "name",
    [
        "GITHUB_TOKEN",
        "npm_token",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_ACCESS_KEY_ID",
        "DB_PASSWORD",
        "PGPASSWD",
        "SSH_AUTH_SOCK",
        "AUTHORIZATION",
        "XAUTHORITY",
        "OPENAI_API_KEY",
        "APIKEY",
        "SSH_PRIVATE_KEY",
        "GOOGLE_APPLICATION_CREDENTIALS",
        "GPG_PASSPHRASE",
        "NEXT_AUTH",
    ],
)
def test_names_of_secrets_are_known(name: str) -> None:
    """Tokens, passwords, keys and whatever authenticates stay with the caller."""
    assert is_secret_name(name)


@pytest.mark.parametrize(
    "name", ["HOME", "GIT_AUTHOR_NAME", "AUTHOR", "AUTHORS", "KEYBOARD", "PASTE", "CORPUS", "MONKEY"]
)
def test_other_names_are_no_secrets(name: str) -> None:
    """An author is not an authorisation."""
    assert not is_secret_name(name)


def test_variables_that_are_meant_for_programs_are_known_by_their_names() -> None:
    """Those of thread pools, allocators, the loader and the program itself; not the caller's own, and no secrets."""
    names = [
        "RAYON_NUM_THREADS",
        "OMP_NUM_THREADS",
        "TOKIO_WORKER_THREADS",
        "RUST_LOG",
        "MALLOC_ARENA_MAX",
        "LD_PRELOAD",
    ]
    own = ["MY_TOOL_CONFIG", "MY_TOOLBOX", "MY_TOOL_TOKEN"]
    environ = dict.fromkeys([*names, *own, *CALLER, "DYLD_LIBRARY_PATH", "RUST_BACKTRACE"], "1")
    assert find_meant_for_programs(environ, ["my-tool"]) == tuple(sorted([*names, "MY_TOOL_CONFIG"]))
    assert find_meant_for_programs(environ, []) == tuple(sorted(names))


def test_variables_that_the_sources_read_are_meant_for_programs() -> None:
    """Whatever they are called; those that every workload gets, and secrets, are not named."""
    environ = {"MODE": "fast", "PATH": "/bin", "EDITOR": "ed", "MODE_TOKEN": "x"}
    assert find_meant_for_programs(environ, [], {"MODE", "PATH", "MODE_TOKEN", "NOT_SET"}) == ("MODE",)
