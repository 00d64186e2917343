from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace

import pytest
from tomlkit.exceptions import TOMLKitError

from optbuild.errors import ToolchainError
from optbuild.project.cargo_config import environment_value, find_build_directory, load_cargo_config
from optbuild.project.model import CargoConfig, Setting


def load(tmp_path: Path, files: Mapping[str, str], **environ: str) -> CargoConfig:
    """The configuration of `p/q` below a temporary directory that holds some files."""
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    directory = tmp_path / "p/q"
    directory.mkdir(parents=True, exist_ok=True)
    return load_cargo_config(directory, {"HOME": str(tmp_path / "home")} | environ)


def test_files_are_listed_nearest_first_and_included_ones_behind_their_includer(tmp_path: Path) -> None:
    """The list says where to look, in the order in which files count."""
    config = load(
        tmp_path,
        {
            "p/q/.cargo/config.toml": "include = ['more.toml']",
            "p/q/.cargo/more.toml": "",
            "p/.cargo/config.toml": "",
            "home/.cargo/config.toml": "",
        },
    )
    names = [str(path.relative_to(tmp_path)) for path in config.files]
    assert names == [
        "p/q/.cargo/config.toml",
        "p/q/.cargo/more.toml",
        "p/.cargo/config.toml",
        "home/.cargo/config.toml",
    ]


def test_every_value_knows_its_file(tmp_path: Path) -> None:
    """After merging, a table holds values of several files, each with its origin."""
    config = load(
        tmp_path,
        {
            "p/q/.cargo/config.toml": "[build]\njobs = 2\nrustflags = ['-b']",
            "p/.cargo/config.toml": "[build]\njobs = 8\nrustc = 'r'\nrustflags = ['-a']",
        },
    )
    near, far = tmp_path / "p/q/.cargo/config.toml", tmp_path / "p/.cargo/config.toml"
    assert config.find("build") == {
        "jobs": Setting(value=2, file=near),
        "rustc": Setting(value="r", file=far),
        "rustflags": (Setting(value="-a", file=far), Setting(value="-b", file=near)),
    }


def test_what_is_not_configured_is_none(tmp_path: Path) -> None:
    """A missing key, at any depth, is no error."""
    config = load(tmp_path, {})
    assert config.find("build", "rustflags") is None
    assert config.files == ()


def test_a_build_directory_is_known_by_what_sets_it(tmp_path: Path) -> None:
    """The variable goes before the files; without either, cargo builds in the target directory."""
    config = load(tmp_path, {"p/.cargo/config.toml": "build.build-dir = '{workspace-root}/x'"})
    assert find_build_directory(config, {}) == f"{tmp_path}/p/.cargo/config.toml: build.build-dir"
    assert find_build_directory(config, {"CARGO_BUILD_BUILD_DIR": "/x"}) == "CARGO_BUILD_BUILD_DIR"
    assert find_build_directory(load(tmp_path / "other", {}), {}) is None


def test_the_home_is_found_from_home_or_cargo_home(tmp_path: Path) -> None:
    """`CARGO_HOME` counts before `HOME`, and an empty one counts as not set."""
    files = {"home/.cargo/config.toml": "a = 'home'", "other/config.toml": "a = 'other'"}
    assert load(tmp_path, files).find("a") == Setting(value="home", file=tmp_path / "home/.cargo/config.toml")
    assert load(tmp_path, files, CARGO_HOME="").files == (tmp_path / "home/.cargo/config.toml",)
    assert load(tmp_path, files, CARGO_HOME=str(tmp_path / "other")).files == (tmp_path / "other/config.toml",)


def test_without_home_the_users_own_directory_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where `HOME` is not set, cargo asks the system, and so does this."""
    load(tmp_path, {"home/.cargo/config.toml": ""})
    user = SimpleNamespace(pw_dir=str(tmp_path / "home"))
    monkeypatch.setattr("pwd.getpwuid", lambda _: user)
    assert load_cargo_config(tmp_path, {}).files == (tmp_path / "home/.cargo/config.toml",)


def test_a_syntax_error_names_file_and_line(tmp_path: Path) -> None:
    """The location can be clicked, and the exit code is the environment's."""
    with pytest.raises(ToolchainError) as caught:
        load(tmp_path, {"p/.cargo/config.toml": "[build]\njobs = \n"})
    assert caught.value.location == f"{tmp_path}/p/.cargo/config.toml:2"
    assert caught.value.status == 3
    assert "cargo check" in caught.value.help


