"""The table of builders, and what planning and looking make of it."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import pytest
from inline_snapshot import snapshot

from optbuild.errors import ToolchainError, UsageError
from optbuild.execution.command import Command
from optbuild.making.cargo.listener import Feed, Listener
from optbuild.plan.action import render_argument
from optbuild.plan.kinds.check_outputs import CompareOutputs
from optbuild.plan.kinds.compile import Compile, Role
from optbuild.plan.model import Plan
from optbuild.plan.planner import make_plan
from optbuild.profile.model import ProjectSettings
from optbuild.project.model import ConfiguredRunner
from optbuild.session.builders import require_abilities, with_container
from optbuild.testing import Reply, ScriptedExecutor, make_build_profile, make_plan_inputs, make_toolchain
from optbuild.toolchain.builders import discover_builder
from optbuild.toolchain.doctor import examine
from optbuild.toolchain.install import Need, make_install_steps
from optbuild.toolchain.lookup import Inquiry
from optbuild.toolchain.model import FoundBuilder, Tool
from optbuild.toolchain.requirements import require_builder
from optbuild.tools.builders import BUILDERS, Ability, BuilderName, split_glibc
from optbuild.tools.cargo import CompilerArtifact

TARGET = "x86_64-unknown-linux-gnu"
ZIGBUILD = FoundBuilder(
    name=BuilderName.ZIGBUILD,
    tool=Tool(name="cargo-zigbuild", path=Path("/bin/cargo-zigbuild"), version="0.24.1"),
    glibc="2.17",
)


def plan_with(builder: FoundBuilder) -> Plan:
    """The plan of release, lto and pgo by a builder."""
    inputs = make_plan_inputs(toolchain=make_toolchain(builder=builder))
    return make_plan(inputs, tuple(inputs.build_profile.variants), measure=False)


def compilation(plan: Plan, role: Role) -> Compile:
    """The first compile action of a role."""
    return next(action for action in plan.of_kind(Compile) if action.role is role)


@pytest.mark.parametrize("name", BuilderName)
def test_every_builder_has_a_row(name: BuilderName) -> None:
    """And whatever is no part of the toolchain can be installed by a command that it names."""
    row = BUILDERS[name]
    assert row.name is name
    assert (row.program is None) == (name is BuilderName.CARGO)
    assert row.program is None or row.remedy


@pytest.mark.parametrize(
    ("target", "parts"),
    [
        ("x86_64-unknown-linux-gnu.2.17", ("x86_64-unknown-linux-gnu", "2.17")),
        ("armv7-unknown-linux-gnueabihf.2.28", ("armv7-unknown-linux-gnueabihf", "2.28")),
        ("x86_64-unknown-linux-musl", ("x86_64-unknown-linux-musl", None)),
        ("thumbv8m.main-none-eabi", ("thumbv8m.main-none-eabi", None)),
        ("host", ("host", None)),
    ],
)
def test_a_version_of_glibc_stands_after_the_triple(target: str, parts: tuple[str, str | None]) -> None:
    """The builder gets both, rustc only the triple; other targets have dots of their own."""
    assert split_glibc(target) == parts


def test_zigbuild_is_called_like_cargo_with_the_target_as_it_was_written() -> None:
    """The recipe, and so the directory of the products, has the triple that rustc knows."""
    build = compilation(plan_with(ZIGBUILD), Role.BUILD)
    assert build.argv[:2] == ("/bin/cargo-zigbuild", "zigbuild")
    assert build.argv[build.argv.index("--target") + 1] == "x86_64-unknown-linux-gnu.2.17"
    assert build.recipe.target == TARGET
    assert build.env["CARGO"] == ("/toolchain/bin/cargo",)
    assert build.glibc == "2.17"


def test_only_instrumented_builds_are_linked_by_the_script() -> None:
    """What ships is linked by zig alone; the script is written before the call that names it."""
    plan = plan_with(ZIGBUILD)
    instrumented = compilation(plan, Role.INSTRUMENT)
    (path,) = instrumented.scripts
    assert (f"-Clinker={path}") in [render_argument(flag) for flag in instrumented.recipe.rustflags]
    for role in (Role.BUILD, Role.OPTIMISE):
        action = compilation(plan, role)
        assert not action.scripts
        assert not any("linker" in render_argument(flag) for flag in action.recipe.rustflags)


def test_what_cargo_builds_keeps_its_ids() -> None:
    """Another builder, and another glibc, are other binaries."""
    plain = compilation(plan_with(FoundBuilder()), Role.BUILD)
    older = compilation(plan_with(ZIGBUILD), Role.BUILD)
    newer = compilation(plan_with(replace(ZIGBUILD, glibc="2.28")), Role.BUILD)
    assert len({plain.id, older.id, newer.id}) == 3
    assert plain.id == compilation(make_plan(make_plan_inputs(), ("release",), measure=False), Role.BUILD).id


def test_what_a_builder_cannot_do_is_said_when_planning() -> None:
    """With the key that says otherwise."""
    profile = make_build_profile(project=ProjectSettings(target="x86_64-unknown-linux-gnu.2.17"))
    with pytest.raises(UsageError) as caught:
        require_abilities(profile)
    assert (caught.value.message, caught.value.help) == snapshot(
        (
            "the builder cargo cannot link with an older glibc (a target with `.2.17` after it)",
            'write builder = "zigbuild" under [project]',
        )
    )
    require_abilities(replace(profile, project=replace(profile.project, builder=BuilderName.ZIGBUILD)))
    assert Ability.CARGO_WORKLOADS in BUILDERS[BuilderName.ZIGBUILD].cannot


def _inquiry(directory: Path, executor: ScriptedExecutor) -> Inquiry:
    return Inquiry(executor=executor, directory=directory, environ={"PATH": str(directory)})


def _program(directory: Path, name: str) -> Path:
    path = directory / name
    path.touch(mode=0o755)
    return path


def test_a_builder_is_found_with_its_version_and_the_python_beside_it(tmp_path: Path) -> None:
    """Cargo-zigbuild would otherwise ask another Python for zig than the one that both were installed for."""
    program, python = _program(tmp_path, "cargo-zigbuild"), _program(tmp_path, "python3")

    def answer(command: Command) -> Reply:
        assert command.env["CARGO_ZIGBUILD_PYTHON_PATH"] == str(python)
        return Reply(stdout=b"cargo-zigbuild 0.24.1\n")

    found = discover_builder(BuilderName.ZIGBUILD, "2.17", _inquiry(tmp_path, ScriptedExecutor(answer)))
    assert found.tool == Tool(name="cargo-zigbuild", path=program, version="0.24.1")
    assert found.problem is None


def test_a_builder_without_its_parts_is_told_with_what_it_says(tmp_path: Path) -> None:
    """Before anything is built, and installed by `doctor --fix`."""
    _program(tmp_path, "cargo-zigbuild")

    def answer(command: Command) -> Reply:
        if "zig" in command.argv:
            return Reply(exit_code=1, stderr=b"Error: Failed to find zig\n\nCaused by:\n    cannot find it\n")
        return Reply(stdout=b"cargo-zigbuild 0.24.1\n")

    found = discover_builder(BuilderName.ZIGBUILD, None, _inquiry(tmp_path, ScriptedExecutor(answer)))
    toolchain = make_toolchain(builder=found)
    with pytest.raises(ToolchainError) as caught:
        require_builder(toolchain)
    assert caught.value.message == snapshot(
        "the builder zigbuild cannot be used: cargo-zigbuild cannot use zig: Error: Failed to find zig"
    )
    (step,) = make_install_steps(toolchain, {}, is_root=False, has=lambda _: False)
    assert step.need is Need.BUILDER
    assert step.argv == (sys.executable, "-m", "pip", "install", "cargo-zigbuild", "ziglang")


def test_a_builder_that_is_missing_is_a_line_of_doctor(tmp_path: Path) -> None:
    """Nothing is said where cargo itself builds."""
    missing = discover_builder(BuilderName.ZIGBUILD, None, _inquiry(tmp_path, ScriptedExecutor(lambda _: Reply())))
    lines = [
        [
            finding.remedy
            for finding in examine(
                make_toolchain(builder=builder),
                environ={},
                directory=tmp_path,
                platform="linux",
                git=None,
                free_disk_bytes=1 << 40,
            )
            if finding.subject == "builder"
        ]
        for builder in (missing, FoundBuilder())
    ]
    assert lines == [["pip install cargo-zigbuild ziglang"], []]


def test_a_container_gets_optbuilds_directory_under_its_own_path() -> None:
    """After the caller's own options; cargo is that of the container."""
    cross = FoundBuilder(name=BuilderName.CROSS, tool=Tool(name="cross", path=Path("/bin/cross"), version="0.2.5"))
    inputs = make_plan_inputs(toolchain=make_toolchain(builder=cross), container_options="--network none")
    build = compilation(make_plan(inputs, ("release",), measure=False), Role.BUILD)
    mounts = "-v /p:/p -v /p/target/optbuild:/p/target/optbuild"
    assert build.env["CROSS_CONTAINER_OPTS"] == (f"--network none {mounts}",)
    assert "CARGO" not in build.env
    assert build.argv[:2] == ("/bin/cross", "build")


