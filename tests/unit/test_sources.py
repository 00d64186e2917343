from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from optbuild.errors import BuildError, NotComparableError
from optbuild.making.cargo.sources import SourceWatch, parse_dep_info

EARLIER, LATER = 0, 2**62
"""When a build began: before a test has written its files, and after."""


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


@pytest.fixture
def watch(tmp_path: Path) -> SourceWatch:
    """A watch of a project."""
    return SourceWatch(ignored=tmp_path / "target", stamp=tmp_path / "stamp", manifests=(tmp_path / "Cargo.toml",))


def never() -> bool:
    """No second build is needed."""
    raise AssertionError("nothing is in doubt")


def names(directory: Path, *files: str) -> list[Path]:
    """An executable whose dep-info names these files."""
    executable = directory / "demo"
    listed = " ".join(str(directory / name) for name in files)
    executable.with_name("demo.d").write_text(f"{executable}: {listed}\n")
    return [executable]


def test_a_changed_source_is_noticed(watch: SourceWatch, tmp_path: Path) -> None:
    """Content counts: a file that is edited, removed or made is told, one that is only touched is not."""
    files = ("edited.rs", "removed.rs", "touched.rs", "made.rs")
    edited, removed, touched, made = (tmp_path / name for name in files)
    for path in (edited, removed, touched):
        path.write_text("old")
    watch.add(names(tmp_path, *files), never, since_ns=LATER)
    assert watch.changed() == ()
    edited.write_text("new")
    removed.unlink()
    touched.touch()
    made.write_text("new")
    assert watch.changed() == (edited, made, removed)


def test_manifests_are_sources(watch: SourceWatch, tmp_path: Path) -> None:
    """Dep-info does not name them, and yet they decide what is built."""
    watch.add([], never, since_ns=LATER)
    (tmp_path / "Cargo.toml").write_text("[profile.release]")
    assert watch.changed() == (tmp_path / "Cargo.toml",)


def test_each_build_adds_its_own_sources(watch: SourceWatch, tmp_path: Path) -> None:
    """A module that only one variant's features compile is watched from then on; the rest as it was at first."""
    for name in ("main.rs", "extra.rs"):
        (tmp_path / name).write_text("old")
    watch.add(names(tmp_path, "main.rs"), never, since_ns=LATER)
    (tmp_path / "main.rs").write_text("new")
    watch.add(names(tmp_path, "main.rs", "extra.rs"), never, since_ns=LATER)
    (tmp_path / "extra.rs").write_text("new")
    assert watch.changed() == (tmp_path / "main.rs", tmp_path / "extra.rs")


def test_generated_files_do_not_count(watch: SourceWatch, tmp_path: Path) -> None:
    """What builds write below our own directory changes with each of them."""
    generated = tmp_path / "target" / "out.rs"
    generated.parent.mkdir()
    generated.write_text("old")
    watch.add(names(tmp_path, "target/out.rs"), never, since_ns=LATER)
    generated.write_text("new")
    assert watch.changed() == ()


def test_files_of_version_control_do_not_count(watch: SourceWatch, tmp_path: Path) -> None:
    """A build script that asks for the commit watches `.git/index`, which any look at the project may rewrite."""
    index = tmp_path / ".git" / "index"
    index.parent.mkdir()
    index.write_text("old")
    watch.add(names(tmp_path, ".git/index"), never, since_ns=EARLIER)
    index.write_text("new")
    assert watch.changed() == ()


def test_directories_and_missing_dep_info_are_no_sources(tmp_path: Path) -> None:
    """A build script may watch a directory; and a binary without dep-info has no sources that are known."""
    watch = SourceWatch(ignored=tmp_path / "target", stamp=tmp_path / "stamp")
    (tmp_path / "assets").mkdir()
    watch.add(names(tmp_path, "assets"), never, since_ns=LATER)
    watch.add([tmp_path / "other"], never, since_ns=LATER)
    assert watch.hashes == {tmp_path / "assets": None}
    assert watch.changed() == ()


