"""Places that cannot be written, for real: a file where a directory is needed, a full file system."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from optbuild.errors import StorageError
from optbuild.execution.command import Command
from optbuild.execution.local import LocalExecutor
from optbuild.files import MARKER
from tests.integration.optbuild_program import Optbuild, copy_crate, fail, write_profile

pytestmark = pytest.mark.pgo

Mount = Callable[[Path, str], None]

GONE = "mv target gone; rm -rf gone; exit 3"
"""Moved away first, so that nothing else can fail before the marker is gone."""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project of its own for one test."""
    return copy_crate("tally", tmp_path / "tally")


@pytest.fixture
def mount() -> Iterator[Mount]:
    """Put a small file system at a path; a test that cannot is skipped."""
    with ExitStack() as stack:

        def put(path: Path, options: str) -> None:
            path.mkdir(parents=True, exist_ok=True)
            program = shutil.which("mount")
            if program is None:
                pytest.skip("there is no mount")
            argv = (program, "-t", "tmpfs", "-o", options, "tmpfs", str(path))
            done = subprocess.run(argv, capture_output=True, text=True, check=False)
            if done.returncode != 0:
                pytest.skip(f"mounting is not permitted here: {done.stderr.strip()}")
            stack.callback(subprocess.run, ("umount", "--lazy", str(path)), check=True)

        yield put


def own_directory(project: Path) -> Path:
    """What optbuild has made in a project, so far empty."""
    own = project / "target/optbuild"
    own.mkdir(parents=True)
    (own / MARKER).write_text("")
    return own


@pytest.mark.parametrize("name", ["runs", "cargo", "binaries", "results", "profdata", "merging", "raw"])
def test_a_file_where_a_directory_is_needed(optbuild: Optbuild, project: Path, name: str) -> None:
    """The path is named, and what to do about it; nothing of it is a defect."""
    (own_directory(project) / name).write_text("")
    ended = optbuild.run("pgo", "--json", cwd=project)
    assert ended.status == (10 if name == "cargo" else 17), ended.stderr
    assert f"target/optbuild/{name}" in ended.stderr


@pytest.mark.parametrize("name", ["arms", "stage"])
def test_a_file_where_programs_are_to_stand(optbuild: Optbuild, project: Path, name: str) -> None:
    """It is ours, and made anew for each variant: nothing of it is kept."""
    (own_directory(project) / name).write_text("")
    optbuild.run("pgo", cwd=project).expect(0)


def test_a_directory_where_the_lock_is_needed(optbuild: Optbuild, project: Path) -> None:
    """Neither is it waited for, nor is it a defect."""
    (own_directory(project) / "lock").mkdir()
    fail(optbuild, project, 17, "storage", "target/optbuild/lock")


def test_a_target_directory_that_is_deleted_meanwhile(optbuild: Optbuild, project: Path) -> None:
    """As by `cargo clean` in another terminal: that is told, and the next run makes all of it anew."""
    write_profile(project, bench=GONE)
    fail(optbuild, project, 17, "storage", "target/optbuild was deleted while optbuild worked in it")
    write_profile(project)
    optbuild.run("build", cwd=project).expect(0)


def test_a_target_directory_that_is_deleted_during_a_search(optbuild: Optbuild, project: Path) -> None:
    """A search tells it as a run does."""
    write_profile(project, bench=GONE)
    path = project / "optbuild.toml"
    path.write_text(path.read_text() + "\n[tune.factors]\nopt-level = [3, 2]\n")
    ended = optbuild.run("tune", "--json", cwd=project).expect(17)
    assert "target/optbuild was deleted while optbuild worked in it" in ended.stderr


def test_a_full_disk_under_the_logs(optbuild: Optbuild, project: Path, mount: Mount) -> None:
    """Cargo is stopped, and what could not be written is named."""
    runs = own_directory(project) / "runs"
    mount(runs, "size=64k")
    (runs / "filler").write_bytes(b"x" * (64 << 10))
    ended = fail(optbuild, project, 17, "storage", "No space left on device", str(runs))
    assert ended.stdout.count('"schema"') == 1


def test_a_full_disk_under_cargo(optbuild: Optbuild, project: Path, mount: Mount) -> None:
    """What cargo, rustc or the linker says of it is no error of the project."""
    cargo = own_directory(project) / "cargo"
    mount(cargo, "size=200k")
    fail(optbuild, project, 17, "storage", "the disk is full below", str(cargo))


def test_a_full_disk_under_the_output_of_a_workload(tmp_path: Path, mount: Mount) -> None:
    """The file for the output cannot be made, which is no fault of the program."""
    mount(tmp_path / "full", "nr_inodes=1")
    with LocalExecutor(emit=lambda _: None) as executor, pytest.raises(StorageError, match="No space left") as caught:
        executor.run(Command(argv=("/bin/true",), cwd=tmp_path, stdout=tmp_path / "full/out"))
    assert caught.value.location == str(tmp_path / "full/out")


def test_a_full_disk_under_the_scratch_directory(optbuild: Optbuild, project: Path, mount: Mount) -> None:
    """A measured run needs one as well as a training run."""
    own = own_directory(project)
    write_profile(project, variants="[variants.release]\n")
    mount(own / "scratch", "nr_inodes=1")
    ended = optbuild.run("run", "--json", cwd=project).expect(17)
    assert ended.error["code"] == "storage"
    assert str(own / "scratch") in ended.stderr
