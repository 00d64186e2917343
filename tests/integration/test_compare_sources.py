"""What `optbuild compare` does about repositories that are not simple: right, or refused before anything is built."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from optbuild.record.lock import hold_lock
from tests.integration.git_history import FILES, MAIN, MANIFEST, PROFILE, History, warnings_of
from tests.integration.optbuild_program import Optbuild, ask_rustc

pytestmark = pytest.mark.cargo


@pytest.fixture
def history(optbuild: Optbuild, tmp_path: Path) -> History:
    """A repository with one version."""
    return History.begin(tmp_path / "turns", optbuild)


def test_a_revision_that_means_nothing_or_two_things_is_refused(history: History) -> None:
    """Near names are proposed, a tag is told from a branch, and two names of one commit compare nothing."""
    history.commit("v1.2.0", {"note.txt": "more"})
    history.git("branch", "v1", "v1.2.0")
    history.git("tag", "same")
    assert "did you mean v1.2.0" in history.refused("v1.2")
    assert "refs/heads/v1 or refs/tags/v1" in history.refused("v1")
    assert "name both ends: optbuild compare v1 HEAD" in history.refused("v1..")
    assert "are the same commit" in history.refused("v1.2.0", "same")
    assert "are the same commit" in history.refused("v1.2.0"), "the working tree has no changes"
    assert "so only NEW may be named" in history.refused("v1.2.0", "same", "--baseline-binary", "program")
    assert "the version to compare with is missing" in history.refused()
    assert "unknown variant 'fast'" in history.refused("refs/tags/v1", "--variant", "fast")
    assert history.sources(), "files are put there, and nothing is built"
    with hold_lock(history.directory / "target" / "optbuild" / "lock", wait=False, emit=lambda _: None):
        assert "git knows no revision" in history.refused("v7", "--no-wait"), "which needs no lock"


def test_what_a_clone_does_not_hold_is_named_with_what_fetches_it(history: History, tmp_path: Path) -> None:
    """A shallow clone says how to deepen it; in one that has the revision, both are built."""
    history.commit("v2", history.edited("31", "33"))
    clone = tmp_path / "clone"
    history.git("clone", "--quiet", "--depth", "1", f"file://{history.directory}", str(clone))
    shallow = History(directory=clone, optbuild=history.optbuild)
    assert "git fetch --unshallow" in shallow.refused("v1")
    shallow.git("fetch", "--quiet", "--depth", "1", "origin", "tag", "v1")
    assert [each["status"] for each in shallow.record("v1", "HEAD")["variants"]] == ["built", "built"]


def test_submodules_are_those_of_each_version(history: History, tmp_path: Path) -> None:
    """Each version has the commit of the submodule that belongs to it; one that is not here is named."""
    library = History.begin(tmp_path / "words", history.optbuild, {"word.txt": "first"})
    history.git("submodule", "--quiet", "add", str(library.directory), "words")
    printing = MAIN.replace("{sum}", "{sum} {}").replace('}");', '}", include_str!("../words/word.txt"));')
    history.commit("v2", {"src/main.rs": printing})
    library.commit("second", {"word.txt": "second"})
    history.git("pull", "--quiet", "origin", "main", cwd=history.directory / "words")
    history.commit("v3", {})
    said = warnings_of(history.record("v2", "v3"))["outputs-differ"]
    assert "first" in said
    assert "second" in said

    clone = tmp_path / "clone"
    history.git("clone", "--quiet", str(history.directory), str(clone))
    without = History(directory=clone, optbuild=history.optbuild)
    assert "git submodule update --init --recursive -- words" in without.refused("v2", "v3")


def test_git_lfs_files_are_those_that_were_fetched(history: History) -> None:
    """A pointer is never compiled in the place of its content: that is taken from what was fetched, or asked for."""
    content = b"large\n"
    digest = hashlib.sha256(content).hexdigest()
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{digest}\nsize {len(content)}\n"
    printing = MAIN.replace("{sum}", "{sum} {}").replace('}");', '}", include_str!("../large.bin").trim());')
    history.commit("v2", {".gitattributes": "*.bin filter=lfs -text\n", "large.bin": pointer, "src/main.rs": printing})
    history.commit("v3", history.edited('println!("', 'println!(" '))
    said = history.refused("v2", "v3")
    assert "v3: large.bin is a pointer of Git LFS" in said
    assert "git lfs fetch origin v3" in said
    stored = history.directory / ".git/lfs/objects" / digest[:2] / digest[2:4] / digest
    stored.parent.mkdir(parents=True)
    stored.write_bytes(content)
    assert "large" in warnings_of(history.record("v2", "v3"))["outputs-differ"]


def test_the_working_tree_around_a_version_does_not_count(history: History) -> None:
    """A workspace above it is not its own; Cargo's configuration and toolchain files are one for both, or refused."""
    workspace = {
        "Cargo.toml": '[workspace]\nmembers = ["app"]\nresolver = "2"\n',
        "app/Cargo.toml": MANIFEST,
        "app/src/main.rs": MAIN.replace('env!("CARGO_MANIFEST_DIR").len() as u64', "7u64"),
        "src/main.rs": None,
        "rust-toolchain.toml": f'[toolchain]\nchannel = "{Path(ask_rustc("--print", "sysroot")).name}"\n',
    }
    history.commit("v2", workspace)
    record = history.record("v1", "v2")
    assert [each["status"] for each in record["variants"]] == ["built", "built"]
    assert "toolchain files of the versions differ" in warnings_of(record)["toolchains-differ"]

    history.write({".cargo/config.toml": '[build]\nrustflags = ["--cfg", "extra"]\n'})
    said = history.refused("v1", "v2")
    assert "it lies below .cargo/config.toml of the working tree" in said
    outside = {"CARGO_TARGET_DIR": str(history.optbuild.home / "target")}
    history.compare("v1", "v2", env=outside).expect(0)


