from __future__ import annotations

from pathlib import Path

import pytest

from optbuild.errors import ToolchainError, UsageError
from optbuild.execution.command import Command
from optbuild.profile.variants import Variant
from optbuild.project.model import Rustflags
from optbuild.session.cpus import find_cpu_needs, require_cpu
from optbuild.testing import Reply, ScriptedExecutor, make_build_profile, make_project, make_toolchain
from optbuild.toolchain.cpu import CpuNeeds
from optbuild.toolchain.lookup import Inquiry
from optbuild.tools.rustc import parse_target_cpus

CPUS = (Path(__file__).parents[1] / "recorded/rustc/target-cpus.txt").read_bytes()
FEATURES = {
    "x86-64-v2": ("sse2", "sse3", "popcnt"),
    "x86-64-v4": ("sse2", "sse3", "popcnt", "avx512f", "avx"),
    "native": ("sse2", "sse3", "popcnt", "avx"),
}
"""What a made-up rustc says: this machine is older than x86-64-v4."""


def answer(command: Command) -> Reply:
    """A rustc that knows the CPUs above, and counts `+feature` in as well."""
    if "target-cpus" in command.argv:
        return Reply(stdout=CPUS)
    features = ["sse2"]
    for flag in command.argv:
        name, _, value = flag.partition("=")
        if name == "-Ctarget-cpu":
            features = list(FEATURES.get(value, ("sse2",)))
    for flag in command.argv:
        name, _, value = flag.partition("=")
        if name == "-Ctarget-feature":
            features.append(value.removeprefix("+"))
            if value == "+broken":
                return Reply(exit_code=1, stderr=b"error: no such feature")
    cfg = "".join(f'target_feature="{name}"\n' for name in features)
    return Reply(stdout=f"/t\n/t/lib\nunix\n{cfg}".encode())


def needs_of(
    *variants: Variant, inherited: tuple[str, ...] = (), target: str = "x86_64-unknown-linux-gnu"
) -> dict[str, CpuNeeds]:
    """What variants need, under flags that the user has everywhere."""
    build_profile = make_build_profile(*variants)
    project = make_project(rustflags=Rustflags(flags=inherited, origin="RUSTFLAGS" if inherited else None))
    toolchain = make_toolchain(target=target, target_cfg=("unix", 'target_feature="sse2"'))
    executor = ScriptedExecutor(answer)
    inquiry = Inquiry(executor=executor, directory=Path("/p"), environ={})
    needs = dict(find_cpu_needs(build_profile, tuple(build_profile.variants), project, toolchain, inquiry))
    assert not any(word.startswith(("-Clink", "-Cprofile")) for command in executor.commands for word in command.argv)
    return needs


def test_what_every_cpu_has_is_not_named() -> None:
    """Only what goes beyond the target's own features, from the setting and from flags in any spelling."""
    plain = Variant(name="release", rustflags=("-Clink-arg=-s",))
    level = Variant(name="v2", target_cpu="x86-64-v2")
    flags = Variant(name="flags", rustflags=("-C", "target_feature=+aes", "--codegen=target-cpu=x86-64-v2"))
    assert needs_of(plain, level, flags) == {
        "release": CpuNeeds(),
        "v2": CpuNeeds(features=("popcnt", "sse3")),
        "flags": CpuNeeds(features=("aes", "popcnt", "sse3"), missing_here=("aes",)),
    }


def test_how_the_c_library_is_linked_is_no_feature_of_a_cpu() -> None:
    """Rustc lists it with those; a static program runs on every CPU of its target."""
    assert needs_of(Variant(name="static", rustflags=("-Ctarget-feature=+crt-static",))) == {"static": CpuNeeds()}


def test_flags_that_hold_everywhere_count_for_every_variant() -> None:
    """A target-cpu in the user's rustflags makes the baseline need it as well; a variant's own goes before it."""
    needs = needs_of(
        Variant(name="release"), Variant(name="v2", target_cpu="x86-64-v2"), inherited=("-Ctarget-cpu=native",)
    )
    assert needs["release"] == CpuNeeds(features=("avx", "popcnt", "sse3"))
    assert needs["v2"] == CpuNeeds(features=("popcnt", "sse3"))


def test_what_this_machine_lacks_is_refused_where_it_has_to_run() -> None:
    """Before anything is built, with the features by name."""
    needs = needs_of(Variant(name="v4", target_cpu="x86-64-v4"))
    assert needs["v4"].missing_here == ("avx512f",)
    with pytest.raises(ToolchainError, match="variant v4 needs avx512f, which this machine's CPU lacks") as caught:
        require_cpu(make_build_profile(origins={("variants", "v4"): "optbuild.toml:3"}), needs)
    assert caught.value.location == "optbuild.toml:3"
    assert "optbuild build" in caught.value.help
    require_cpu(make_build_profile(), needs_of(Variant(name="v2", target_cpu="x86-64-v2")))


def test_a_cpu_that_rustc_would_ignore_is_refused_with_the_nearest() -> None:
    """Rustc warns and goes on without it: the binary would be no faster, and nobody would know why."""
    with pytest.raises(UsageError, match='does not know the target-cpu "haswel"') as caught:
        needs_of(Variant(name="v3", target_cpu="haswel"))
    assert 'did you mean "haswell"?' in caught.value.help
    with pytest.raises(UsageError, match='does not know the target-cpu "qqq"'):
        needs_of(Variant(name="v3", rustflags=("-Ctarget-cpu=qqq",)))


def test_native_means_this_machine() -> None:
    """For the target of another machine it is refused, and what another CPU has is not compared with this one."""
    with pytest.raises(UsageError, match="the target is aarch64-unknown-linux-gnu"):
        needs_of(Variant(name="native", target_cpu="native"), target="aarch64-unknown-linux-gnu")
    far = needs_of(Variant(name="far", target_cpu="x86-64-v4"), target="aarch64-unknown-linux-gnu")
    assert (far["far"].features[0], far["far"].missing_here) == ("avx", ())


def test_flags_that_rustc_refuses_are_told() -> None:
    """With what rustc says."""
    with pytest.raises(ToolchainError, match=r"rustc refuses the flags -Ctarget-feature=\+broken") as caught:
        needs_of(Variant(name="x", rustflags=("-Ctarget-feature=+broken",)))
    assert caught.value.detail == "error: no such feature"


def test_the_list_of_cpus_is_read_by_its_first_words() -> None:
    """`native` has an explanation behind it, and the heading is no CPU."""
    known = parse_target_cpus(CPUS.decode())
    assert {"native", "haswell", "x86-64-v3"} <= set(known)
    assert "Available" not in known
