"""Wheels of Python: their list of files, the library in them, and where they are put to be imported."""

from __future__ import annotations

import base64
import hashlib
import zipfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from optbuild.errors import UsageError
from optbuild.files import claim_directory
from optbuild.plan.kinds.compile import Compile, Role
from optbuild.plan.planner import make_plan
from optbuild.profile.model import ProjectSettings
from optbuild.profile.workloads import Workload
from optbuild.project.model import LibFile, LibKind
from optbuild.project.selection import Targets
from optbuild.session.builders import for_builder
from optbuild.testing import make_build_profile, make_package, make_plan_inputs, make_toolchain
from optbuild.toolchain.model import FoundBuilder, Tool
from optbuild.tools.builders import BuilderName, with_messages
from optbuild.tools.wheels import (
    WHEEL,
    find_wheel_faults,
    hold_the_same,
    name_wheels,
    read_extension,
    tag_of_interpreter,
)
from optbuild.workloads.invocation import Invocation
from optbuild.workloads.make_invocation import make_invocation
from optbuild.workloads.placing import place_together
from optbuild.workloads.words import BuiltNames, Values

INFO = "demo-0.1.0.dist-info"
FILES = {
    "demo/__init__.py": b"from .demo import *\n",
    "demo/demo.abi3.so": b"\x7fELF of demo",
    "demo.libs/libother-1.so": b"\x7fELF of another",
    f"{INFO}/METADATA": b"Name: demo\n",
}


def make_wheel(
    directory: Path,
    files: Mapping[str, bytes] = FILES,
    *,
    name: str = "cp311-abi3-linux_x86_64",
    record: str | None = None,
) -> Path:
    """A wheel with these files and, unless another one is given, the RECORD that belongs to them."""
    path = directory / f"demo-0.1.0-{name}.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        for each, content in files.items():
            wheel.writestr(each, content)
        wheel.writestr(f"{INFO}/RECORD", record_of(files) if record is None else record)
    return path


def record_of(files: Mapping[str, bytes]) -> str:
    """The list of some files as a wheel has it."""
    rows = []
    for name, content in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
        rows.append(f"{name},sha256={digest},{len(content)}")
    return "\n".join((*rows, f"{INFO}/RECORD,,\n"))


def test_a_wheel_is_as_its_record_has_it(tmp_path: Path) -> None:
    """What pip compares as well, when it installs and afterwards."""
    assert find_wheel_faults(make_wheel(tmp_path)) == ()


@pytest.mark.parametrize(
    ("files", "fault"),
    [
        ({**FILES, "demo/demo.abi3.so": b"\x7fELF stripped"}, "demo/demo.abi3.so is not as its RECORD has it"),
        ({**FILES, "demo/more.py": b""}, "demo/more.py is not in its RECORD"),
        ({name: FILES[name] for name in list(FILES)[1:]}, "demo/__init__.py is in its RECORD only"),
    ],
)
def test_a_wheel_that_was_changed_afterwards_is_told(tmp_path: Path, files: Mapping[str, bytes], fault: str) -> None:
    """A library that was stripped or replaced after packing, a file that was added, one that was lost."""
    assert find_wheel_faults(make_wheel(tmp_path, files, record=record_of(FILES))) == (fault,)


def test_what_is_no_wheel_is_refused(tmp_path: Path) -> None:
    """Cut short, or without a RECORD."""
    path = make_wheel(tmp_path)
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(ValueError, match="is damaged"):
        find_wheel_faults(path)
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr("demo.py", b"")
    assert find_wheel_faults(path) == ("it has no RECORD",)


def test_the_library_of_the_project_is_found_among_others(tmp_path: Path) -> None:
    """Those that auditing has copied into the wheel are none; of several the one with the module's name is taken."""
    assert read_extension(make_wheel(tmp_path), "demo") == b"\x7fELF of demo"
    several = {**FILES, "demo/_native.so": b"\x7fELF of native"}
    assert read_extension(make_wheel(tmp_path, several), "native") == b"\x7fELF of native"
    with pytest.raises(ValueError, match="holds 2 libraries"):
        read_extension(make_wheel(tmp_path, several), "unknown")
    with pytest.raises(ValueError, match="holds no libraries"):
        read_extension(make_wheel(tmp_path, {"demo.py": b""}), "demo")


def test_a_wheel_that_holds_the_same_is_the_same_whatever_its_bill_of_materials_says(tmp_path: Path) -> None:
    """That has another number in each build, and so has the RECORD; other files count."""
    bill = f"{INFO}/sboms/demo.cyclonedx.json"
    first = make_wheel(tmp_path, {**FILES, bill: b"1"}, name="a-a-a")
    again = make_wheel(tmp_path, {**FILES, bill: b"2"}, name="b-b-b")
    other = make_wheel(tmp_path, {**FILES, bill: b"1", "demo/__init__.py": b""}, name="c-c-c")
    assert hold_the_same(first, again)
    assert not hold_the_same(first, other)
    other.write_bytes(b"")
    assert not hold_the_same(first, other)


def test_a_version_is_read_from_the_name_of_an_interpreter(tmp_path: Path) -> None:
    """Or from that of the file that it is a link to."""
    (tmp_path / "python3").symlink_to(tmp_path / "python3.12")
    names = ("python3.9", "pypy3.10", "python3", "python")
    assert [tag_of_interpreter(tmp_path / name) for name in names] == ["cp39", "pp310", "cp312", None]