def test_what_lies_outside_of_the_repository_is_refused(optbuild: Optbuild, tmp_path: Path) -> None:
    """A path dependency or a patch that leaves it has no earlier state; the error names the manifest and the key."""
    (tmp_path / "left/src").mkdir(parents=True)
    (tmp_path / "left/src/lib.rs").touch()
    (tmp_path / "left/Cargo.toml").write_text(MANIFEST.replace("turns", "left"))
    history = History.begin(tmp_path / "turns", optbuild)
    history.commit(
        "v2", {"Cargo.toml": f'{MANIFEST}[dependencies]\nleft = {{ path = "../left" }}\n', "Cargo.lock": None}
    )
    said = history.refused("v1")
    assert "are the same" not in said
    assert "`dependencies.left` is at ../left, outside of the repository" in said
    patch = f'{MANIFEST}[patch.crates-io]\nleft = {{ path = "../left" }}\n'
    history.commit("v3", {"Cargo.toml": patch})
    assert "`patch.crates-io.left`" in history.refused("v1", "v3")


def test_a_project_that_was_elsewhere_or_had_another_name(optbuild: Optbuild, tmp_path: Path) -> None:
    """In a subdirectory it is found in each version; one that lacks it, or its program, is refused with what it has."""
    below = {f"tool/{name}": text for name, text in FILES.items() if name != "tool/Cargo.lock"}
    history = History.begin(tmp_path / "turns", optbuild, {"README": "nothing yet"}, place="tool")
    history.commit("v2", below)
    renamed = {"tool/Cargo.toml": MANIFEST.replace("turns", "spins"), "tool/Cargo.lock": None}
    history.commit("v3", renamed)
    assert "old (v1): there is no tool/Cargo.toml" in history.refused("v1", "v2")
    record = history.record("v2", "v3")
    assert [each["equal"] for each in record["outputs"]] == [True, True], "turns stands for spins"
    assert "v3 has no Cargo.lock" in warnings_of(record)["no-lock-file"]

    second = {"tool/src/bin/other.rs": MAIN, "tool/optbuild.toml": PROFILE.replace("{bin}", "{bin:other}")}
    history.commit("v4", second)
    said = history.refused("v2", "v4")
    assert "old (v2): " in said
    assert "other" in said
