from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import pytest

from optbuild.events import Event, Notice
from optbuild.making.cargo.driver import CargoDriver
from optbuild.making.cargo.kept import find_kept
from optbuild.making.cargo.shared_libraries import find_loaded, libraries_in
from optbuild.plan.draft import make_compile
from optbuild.plan.kinds.compile import Recipe, Role
from optbuild.testing import TARGET, Reply, ScriptedExecutor, make_invocation, make_plan_inputs, make_project
from optbuild.tools.cargo import BuildScriptExecuted, parse_message
from optbuild.workloads.words import LOADER_PATH, Values, is_shared_library


def write(path: Path, loads: Iterable[str] = ()) -> Path:
    """A file that names libraries as a table of an executable does."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"\x7fELF\0" + b"".join(name.encode() + b"\0" for name in loads))
    return path


@pytest.mark.parametrize(
    ("name", "is_one"),
    [
        ("libmore.so", True),
        ("libmore.so.1.2", True),
        ("libmore.dylib", True),
        ("libmore.so.d", False),
        ("libmore.a", False),
        ("more.so", False),
        ("demo", False),
    ],
)
def test_a_shared_library_is_known_by_its_name(name: str, is_one: bool) -> None:  # noqa: FBT001
    """As the loader looks for it."""
    assert is_shared_library(name) is is_one


def test_those_are_found_that_a_program_loads_itself_or_through_another(tmp_path: Path) -> None:
    """The first of a name; what nobody names, and what is only part of a longer name, is left where it is."""
    program = write(tmp_path / "demo", ["libmore.so", "xlibother.so"])
    for place in ("first", "second"):
        write(tmp_path / place / "libmore.so", ["libdeep.so", "libmore.so"])
    for name in ("libdeep.so", "libother.so", "notes.txt"):
        write(tmp_path / "second" / name)
    (tmp_path / "second/libempty.so").touch()
    candidates = libraries_in((tmp_path / "first", tmp_path / "second", tmp_path / "nowhere"))
    assert find_loaded([program], candidates) == {
        "libdeep.so": tmp_path / "second/libdeep.so",
        "libmore.so": tmp_path / "first/libmore.so",
    }
    assert find_loaded([tmp_path / "second/libempty.so"], candidates) == {}


def test_cargo_says_where_build_scripts_have_put_libraries() -> None:
    """With or without their kind; an equals sign may be part of a name."""
    line = {"reason": "build-script-executed", "package_id": "p", "linked_paths": ["native=/o", "/a=b", "all=/c=d"]}
    message = parse_message(json.dumps(line).encode())
    assert isinstance(message, BuildScriptExecuted)
    assert message.library_directories == (Path("/o"), Path("/a=b"), Path("/c=d"))


def test_what_a_program_loads_is_kept_with_it(tmp_path: Path) -> None:
    """Of a `dylib`, of a build script below the target directory, and of rustc itself; it is told once."""
    heard: list[Event] = []
    recipe = Recipe(packages=("demo",), bins=("demo",), target=TARGET, cargo_profile="release")
    inputs = make_plan_inputs(project=make_project(directory=tmp_path))
    action = make_compile(recipe, inputs, role=Role.BUILD, label="release: build")
    release = action.cargo_target / TARGET / "release"
    write(tmp_path / f"rust/lib/rustlib/{TARGET}/lib/libstd-1.so")
    write(tmp_path / "elsewhere/libfar.so")
    names = ["libmore.so", "libshared.so", "libfar.so"]
    program, shared = write(release / "demo", names), write(release / "deps/libshared.so", ["libstd-1.so"])
    write(release / "build/demo-1/out/libmore.so")

    def unit(path: Path, kind: str, **more: str) -> dict[str, object]:
        target = {"name": path.stem, "kind": [kind]}
        ids = {"reason": "compiler-artifact", "package_id": "path+file:///p#demo@1.0.0", "fresh": False}
        return {**ids, "target": target, "filenames": [str(path)], **more}

    script = {"reason": "build-script-executed", "package_id": "path+file:///p#demo@1.0.0"}
    paths = [f"native={release / 'build/demo-1/out'}", f"native={tmp_path / 'elsewhere'}"]
    messages = [unit(shared, "dylib"), {**script, "linked_paths": paths}, unit(program, "bin", executable=str(program))]
    reply = Reply(stdout=b"".join(json.dumps(message).encode() + b"\n" for message in messages))
    driver = CargoDriver(
        executor=ScriptedExecutor([reply, reply]), environ={}, emit=heard.append, sysroot=tmp_path / "rust"
    )
    compiled = [driver.compile(action, {}, tmp_path / "build.log") for _ in range(2)][-1]
    assert {*compiled.artifacts} == {"demo", "libmore.so", "libshared.so", "libstd-1.so"}
    assert find_kept(action) == compiled.artifacts
    told = [event.message for event in heard if isinstance(event, Notice)]
    assert len(told) == 1
    assert told[0].startswith("demo loads libmore.so, libshared.so, libstd-1.so, which only `cargo run` would find")


def test_the_loader_is_told_of_libraries_beside_the_programs(tmp_path: Path) -> None:
    """Before what the workload says; a library that its command names is found by its path."""
    workload = make_invocation("{bin:demo}", directory=tmp_path, env={LOADER_PATH: "/own"})
    values = Values(binaries={"demo": Path("/stage/demo"), "libmore.so": Path("/stage/libmore.so")})
    assert workload.env_with(values)[LOADER_PATH] == "/stage:/own"
    assert workload.env_with(Values(binaries={"demo": Path("/stage/demo")}))[LOADER_PATH] == "/own"
    assert values.library_directory(("libmore.so",)) is None
