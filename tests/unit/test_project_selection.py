from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from inline_snapshot import snapshot

from optbuild.errors import UsageError
from optbuild.project.model import BinTarget, CargoProfiles, GitState, LibFile, LibKind, Package, Project, Rustflags
from optbuild.project.selection import Targets, default_bin, enabled_features, select_targets


def package(
    name: str,
    *bins: str,
    default_run: str | None = None,
    library: bool = True,
    examples: tuple[str, ...] = (),
    libs: tuple[LibKind, ...] = (),
) -> Package:
    """A member of the workspace `/w`."""
    return Package(
        name=name,
        version="1.0.0",
        manifest=Path(f"/w/{name}/Cargo.toml"),
        bins=tuple(BinTarget(name=each, package=name, required_features=()) for each in bins),
        default_run=default_run,
        features={},
        is_library_only=library and not bins,
        examples=tuple(BinTarget(name=e, package=name, required_features=(), is_example=True) for e in examples),
        libs=tuple(LibFile(name=name, package=name, kind=kind, file_name=f"lib{name}.{kind}") for kind in libs),
    )


def project(*packages: Package, manifest: str = "/w/Cargo.toml") -> Project:
    """The workspace `/w`, looked at from one of its manifests."""
    return Project(
        manifest=Path(manifest),
        directory=Path(manifest).parent,
        workspace_root=Path("/w"),
        target_directory=Path("/w/target"),
        packages=packages,
        lockfile=None,
        rustflags=Rustflags(flags=(), origin=None),
        cargo_profiles=CargoProfiles(),
        rustc_wrappers=(),
        config_files=(),
        git=GitState(commit=None, dirty=None),
    )


def selected(of: Project, name: str | None = None, *bins: str) -> tuple[str, ...]:
    """The chosen package's name and its chosen binaries'."""
    targets = select_targets(of, () if name is None else (name,), bins)
    names = [package.name for package in targets.packages]
    assert all(target.package in names for target in targets.bins)
    return (*names, *(target.name for target in targets.bins))


def refusal(of: Project, name: str | None = None, *bins: str) -> str:
    """The error's two sentences."""
    with pytest.raises(UsageError) as caught:
        select_targets(of, () if name is None else (name,), bins)
    assert caught.value.status == 2
    assert caught.value.location
    return f"{caught.value.message}\nhelp: {caught.value.help}"


def test_the_only_package_with_a_binary_is_taken() -> None:
    """In a virtual workspace libraries do not count, and all binaries are taken."""
    assert selected(project(package("base"), package("tool", "tool", "extra"))) == ("tool", "tool", "extra")


def test_the_manifests_own_package_comes_first() -> None:
    """A member's directory means that member, whatever else has binaries."""
    both = (package("one", "one"), package("two", "two"))
    assert selected(project(*both, manifest="/w/two/Cargo.toml")) == ("two", "two")


def test_a_library_in_the_root_leaves_the_choice_to_the_others() -> None:
    """The root of a workspace is often a library with a program beside it."""
    root = Package(
        name="base",
        version="1.0.0",
        manifest=Path("/w/Cargo.toml"),
        bins=(),
        default_run=None,
        features={},
        is_library_only=True,
    )
    assert selected(project(root, package("tool", "tool"))) == ("tool", "tool")


def test_named_binaries_are_taken_once_in_the_order_of_their_names() -> None:
    """The order asked for is kept; a name twice is one binary."""
    assert selected(project(package("tool", "a", "b", "c")), "tool", "c", "a", "c") == ("tool", "c", "a")


def test_named_binaries_can_decide_the_package() -> None:
    """Where only one package has all of them, that one is meant."""
    assert selected(project(package("one", "a"), package("two", "b")), None, "b") == ("two", "b")


def test_an_unknown_package_is_refused_with_the_nearest_name() -> None:
    """The error lists the packages."""
    assert refusal(project(package("tool", "tool"), package("base")), "tol") == snapshot("""\
there is no package `tol` in this workspace; there is `tool`, `base`
help: did you mean `tool`? write package = "tool" under [project] in optbuild.toml\
""")