def test_paths_below_a_mount_are_read_as_those_of_this_machine() -> None:
    """Only where a text begins with it: a directory of that name elsewhere is another one."""

    class Seen(Listener):
        units: ClassVar[list[CompilerArtifact]] = []

        def on_unit(self, unit: CompilerArtifact) -> None:
            self.units.append(unit)

    line = json.dumps(
        {
            "reason": "compiler-artifact",
            "package_id": "path+file:///p#0.1.0",
            "target": {"name": "demo", "kind": ["bin"]},
            "fresh": False,
            "filenames": ["/target/release/demo", "/p/target/x"],
            "executable": "/target/release/demo",
        }
    )
    Feed((Seen(),), mounted=(b"/target", b"/p/target/optbuild/cargo")).read_stdout(line.encode())
    (unit,) = Seen.units
    assert unit.executable == Path("/p/target/optbuild/cargo/release/demo")
    assert unit.filenames == (unit.executable, Path("/p/target/x"))


def test_every_variant_is_auditable_or_none(tmp_path: Path) -> None:
    """By cargo-auditable, which calls the toolchain's cargo with the same words; it is another binary."""
    auditor = _program(tmp_path, "cargo-auditable")
    inquiry = _inquiry(tmp_path, ScriptedExecutor(lambda _: Reply()))
    builder = discover_builder(BuilderName.CARGO, None, inquiry, auditable=True)
    plan, plain = plan_with(builder), plan_with(FoundBuilder())
    for audited, build in zip(plan.of_kind(Compile), plain.of_kind(Compile), strict=True):
        assert audited.argv[:3] == (str(auditor), "auditable", "build")
        assert audited.argv[3:12] == build.argv[2:11]
        assert audited.env["CARGO"] == ("/toolchain/bin/cargo",)
        assert audited.id != build.id


