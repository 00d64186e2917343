from __future__ import annotations

import io
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from inline_snapshot import snapshot

from optbuild.cli.context import CliContext
from optbuild.cli.settle import render_diff, settle
from optbuild.errors import BuildProfileError, UsageError
from optbuild.profile.edit import SCHEMA_FILE_NAME, Outline, make_profile_text
from optbuild.project.model import BinTarget, LibFile, LibKind, Project
from optbuild.session.candidates import find_candidates
from optbuild.session.init import propose
from optbuild.session.proposal import Proposal, write
from optbuild.session.request import Machine
from optbuild.testing import ScriptedExecutor, make_package, make_project


def make_machine(directory: Path) -> Machine:
    """A machine that can run nothing."""
    return Machine(
        executor=ScriptedExecutor([]),
        emit=lambda _: None,
        environ={},
        working_directory=directory,
        now=lambda: datetime(2030, 1, 1, tzinfo=UTC),
        platform="linux",
    )


def make_proposal(path: Path, before: str | None, after: str) -> Proposal:
    """A proposal for a file."""
    return Proposal(command="init", path=path, before=before, after=after, next_step="go on: optbuild pgo")


def make_outline(project: Project, package: str | None, directory: Path) -> Outline:
    """What the build profile of the first candidate would say."""
    return find_candidates(project, package, directory)[0].outline


def make_bin(name: str, *features: str) -> BinTarget:
    """A binary of the package `demo`."""
    return BinTarget(name=name, package="demo", required_features=features)


def make_workspace(directory: Path, **bins: tuple[str, ...]) -> Project:
    """A virtual workspace whose members have these binaries."""
    members = (replace(make_package(directory=directory / name, bins=names), name=name) for name, names in bins.items())
    return make_project(directory=directory, packages=tuple(members))


def test_the_only_package_is_not_named(tmp_path: Path) -> None:
    """Where a project has one package with a binary, the build profile need not say so."""
    assert make_outline(make_project(directory=tmp_path), None, tmp_path) == Outline(bins=("demo",))
    workspace = make_workspace(tmp_path, codec=("decode", "encode"), wire=())
    assert make_outline(workspace, None, tmp_path) == Outline(bins=("decode", "encode"))


def test_a_chosen_package_is_named(tmp_path: Path) -> None:
    """A workspace with several packages that have binaries needs the name of the one that is meant."""
    workspace = make_workspace(tmp_path, codec=("decode",), viewer=("view",))
    assert make_outline(workspace, "viewer", tmp_path) == Outline(package="viewer", bins=("view",))


def test_several_packages_are_candidates(tmp_path: Path) -> None:
    """Where nothing tells one from the other, the first that cargo lists comes first, the project's own tools last."""
    workspace = make_workspace(tmp_path, xtask=("xtask",), codec=("decode",), viewer=("view", "print"))
    found = find_candidates(workspace, None, tmp_path)
    assert [candidate.package.name for candidate in found] == ["codec", "viewer", "xtask"]
    assert found[0].outline == Outline(package="codec", bins=("decode",))


def test_an_unknown_package_is_told_with_those_there_are(tmp_path: Path) -> None:
    """A wrong name is answered with a command that works, not with an edit of the file that is not there yet."""
    with pytest.raises(UsageError, match="no package `codek`") as caught:
        make_outline(make_workspace(tmp_path, codec=("decode",)), "codek", tmp_path)
    assert caught.value.help == "choose a package: optbuild init --package codec"


def test_a_library_alone_has_nothing_to_build(tmp_path: Path) -> None:
    """Without any binary there is no package to choose, and the error says what to write."""
    library = make_package(directory=tmp_path, bins=(), is_library_only=True)
    with pytest.raises(UsageError, match="library only") as caught:
        make_outline(make_project(directory=tmp_path, packages=(library,)), None, tmp_path)
    assert "src/main.rs" in caught.value.help


def test_a_library_for_other_languages_is_given_to_a_driver(tmp_path: Path) -> None:
    """Each library once, however many files it becomes; beside binaries it gets no workload."""
    files = tuple(LibFile(name="demo", package="demo", kind=kind, file_name=f"libdemo.{kind}") for kind in LibKind)
    package = make_package(directory=tmp_path, bins=(), libs=files)
    outline = make_outline(make_project(directory=tmp_path, packages=(package,)), None, tmp_path)
    assert outline == Outline(bins=(), libs=("demo",))
    text = make_profile_text(outline)
    assert '# command = ["{DRIVER}", "{lib}", "{ARGUMENTS}"]' in text
    beside = replace(make_package(directory=tmp_path), libs=files)
    assert make_outline(make_project(directory=tmp_path, packages=(beside,)), None, tmp_path) == Outline(bins=("demo",))


