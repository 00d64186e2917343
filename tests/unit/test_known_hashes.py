from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from optbuild.workloads import known_hashes
from optbuild.workloads.known_hashes import KnownHashes

LATER_NS = 10**10


class Reader:
    """Hashes files, and counts how often."""

    def __init__(self) -> None:
        self.read: list[str] = []

    def __call__(self, path: Path) -> str:
        self.read.append(path.name)
        return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def reader(monkeypatch: pytest.MonkeyPatch) -> Reader:
    """What reads files in the place of `sha256_of`."""
    reader = Reader()
    monkeypatch.setattr(known_hashes, "sha256_of", reader)
    return reader


def hashes(directory: Path, *, since_ns: int = LATER_NS) -> KnownHashes:
    """The hashes of a new run, in which files of ten bytes are large, so long after the last change of `corpus`."""
    changed_ns = (directory / "corpus").stat().st_ctime_ns
    return KnownHashes(path=directory / "inputs.json", smallest_bytes=10, clock=lambda: changed_ns + since_ns)


def test_a_large_file_is_read_once(tmp_path: Path, reader: Reader) -> None:
    """In one run and in the next ones."""
    (tmp_path / "corpus").write_text("0123456789")
    first = hashes(tmp_path)
    digests = {first.of(tmp_path / "corpus") for _ in range(2)}
    first.remember()
    digests.add(hashes(tmp_path).of(tmp_path / "corpus"))
    assert digests == {hashlib.sha256(b"0123456789").hexdigest()}
    assert reader.read == ["corpus"]


def test_a_changed_file_is_read_again_whatever_its_size_and_time_say(tmp_path: Path, reader: Reader) -> None:
    """A time of modification can be set back, as `cp -p` does; that of the change itself cannot."""
    corpus = tmp_path / "corpus"
    corpus.write_text("0123456789")
    state = corpus.stat()
    first = hashes(tmp_path)
    before = first.of(corpus)
    first.remember()
    corpus.write_text("9876543210")
    os.utime(corpus, ns=(state.st_atime_ns, state.st_mtime_ns))
    assert hashes(tmp_path).of(corpus) == hashlib.sha256(b"9876543210").hexdigest() != before
    assert reader.read == ["corpus", "corpus"]


def test_a_file_that_has_just_been_written_is_not_kept(tmp_path: Path, reader: Reader) -> None:
    """It may be written once more within the same tick, with the same size."""
    (tmp_path / "corpus").write_text("0123456789")
    first = hashes(tmp_path, since_ns=10**9)
    first.of(tmp_path / "corpus")
    first.remember()
    hashes(tmp_path).of(tmp_path / "corpus")
    assert reader.read == ["corpus", "corpus"]


def test_a_file_that_changes_while_it_is_read_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its hash may be that of neither content."""
    corpus = tmp_path / "corpus"
    corpus.write_text("0123456789")

    def read(path: Path) -> str:
        path.write_text("0123456789ab")
        return "mixed"

    monkeypatch.setattr(known_hashes, "sha256_of", read)
    first = hashes(tmp_path)
    assert first.of(corpus) == "mixed"
    first.remember()
    monkeypatch.undo()
    assert hashes(tmp_path).of(corpus) == hashlib.sha256(b"0123456789ab").hexdigest()


def test_small_files_and_those_of_no_project_are_read_each_time(tmp_path: Path, reader: Reader) -> None:
    """Nothing is kept of them."""
    (tmp_path / "corpus").write_text("short")
    first = hashes(tmp_path)
    first.of(tmp_path / "corpus")
    first.remember()
    assert not (tmp_path / "inputs.json").exists()
    nowhere = KnownHashes(smallest_bytes=1)
    nowhere.of(tmp_path / "corpus")
    nowhere.of(tmp_path / "corpus")
    nowhere.remember()
    assert len(reader.read) == 3


@pytest.mark.parametrize("text", ["", "[]", '{"/corpus": {"stamp": [1], "sha256": ""}}'])
def test_a_damaged_file_holds_nothing(tmp_path: Path, reader: Reader, text: str) -> None:
    """It is written anew, without files that are gone."""
    (tmp_path / "corpus").write_text("0123456789")
    (tmp_path / "inputs.json").write_text(text)
    first = hashes(tmp_path)
    first.of(tmp_path / "corpus")
    first.remember()
    hashes(tmp_path).of(tmp_path / "corpus")
    assert reader.read == ["corpus"]
    assert str(tmp_path / "corpus") in (tmp_path / "inputs.json").read_text()
