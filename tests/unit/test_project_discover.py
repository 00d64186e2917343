from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from optbuild.errors import ToolchainError, UsageError
from optbuild.execution.command import Command, Completed, OnLine, ProgramNotFoundError
from optbuild.project.discover import discover_git_state, load_project
from optbuild.project.model import BinTarget, GitState, Package, Project, SourceTarget
from optbuild.testing import make_usage
from optbuild.tools import git
from optbuild.tools.cargo_metadata import metadata_argv, parse_metadata

USAGE = make_usage()
Answer = Callable[[Command], Completed]


def answer(command: Command, stdout: str = "", *, stderr: str = "", exit_code: int = 0) -> Completed:
    """A program that ended."""
    return Completed(command=command, exit_code=exit_code, stdout=stdout.encode(), stderr=stderr.encode(), usage=USAGE)


class Answering:
    """An executor whose programs answer by name; one without an answer does not exist."""

    def __init__(self, **answers: Answer) -> None:
        self.answers = answers
        self.commands: list[Command] = []

    def run(self, command: Command, *, on_stdout: OnLine | None = None, on_stderr: OnLine | None = None) -> Completed:
        self.commands.append(command)
        program = Path(command.argv[0]).name
        if program not in self.answers:
            raise ProgramNotFoundError(program, "not found")
        return self.answers[program](command)


def metadata(root: Path) -> str:
    """What cargo 1.95 prints for a package with a library and two binaries, shortened."""
    targets = [
        {"kind": ["lib"], "crate_types": ["lib"], "name": "tool", "src_path": "/w/src/lib.rs", "doctest": True},
        {"kind": ["bin"], "crate_types": ["bin"], "name": "tool", "src_path": "/w/src/main.rs"},
        {"kind": ["bin"], "name": "more", "required-features": ["extra"]},
        {"kind": ["custom-build"], "name": "build-script-build"},
    ]
    package = {
        "name": "tool",
        "version": "1.2.3",
        "id": f"path+file://{root}#tool@1.2.3",
        "targets": targets,
        "features": {"extra": ["dep:x"], "default": []},
        "manifest_path": str(root / "Cargo.toml"),
        "default_run": None,
    }
    return json.dumps(
        {
            "packages": [package],
            "workspace_members": [package["id"]],
            "resolve": None,
            "target_directory": str(root / "target"),
            "version": 1,
            "workspace_root": str(root),
            "metadata": None,
        }
    )


def look_at(directory: Path, executor: Answering, *, cfg: tuple[str, ...] = ("unix",), **environ: str) -> Project:
    """Look at a directory with cargo and rustc from `/t`."""
    return load_project(
        directory=directory,
        manifest=Path("Cargo.toml"),
        executor=executor,
        environ={"HOME": str(directory)} | environ,
        cargo=Path("/t/cargo"),
        rustc=Path("/t/rustc"),
        target="x86_64-unknown-linux-gnu",
        target_cfg=cfg,
    )


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A directory with a manifest, whose content nobody reads."""
    (tmp_path / "Cargo.toml").touch()
    return tmp_path.resolve()


def test_metadata_becomes_a_project(root: Path) -> None:
    """Binaries, features and directories are cargo's; the lock file is only named where it exists."""
    executor = Answering(cargo=lambda command: answer(command, metadata(root)))
    project = look_at(root, executor)
    bins = (
        BinTarget(name="tool", package="tool", required_features=()),
        BinTarget(name="more", package="tool", required_features=("extra",)),
    )
    assert project.packages == (
        Package(
            name="tool",
            version="1.2.3",
            manifest=root / "Cargo.toml",
            bins=bins,
            default_run=None,
            features={"default": (), "extra": ("dep:x",)},
            is_library_only=False,
            sources=(SourceTarget(kind="bin", name="tool", source=Path("/w/src/main.rs")),),
        ),
    )
    assert (project.workspace_root, project.target_directory, project.lockfile) == (root, root / "target", None)
    assert project.git == GitState(commit=None, dirty=None)