def test_binaries_that_need_features_are_left_out(tmp_path: Path) -> None:
    """Cargo does not build them by default; they are named, and get no workload."""
    package = make_package(directory=tmp_path, bins=())
    package = replace(package, bins=(make_bin("demo"), make_bin("inspect", "debugger")))
    outline = make_outline(make_project(directory=tmp_path, packages=(package,)), None, tmp_path)
    assert outline == Outline(bins=("demo",), left_out=(("inspect", ("debugger",)),))


def test_features_that_are_on_by_default_are_not_missing(tmp_path: Path) -> None:
    """A binary whose features cargo enables unasked is built unasked, and is not told to need them."""
    features = {"default": ("cli",), "cli": ("color",), "color": ()}
    bins = (make_bin("demo"), make_bin("inspect", "cli", "color"))
    package = replace(make_package(directory=tmp_path), bins=bins, features=features)
    outline = make_outline(make_project(directory=tmp_path, packages=(package,)), None, tmp_path)
    assert outline == Outline(bins=("demo", "inspect"))
    package = replace(package, bins=(make_bin("demo", "cli", "extra"),))
    outline = make_outline(make_project(directory=tmp_path, packages=(package,)), None, tmp_path)
    assert outline == Outline(bins=("demo",), features=("extra",))


def test_features_are_enabled_where_every_binary_needs_some(tmp_path: Path) -> None:
    """A library whose only program is behind a feature can be built as proposed."""
    package = replace(make_package(directory=tmp_path), bins=(make_bin("demo", "cli", "color"),))
    outline = make_outline(make_project(directory=tmp_path, packages=(package,)), None, tmp_path)
    assert outline == Outline(bins=("demo",), features=("cli", "color"))


def test_data_is_found_by_its_place(tmp_path: Path) -> None:
    """Data lies in directories that are named so, of project and package."""
    member = tmp_path / "codec"
    (member / "tests/data").mkdir(parents=True)
    (tmp_path / "fixtures").mkdir()
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "data").write_text("a file")
    (tmp_path / SCHEMA_FILE_NAME).touch()
    outline = make_outline(make_workspace(tmp_path, codec=("decode",)), None, tmp_path)
    assert outline.data == ("fixtures", "codec/tests/data")
    assert outline.has_schema_file


def test_a_build_profile_that_loads_stays_as_it_is(tmp_path: Path) -> None:
    """There is nothing to improve in what its owner wrote, and nothing is run to find that out."""
    path = tmp_path / "optbuild.toml"
    path.write_text('schema = 1\n[[workloads]]\nname = "w"\ncommand = ["{bin}"]\n')
    proposal = propose(tmp_path, None, make_machine(tmp_path))
    assert proposal.changes_nothing
    assert proposal.next_step == "run it: optbuild pgo"
    path.write_text("schema = 1\n")
    assert "fill in the [[workloads]]" in propose(tmp_path, None, make_machine(tmp_path)).next_step


def test_a_missing_schema_is_proposed(tmp_path: Path) -> None:
    """The one key without which a build profile is refused is added; all else stays, byte for byte."""
    path = tmp_path / "optbuild.toml"
    path.write_bytes(b'# Ours.\r\nextends = "preset:lto" # no workload yet\r\n')
    proposal = propose(tmp_path, None, make_machine(tmp_path))
    assert not proposal.changes_nothing
    write(proposal)
    assert path.read_bytes() == b'# Ours.\r\nschema = 1\r\nextends = "preset:lto" # no workload yet\r\n'


@pytest.mark.parametrize("text", ["schema = \n", "schema = 1\nexxtends = 3\n", "schema = 99\n"])
def test_a_broken_build_profile_is_told_and_not_touched(tmp_path: Path, text: str) -> None:
    """Mistakes are the owner's to mend: all are told as by any other command."""
    path = tmp_path / "optbuild.toml"
    path.write_text(text)
    with pytest.raises(BuildProfileError):
        propose(tmp_path, None, make_machine(tmp_path))
    assert path.read_text() == text


