"""Rules of a build profile beyond the type of each key; checks the raw tree, to report all problems at once."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from optbuild.profile.cargo_words import CRITERION_HOME
from optbuild.profile.confine import find_escape
from optbuild.profile.faults import Fault, KeyPath, render_key_path, render_value
from optbuild.profile.inherit import find_inheritance_faults, suggest_variant
from optbuild.profile.merge import value_at

# Arguments of `cargo build` that optbuild passes or relies on, and what to write instead.
_OWNED_ARGUMENTS: Mapping[str, str] = {
    **dict.fromkeys(("--quiet", "-q"), "leave it out: optbuild reads cargo's output; `optbuild -q` prints less"),
    **dict.fromkeys(("--verbose", "-v"), "leave it out: optbuild reads cargo's output; `optbuild -v` prints more"),
    "--message-format": "leave it out: optbuild reads cargo's messages",
    "--color": "leave it out: optbuild reads cargo's output; `optbuild --color` is for its own",
    **dict.fromkeys(("--build-plan", "--unit-graph"), "leave it out: nothing would be built"),
    "--target": "write `target` under [project]",
    "--target-dir": "set CARGO_TARGET_DIR, or `build.target-dir` in .cargo/config.toml",
    **dict.fromkeys(("--profile", "--release", "-r"), "write `cargo-profile` under [project]"),
    "--manifest-path": "write `manifest` under [project]",
    **dict.fromkeys(("--package", "-p", "--workspace", "--all", "--exclude"), "write `package` under [project]"),
    **dict.fromkeys(("--bin", "--bins"), "write `bins` under [project]"),
    **dict.fromkeys(
        ("--lib", "--example", "--examples", "--test", "--tests", "--bench", "--benches", "--all-targets"),
        "leave it out: only binaries are built, those of `bins` under [project]",
    ),
    **dict.fromkeys(("--features", "-F"), "write `features` under [project], or in a variant"),
    "--all-features": "write `all-features = true` under [project]",
    "--no-default-features": "write `no-default-features = true` under [project]",
    "--locked": "leave it out, or write `locked = true` under [project], which is the default",
    **dict.fromkeys(("--jobs", "-j"), "name it on the command line: optbuild pgo --jobs N"),
}
_WORKLOAD_KINDS = ("command", "server", "cargo")
_OF_A_SERVER = frozenset({"load", "ready"})
_WAYS_TO_BE_READY = ("tcp", "http", "stdout", "stderr")
_CONFIG = "--config"
_NAMES_OF_VARIANTS: tuple[KeyPath, ...] = (("measure", "baseline"), ("gates", "variant"))
_VARIANT_KEY = re.compile(r"\s*profile\.[^=.]+\.(opt-level|lto|codegen-units|panic|strip|debug|overflow-checks)\s*=")

_KEY_AS_READ = re.compile(r"\s*(term\.|build\.(build-dir|warnings)\s*=)")


def find_reference_faults(tree: Mapping[str, Any]) -> Iterator[Fault]:
    """Find names of unknown variants, and cycles of `inherits`."""
    variants = value_at(tree, ("variants",))
    if not isinstance(variants, dict):
        return
    yield from find_inheritance_faults({name: value_at(settings, ("inherits",)) for name, settings in variants.items()})
    for path in _NAMES_OF_VARIANTS:
        name = value_at(tree, path)
        if isinstance(name, str) and name not in variants:
            yield Fault(
                path=path,
                message=f"`{render_key_path(path)}` names the unknown variant {render_value(name)}",
                help=suggest_variant(name, variants),
            )


def find_target_faults(tree: Mapping[str, Any]) -> Iterator[Fault]:
    """Find a `target` next to a list of targets, and one that the list has twice."""
    targets = value_at(tree, ("project", "targets"))
    if not isinstance(targets, list):
        return
    if value_at(tree, ("project", "target")) is not None:
        yield Fault(
            path=("project", "target"),
            message="`project.target` cannot be combined with `targets`",
            help="remove `target`; a command that is about one target takes the first of `targets`",
        )
    for index, target in enumerate(targets):
        if target in targets[:index]:
            yield Fault(
                path=("project", "targets", index),
                message=f"`project.targets` has {render_value(target)} twice",
                help="name each target once",
            )


def find_workload_name_faults(tree: Mapping[str, Any]) -> Iterator[Fault]:
    """Find workloads that share a name."""
    seen: set[str] = set()
    for index in range(_workload_count(tree)):
        path: KeyPath = ("workloads", index, "name")
        name = value_at(tree, path)
        if not isinstance(name, str):
            continue
        if name in seen:
            yield Fault(
                path=path,
                message=f"two workloads are named {render_value(name)}",
                help="give each workload a different name",
            )
        seen.add(name)


def find_workload_kind_faults(tree: Mapping[str, Any]) -> Iterator[Fault]:
    """Find workloads of no kind or of two, and servers whose load or readiness is impossible."""
    for index in range(_workload_count(tree)):
        workload = value_at(tree, ("workloads", index))
        if not isinstance(workload, dict):
            continue
        place: KeyPath = ("workloads", index)
        kinds = [key for key in _WORKLOAD_KINDS if key in workload]
        if not kinds:
            yield Fault(
                path=(*place, "command"),
                message=f"`workloads[{index}].command` is missing",
                help='add `command = ["{bin}", …]`, `cargo = ["bench", …]`, or `server = […]` and `load = […]`',
            )
        for extra in kinds[1:]:
            yield Fault(
                path=(*place, extra),
                message=f"`workloads[{index}]` has both `{kinds[0]}` and `{extra}`",
                help="a workload is one or the other: write two [[workloads]] tables",
            )
        if workload.get("parallel") is True and kinds and "command" not in kinds:
            yield Fault(
                path=(*place, "parallel"),
                message=f"`workloads[{index}].parallel` is for commands: a `{kinds[0]}` workload depends on timing",
                help="remove `parallel`: it has to run alone",
            )
        yield from _find_server_faults(workload, place, is_server="server" in kinds)
        if "cargo" in kinds:
            yield from _find_cargo_workload_faults(workload, place)


def _find_server_faults(workload: Mapping[str, Any], place: KeyPath, *, is_server: bool) -> Iterator[Fault]:
    written = f"workloads[{place[-1]}]"
    if not is_server:
        for key in _OF_A_SERVER & workload.keys():
            yield Fault(
                path=(*place, key),
                message=f"`{written}.{key}` needs a `server`, and there is none",
                help=f'remove `{key}`, or add its server: `server = ["{{bin}}", …]`',
            )
        return
    if "load" not in workload:
        yield Fault(
            path=(*place, "server"),
            message=f"`{written}` has a `server` and no `load`",
            help='add a load with a fixed number of requests: `load = ["python3", "load.py", "{port}"]`',
        )
    ready = workload.get("ready")
    ways = [key for key in _WAYS_TO_BE_READY if isinstance(ready, dict) and key in ready]
    if isinstance(ready, dict) and len(ways) != 1:
        yield Fault(
            path=(*place, "ready"),
            message=f"`{written}.ready` needs one of {', '.join(_WAYS_TO_BE_READY)}"
            + (f", and has {' and '.join(ways)}" if ways else ""),
            help='write for instance `ready = { tcp = "{port}", within = "30s" }`',
        )
    words = workload["server"]
    if ready is None and isinstance(words, list) and not any("{port" in str(word) for word in words):
        yield Fault(
            path=(*place, "server"),
            message=f"`{written}`: nothing says when the server is ready, because it names no {{port}}",
            help='write `ready = { stdout = "listening" }`, or let it listen at {port}',
        )


def _find_cargo_workload_faults(workload: Mapping[str, Any], place: KeyPath) -> Iterator[Fault]:
    written = f"workloads[{place[-1]}]"
    env = workload.get("env")
    if isinstance(env, dict) and CRITERION_HOME in env:
        yield Fault(
            path=(*place, "env", CRITERION_HOME),
            message=f"`{written}.env.{CRITERION_HOME}` is not for `cargo`: each run has its own directory for it",
            help=f"remove `{CRITERION_HOME}`: optbuild reads Criterion's results there, and records them",
        )
    if "cwd" in workload:
        yield Fault(
            path=(*place, "cwd"),
            message=f"`{written}.cwd` is not for `cargo`, which chooses the directory itself",
            help="remove `cwd`: tests and benches run in their package's directory, others in the directory of "
            "Cargo.toml",
        )


def find_path_faults(tree: Mapping[str, Any], *, directory: Path, workspace: Path) -> Iterator[Fault]:
    """Find paths that leave the workspace.

    Args:
        tree: The raw build profile.
        directory: What its paths are relative to; output files are relative to their workload's `cwd`.
        workspace: The directory that they must stay inside, resolved.
    """
    for key, start in _confined_keys(tree, directory):
        text = value_at(tree, key)
        if isinstance(text, str):
            fault = find_escape(text, directory=start, workspace=workspace, key=key)
            if fault:
                yield fault


def find_cargo_argument_faults(tree: Mapping[str, Any]) -> Iterator[Fault]:
    """Find arguments for cargo that would undo what optbuild passes, in all variants or in some of them."""
    words = value_at(tree, ("project", "cargo-args"))
    for index, word in enumerate(words if isinstance(words, list) else ()):
        if not isinstance(word, str):
            continue
        name, equals, value = word.partition("=")
        if name == _CONFIG:
            setting = value if equals else value_at(words, (index + 1,))
            remedy = _config_remedy(setting) if isinstance(setting, str) else None
        else:
            remedy = _OWNED_ARGUMENTS.get(name if name.startswith("--") else word[:2])
        if remedy is not None:
            yield Fault(
                path=("project", "cargo-args", index),
                message=f"`project.cargo-args[{index}]`: {render_value(word)} is not for cargo-args",
                help=remedy,
            )


def _config_remedy(setting: str) -> str | None:
    """What to write instead of a cargo setting; None if it may stay.

    Cargo takes rustflags from one source only: a variant's would replace these.
    """
    if "rustflags" in setting:
        return "write `rustflags` in a variant that the others inherit from, or in .cargo/config.toml"
    if match := _VARIANT_KEY.match(setting):
        return f"write `{match[1]}` in a variant: here it would override all variants"
    if _KEY_AS_READ.match(setting):
        return "put it into .cargo/config.toml: optbuild overrides it where it reads cargo's output"
    if "=" not in setting:
        return (
            "put the settings into .cargo/config.toml, or write them as KEY=VALUE: optbuild does not see rustflags in "
            "a file"
        )
    return None


def _confined_keys(tree: Mapping[str, Any], directory: Path) -> Iterator[tuple[KeyPath, Path]]:
    yield ("project", "manifest"), directory
    yield ("profile-data", "path"), directory
    for index in range(_workload_count(tree)):
        cwd = value_at(tree, ("workloads", index, "cwd"))
        yield ("workloads", index, "cwd"), directory
        outputs = value_at(tree, ("workloads", index, "compare-output"))
        for position, name in enumerate(outputs if isinstance(outputs, list) else ()):
            if not str(name).startswith("{scratch}/"):  # which is one of optbuild's directories
                key: KeyPath = ("workloads", index, "compare-output", position)
                yield key, directory / (cwd if isinstance(cwd, str) else "")


def _workload_count(tree: Mapping[str, Any]) -> int:
    workloads = tree.get("workloads")
    return len(workloads) if isinstance(workloads, list) else 0
