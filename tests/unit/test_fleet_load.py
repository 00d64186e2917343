from __future__ import annotations

from pathlib import Path

import pytest
from inline_snapshot import snapshot

from optbuild.errors import FleetFileError, UsageError
from optbuild.fleet.load import Fleet, load_fleet
from optbuild.fleet.units import SourceKind, make_units
from tests.unit.fleet_cases import write_project


def _load(directory: Path, text: str) -> Fleet:
    path = directory / "FLEET.toml"
    path.write_text(text)
    return load_fleet(path)


def _problems(directory: Path, text: str) -> list[str]:
    with pytest.raises(FleetFileError) as caught:
        _load(directory, text)
    return [f"{p.location.removeprefix(f'{directory}/')} {p.message}" for p in caught.value.problems]


def test_projects_come_from_a_path_a_repository_or_the_registry(tmp_path: Path) -> None:
    """The three kinds of sources, each at one version."""
    write_project(tmp_path / "app")
    fleet = _load(
        tmp_path,
        'schema = 1\n[[projects]]\npath = "app"\n'
        '[[projects]]\ngit = "https://example.org/tools/grep.git"\nrev = "v1"\nvariants = ["release"]\n'
        '[[projects]]\ncrate = "hexyl"\nversion = "0.16.0"\ntargets = ["host", "aarch64-unknown-linux-gnu"]\n',
    )
    units = make_units(fleet)
    assert [(unit.label, unit.source.kind, unit.variants, unit.builds) for unit in units] == snapshot(
        [
            ("app", SourceKind.PATH, (), 4),
            ("grep v1", SourceKind.GIT, ("release",), 1),
            ("hexyl 0.16.0 (host)", SourceKind.CRATE, (), 4),
            ("hexyl 0.16.0 (aarch64-unknown-linux-gnu)", SourceKind.CRATE, (), 4),
        ]
    )


def test_all_errors_are_shown_at_once_each_at_its_line(tmp_path: Path) -> None:
    """Types, unknown keys, sources, words, paths and duplicates together."""
    text = """\
schema = 1
[[projects]]
path = "nope"
buildprofile = "x.toml"
[[projects]]
git = "https://example.org/x"
[[projects]]
crate = "a b"
version = "1"
targets = "host"
[[projects]]
path = "."
crate = "x"
version = "1.2.3"
build-profile = "../elsewhere.toml"
variants = ["a", "a"]
[[projects]]
crate = "same"
version = "1.2.3"
[[projects]]
crate = "same"
version = "1.2.3"
name = "another"
[[projects]]
git = "ext::sh -c true"
rev = "--upload-pack=x"
[[projects]]
git = "https://me:hunter2@example.org/x"
rev = "v1"
"""
    found = "\n".join(_problems(tmp_path, text)).replace(str(tmp_path), "DIR").replace(str(tmp_path.parent), "PARENT")
    assert found == snapshot("""\
FLEET.toml:3 `path`: "nope" is not a directory: DIR/nope
FLEET.toml:4 unknown key `projects[0].buildprofile`
FLEET.toml:6 `git` without `rev`: another version could be there tomorrow
FLEET.toml:8 "a b" is not a name of a crate
FLEET.toml:9 "1" is not one exact version
FLEET.toml:10 `projects[2].targets`: expected a list of texts, got "host"
FLEET.toml:12 `path`: "." has no Cargo.toml: DIR
FLEET.toml:13 the project has several sources: `path` and `crate`
FLEET.toml:15 `projects[3].build-profile`: "../elsewhere.toml" leaves the workspace: it is PARENT/elsewhere.toml
FLEET.toml:16 `variants` names "a" 2 times
FLEET.toml:20 the project is the same as number 5: nothing in it differs
FLEET.toml:25 `git`: git would not take "ext::sh -c true"
FLEET.toml:26 `rev`: git would not take "--upload-pack=x"
FLEET.toml:28 `git`: the URL holds a password, which reports and logs would show\
""")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "`schema` is missing"),
        ("schema = 2\n", "needs a newer optbuild: it uses schema 2"),
        ("schema = 1\n", "`projects` is missing"),
        ("schema = 1\nprojects = []\n", "expected a list of tables, each below its own [[projects]], not empty"),
        ("schema = 1\nprojects = 3\n", "expected a list of tables, each below its own [[projects]]"),
        ("schema = [\n", "not TOML"),
    ],
)
def test_a_file_that_is_no_fleet_is_refused(tmp_path: Path, text: str, said: str) -> None:
    """What is wrong with the file as a whole."""
    assert said in "\n".join(_problems(tmp_path, text))


