"""Programs for a target that does not run here, trained in the image that cross builds in.

cross is played by a script that calls the real cargo, and starts a container as cross does. Its engine is another
script, which runs on this machine what is mounted; and podman, where that can start a container here.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest

from tests.integration import engine_stand_in
from tests.integration.optbuild_program import Optbuild, edit, variant_of, write_script
from tests.integration.test_targets import FAR, TRIPLE, crate, pytestmark, stand_in

__all__ = ["pytestmark"]

PODMAN_IMAGE = "localhost/optbuild-test:latest"


def play_cross(directory: Path, engine: Path, image: str) -> dict[str, str]:
    """A cross whose builds are on this machine, and that starts a container for each."""
    write_script(
        directory / "bin/cross",
        f"""next=
for word; do
    shift
    [ "$next" ] && place=$word next=
    [ "$word" = --target-dir ] && next=1
    set -- "$@" "$word"
done
mkdir -p "$place"
"$CROSS_CONTAINER_ENGINE" run --userns host -e CARGO_HOME=/cargo -e CROSS_RUNNER=native $CROSS_CONTAINER_OPTS \\
    --name cross-$$ --rm -v "$place:/target" -w "$PWD" {image} sh -c ': cargo build' || exit
cargo "$@" > messages
status=$?
sed "s,\\"$place/,\\"/target/,g" messages
exit $status""",
    )
    return {"CROSS_CONTAINER_ENGINE": str(engine)}


def project_by_cross(directory: Path) -> Path:
    """A test crate that cross builds for another machine; its training has a variable of its own."""
    project = crate(directory, FAR)
    edit(project / "optbuild.toml", "[project]", '[project]\nbuilder = "cross"')
    edit(project / "optbuild.toml", 'use = ["train"]', 'use = ["train"]\nenv = { TALLY_MODE = "a b" }')
    return project


def environment(optbuild: Optbuild, directory: Path, engine: Path, image: str) -> dict[str, str]:
    """Where cross, its engine and a rustc that knows the target are found."""
    path = {"PATH": f"{directory / 'bin'}:{optbuild.environ['PATH']}"}
    return {**stand_in(directory, FAR, arch="aarch64"), **play_cross(directory, engine, image), **path}


def played_engine(directory: Path) -> tuple[Path, Path]:
    """The engine that runs things here, and the log of its calls."""
    log = directory / "engine.log"
    script = f'ENGINE_LOG="{log}" exec "{sys.executable}" "{engine_stand_in.__file__}" "$@"'
    return write_script(directory / "bin/engine", script), log


def is_trained_and_not_measured(record: dict[str, Any]) -> bool:
    """Whether PGO was applied by a training, the outputs are equal, and no time was taken."""
    pgo = variant_of(record, "pgo")["pgo"]
    assert (record["outputs"][-1]["variant"], record["outputs"][-1]["equal"]) == ("pgo", True)
    return (pgo["applied"], pgo["source"], record["comparisons"]) == (True, "trained", [])


def test_what_cross_builds_is_trained_in_its_image(optbuild: Optbuild, tmp_path: Path) -> None:
    """By its emulator, with the variables of the workload and no others; no time is taken, and that is said."""
    project = project_by_cross(tmp_path)
    engine, log = played_engine(tmp_path)
    env = {**environment(optbuild, tmp_path, engine, engine_stand_in.IMAGE), "CARGO_REGISTRY_TOKEN": "secret"}
    ended = optbuild.run("run", "--json", cwd=project, env=env).expect(0)
    assert is_trained_and_not_measured(ended.document)
    assert f"nothing is measured: programs for {FAR} run in a container" in ended.stderr
    calls = [json.loads(line) for line in log.read_text().splitlines()]
    trained = [call for call in calls if "LLVM_PROFILE_FILE" in call["env"]]
    assert trained
    for call in trained:
        assert Path(call["env"]["LLVM_PROFILE_FILE"]).is_relative_to(project / "target/optbuild/raw")
        assert (call["env"]["TALLY_MODE"], call["env"]["CROSS_RUNNER"]) == ("a b", "native")
        assert not {"CARGO_HOME", "CARGO_REGISTRY_TOKEN", "RUSTC", "TMPDIR"} & set(call["env"])
        assert "--name" not in call["argv"]
    kept = json.loads((project / f"target/optbuild/container-{FAR}.json").read_text())
    assert "secret" not in json.dumps(kept)


def test_a_runner_of_cargos_configuration_comes_before_the_container(optbuild: Optbuild, tmp_path: Path) -> None:
    """What the user has named is used, and measured by."""
    project = project_by_cross(tmp_path)
    engine, log = played_engine(tmp_path)
    env = environment(optbuild, tmp_path, engine, engine_stand_in.IMAGE)
    env[f"{TRIPLE}_RUNNER"] = str(write_script(tmp_path / "emulator", 'exec "$@"'))
    record = optbuild.run("build", "--json", cwd=project, env=env).expect(0).document
    assert variant_of(record, "pgo")["pgo"]["source"] == "trained"
    calls = [json.loads(line) for line in log.read_text().splitlines()]
    assert not [call for call in calls if "LLVM_PROFILE_FILE" in call["env"]]


def test_a_program_that_fails_in_the_container_fails_the_training(optbuild: Optbuild, tmp_path: Path) -> None:
    """Its exit code and what it printed are those of the program."""
    project = project_by_cross(tmp_path)
    edit(project / "optbuild.toml", '"data/train.txt"', '"data/absent.txt"')
    engine, _ = played_engine(tmp_path)
    env = environment(optbuild, tmp_path, engine, engine_stand_in.IMAGE)
    error = optbuild.run("build", "--json", cwd=project, env=env).expect(11).error
    assert "ended with exit code 101" in error["message"]


@pytest.fixture(scope="module")
def podman(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A podman that can start a container, and what it needs for that; its image has a shell and the C library."""
    program = shutil.which("podman")
    compiler = shutil.which("cc")
    if program is None or compiler is None or os.uname().machine != "x86_64":
        pytest.skip("there is no podman")
    env = {name: value for name, value in os.environ.items() if name in {"CONTAINERS_CONF", "HOME", "PATH"}}
    archive = tmp_path_factory.mktemp("image") / "image.tar"
    with tarfile.open(archive, "w") as image:
        for place in ("tmp", "proc", "sys", "dev", "etc"):
            entry = tarfile.TarInfo(place)
            entry.type = tarfile.DIRTYPE
            image.addfile(entry, io.BytesIO())
        image.add(Path("/bin/sh").resolve(), "bin/sh")
        image.add(Path("/usr/bin/env").resolve(), "bin/env")
        image.add(Path("/lib64/ld-linux-x86-64.so.2").resolve(), "lib64/ld-linux-x86-64.so.2")
        for name in ("libc.so.6", "libgcc_s.so.1", "libm.so.6"):
            found = subprocess.check_output([compiler, f"-print-file-name={name}"], text=True).strip()
            image.add(Path(found).resolve(), f"lib/x86_64-linux-gnu/{name}")
            image.add(Path(found).resolve(), f"lib64/{name}")
    change = f"ENV {engine_stand_in.RUNNER}=env"
    subprocess.run([program, "import", "--change", change, archive, PODMAN_IMAGE], env=env, check=True)
    tried = subprocess.run([program, "run", "--rm", "--network=host", PODMAN_IMAGE, "env"], env=env, check=False)
    if tried.returncode != 0:
        pytest.skip("podman cannot start a container here")
    return env


@pytest.mark.usefixtures("podman")
def test_podman_runs_what_is_trained(optbuild: Optbuild, tmp_path: Path, podman: dict[str, str]) -> None:
    """A real container sees the sources, the program and the place for its counts, and nothing of it is left."""
    project = project_by_cross(tmp_path)
    program = shutil.which("podman", path=podman["PATH"])
    assert program is not None
    env = {**podman, **environment(optbuild, tmp_path, Path(program), PODMAN_IMAGE)}
    ended = optbuild.run("run", "--json", cwd=project, env=env).expect(0)
    assert is_trained_and_not_measured(ended.document)
    assert "left" not in ended.stderr
    running = subprocess.check_output([program, "ps", "--all", "--format", "{{.Image}}"], env=podman, text=True)
    assert PODMAN_IMAGE not in running.split()