def test_a_package_is_chosen_for_a_new_build_profile_only(tmp_path: Path) -> None:
    """`--package` is not ignored where it has no effect: the edit that it would be is named."""
    (tmp_path / "optbuild.toml").write_text("schema = 1\n")
    with pytest.raises(UsageError, match="--package is for a new build profile") as caught:
        propose(tmp_path, "codec", make_machine(tmp_path))
    assert caught.value.help == 'set package = "codec" under [project] in optbuild.toml'


def test_a_directory_without_a_manifest_is_refused(tmp_path: Path) -> None:
    """A build profile stands beside a Cargo.toml; the nearest one above is named."""
    (tmp_path / "Cargo.toml").touch()
    (tmp_path / "src").mkdir()
    with pytest.raises(UsageError, match=r"no Cargo\.toml") as caught:
        propose(tmp_path / "src", None, make_machine(tmp_path))
    assert caught.value.help.endswith(f"optbuild init {tmp_path}")


def test_what_has_changed_meanwhile_is_not_overwritten(tmp_path: Path) -> None:
    """The file must be the one that the diff was shown for, or still be missing."""
    path = tmp_path / "optbuild.toml"
    path.write_text("an editor saved this")
    for before in (None, "what the diff was shown for"):
        with pytest.raises(UsageError, match="has changed since"):
            write(make_proposal(path, before, "schema = 1\n"))
    assert path.read_text() == "an editor saved this"


def test_a_link_is_replaced_and_not_followed(tmp_path: Path) -> None:
    """A repository cannot make `init` write to a file elsewhere by a link that leads there."""
    elsewhere = tmp_path / "elsewhere.toml"
    path = tmp_path / "project" / "optbuild.toml"
    path.parent.mkdir()
    path.symlink_to(elsewhere)
    write(make_proposal(path, None, "schema = 1\n"))
    assert not elsewhere.exists()
    assert not path.is_symlink()


def test_a_new_file_is_shown_as_a_diff_from_nothing() -> None:
    """The diff is one that `patch` and `git apply` understand."""
    assert render_diff(make_proposal(Path("/p/optbuild.toml"), None, "schema = 1\n# end\n")) == snapshot(
        """\
--- /dev/null
+++ optbuild.toml
@@ -0,0 +1,2 @@
+schema = 1
+# end
"""
    )


def test_a_diff_shows_a_missing_newline_and_foreign_text_harmlessly() -> None:
    """A last line without an end is marked as `diff` marks it, and control characters are made visible."""
    proposal = make_proposal(Path("/p/optbuild.toml"), "# \x1b]0;x\x07\n[a]", "# \x1b]0;x\x07\nschema = 1\n\n[a]")
    assert render_diff(proposal) == snapshot(
        """\
--- optbuild.toml
+++ optbuild.toml
@@ -1,2 +1,4 @@
 # ^[]0;x^G
+schema = 1
+
 [a]
\\ No newline at end of file
"""
    )


class Terminal(io.StringIO):
    """Standard input at which somebody sits."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("stdin", "yes", "is_written"),
    [
        (Terminal("y\n"), False, True),
        (Terminal("Yes\n"), False, True),
        (Terminal("\n"), False, False),
        (Terminal("n\n"), False, False),
        (Terminal(""), False, False),
        (io.StringIO("y\n"), False, False),
        (io.StringIO(""), True, True),
    ],
)
def test_only_a_yes_writes(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    stdin: io.StringIO,
    *,
    yes: bool,
    is_written: bool,
) -> None:
    """It is written after a `y` at a terminal or with `--yes`; text in a pipe is no answer."""
    monkeypatch.setattr(sys, "stdin", stdin)
    path = tmp_path / "optbuild.toml"
    call = CliContext(argv=("optbuild", "init"), workload=(), environ={})
    settle(make_proposal(path, None, "schema = 1\n"), call, yes=yes)
    told = capsys.readouterr()
    assert path.exists() == is_written
    assert ("wrote " in told.err) == is_written
    assert ("nothing was written" in told.err) != is_written
    assert told.out.startswith("--- /dev/null\n")


def test_nothing_to_change_is_said_without_a_diff(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Standard output stays empty, and the next step is named."""
    call = CliContext(argv=("optbuild", "init"), workload=(), environ={})
    settle(make_proposal(tmp_path / "optbuild.toml", "schema = 1\n", "schema = 1\n"), call, yes=True)
    told = capsys.readouterr()
    assert told.out == ""
    assert "nothing to change" in told.err
    assert "help: go on: optbuild pgo" in told.err
    assert not (tmp_path / "optbuild.toml").exists()