def test_a_missing_auditor_is_told_before_the_build(tmp_path: Path) -> None:
    """Pip does not bring it, so `doctor --fix` is not named."""
    builder = discover_builder(
        BuilderName.CARGO, None, _inquiry(tmp_path, ScriptedExecutor(lambda _: Reply())), auditable=True
    )
    toolchain = make_toolchain(builder=builder)
    with pytest.raises(ToolchainError) as caught:
        require_builder(toolchain)
    assert caught.value.help == "cargo install cargo-auditable"
    assert make_install_steps(toolchain, {}, is_root=False, has=lambda _: False) == ()


def test_cross_is_found_without_running_it_and_meets_a_rustup_that_adds_nothing(tmp_path: Path) -> None:
    """Whatever it is asked, it would first let rustup add the toolchain `stable`, which replaces the one in use."""
    program, rustup = _program(tmp_path, "cross"), _program(tmp_path, "rustup")
    engine = _program(tmp_path, "docker")
    executor = ScriptedExecutor(lambda _: Reply())
    found = discover_builder(BuilderName.CROSS, None, _inquiry(tmp_path, executor))
    assert [command.argv[0] for command in executor.commands] == [str(engine)]
    assert found.tool is not None
    assert found.tool.path == program

    build = compilation(plan_with(found), Role.BUILD)
    scripts = {path.name: path for path in build.scripts}
    path = scripts.pop("rustup")
    assert build.env["PATH"] == (f"{path.parent}:{tmp_path}",)
    assert f"exec {rustup} " in build.scripts[path]
    (kept,) = scripts.values()
    assert build.env["CROSS_CONTAINER_ENGINE"] == (str(kept),)
    assert build.scripts[kept].endswith(f' {engine} "$@"\n')


def test_a_target_of_cross_that_does_not_run_here_is_run_in_its_container() -> None:
    """Unless Cargo's configuration has a runner; then no time is taken, and a report names the engine."""
    toolchain = make_toolchain(builder=FoundBuilder(name=BuilderName.CROSS, engine=Path("/usr/bin/podman")))
    project = make_plan_inputs().project
    found = with_container(project, toolchain).runner
    assert found is not None
    assert (found.words, found.argv[-2:]) == (("podman", "run"), ("--start", toolchain.target))
    own = ConfiguredRunner(argv=("qemu",), origin="here")
    assert with_container(replace(project, runner=own), toolchain).runner == own
    assert with_container(project, make_toolchain()).runner is None
    inputs = replace(make_plan_inputs(), project=replace(project, runner=found))
    assert "run in a container" in (inputs.not_measurable or "")
    plan = make_plan(inputs, tuple(inputs.build_profile.variants), measure=True)
    assert (plan.measure, bool(plan.of_kind(CompareOutputs))) == (None, True)
