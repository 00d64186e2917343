"""What optbuild reads out of Cargo's configuration, against what cargo itself passes to rustc."""

from __future__ import annotations

import itertools
import os
import shlex
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from optbuild.errors import ToolchainError, UsageError
from optbuild.execution.local import LocalExecutor
from optbuild.project.cargo_config import load_cargo_config
from optbuild.project.discover import discover_git_state, load_project
from optbuild.project.model import GitState, Project
from optbuild.project.rustc_programs import configured_rustc, rustc_wrappers
from optbuild.project.rustflags import settle_rustflags
from tests.integration.project_cases import REFUSED, SITUATIONS, SOURCES, Source


@dataclass(frozen=True, slots=True, kw_only=True)
class Toolchain:
    """The real programs, rustup's proxies resolved."""

    cargo: Path
    rustc: Path
    host: str
    target_cfg: tuple[str, ...]


def _output(*argv: str, **env: str) -> str:
    return subprocess.run(argv, check=True, capture_output=True, text=True, env={**os.environ, **env}).stdout.strip()


@pytest.fixture(scope="module")
def toolchain() -> Toolchain:
    """The toolchain that is installed here."""
    if shutil.which("cargo") is None or shutil.which("rustc") is None:
        pytest.skip("needs cargo and rustc")
    bin_directory = Path(_output("rustc", "--print=sysroot")) / "bin"
    rustc = bin_directory / "rustc"
    host = next(line for line in _output(str(rustc), "-vV").splitlines() if line.startswith("host: "))
    return Toolchain(
        cargo=bin_directory / "cargo",
        rustc=rustc,
        host=host.removeprefix("host: "),
        target_cfg=tuple(_output(str(rustc), "--print=cfg").splitlines()),
    )


@pytest.fixture
def environ(toolchain: Toolchain, tmp_path: Path) -> dict[str, str]:
    """An environment in which nothing configures cargo yet."""
    path = f"{toolchain.cargo.parent}{os.pathsep}{os.environ['PATH']}"
    return {"PATH": path, "HOME": str(tmp_path / "home"), "CARGO_TERM_COLOR": "never"}


@pytest.fixture
def executor() -> Iterator[LocalExecutor]:
    """The real one."""
    with LocalExecutor(emit=lambda _: None) as local:
        yield local


def write(path: Path, text: str = "") -> Path:
    """Write a file and the directories above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def make_crate(directory: Path) -> Path:
    """An empty library; it lies some directories below the temporary one, so that parents can hold configuration."""
    write(directory / "Cargo.toml", '[package]\nname = "empty"\nversion = "0.1.0"\nedition = "2021"\n')
    write(directory / "src/lib.rs")
    return directory


def flags_of_cargo(toolchain: Toolchain, crate: Path, environ: Mapping[str, str]) -> tuple[str, ...]:
    """The flags at the end of the rustc command line that `cargo check -v` prints, behind cargo's own."""
    target_directory = crate / "target"
    shutil.rmtree(target_directory, ignore_errors=True)
    argv = (toolchain.cargo, "check", "-v", "--offline", "--target", toolchain.host)
    completed = subprocess.run(argv, check=False, capture_output=True, text=True, cwd=crate, env=dict(environ))
    assert completed.returncode == 0, completed.stderr
    lines = [
        line.strip() for line in completed.stderr.splitlines() if " Running `" in line and "--crate-name empty" in line
    ]
    assert len(lines) == 1, completed.stderr
    words = shlex.split(lines[0].removeprefix("Running `").removesuffix("`"))
    last_own = max(i for i, word in enumerate(words) if word.startswith("dependency="))
    return tuple(words[last_own + 1 :])


