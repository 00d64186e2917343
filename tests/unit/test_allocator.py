from __future__ import annotations

import json
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from optbuild.errors import BuildError, UsageError
from optbuild.making.cargo.allocator import check_allocator, make_allocator
from optbuild.plan.action import Id, render_argument
from optbuild.plan.forecast import Estimate
from optbuild.plan.kinds.compile import Compile, Recipe
from optbuild.plan.kinds.make_allocator import MakeAllocator
from optbuild.plan.model import Plan
from optbuild.plan.overview import render_overview
from optbuild.plan.planner import make_plan
from optbuild.plan.results import Artifact, Binaries
from optbuild.profile.candidates import make_candidates, risk_of
from optbuild.profile.variants import Allocator, BoltMode, PgoMode, Variant
from optbuild.project.lockfile import load_locked_packages
from optbuild.project.model import LibFile, LibKind
from optbuild.project.selection import Targets
from optbuild.testing import (
    Reply,
    ScriptedExecutor,
    make_build_profile,
    make_plan_inputs,
    make_project,
    make_toolchain,
)
from optbuild.toolchain.cpu import CpuNeeds
from optbuild.toolchain.model import FoundBuilder
from optbuild.tools.builders import BuilderName
from optbuild.tools.mimalloc import find_archive, render_package

RELEASE = Variant(name="release")
PGO = Variant(name="pgo", pgo=PgoMode.REQUIRED)
OTHER = replace(PGO, name="other", allocator=Allocator.MIMALLOC)


def plan_of(*variants: Variant, **changes: Any) -> Plan:  # noqa: ANN401 - fields of PlanInputs
    """A plan of release and these variants."""
    profile = make_build_profile(RELEASE, *variants)
    inputs = make_plan_inputs(build_profile=profile, cpu_needs=dict.fromkeys(profile.variants, CpuNeeds()), **changes)
    return make_plan(inputs, tuple(profile.variants), measure=True)


def flags_of(recipe: Recipe) -> list[str]:
    """The flags of a recipe as a plan shows them."""
    return [render_argument(flag) for flag in recipe.rustflags]


def test_only_what_is_shipped_links_it_and_trains_with_the_others() -> None:
    """The counts are those of a program without it; what links it waits for it."""
    plan = plan_of(PGO, OTHER)
    (made,) = plan.of_kind(MakeAllocator)
    pgo, other = plan.variants[1:]
    assert other.attempts[0].is_shared
    assert other.attempts[0].merge == pgo.attempts[0].merge
    linking = [action for action in plan.of_kind(Compile) if made.id in action.needs]
    assert {action.id for action in linking} == {attempt.compile for attempt in other.attempts}
    for action in plan.of_kind(Compile):
        flags = flags_of(action.recipe)
        assert (action in linking) == any(made.id in flag for flag in flags)
    flags = flags_of(linking[0].recipe)
    place = flags.index(f"-Clink-arg={{libmimalloc.a:{made.id}}}")
    assert flags[place - 1 : place + 2 : 2] == ["-Clink-arg=-Wl,--whole-archive", "-Clink-arg=-Wl,--no-whole-archive"]
    assert 'allocator = "mimalloc"' in render_overview(plan, {}, Estimate(each_s={}))


def test_a_variant_without_pgo_and_one_with_bolt_have_it_too() -> None:
    """Once for all of them, and the flags that BOLT needs stay."""
    plain = replace(RELEASE, name="plain", allocator=Allocator.MIMALLOC)
    bolt = replace(OTHER, name="bolt", bolt=BoltMode.REQUIRED)
    plan = plan_of(plain, bolt)
    (made,) = plan.of_kind(MakeAllocator)
    with_it = [action for action in plan.of_kind(Compile) if made.id in action.needs]
    assert plan.variants[1].compile in {action.id for action in with_it}
    assert any("-Clink-arg=-Wl,--emit-relocs" in flags_of(action.recipe) for action in with_it)


LIBRARY = LibFile(name="core", package="demo", kind=LibKind.CDYLIB, file_name="libcore.so")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"toolchain": make_toolchain(target="x86_64-unknown-linux-musl")}, "cannot take the place of their C library"),
        ({"toolchain": make_toolchain(target="aarch64-apple-darwin")}, "cannot take the place of their C library"),
        (
            {"toolchain": make_toolchain(target_cfg=("unix", 'target_feature="crt-static"'))},
            "cannot take the place of their C library",
        ),
        (
            {"toolchain": make_toolchain(builder=FoundBuilder(name=BuilderName.ZIGBUILD))},
            "zigbuild is not known to link one",
        ),
        ({"targets": Targets(packages=make_project().packages, bins=(), libs=(LIBRARY,))}, "libcore.so is a library"),
        ({"locked_packages": frozenset({"libmimalloc-sys"})}, "the project's Cargo.lock has libmimalloc-sys"),
    ],
)
def test_where_it_cannot_be_linked_it_is_refused_when_planning(changes: dict[str, Any], reason: str) -> None:
    """With the reason, before anything is built."""
    with pytest.raises(UsageError) as caught:
        plan_of(replace(RELEASE, name="other", allocator=Allocator.MIMALLOC), **changes)
    assert caught.value.message.startswith('variant other has allocator = "mimalloc", but ')
    assert reason in caught.value.message
    assert caught.value.help.endswith(", or remove `allocator`")