def test_an_unknown_binary_is_refused_with_the_nearest_name() -> None:
    """The error lists the package's binaries."""
    assert refusal(project(package("tool", "alpha", "beta")), None, "gamma") == snapshot("""\
the package `tool` has no binary `gamma`; it has `alpha`, `beta`
help: write bins = ["alpha"] under [project] in optbuild.toml\
""")
    assert refusal(project(package("tool", "alpha", "beta")), None, "alpa") == snapshot("""\
the package `tool` has no binary `alpa`; it has `alpha`, `beta`
help: did you mean `alpha`? write bins = ["alpha"] under [project] in optbuild.toml\
""")


def test_a_library_is_refused_with_what_to_do() -> None:
    """Without a program there is nothing to measure."""
    assert refusal(project(package("base"), manifest="/w/base/Cargo.toml")) == snapshot("""\
the package `base` is a library only, so there is nothing to build and measure
help: add a small program that uses the library as `src/main.rs` or `src/bin/NAME.rs`, and name that\
""")


def test_a_library_alone_will_do_where_tests_or_benches_stand_for_it() -> None:
    """Nothing is published of it; without them the error says which of the two there are."""
    base = replace(package("base"), benches=("speed",), tests=("works",))
    of = project(base, manifest="/w/base/Cargo.toml")
    assert select_targets(of, (), (), library_alone=True) == Targets(packages=(base,), bins=())
    assert select_targets(of, ("base",), (), library_alone=True).packages == (base,)
    assert refusal(of).endswith('help: measure its benches: write cargo = ["bench"] in a [[workloads]] table')
    tested = project(replace(base, benches=()), manifest="/w/base/Cargo.toml")
    assert refusal(tested).endswith('help: measure its tests: write cargo = ["test"] in a [[workloads]] table')
    with pytest.raises(UsageError, match="has no binary"):
        select_targets(project(package("demo", library=False)), ("demo",), (), library_alone=True)


def test_a_library_member_is_refused_with_the_packages_that_have_binaries() -> None:
    """Its own directory means the library, not a program elsewhere."""
    of = project(package("base"), package("tool", "tool"), manifest="/w/base/Cargo.toml")
    assert refusal(of) == snapshot("""\
the package `base` is a library only, so there is nothing to build and measure; binaries are in `tool`
help: choose another package in optbuild.toml: [project] package = "tool"\
""")
    assert refusal(of, "base") == refusal(of)


def test_a_virtual_workspace_with_several_programs_is_refused() -> None:
    """The error lists packages and binaries."""
    assert refusal(project(package("one", "a", "b"), package("two", "c"))) == snapshot("""\
several packages of this workspace have binaries: `one` (`a`, `b`); `two` (`c`)
help: name one in the command: {bin:NAME}; or choose in optbuild.toml: [project] package = "one", or several: \
package = ["one", "two"]\
""")


def test_default_members_decide_as_they_do_for_cargo() -> None:
    """In the workspace's root they alone count; in a member's directory that member does."""
    members = (package("cli", "cli"), package("steps", "steps"), package("base", libs=(LibKind.CDYLIB,)))

    def of(*names: str, manifest: str = "/w/Cargo.toml") -> Project:
        return replace(project(*members, manifest=manifest), default_members=names)

    assert selected(of("cli")) == ("cli", "cli")
    assert selected(of("base", "steps")) == ("steps", "steps")
    assert select_targets(of("base"), (), ()).packages == (members[2],)
    assert selected(of("cli", manifest="/w/steps/Cargo.toml")) == ("steps", "steps")
    assert selected(of("cli"), None, "steps") == ("steps", "steps")
    assert "`cli` (`cli`); `steps` (`steps`)" in refusal(of("cli", "steps"))


