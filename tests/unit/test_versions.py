"""A comparison of versions, apart from building: outputs, gates, report, and what would make versions unlike."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from inline_snapshot import snapshot

from optbuild.errors import UsageError
from optbuild.files import claim_directory, sha256_of
from optbuild.making.outputs.leniency import Leniency
from optbuild.making.outputs.versions import OutputComparison, compare_versions
from optbuild.plan.results import KeptPart, Probed
from optbuild.profile.gates import GateSettings
from optbuild.project.layout import Layout
from optbuild.project.leaking_config import find_leaking_config
from optbuild.project.outside_paths import find_outside_paths
from optbuild.record.compared import ArmRecord, SourceRecord
from optbuild.record.gate import GateVerdict
from optbuild.record.judge import judge
from optbuild.record.model import RunRecord, WarningRecord
from optbuild.report.assemble import assemble
from optbuild.report.runs_table import render_runs
from optbuild.session.request import Machine
from optbuild.session.sources import Source, SourceMaker
from optbuild.session.versions import merge_warnings
from optbuild.testing import ScriptedExecutor, make_comparison, make_run_record, make_variant_record
from optbuild.tools import git

TARGET = "x86_64-unknown-linux-gnu"


def compared(**changes: float) -> RunRecord:
    """A comparison of v1 and v2, built as `pgo`."""
    suite = make_comparison(baseline="old", candidate="new", **changes)
    return make_run_record(
        sources=(
            SourceRecord(name="v1", git_commit="a" * 40, dirty=False),
            SourceRecord(name="working tree", git_commit="b" * 40, dirty=True),
        ),
        arms=(
            ArmRecord(name="old", source="v1", variant="pgo"),
            ArmRecord(name="new", source="working tree", variant="pgo"),
        ),
        variants=(make_variant_record("old", baseline=True), make_variant_record("new")),
        comparisons=(suite, replace(suite, workload="books")),
    )


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (-0.01, 0.02, GateVerdict.PASS),
        (0.021, 0.04, GateVerdict.FAIL),
        (0.01, 0.03, GateVerdict.INCONCLUSIVE),
    ],
)
def test_the_new_version_may_not_lose_more_than_a_gate_allows(low: float, high: float, verdict: GateVerdict) -> None:
    """It is judged against the old one on each workload, and owes no gain."""
    (gate,) = judge(compared(ci_low=low, ci_high=high), GateSettings(min_gain=0.5, max_regression=0.02))
    assert (gate.gate, gate.variant, gate.workload, gate.verdict) == ("max-regression", "new", "books", verdict)


def test_gates_of_another_variant_do_not_judge_a_comparison() -> None:
    """A gate that names a variant is about versions built as that one."""
    assert judge(compared(), GateSettings(variant="pgo", max_regression=0.02))
    with pytest.raises(UsageError, match="built as 'pgo'"):
        judge(compared(), GateSettings(variant="lto", max_regression=0.02))


def test_a_report_is_called_by_the_versions() -> None:
    """Its title names both and the variant, a footnote the commits, and the list of runs the same."""
    report = assemble(compared())
    assert report.title == snapshot("demo: v1 → working tree (pgo)")
    sources = next(note for note in report.footnotes if note.startswith("old is"))
    assert sources == snapshot("old is v1, commit aaaaaaaaaaaa; new is working tree, commit bbbbbbbbbbbb + changes.")
    assert "v1 → working tree (pgo)" in render_runs([compared()])
    program = ArmRecord(name="old", source="/releases/demo-1.0", variant=None)
    shipped = replace(compared(), arms=(program, compared().arms[1]))
    assert assemble(shipped).title == snapshot("demo: demo-1.0 → working tree (pgo)")


def wrote(path: Path, text: str) -> Probed:
    """What a version printed."""
    path.write_text(text)
    part = KeptPart(sha256=sha256_of(path), size_bytes=len(text), kept=path)
    return Probed(parts={"standard output": part}, run_s=1.0, reused=False)


def test_outputs_of_versions_are_compared_line_by_line(tmp_path: Path) -> None:
    """The first line that differs is shown; what is filtered or close enough does not count."""
    old, new = wrote(tmp_path / "old", "a\nv1 2.0\n"), wrote(tmp_path / "new", "a\nv2 2.0\n")
    found = compare_versions(old, new, Leniency())
    assert found == snapshot(
        OutputComparison(equal=False, difference='standard output differs in line 2: old "v1 2.0", new "v2 2.0"')
    )
    assert compare_versions(old, wrote(tmp_path / "again", "a\nv1 2.0\n"), Leniency()).equal
    close = wrote(tmp_path / "close", "a\nv1 2.0001\n")
    assert compare_versions(old, close, Leniency(tolerance=1e-3)).equal
    longer = compare_versions(old, wrote(tmp_path / "longer", "a\nv1 2.0\nb\n"), Leniency())
    assert longer.difference == snapshot('standard output differs in line 3: old "", new "b"')


def test_what_varies_by_itself_or_is_silent_compares_nothing(tmp_path: Path) -> None:
    """Without something that both write alike each time there is no answer; a file that one writes is a difference."""
    silent = wrote(tmp_path / "old", "")
    assert compare_versions(silent, silent, Leniency()).equal is None
    varying = Probed(parts={}, varying=("standard output",), run_s=1.0, reused=False)
    assert compare_versions(varying, silent, Leniency()) == OutputComparison(equal=None, left_out=("standard output",))
    more = replace(silent, parts={**silent.parts, "out.json": KeptPart(sha256="ab", size_bytes=1, kept=None)})
    assert compare_versions(silent, more, Leniency()).difference == "only new writes out.json"


def test_what_is_so_of_both_versions_is_said_once() -> None:
    """A warning about each becomes one about both; others keep the name of theirs."""

    def warn(*messages: str) -> list[WarningRecord]:
        return [WarningRecord(code="c", message=message, help="h") for message in messages]

    merged = merge_warnings(warn("old: same", "old: only here", "neither: of them", "new: same"))
    assert merged == warn("old and new: same", "old: only here", "neither: of them")


def test_paths_that_leave_a_revision_are_found(tmp_path: Path) -> None:
    """In dependencies of all kinds, of members that are only reached by paths, and in patches."""
    tree = tmp_path / "user/target/x/source"
    (tree / "inner").mkdir(parents=True)
    (tree / "Cargo.toml").write_text(
        '[dependencies]\ninner = { path = "inner" }\nelsewhere = { path = "/opt/elsewhere" }\n'
        "[target.'cfg(unix)'.build-dependencies]\n"
        f'own = {{ path = "{tmp_path}/user/own" }}\n[patch.crates-io]\nleft = {{ path = "../left" }}\n'
    )
    (tree / "inner/Cargo.toml").write_text('[workspace.dependencies]\nright = { path = "../../right" }\n')
    found = find_outside_paths([tree / "Cargo.toml"], tree=tree, repository=tmp_path / "user")
    assert [(each.key, each.manifest.parent.name) for each in found] == [
        ("target.cfg(unix).build-dependencies.own", "source"),
        ("patch.crates-io.left", "source"),
        ("workspace.dependencies.right", "inner"),
    ]


def test_configuration_above_a_revision_counts_where_it_changes_programs(tmp_path: Path) -> None:
    """Aliases and other targets do not; flags do, unless the revision has the same ones."""
    files, own, above = tmp_path / "target/x/source", tmp_path / "target/x/source/.cargo", tmp_path / ".cargo"
    own.mkdir(parents=True)
    above.mkdir()
    config = above / "config.toml"
    config.write_text('[alias]\nb = "build"\n[target.x86_64-pc-windows-gnu]\nlinker = "other"\n')
    assert find_leaking_config(files, tmp_path, TARGET) is None
    config.write_text(f'[target.{TARGET}]\nlinker = "mold"\n')
    assert find_leaking_config(files, tmp_path, TARGET) == config
    (own / "config.toml").write_text(f'[term]\nquiet = true\n[target.{TARGET}]\nlinker = "mold"\n')
    assert find_leaking_config(files, tmp_path, TARGET) is None
    assert find_leaking_config(files, files, TARGET) is None, "nothing lies above it"
    config.write_text("broken")
    assert find_leaking_config(files, tmp_path, TARGET) == config


def test_refs_become_those_of_another_repository() -> None:
    """An annotated tag is known by its object and by its commit."""
    listed = f"{'a' * 40} {'b' * 40} refs/tags/v1\n{'c' * 40}  refs/heads/a/b\n".encode()
    tag, branch = git.parse_refs(listed)
    assert (tag.short, tag.commit, branch.short, branch.commit) == ("v1", "b" * 40, "a/b", "c" * 40)
    assert git.render_packed_refs((tag, branch)) == f"{'a' * 40} refs/tags/v1\n{'c' * 40} refs/heads/a/b\n"


def test_entries_and_submodules_are_read_whatever_they_are_called() -> None:
    """Names are separated by nulls, and may hold anything else."""
    listed = f"160000 commit {'a' * 40}\tsub module\x00100644 blob {'b' * 40}\ta\tb\0".encode()
    assert [(each.path, each.is_submodule) for each in git.parse_entries(listed)] == [
        ("sub module", True),
        ("a\tb", False),
    ]
    configured = b"submodule.the name.path\nsub module\0"
    assert git.parse_submodules(configured) == {"sub module": "the name"}
    assert git.parse_names(b"a\0b\nc\0a\0") == ("a", "b\nc")


def test_the_versions_used_last_are_kept(tmp_path: Path) -> None:
    """Four revisions, those in use among them; what was not completed goes first, the working copy never."""
    machine = Machine(
        executor=ScriptedExecutor([]),
        emit=lambda _: None,
        environ={},
        working_directory=tmp_path,
        now=lambda: datetime(2030, 1, 1, tzinfo=UTC),
        platform="linux",
    )
    layout = Layout.of(tmp_path)
    claim_directory(layout.root)
    sources = SourceMaker(layout=layout, machine=machine)
    for age, name in enumerate(("aaa", "bbb", "ccc", "ddd", "eee", "fff")):
        place = sources.directory / name
        (place / "source").mkdir(parents=True)
        if name != "bbb":  # killed while its files were written
            (place / "commit").write_text(name)
            os.utime(place / "commit", (1000 - age, 1000 - age))
    (sources.directory / "working-copy").mkdir()
    used = [
        Source(name=name, commit=name, dirty=False, home=tmp_path, files=place / "source", layout=Layout.of(place))
        for name in ("eee", "fff")
        for place in (sources.directory / name,)
    ]
    sources.prune(*used)
    assert sorted(path.name for path in sources.directory.iterdir()) == [
        *("aaa", "ccc", "eee", "fff", "working-copy"),
    ]