@pytest.mark.parametrize(
    ("cfg", "names"),
    [
        (("unix",), ["libmy_core.so", "libmy_core.a"]),
        (('target_vendor="apple"',), ["libmy_core.dylib", "libmy_core.a"]),
        (("windows", 'target_env="gnu"'), ["my_core.dll", "libmy_core.a"]),
        (("windows", 'target_env="msvc"'), ["my_core.dll", "my_core.lib"]),
        (('target_family="wasm"',), ["my_core.wasm", "libmy_core.a"]),
    ],
)
def test_libraries_and_examples_are_known_by_what_they_become(
    root: Path, cfg: tuple[str, ...], names: list[str]
) -> None:
    """A library's files have the names that the target gives them; an example that is a library is no program."""
    document = json.loads(metadata(root))
    document["packages"][0]["targets"] = [
        {"name": "my-core", "kind": ["cdylib", "staticlib", "rlib"], "crate_types": ["cdylib", "staticlib", "rlib"]},
        {"name": "show", "kind": ["example"], "crate_types": ["bin"], "required-features": ["extra"]},
        {"name": "plugin", "kind": ["example"], "crate_types": ["cdylib"]},
    ]
    executor = Answering(cargo=lambda command: answer(command, json.dumps(document)))
    (package,) = look_at(root, executor, cfg=cfg).packages
    assert [lib.file_name for lib in package.libs] == names
    assert {(lib.name, lib.has_rlib) for lib in package.libs} == {("my_core", True)}
    example = BinTarget(name="show", package="tool", required_features=("extra",), is_example=True)
    assert (package.bins, package.examples, package.is_library_only) == ((), (example,), True)


def test_shared_libraries_of_rust_are_known_through_the_workspace(root: Path) -> None:
    """Those that a dependency brings as well, but none that is an rlib too, and none for tests only."""
    document = json.loads(metadata(root))

    def member(name: str, kinds: list[str], *dependencies: dict[str, str | None]) -> dict[str, object]:
        library = {"name": name, "kind": kinds, "crate_types": kinds}
        return {**document["packages"][0], "name": name, "targets": [library], "dependencies": [*dependencies]}

    document["packages"][0]["dependencies"] = [
        {"name": "my-core", "kind": None},
        {"name": "checks", "kind": "dev"},
        {"name": "regex", "kind": None},
    ]
    document["packages"] += [
        member("my-core", ["dylib"], {"name": "both", "kind": None}, {"name": "below", "kind": None}),
        member("both", ["dylib", "rlib"]),
        member("below", ["dylib"], {"name": "my-core", "kind": None}),
        member("checks", ["dylib"]),
    ]
    executor = Answering(cargo=lambda command: answer(command, json.dumps(document)))
    package, *_ = look_at(root, executor, cfg=("unix",)).packages
    assert package.dylibs == ("libmy_core.so", "libbelow.so")


def test_cargo_is_asked_so_that_nothing_of_the_project_runs(root: Path) -> None:
    """No dependencies, no network, our rustc, no wrapper, no toolchain installed; the rest of the environment stays."""
    executor = Answering(cargo=lambda command: answer(command, metadata(root)))
    look_at(root, executor, RUSTC_WRAPPER="sccache", RUSTC="evil", KEPT="yes")
    command = executor.commands[0]
    assert command.argv == metadata_argv(Path("/t/cargo"), root / "Cargo.toml")
    assert command.argv[:6] == ("/t/cargo", "metadata", "--format-version", "1", "--no-deps", "--offline")
    assert command.cwd == root
    safe = {"RUSTC": "/t/rustc", "RUSTC_WRAPPER": "", "RUSTC_WORKSPACE_WRAPPER": "", "RUSTUP_AUTO_INSTALL": "0"}
    assert safe.items() <= command.env.items()
    assert command.env["KEPT"] == "yes"