@pytest.mark.parametrize(
    "text",
    [
        "a = " + "[" * 5000,
        ".".join(["a"] * 3000) + " = 1",
        ".".join(["a"] * 90) + " = 1",
        "include = ['../.cargo/./config.toml']",
        "include = ['config.toml']",
        "include = [{ path = 'a.toml', optional = 3 }]",
    ],
    ids=[
        "nested arrays",
        "nested tables",
        "tables nested less",
        "cycle by another spelling",
        "cycle",
        "optional is a number",
    ],
)
def test_hostile_files_are_refused(text: str, tmp_path: Path) -> None:
    """Depth and cycles end in an error that names the file, never in a crash."""
    with pytest.raises(ToolchainError) as caught:
        load(tmp_path, {"p/.cargo/config.toml": text})
    assert ".cargo" in (caught.value.location or "")


@pytest.mark.parametrize("error", [TOMLKitError("first\nsecond"), RecursionError("too deep")])
def test_what_the_reader_gives_up_on_is_refused(
    error: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Errors without a line still name the file, in one line."""

    def give_up(text: str) -> None:
        raise error

    monkeypatch.setattr("tomlkit.parse", give_up)
    with pytest.raises(ToolchainError) as caught:
        load(tmp_path, {"p/.cargo/config.toml": ""})
    assert caught.value.location == str(tmp_path / "p/.cargo/config.toml")
    assert "second" not in caught.value.message


def test_bytes_that_are_not_utf8_are_refused(tmp_path: Path) -> None:
    """Cargo reads UTF-8 only."""
    load(tmp_path, {"p/.cargo/config.toml": ""})
    (tmp_path / "p/.cargo/config.toml").write_bytes(b"a = '\xff'")
    with pytest.raises(ToolchainError, match="not UTF-8"):
        load(tmp_path, {})


def test_an_unreadable_file_is_refused(tmp_path: Path) -> None:
    """A directory in a file's place is named with the system's reason."""
    (tmp_path / "p/.cargo/config.toml").mkdir(parents=True)
    with pytest.raises(ToolchainError, match="cannot be read: Is a directory"):
        load(tmp_path, {})


def test_a_long_chain_of_includes_is_refused(tmp_path: Path) -> None:
    """Files that include one another a thousand deep do not exhaust the stack."""
    files = {f"p/.cargo/f{i}.toml": f"include = ['f{i + 1}.toml']" for i in range(1000)}
    with pytest.raises(ToolchainError, match="too deeply"):
        load(tmp_path, files | {"p/.cargo/config.toml": "include = ['f0.toml']", "p/.cargo/f1000.toml": ""})


def test_control_characters_of_a_file_do_not_reach_the_message(tmp_path: Path) -> None:
    """A file that was merely looked at cannot write to the terminal."""
    with pytest.raises(ToolchainError) as caught:
        load(tmp_path, {"p/.cargo/config.toml": 'include = ["\\u001b[31m"]'})
    assert "\x1b" not in caught.value.message


@pytest.mark.parametrize(
    ("near", "far"),
    [("a = 1", "a = [1]"), ("a = [1]", "a = 1"), ("a.b = 1", "a = 1"), ("a = [1]", "a.b = 1")],
)
def test_values_of_different_kinds_cannot_be_merged(near: str, far: str, tmp_path: Path) -> None:
    """As in cargo, a list joins only a list and a table only a table."""
    with pytest.raises(ToolchainError, match="`a` has a different type"):
        load(tmp_path, {"p/q/.cargo/config.toml": near, "p/.cargo/config.toml": far})


def test_a_name_that_is_too_long_does_not_exist(tmp_path: Path) -> None:
    """What the system refuses to look for counts as absent, as it does for cargo."""
    include = "include = [{ path = '" + "n" * 300 + ".toml', optional = true }]"
    assert len(load(tmp_path, {"p/.cargo/config.toml": include}).files) == 1


def test_a_value_where_a_table_belongs_is_refused(tmp_path: Path) -> None:
    """`build = 3` leaves no place for `build.rustflags`."""
    config = load(tmp_path, {"p/.cargo/config.toml": "build = 3"})
    with pytest.raises(ToolchainError, match="`build`: expected a table"):
        config.find("build", "rustflags")


def test_an_undecodable_variable_counts_as_not_set() -> None:
    """Cargo passes over variables that are not UTF-8."""
    assert environment_value({"A": "\udcff"}, "A") is None
    assert environment_value({"A": ""}, "A") == ""
    assert environment_value({}, "A") is None