class Rebuild:
    """Further calls of cargo: what they do to the sources, and whether each finds everything fresh."""

    def __init__(self, *fresh: bool, act: Callable[[], None] = lambda: None) -> None:
        self.fresh, self.act, self.calls = fresh, act, 0

    def __call__(self) -> bool:
        self.calls += 1
        self.act()
        return self.fresh[self.calls - 1]


@pytest.fixture
def recent(tmp_path: Path) -> tuple[SourceWatch, Path]:
    """A watch, and a source that may have been written after a build began."""
    watch = SourceWatch(ignored=tmp_path / "target", stamp=tmp_path / "stamp")
    source = tmp_path / "main.rs"
    source.write_text("new")
    return watch, source


def test_cargo_tells_whether_a_recent_file_is_what_was_compiled(recent: tuple[SourceWatch, Path]) -> None:
    """Written before its compilation began, by a build script: fresh, and a source like any other for later builds."""
    watch, source = recent
    rebuild = Rebuild(True)
    watch.add(names(source.parent, source.name), rebuild, since_ns=EARLIER)
    watch.add(names(source.parent, source.name), never, since_ns=LATER)
    assert (rebuild.calls, watch.changed()) == (1, ())


def test_an_edit_during_the_first_build_is_refused(recent: tuple[SourceWatch, Path]) -> None:
    """Cargo compiles it again, so it was not this that was compiled."""
    watch, source = recent
    with pytest.raises(NotComparableError, match=r"main\.rs changed while the variants were built") as caught:
        watch.add(names(source.parent, source.name), Rebuild(False, True), since_ns=EARLIER)
    assert caught.value.location == str(source)


def test_an_edit_that_does_not_compile_is_an_edit(recent: tuple[SourceWatch, Path]) -> None:
    """What the second build says of it is beside the point."""
    watch, source = recent

    def fail() -> bool:
        raise BuildError("no", help="h")

    with pytest.raises(NotComparableError):
        watch.add(names(source.parent, source.name), fail, since_ns=EARLIER)


def test_what_every_build_writes_anew_is_no_edit(recent: tuple[SourceWatch, Path]) -> None:
    """A build script that always runs may write a source file each time, as long as it says the same."""
    watch, source = recent

    def write(text: str) -> Callable[[], None]:
        def act() -> None:
            source.write_text(text)
            os.utime(source, ns=(2**61, 2**61))

        return act

    watch.add(names(source.parent, source.name), Rebuild(False, act=write("new")), since_ns=EARLIER)
    watch.hashes.clear()
    with pytest.raises(NotComparableError):
        watch.add(names(source.parent, source.name), Rebuild(False, False, act=write("newer")), since_ns=EARLIER)


def test_where_cargo_never_finds_all_fresh_that_shows_no_edit(recent: tuple[SourceWatch, Path]) -> None:
    """A build script may run in every build: the last one has compiled what is there, if that has not changed."""
    watch, source = recent
    rebuild = Rebuild(False, False)
    watch.add(names(source.parent, source.name), rebuild, since_ns=EARLIER)
    assert (rebuild.calls, watch.changed()) == (2, ())
    watch.hashes.clear()
    texts = iter(["", "newer"])

    def edit_second() -> None:
        if text := next(texts):
            source.write_text(text)

    edited = Rebuild(False, False, act=edit_second)
    with pytest.raises(NotComparableError):
        watch.add(names(source.parent, source.name), edited, since_ns=EARLIER)


def test_each_build_is_asked_whether_it_compiled_what_is_there_now(recent: tuple[SourceWatch, Path]) -> None:
    """Of two builds at the same time one may have read a file before an edit, and the other after it."""
    watch, source = recent
    watch.add(names(source.parent, source.name), Rebuild(True), since_ns=EARLIER)
    with pytest.raises(NotComparableError, match=r"main\.rs changed"):
        watch.add(names(source.parent, source.name), Rebuild(False, True), since_ns=EARLIER)


def test_the_time_is_that_of_files(recent: tuple[SourceWatch, Path]) -> None:
    """It is not before what was written before, and not after what is written later."""
    watch, source = recent
    now_ns = watch.now_ns()
    assert source.stat().st_mtime_ns <= now_ns
    source.write_text("newer")
    assert source.stat().st_mtime_ns >= now_ns