def test_a_missing_manifest_names_the_project_above(root: Path) -> None:
    """From a directory inside a project the remedy is the project's own directory."""
    inside = root / "src/deep"
    inside.mkdir(parents=True)
    with pytest.raises(UsageError) as caught:
        look_at(inside, Answering())
    assert caught.value.location == str(inside / "Cargo.toml")
    assert caught.value.help.endswith(f"cd {root}")


def test_a_missing_manifest_with_nothing_above_says_what_to_name(tmp_path: Path) -> None:
    """Outside any project the remedy is a project's directory, for commands that take none as well."""
    with pytest.raises(UsageError, match="does not exist") as caught:
        look_at(tmp_path, Answering())
    assert caught.value.help.endswith("cd DIR")


def test_cargos_own_words_are_shown_and_inert(root: Path) -> None:
    """What cargo says about a manifest stands below the error, without control characters."""
    executor = Answering(cargo=lambda command: answer(command, stderr="error: \x1b]0;bad\x07 key\n", exit_code=101))
    with pytest.raises(UsageError) as caught:
        look_at(root, executor)
    assert "key" in (caught.value.detail or "")
    assert "\x1b" not in (caught.value.detail or "")


@pytest.mark.parametrize("stdout", ["", "[]", '{"packages": 3}', "warning: hello"])
def test_other_output_is_the_toolchains_fault(stdout: str, root: Path) -> None:
    """A cargo that answers with something else is named."""
    executor = Answering(cargo=lambda command: answer(command, stdout))
    with pytest.raises(ToolchainError) as caught:
        look_at(root, executor)
    assert caught.value.location == "/t/cargo"


def test_a_missing_cargo_is_the_toolchains_fault(root: Path) -> None:
    """The remedy is installing Rust."""
    with pytest.raises(ToolchainError, match="cargo cannot be run"):
        look_at(root, Answering())


def test_a_cargo_that_hangs_is_the_toolchains_fault(root: Path) -> None:
    """Looking at a project takes no minute; the error says how to find out more."""

    def hang(command: Command) -> Completed:
        return Completed(command=command, exit_code=-15, usage=USAGE, timed_out=True)

    with pytest.raises(ToolchainError, match="did not answer"):
        look_at(root, Answering(cargo=hang))


def test_flags_that_rustc_refuses_are_the_environments_fault(root: Path) -> None:
    """Where rustc must be asked for its cfg, its words are shown."""
    (root / ".cargo").mkdir()
    (root / ".cargo/config.toml").write_text(
        "build.rustflags = '-Ctarget-cpu=none'\ntarget.'cfg(unix)'.rustflags = ['-a']"
    )
    executor = Answering(
        cargo=lambda command: answer(command, metadata(root)),
        rustc=lambda command: answer(command, stderr="error: unknown cpu", exit_code=1),
    )
    with pytest.raises(ToolchainError) as caught:
        look_at(root, executor)
    assert caught.value.detail == "error: unknown cpu"
    assert executor.commands[-1].argv[-1] == "-Ctarget-cpu=none"


def test_a_rustc_that_prints_nothing_is_the_toolchains_fault(root: Path) -> None:
    """Where its cfg is needed, an empty answer is not taken for an empty target."""
    (root / ".cargo").mkdir()
    (root / ".cargo/config.toml").write_text("build.rustflags = '--cfg a'\ntarget.'cfg(a)'.rustflags = ['-a']")
    executor = Answering(cargo=lambda command: answer(command, metadata(root)), rustc=answer)
    with pytest.raises(ToolchainError, match="cannot read"):
        look_at(root, executor)


def test_a_rustc_that_cannot_be_run_is_the_toolchains_fault(root: Path) -> None:
    """As for cargo."""
    (root / ".cargo").mkdir()
    (root / ".cargo/config.toml").write_text("build.rustflags = '--cfg a'\ntarget.'cfg(a)'.rustflags = ['-a']")
    with pytest.raises(ToolchainError, match="rustc cannot be run"):
        look_at(root, Answering(cargo=lambda command: answer(command, metadata(root))))