def test_a_root_that_is_no_default_member_is_not_meant() -> None:
    """Cargo would not build the root's own program."""
    root = replace(package("root", "root"), manifest=Path("/w/Cargo.toml"))
    of = project(root, package("cli", "cli"))
    assert selected(of) == ("root", "root")
    assert selected(replace(of, default_members=("cli",))) == ("cli", "cli")


def used(of: Project, *names: str) -> tuple[str, ...]:
    """The packages that are chosen where commands use some programs and libraries."""
    return tuple(package.name for package in select_targets(of, (), (), names).packages)


def test_what_commands_use_by_name_decides_the_package() -> None:
    """No more than the owners is built, with the default for `{bin}` where that is clear; a file key says it all."""
    both = (package("one", "a"), package("two", "b"), package("glue", libs=(LibKind.CDYLIB,)))
    of = project(*both)
    assert used(of, "b") == ("two",)
    assert used(of, "b", "a") == ("two", "one")
    assert used(of, "glue") == used(of, "libglue.cdylib") == ("glue",)
    member = project(*both, manifest="/w/one/Cargo.toml")
    assert used(member, "a") == used(member, "") == used(member, "unknown") == ("one",)
    assert used(member, "", "b") == used(member, "b", "a") == ("one", "two")
    assert used(member, "b") == ("two",)
    assert selected(of, "one", "a") == ("one", "a")
    for names in (("",), ("", "b"), ("unknown",)):
        with pytest.raises(UsageError, match="several packages of this workspace"):
            used(of, *names)


def test_a_program_of_a_default_member_goes_before_one_of_its_name_elsewhere() -> None:
    """Where neither is a default member, the choice is left to people."""
    of = project(package("one", "a"), package("two", "a"), package("three", "c"))
    with pytest.raises(UsageError, match="several packages have a program `a`: `one`, `two`"):
        used(of, "a")
    assert used(replace(of, default_members=("two", "three")), "a") == ("two",)


def test_a_workspace_without_binaries_is_refused() -> None:
    """Neither libraries nor an empty workspace can be built and measured."""
    assert refusal(project(package("one"), package("two"))) == snapshot("""\
no package of this workspace has a binary
help: add a small program that uses the library as `src/main.rs` or `src/bin/NAME.rs`, and name that\
""")
    assert refusal(project(), "one") == refusal(project())


def test_a_package_with_neither_library_nor_binary_is_refused() -> None:
    """A package of examples only is not called a library."""
    assert "has no binary" in refusal(project(package("demo", library=False)), "demo")


def test_several_packages_are_taken_with_all_their_binaries() -> None:
    """Named together they are built together; a name twice is one package."""
    of = project(package("one", "a", "b"), package("two", "c"), package("base"))
    targets = select_targets(of, ("two", "one", "two"), ())
    assert [package.name for package in targets.packages] == ["two", "one"]
    assert [target.name for target in targets.bins] == ["c", "a", "b"]


def test_named_binaries_are_found_across_packages() -> None:
    """Their owners are built together; nobody else is."""
    of = project(package("one", "a", "b"), package("two", "c"), package("three", "d"))
    assert selected(of, None, "c", "a") == ("two", "one", "c", "a")


def test_a_name_that_several_packages_have_is_refused() -> None:
    """Neither of them is meant more than the other, and cargo would write them to one file."""
    of = project(package("one", "a"), package("two", "a"))
    assert refusal(of, None, "a") == snapshot("""\
several packages have a program `a`: `one`, `two`
help: choose one in optbuild.toml: [project] package = "one"\
""")
    with pytest.raises(UsageError) as caught:
        select_targets(of, ("one", "two"), ())
    assert f"{caught.value.message}\nhelp: {caught.value.help}" == snapshot("""\
two of the programs to build are called `a`, in `one`, `two`: cargo would overwrite one with the other
help: choose fewer `bins` under [project] in optbuild.toml, or give each its own build profile\
""")


