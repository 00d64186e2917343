from __future__ import annotations

from pathlib import Path

import pytest

from optbuild.profile.workloads import Workload
from optbuild.workloads.written import WrittenFiles

BOOKS = Workload(name="books", command=("{bin}", "-o", "out.json"))


def test_what_a_workload_has_created_is_known_to_the_next_run(tmp_path: Path) -> None:
    """Runs add to it; what another command of the same workload created is no concern of this one."""
    written = WrittenFiles(path=tmp_path / "optbuild" / "written.json")
    assert written.of(BOOKS) == frozenset()
    written.remember({"books": {Path("/p/out.json")}}, [BOOKS])
    written.remember({"books": {Path("/p/log")}}, [BOOKS])
    assert written.of(BOOKS) == {Path("/p/out.json"), Path("/p/log")}
    assert written.of(Workload(name="books", command=("{bin}", "out.json"))) == frozenset()
    assert written.of(Workload(name="books", command=BOOKS.command, cwd="sub")) == frozenset()
    assert written.of(Workload(name="songs", command=BOOKS.command)) == frozenset()


def test_nothing_new_is_not_written_again(tmp_path: Path) -> None:
    """Most workloads create nothing, and most runs nothing new."""
    written = WrittenFiles(path=tmp_path / "written.json")
    written.remember({"books": set()}, [BOOKS])
    assert not written.path.exists()
    written.remember({"books": {Path("/p/out.json")}}, [BOOKS])
    before = written.path.stat().st_ino
    written.remember({"books": {Path("/p/out.json")}}, [BOOKS])
    assert written.path.stat().st_ino == before


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b'{"books: .$ x": 3}', b"\xff", b'{"a": ["b"]'])
def test_a_damaged_file_holds_nothing(tmp_path: Path, damage: bytes) -> None:
    """The file is then an input for one run, and learnt anew."""
    written = WrittenFiles(path=tmp_path / "written.json")
    written.path.write_bytes(damage)
    assert written.of(BOOKS) == frozenset()
    written.remember({"books": {Path("/p/out.json")}}, [BOOKS])
    assert written.of(BOOKS) == {Path("/p/out.json")}