def flags_of_optbuild(toolchain: Toolchain, crate: Path, environ: Mapping[str, str]) -> tuple[str, ...]:
    """The flags that are found here, without asking cargo."""
    config = load_cargo_config(crate, environ)

    def print_cfg(flags: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(_output(str(toolchain.rustc), "--print=cfg", "--target", toolchain.host, *flags).splitlines())

    rustflags = settle_rustflags(config, environ, toolchain.host, toolchain.target_cfg, print_cfg)
    assert (rustflags.origin is None) == (not rustflags.flags)
    return rustflags.flags


def _set_up(tmp_path: Path, toolchain: Toolchain, sources: tuple[Source, ...]) -> tuple[Path, dict[str, str]]:
    crate = make_crate(tmp_path / "a/b/crate")
    env: dict[str, str] = {}
    upper = toolchain.host.upper().replace("-", "_")
    for source in sources:
        for name, text in source.files.items():
            write(Path(os.path.normpath(crate / name)), text.replace("{host}", toolchain.host))
        env |= {name.replace("{HOST}", upper): value for name, value in source.env.items()}
    return crate, env


@pytest.mark.parametrize(
    "names", [*itertools.combinations(SOURCES, 1), *itertools.combinations(SOURCES, 2)], ids="+".join
)
def test_each_source_and_each_pair_of_sources_gives_the_flags_that_cargo_uses(
    names: tuple[str, ...], tmp_path: Path, toolchain: Toolchain, environ: dict[str, str]
) -> None:
    """Alone or in pairs, sources win, join and lose as they do in cargo."""
    crate, extra = _set_up(tmp_path, toolchain, tuple(SOURCES[name] for name in names))
    environ |= extra
    expected = flags_of_cargo(toolchain, crate, environ)
    assert flags_of_optbuild(toolchain, crate, environ) == expected
    assert expected or "plain-empty" in names


@pytest.mark.parametrize("situation", SITUATIONS)
def test_a_situation_gives_the_flags_that_cargo_uses(
    situation: str, tmp_path: Path, toolchain: Toolchain, environ: dict[str, str]
) -> None:
    """What an id says is what cargo does, and what is read here."""
    crate, extra = _set_up(tmp_path, toolchain, (SITUATIONS[situation],))
    environ |= extra
    assert flags_of_optbuild(toolchain, crate, environ) == flags_of_cargo(toolchain, crate, environ)


def test_a_unit_separator_is_no_white_space(tmp_path: Path, toolchain: Toolchain, environ: dict[str, str]) -> None:
    """Only the encoded variable is split at U+001F, which cargo leaves out of what it shows."""
    crate = make_crate(tmp_path / "crate")
    environ |= {"CARGO_BUILD_RUSTFLAGS": '--cfg build="a\x1fb"'}
    assert flags_of_optbuild(toolchain, crate, environ) == ("--cfg", 'build="a\x1fb"')
    assert flags_of_cargo(toolchain, crate, environ) == ("--cfg", 'build="ab"')


def test_a_variable_that_is_not_utf8_counts_as_not_set(
    tmp_path: Path, toolchain: Toolchain, environ: dict[str, str]
) -> None:
    """Cargo passes over such a variable and takes the next source."""
    crate = make_crate(tmp_path / "crate")
    environ |= {"RUSTFLAGS": "--cfg \udcff", "CARGO_BUILD_RUSTFLAGS": "--cfg build"}
    expected = flags_of_cargo(toolchain, crate, environ)
    assert flags_of_optbuild(toolchain, crate, environ) == expected == ("--cfg", "build")


def test_a_symlinked_directory_is_read_where_it_leads(
    tmp_path: Path, toolchain: Toolchain, environ: dict[str, str]
) -> None:
    """Configuration is looked for above the directory itself, not above the link to it."""
    crate = make_crate(tmp_path / "real/crate")
    write(tmp_path / "real/.cargo/config.toml", "build.rustflags = '--cfg real'")
    write(tmp_path / "links/.cargo/config.toml", "build.rustflags = '--cfg links'")
    link = tmp_path / "links/crate"
    link.symlink_to(crate)
    expected = flags_of_cargo(toolchain, link, environ)
    assert flags_of_optbuild(toolchain, link, environ) == expected == ("--cfg", "real")


@pytest.mark.parametrize("files", REFUSED.values(), ids=REFUSED)
def test_what_cargo_refuses_is_refused(
    files: Mapping[str, str], tmp_path: Path, toolchain: Toolchain, environ: dict[str, str]
) -> None:
    """A configuration that stops cargo stops optbuild, with the file's name and a remedy."""
    crate = make_crate(tmp_path / "crate")
    for name, text in files.items():
        path = write(crate / ".cargo" / name)
        path.write_bytes(text.encode("utf-8", "surrogateescape"))
    argv = (toolchain.cargo, "check", "--offline")
    cargo = subprocess.run(argv, check=False, capture_output=True, cwd=crate, env=environ)
    assert cargo.returncode != 0
    with pytest.raises(ToolchainError) as caught:
        flags_of_optbuild(toolchain, crate, environ)
    assert ".cargo" in (caught.value.location or "")
    assert caught.value.help


def programs_that_cargo_runs(toolchain: Toolchain, crate: Path, environ: Mapping[str, str]) -> tuple[str, ...]:
    """The programs before the crate's name on the line that `cargo check -v` prints."""
    shutil.rmtree(crate / "target", ignore_errors=True)
    argv = (toolchain.cargo, "check", "-v", "--offline")
    text = subprocess.run(argv, check=True, capture_output=True, text=True, cwd=crate, env=dict(environ)).stderr
    line = next(line for line in text.splitlines() if " Running `" in line)
    return tuple(shlex.split(line.strip().removeprefix("Running `").partition(" --crate-name")[0]))


OFF = {"RUSTC_WRAPPER": "", "RUSTC_WORKSPACE_WRAPPER": ""}


@pytest.mark.parametrize(
    ("text", "env"),
    [
        ("build.rustc-wrapper = 'wrap/one'\nbuild.rustc-workspace-wrapper = 'two'", {}),
        ("build.rustc-wrapper = 'wrap/one'\nbuild.rustc-workspace-wrapper = 'two'", OFF),
        ("build.rustc-wrapper = 'wrap/one'", {"RUSTC_WRAPPER": "two"}),
        ("build.rustc-wrapper = 'wrap/one'", {"CARGO_BUILD_RUSTC_WRAPPER": "two"}),
        ("build.rustc-wrapper = 'wrap/one'", {"CARGO_BUILD_RUSTC_WRAPPER": ""}),
        ("build.rustc-wrapper = ''", {}),
        ("", {"RUSTC_WRAPPER": "../wrap/one", "CARGO_BUILD_RUSTC_WRAPPER": "two"}),
        ("", {"RUSTC_WORKSPACE_WRAPPER": "two", "CARGO_BUILD_RUSTC_WRAPPER": "two"}),
        ("build.rustc = 'wrap/compiler'", {}),
        ("build.rustc = 'wrap/compiler'", {"CARGO_BUILD_RUSTC": "rustc"}),
        ("build.rustc = 'wrap/compiler'", {"RUSTC": "../wrap/compiler2"}),
        ("build.rustc = 'wrap/compiler'", {"RUSTC": "rustc", "CARGO_BUILD_RUSTC": "wrap/compiler"}),
    ],
)
def test_the_programs_are_those_that_cargo_runs(
    text: str, env: dict[str, str], tmp_path: Path, toolchain: Toolchain, environ: dict[str, str]
) -> None:
    """Wrappers and the compiler are found where cargo finds them, an empty wrapper being none."""
    crate = make_crate(tmp_path / "top/crate")
    write(tmp_path / "top/.cargo/config.toml", text)
    for name in ("one", "two"):
        write(tmp_path / f"top/wrap/{name}", '#!/bin/sh\nexec "$@"\n').chmod(0o755)
    for name in ("compiler", "compiler2"):
        (tmp_path / f"top/wrap/{name}").symlink_to(toolchain.rustc)
    environ |= {"PATH": f"{tmp_path}/top/wrap{os.pathsep}{environ['PATH']}"} | env
    config = load_cargo_config(crate, environ)
    rustc = configured_rustc(config, environ)
    wrappers = tuple(wrapper.value for wrapper in rustc_wrappers(config, environ))
    found = (*wrappers, "rustc" if rustc is None else rustc.value)
    shown = programs_that_cargo_runs(toolchain, crate, environ)
    assert tuple(map(os.path.normpath, found)) == tuple(map(os.path.normpath, shown))


def look_at(toolchain: Toolchain, crate: Path, environ: Mapping[str, str], executor: LocalExecutor) -> Project:
    """What is found out about a crate."""
    return load_project(
        directory=crate,
        manifest=Path("Cargo.toml"),
        executor=executor,
        environ=environ,
        cargo=toolchain.cargo,
        rustc=toolchain.rustc,
        target=toolchain.host,
        target_cfg=toolchain.target_cfg,
    )


def git(directory: Path, environ: Mapping[str, str], *arguments: str) -> str:
    """Run git as people do, and return what it prints."""
    program = shutil.which("git")
    assert program is not None
    argv = (program, "-c", "user.name=A", "-c", "user.email=a@example.org", *arguments)
    return (
        subprocess.run(argv, check=True, cwd=directory, env=dict(environ), capture_output=True).stdout.decode().strip()
    )


def commit_all(directory: Path, environ: Mapping[str, str]) -> str:
    """Make a repository of a directory; returns the commit."""
    git(directory, environ, "init", "-q")
    git(directory, environ, "add", "-A")
    git(directory, environ, "commit", "-qm", "all")
    return git(directory, environ, "rev-parse", "HEAD")


def test_a_workspace_is_read_with_all_that_matters(
    tmp_path: Path, toolchain: Toolchain, environ: dict[str, str], executor: LocalExecutor
) -> None:
    """Members, binaries, features, target directory, lock file, flags and revision arrive as they are."""
    root = tmp_path / "work space ü"
    write(root / "Cargo.toml", '[workspace]\nmembers = ["tool", "base"]\ndefault-members = ["tool"]\nresolver = "2"\n')
    write(
        root / "tool/Cargo.toml",
        '[package]\nname = "tool"\nversion = "1.2.3"\nedition = "2021"\ndefault-run = "tool"\n'
        '[features]\nfast = []\nextra = []\n[[bin]]\nname = "more"\nrequired-features = ["extra"]\n',
    )
    write(root / "tool/src/main.rs", "fn main() {}")
    write(root / "tool/src/bin/more.rs", "fn main() {}")
    make_crate(root / "base")
    write(root / ".cargo/config.toml", "build.target-dir = 'out'\nbuild.rustflags = '--cfg aaa'\n")
    write(root / "Cargo.lock", "version = 4\n")
    commit = commit_all(root, environ)

    project = look_at(toolchain, root / "tool", environ, executor)

    assert (project.manifest, project.directory) == (root / "tool/Cargo.toml", root / "tool")
    assert (project.workspace_root, project.target_directory) == (root, root / "out")
    assert project.lockfile == root / "Cargo.lock"
    assert project.default_members == ("tool",)
    assert {package.name: package.is_library_only for package in project.packages} == {"tool": False, "empty": True}
    tool = next(package for package in project.packages if package.name == "tool")
    assert (tool.version, tool.default_run, tool.features) == ("1.2.3", "tool", {"extra": (), "fast": ()})
    assert {target.name: target.required_features for target in tool.bins} == {"tool": (), "more": ("extra",)}
    assert project.rustflags.flags == ("--cfg", "aaa")
    assert project.rustflags.origin == f"{root}/.cargo/config.toml: build.rustflags"
    assert project.config_files == (root / ".cargo/config.toml",)
    assert project.git == GitState(commit=commit, dirty=False)
    write(root / "tool/src/new.rs")
    assert discover_git_state(root, executor, environ) == GitState(commit=commit, dirty=True)


def test_looking_at_a_project_runs_nothing_of_it(
    tmp_path: Path, toolchain: Toolchain, environ: dict[str, str], executor: LocalExecutor
) -> None:
    """Compilers, wrappers, flags that load code, filters, hooks and monitors that a repository names stay unrun."""
    crate = make_crate(tmp_path / "crate")
    trap = write(tmp_path / "trap", f'#!/bin/sh\necho "$0 $*" >> {tmp_path}/sprung\ncat\n')
    trap.chmod(0o755)
    write(crate / ".gitattributes", "*.rs filter=clean-trap\n*.toml filter=process-trap\n")
    commit_all(crate, environ)
    for key in ("filter.clean-trap.clean", "filter.process-trap.process", "core.fsmonitor", "core.sshCommand"):
        git(crate, environ, "config", key, str(trap))
    git(crate, environ, "config", "filter.clean-trap.required", "true")
    shutil.copy(trap, crate / ".git/hooks/post-index-change")
    write(
        crate / ".cargo/config.toml",
        f"build.rustc = '{trap}'\nbuild.rustc-wrapper = '{trap}'\nbuild.rustc-workspace-wrapper = '{trap}'\n"
        f"alias.metadata = ['!{trap}']\n"
        f"target.{toolchain.host}.rustflags = ['-Zcodegen-backend={trap}', '-Clinker={trap}', '--cfg', 'a']\n"
        "target.'cfg(a)'.rustflags = ['--cfg', 'b']\n",
    )
    environ["RUSTC_BOOTSTRAP"] = "1"
    for path in (crate / "src/lib.rs", crate / "Cargo.toml"):
        os.utime(path, (1_000_000_000, 1_000_000_000))  # makes git look at the content again, through the filters

    project = look_at(toolchain, crate, environ, executor)

    assert project.git.dirty is True
    assert project.rustflags.flags[-2:] == ("--cfg", "b")
    assert [wrapper.value for wrapper in project.rustc_wrappers] == [str(trap)] * 2
    assert not (tmp_path / "sprung").exists()
    git(crate, environ, "-c", "filter.process-trap.process=", "status")
    assert (tmp_path / "sprung").exists(), "the traps do work"


def test_without_a_repository_nothing_is_known_of_the_revision(
    tmp_path: Path, environ: dict[str, str], executor: LocalExecutor
) -> None:
    """A directory outside version control has neither a commit nor a state."""
    environ["GIT_CEILING_DIRECTORIES"] = str(tmp_path.parent)
    assert discover_git_state(tmp_path, executor, environ) == GitState(commit=None, dirty=None)


def test_without_git_nothing_is_known_of_the_revision(tmp_path: Path, executor: LocalExecutor) -> None:
    """A missing git is no error."""
    assert discover_git_state(tmp_path, executor, {"PATH": str(tmp_path)}) == GitState(commit=None, dirty=None)


def test_a_manifest_that_cargo_refuses_is_a_usage_error(
    tmp_path: Path, toolchain: Toolchain, environ: dict[str, str], executor: LocalExecutor
) -> None:
    """Cargo's own words are shown, with the manifest and what shows them again."""
    crate = make_crate(tmp_path / "crate")
    write(crate / "Cargo.toml", "[package]\nname = 'x'\nedition = '1999'\n")
    with pytest.raises(UsageError) as caught:
        look_at(toolchain, crate, environ, executor)
    assert "1999" in (caught.value.detail or "")
    assert caught.value.location == str(crate / "Cargo.toml")