def test_a_missing_file_is_refused_with_what_to_write(tmp_path: Path) -> None:
    """There is no command that writes one."""
    with pytest.raises(FleetFileError, match="there is no fleet file at") as caught:
        load_fleet(tmp_path / "FLEET.toml")
    assert "[[projects]]" in caught.value.help


def test_a_build_profile_outside_the_workspace_is_refused_through_a_link(tmp_path: Path) -> None:
    """Paths of build profiles are confined as in a build profile."""
    (tmp_path / "outside.toml").write_text("schema = 1\n")
    inside = tmp_path / "fleet"
    inside.mkdir()
    (inside / "link.toml").symlink_to(tmp_path / "outside.toml")
    text = 'schema = 1\n[[projects]]\ncrate = "x"\nversion = "1.2.3"\nbuild-profile = "link.toml"\n'
    assert "leaves the workspace" in "\n".join(_problems(inside, text))


def test_the_id_of_a_unit_is_about_what_is_asked_for(tmp_path: Path) -> None:
    """A name changes nothing; a variant, a target or the text of a build profile beside the fleet does."""
    profile = tmp_path / "x.toml"
    profile.write_text("schema = 1\n[variants.release]\n[variants.lto]\nlto = 'fat'\n")
    base = 'schema = 1\n[[projects]]\ncrate = "x"\nversion = "1.2.3"\nbuild-profile = "x.toml"\n'

    def id_of(extra: str = "") -> str:
        return make_units(_load(tmp_path, base + extra))[0].id

    first = id_of()
    assert id_of('name = "other"\n') == first
    assert id_of('variants = ["lto"]\n') != first
    assert id_of('targets = ["host"]\n') != first
    profile.write_text("schema = 1\n[variants.release]\n[variants.lto]\nlto = 'thin'\n")
    assert id_of() != first


def test_a_variant_that_a_known_build_profile_lacks_is_refused(tmp_path: Path) -> None:
    """Before anything is started, and with the line of the project."""
    write_project(tmp_path / "app", "schema = 1\n[variants.release]\n")
    fleet = _load(tmp_path, 'schema = 1\n[[projects]]\npath = "app"\nvariants = ["pgo"]\n')
    with pytest.raises(UsageError, match="unknown variant 'pgo'") as caught:
        make_units(fleet)
    assert caught.value.location == f"{tmp_path / 'FLEET.toml'}:2"


def test_a_project_with_a_broken_build_profile_leaves_the_others_alone(tmp_path: Path) -> None:
    """Its own unit says so when it is done."""
    write_project(tmp_path / "app", "schema = 1\nnonsense = 3\n")
    fleet = _load(tmp_path, 'schema = 1\n[[projects]]\npath = "app"\n')
    assert [unit.project for unit in make_units(fleet)] == ["app"]


def test_projects_of_the_same_name_are_told_apart(tmp_path: Path) -> None:
    """Two directories may have one name."""
    write_project(tmp_path / "a" / "app")
    write_project(tmp_path / "b" / "app")
    fleet = _load(tmp_path, 'schema = 1\n[[projects]]\npath = "a/app"\n[[projects]]\npath = "b/app"\n')
    assert [unit.project for unit in make_units(fleet)] == ["app #1", "app #2"]


def test_each_target_of_a_known_build_profile_is_a_unit(tmp_path: Path) -> None:
    """A unit is about one target, whoever names it; those of the fleet's file come first."""
    targets = '["x86_64-unknown-linux-gnu", "aarch64-unknown-linux-gnu"]'
    write_project(tmp_path / "app", f"schema = 1\n[project]\ntargets = {targets}\n[variants.release]\n")
    text = 'schema = 1\n[[projects]]\npath = "app"\n'
    units = make_units(_load(tmp_path, text))
    assert [unit.target for unit in units] == ["x86_64-unknown-linux-gnu", "aarch64-unknown-linux-gnu"]
    assert [unit.target for unit in make_units(_load(tmp_path, f'{text}targets = ["host"]\n'))] == ["host"]