def test_the_first_interpreters_wheel_is_the_one_that_is_measured(tmp_path: Path) -> None:
    """One that is for every Python stands alone; without a known version the first name is taken."""
    paths = [tmp_path / f"demo-0.1.0-{tag}-{tag}-linux_x86_64.whl" for tag in ("cp311", "cp312")]
    assert name_wheels(paths, "cp312") == {WHEEL: paths[1], "wheel:cp311": paths[0]}
    assert name_wheels(paths[:1], "cp312") == {WHEEL: paths[0]}
    assert name_wheels([], "cp312") == {}


def test_a_wheel_is_unpacked_where_programs_are_placed(tmp_path: Path) -> None:
    """Python imports no library out of an archive; a wheel for another Python is not needed there."""
    claim_directory(tmp_path / "root")
    other = make_wheel(tmp_path, name="cp312-cp312-linux_x86_64")
    binaries = {WHEEL: make_wheel(tmp_path), "wheel:cp312": other}
    placed = place_together(binaries, tmp_path / "root/arm", root=tmp_path / "root")
    assert (placed[WHEEL] / "demo/demo.abi3.so").read_bytes() == FILES["demo/demo.abi3.so"]
    assert sorted(path.name for path in (tmp_path / "root/arm").iterdir()) == ["site"]


def invocation_of(*command: str, python: Path | None = Path("/python3.12"), **env: str) -> Invocation:
    """A workload of a project that builds a wheel, if there is a Python."""
    profile = make_build_profile(workloads=(Workload(name="use", command=command, env=env),))
    return make_invocation(
        profile.workloads[0],
        profile,
        BuiltNames(python=python),
        scratch=Path("/p/target/optbuild/scratch"),
        environ={},
    )


def test_a_driver_imports_the_wheel_of_the_variant_that_it_is_run_with() -> None:
    """By PYTHONPATH, before the workload's own; `{wheel}` is the same directory."""
    values = Values(binaries={WHEEL: Path("/arms/1/site")})
    invocation = invocation_of("{python}", "drive.py", "{wheel}", PYTHONPATH="/more")
    assert values.fill_all(invocation.argv) == ("/python3.12", "drive.py", "/arms/1/site")
    assert invocation.env_with(values)["PYTHONPATH"] == "/arms/1/site:/more"
    assert invocation.env_with(Values(binaries={}))["PYTHONPATH"] == "/more"


def test_without_a_wheel_there_is_no_placeholder_for_it() -> None:
    """The error names the builder that makes one."""
    with pytest.raises(UsageError) as caught:
        invocation_of("{python}", "drive.py", python=None)
    assert caught.value.help == 'write builder = "maturin" under [project]'


MATURIN = FoundBuilder(
    name=BuilderName.MATURIN,
    tool=Tool(name="maturin", path=Path("/bin/maturin"), version="1.16.0"),
    interpreters=(Path("/usr/bin/python3.12"), Path("/usr/bin/python3.13")),
)
LIBRARY = LibFile(name="demo", package="demo", kind=LibKind.CDYLIB, file_name="libdemo.so")


def maturin_compile(role: Role) -> Compile:
    """A compile action of a library by maturin."""
    package = make_package(bins=(), libs=(LIBRARY,))
    inputs = make_plan_inputs(
        toolchain=make_toolchain(builder=MATURIN), targets=Targets(packages=(package,), bins=(), libs=(LIBRARY,))
    )
    plan = make_plan(inputs, tuple(inputs.build_profile.variants), measure=False)
    return next(action for action in plan.of_kind(Compile) if action.role is role)


def test_maturin_builds_a_wheel_for_each_interpreter_by_the_cargo_that_tells() -> None:
    """With the Cargo profile, flags and target directory that cargo itself would get."""
    action = maturin_compile(Role.OPTIMISE)
    assert action.argv[:4] == ("/bin/maturin", "build", "--manifest-path", "/p/Cargo.toml")
    assert action.argv[-4:] == ("--interpreter", "/usr/bin/python3.12", "--interpreter", "/usr/bin/python3.13")
    assert action.argv[action.argv.index("--out") + 1] == str(action.cargo_target / "wheels")
    assert "-vv" in action.argv
    assert not {"--package", "--lib", "--release", "--message-format"}.intersection(action.argv)
    (script,) = action.scripts
    assert action.env["CARGO"] == (str(script),)
    assert action.python_tag == "cp312"


def test_what_is_shown_is_what_a_user_would_call() -> None:
    """Only when it is started does it get a second way out, for cargo's messages."""
    argv = maturin_compile(Role.BUILD).argv
    assert with_messages(argv)[-len(argv) :] == argv


def test_a_wheel_needs_one_library_and_no_program() -> None:
    """A package's programs are left out; one without a cdylib is refused with what to write."""
    profile = make_build_profile(project=ProjectSettings(builder=BuilderName.MATURIN))
    package = make_package(libs=(replace(LIBRARY, kind=LibKind.STATICLIB, file_name="libdemo.a"), LIBRARY))
    targets = Targets(packages=(package,), bins=package.bins, libs=())
    assert for_builder(targets, profile) == replace(targets, bins=(), libs=(LIBRARY,))
    with pytest.raises(UsageError, match="has no cdylib"):
        for_builder(replace(targets, packages=(make_package(),)), profile)
