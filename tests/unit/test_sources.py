from __future__ import annotations

from pathlib import Path

import pytest

from optbuild.build.sources import SourceSnapshot, parse_dep_info


@pytest.mark.parametrize(
    ("text", "files"),
    [
        ("/t/demo: /p/src/main.rs /p/build.rs\n", ["/p/src/main.rs", "/p/build.rs"]),
        ("/t/demo: /p/my\\ file.rs /p/b\n", ["/p/my file.rs", "/p/b"]),
        ("/t/demo: /p/a\n\n/p/a:\n", ["/p/a"]),
        ("/t/demo:\n", []),
        ("", []),
    ],
)
def test_dep_info_names_files(text: str, files: list[str]) -> None:
    """The first rule's right side counts; a blank in a name is escaped."""
    assert parse_dep_info(text) == tuple(map(Path, files))


def test_a_changed_source_is_noticed(tmp_path: Path) -> None:
    """Content counts: a file that is edited, removed or made is told, one that is only touched is not."""
    names = ("edited.rs", "removed.rs", "touched.rs", "made.rs")
    edited, removed, touched, made = (tmp_path / name for name in names)
    for path in (edited, removed, touched):
        path.write_text("old")
    snapshot = _snapshot(tmp_path, *names)
    assert snapshot.changed() == ()
    edited.write_text("new")
    removed.unlink()
    touched.touch()
    made.write_text("new")
    assert snapshot.changed() == (edited, made, removed)


def test_generated_files_do_not_count(tmp_path: Path) -> None:
    """What builds write below our own directory changes with each of them."""
    generated = tmp_path / "target" / "out.rs"
    generated.parent.mkdir()
    generated.write_text("old")
    snapshot = _snapshot(tmp_path, "target/out.rs")
    generated.write_text("new")
    assert snapshot.changed() == ()


def test_directories_and_missing_dep_info_are_no_sources(tmp_path: Path) -> None:
    """A build script may watch a directory; and a binary without dep-info has no sources that are known."""
    (tmp_path / "assets").mkdir()
    snapshot = _snapshot(tmp_path, "assets")
    assert snapshot.hashes == {tmp_path / "assets": None}
    assert snapshot.changed() == ()
    assert SourceSnapshot.take([tmp_path / "other"], ignored=tmp_path / "target").hashes == {}


def _snapshot(directory: Path, *names: str) -> SourceSnapshot:
    executable = directory / "demo"
    files = " ".join(str(directory / name) for name in names)
    executable.with_name("demo.d").write_text(f"{executable}: {files}\n")
    return SourceSnapshot.take([executable], ignored=directory / "target")