def test_an_example_is_a_program_when_it_is_named() -> None:
    """Without a name binaries alone are built; a binary goes before an example of its name."""
    of = project(package("tool", "tool", examples=("demo", "tool")))
    assert selected(of) == ("tool", "tool")
    assert select_targets(of, (), ("demo",)).bins[0].is_example
    assert not select_targets(of, (), ("tool",)).bins[0].is_example
    library = project(package("base", examples=("demo",)), manifest="/w/base/Cargo.toml")
    assert selected(library, None, "demo") == ("base", "demo")
    assert refusal(library) == snapshot("""\
the package `base` is a library only, so there is nothing to build and measure
help: build an example of it: write bins = ["demo"] under [project] in optbuild.toml\
""")
    assert refusal(library, "base", "dem") == snapshot("""\
the package `base` has no binary `dem`; it has none; examples: `demo`
help: did you mean `demo`? write bins = ["demo"] under [project] in optbuild.toml\
""")


def test_a_library_for_other_languages_can_be_built() -> None:
    """It needs no binary beside it; one for Rust alone does."""
    base = package("base", libs=(LibKind.CDYLIB,))
    for manifest in ("/w/Cargo.toml", "/w/base/Cargo.toml"):
        targets = select_targets(project(base, package("other"), manifest=manifest), (), ())
        assert (targets.packages, targets.bins, targets.libs) == ((base,), (), base.libs)
    beside = package("tool", "tool", libs=(LibKind.CDYLIB, LibKind.STATICLIB))
    assert select_targets(project(base, beside), (), ()) == Targets(
        packages=(beside,), bins=beside.bins, libs=beside.libs
    )
    two = refusal(project(base, package("more", libs=(LibKind.CDYLIB,))))
    assert two.replace("several packages of this workspace", "several") == snapshot("""\
several have libraries for other languages: `base` (`libbase.cdylib`); `more` (`libmore.cdylib`)
help: name one in the command: {lib:NAME}; or choose in optbuild.toml: [project] package = "base", or several: \
package = ["base", "more"]\
""")
    assert refusal(project(base), "base", "base") == snapshot("""\
the package `base` has no binary `base`; it has none
help: leave `bins` out under [project] in optbuild.toml\
""")


def test_the_default_binary_is_the_only_one_or_the_declared_one() -> None:
    """`{bin}` is clear where one program is built, or `default-run` of one of the packages names one that is."""
    tool = package("tool", "a", "b", default_run="b")
    of = project(tool, package("plain", "c", "d"), package("more", "e", default_run="e"))
    assert default_bin(select_targets(of, ("tool",), ())) == tool.bins[1]
    assert default_bin(select_targets(of, (), ("a",))) == tool.bins[0]
    assert default_bin(select_targets(of, ("plain",), ())) is None
    assert default_bin(select_targets(of, ("plain", "tool"), ())) == tool.bins[1]
    assert default_bin(select_targets(of, ("more", "tool"), ())) is None
    assert default_bin(select_targets(of, (), ("a", "c"))) is None


@pytest.mark.parametrize(
    ("asked", "with_default", "enabled"),
    [
        ((), True, {"default", "cli", "color"}),
        ((), False, set()),
        (("full",), False, {"full", "cli", "color", "net", "net/tls", "log?/std"}),
        (("tool/color",), False, {"color"}),
        (("log/std",), False, {"log/std", "log"}),
        (("loop",), False, {"loop", "pool"}),
        (("unknown",), False, {"unknown"}),
    ],
)
def test_features_imply_others(asked: tuple[str, ...], enabled: set[str], *, with_default: bool) -> None:
    """By name through any number of steps; a feature of an optional dependency enables that, a weak one does not."""
    features = {
        "default": ("cli",),
        "cli": ("color", "dep:args"),
        "color": (),
        "full": ("cli", "net/tls", "log?/std"),
        "net": ("dep:net",),
        "log": ("dep:log",),
        "loop": ("pool",),
        "pool": ("loop",),
    }
    tool = replace(package("tool", "tool"), features=features)
    assert {name for name in enabled_features(tool, asked, with_default=with_default) if "dep:" not in name} == enabled