def test_a_search_takes_it_for_a_change_of_behaviour_that_needs_no_training() -> None:
    """It has its own name, comes right after what it shares a training with, and loses a tie against it."""
    levels = {"pgo": (True,), "allocator": ("default", "mimalloc"), "lto": ("off", "thin")}
    found = {each.name: each.variant for each in make_candidates(RELEASE, levels, {})}
    assert list(found) == ["pgo-lto-off", "pgo-mimalloc-lto-off", "pgo-thin", "pgo-mimalloc-thin"]
    assert risk_of(found["pgo-lto-off"], RELEASE) < risk_of(found["pgo-mimalloc-lto-off"], RELEASE)


def test_the_package_is_locked_whole() -> None:
    """Cargo may take nothing but what has a checksum, and the lock fits the manifest."""
    files = render_package()
    manifest, lock = (tomllib.loads(files[name]) for name in ("Cargo.toml", "Cargo.lock"))
    (wanted,) = manifest["dependencies"].items()
    locked = {each["name"]: each for each in lock["package"]}
    assert wanted[1]["version"] == f"={locked[wanted[0]]['version']}"
    own = locked.pop(manifest["package"]["name"])
    assert own["dependencies"] == [wanted[0]]
    assert all(len(each["checksum"]) == 64 and each["source"] for each in locked.values())
    assert {need for each in locked.values() for need in each.get("dependencies", ())} | {wanted[0]} == locked.keys()


@pytest.fixture
def action(tmp_path: Path) -> MakeAllocator:
    """The action of a plan, with its files in a directory of the test."""
    return MakeAllocator(
        id=Id("allocator-1"),
        needs=(),
        label="compile mimalloc",
        cargo=Path("/t/cargo"),
        target="x86_64-unknown-linux-gnu",
        cwd=tmp_path,
        package=tmp_path / "package",
        cargo_target=tmp_path / "target",
        file=tmp_path / "objects" / "allocator-1.a",
    )


def built(archive: Path) -> bytes:
    """What cargo tells about a build of the package."""
    messages = [
        {"reason": "build-script-executed", "package_id": "registry+x#other@1.0.0", "out_dir": "/elsewhere"},
        {
            "reason": "build-script-executed",
            "package_id": "registry+x#libmimalloc-sys@0.1.49",
            "out_dir": str(archive.parent),
        },
        {"reason": "build-finished", "success": True},
    ]
    return "".join(f"{json.dumps(each, separators=(',', ':'))}\n" for each in messages).encode()


def test_it_is_compiled_once(action: MakeAllocator, tmp_path: Path) -> None:
    """Without the flags of the project, and so that two builds are equal; the archive is kept."""
    archive = tmp_path / "out" / "libmimalloc.a"
    executor = ScriptedExecutor([Reply(stdout=built(archive), writes={archive: b"!<arch>\n"})])
    for reused in (False, True):
        made = make_allocator(action, executor, {"RUSTFLAGS": "-Cx"}, log=tmp_path / "log")
        assert (made.reused, made.path.read_bytes()) == (reused, b"!<arch>\n")
    (command,) = executor.commands
    assert command.argv == action.argv
    assert {"--locked", "--profile", "release"} < set(command.argv)
    assert (command.env["CARGO_ENCODED_RUSTFLAGS"], command.env["SOURCE_DATE_EPOCH"]) == ("", "0")
    assert (action.package / "Cargo.lock").read_text() == render_package()["Cargo.lock"]


@pytest.mark.parametrize("reply", [Reply(exit_code=101, stderr=b"error: no network\n"), Reply(stdout=b"{}\n")])
def test_where_it_cannot_be_compiled_the_remedy_is_told(action: MakeAllocator, tmp_path: Path, reply: Reply) -> None:
    """And what cargo said is in the log; nothing is kept."""
    with pytest.raises(BuildError, match="cargo could not compile libmimalloc-sys") as caught:
        make_allocator(action, ScriptedExecutor([reply]), {}, log=tmp_path / "log")
    assert "install a C compiler" in caught.value.help
    assert (tmp_path / "log").read_bytes() == reply.stderr
    assert not action.file.exists()


def test_messages_without_it_name_no_archive() -> None:
    """Cargo tells of other build scripts, and in other lines."""
    assert find_archive(b"") is None
    assert find_archive(b'   Compiling x\n{"reason":"build-finished","success":true}\n') is None


def test_a_program_without_it_is_refused(tmp_path: Path) -> None:
    """A linker may have left it out."""
    artifacts = {}
    for name, content in (("with", b"..mimalloc: warning: .."), ("without", b"..")):
        path = tmp_path / name
        path.write_bytes(content)
        artifacts[name] = Artifact(bin=name, path=path, sha256="", size_bytes=1, produced_by=Id("compile-1"))
    check_allocator("pgo: build", Binaries(artifacts={"with": artifacts["with"]}, reused=False))
    with pytest.raises(BuildError, match="pgo: build: the linker has left mimalloc out of without"):
        check_allocator("pgo: build", Binaries(artifacts=artifacts, reused=False))


def test_the_packages_of_a_lock_file_are_known_if_cargo_can_read_it(tmp_path: Path) -> None:
    """One with the marks of a conflict is cargo's to refuse."""
    lock = tmp_path / "Cargo.lock"
    assert load_locked_packages(None) == frozenset()
    lock.write_text(render_package()["Cargo.lock"])
    assert "libmimalloc-sys" in load_locked_packages(lock)
    lock.write_text("<<<<<<< HEAD\n")
    assert load_locked_packages(lock) == frozenset()