def scripted_git(**answers: tuple[int, str]) -> Answering:
    """A git whose subcommands end with an exit code and an output."""

    def run(command: Command) -> Completed:
        subcommand = next(word for word in command.argv if word in {"rev-parse", "config", "status"})
        exit_code, stdout = answers[subcommand.replace("-", "_")]
        return answer(command, stdout, exit_code=exit_code)

    return Answering(git=run)


@pytest.mark.parametrize(
    ("executor", "expected"),
    [
        (scripted_git(rev_parse=(0, "abc\n"), config=(1, ""), status=(0, "")), GitState(commit="abc", dirty=False)),
        (scripted_git(rev_parse=(0, "abc\n"), config=(1, ""), status=(0, "?? x")), GitState(commit="abc", dirty=True)),
        (scripted_git(rev_parse=(1, ""), config=(1, ""), status=(0, "?? x")), GitState(commit=None, dirty=True)),
        (scripted_git(rev_parse=(1, ""), config=(1, ""), status=(128, "")), GitState(commit=None, dirty=None)),
        (scripted_git(rev_parse=(0, "abc\n"), config=(129, "")), GitState(commit="abc", dirty=None)),
        (Answering(), GitState(commit=None, dirty=None)),
    ],
    ids=["clean", "dirty", "no commit yet", "no repository", "filters cannot be listed", "no git"],
)
def test_the_revision_is_what_git_says(executor: Answering, expected: GitState) -> None:
    """What git cannot say is not known; where the filters are not known, no file is looked at."""
    assert discover_git_state(Path("/p"), executor, {}) == expected


def test_filters_of_the_repository_are_switched_off() -> None:
    """Only those that the repository itself defines; the user's own, such as for large files, stay."""
    listing = (
        "global\0filter.lfs.clean\0local\0filter.a.b=c.clean\0"
        "worktree\0filter.w.process\0local\0filter.a.b=c.required\0"
    )
    executor = scripted_git(rev_parse=(0, "abc"), config=(0, listing), status=(0, ""))
    discover_git_state(
        Path("/p"), executor, {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "k", "GIT_CONFIG_VALUE_0": "v"}
    )
    env = executor.commands[-1].env
    count = int(env["GIT_CONFIG_COUNT"])
    settings = {env[f"GIT_CONFIG_KEY_{i}"]: env[f"GIT_CONFIG_VALUE_{i}"] for i in range(count)}
    assert settings == {"k": "v"} | {
        f"filter.{name}.{setting}": value
        for name in ("a.b=c", "w")
        for setting, value in (("clean", ""), ("smudge", ""), ("process", ""), ("required", "false"))
    }


def test_git_runs_no_monitor_and_no_hook_and_looks_nowhere_else() -> None:
    """Every command switches off what a repository could name, and a surrounding git's variables are dropped."""
    env = git.environment({"GIT_DIR": "/elsewhere/.git", "GIT_CONFIG_COUNT": "bogus", "PATH": "/bin"})
    assert "GIT_DIR" not in env
    expected = {"GIT_OPTIONAL_LOCKS": "0", "GIT_NO_LAZY_FETCH": "1", "GIT_ALLOW_PROTOCOL": "", "PATH": "/bin"}
    assert expected.items() <= env.items()
    for argv in (git.head_argv(), git.status_argv(), git.filter_settings_argv()):
        assert argv[:5] == ("git", "-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null")
    assert git.status_argv()[-1] == "--ignore-submodules=dirty"


def test_unknown_fields_of_the_metadata_are_ignored() -> None:
    """A newer cargo may say more."""
    parsed = parse_metadata(metadata(Path("/w")).encode())
    assert parsed.workspace_root == Path("/w")
    assert [target.name for target in parsed.packages[0].targets if "bin" in target.kind] == ["tool", "more"]
