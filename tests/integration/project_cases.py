"""Cargo configurations to compare with cargo: data for `test_project_cargo.py`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One place where flags can stand: files relative to the crate (`../..` holds its parents), and variables."""

    files: Mapping[str, str] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)


SOURCES = {
    "encoded": Source(env={"CARGO_ENCODED_RUSTFLAGS": '--cfg\x1fencoded="a b"'}),
    "plain": Source(env={"RUSTFLAGS": " --cfg   plain "}),
    "plain-empty": Source(env={"RUSTFLAGS": ""}),
    "triple-env": Source(env={"CARGO_TARGET_{HOST}_RUSTFLAGS": "--cfg triple_env"}),
    "triple": Source(files={".cargo/config.toml": "target.{host}.rustflags = ['--cfg', 'triple']"}),
    "cfg": Source(files={"../.cargo/config.toml": "target.'cfg(all(unix, not(windows)))'.rustflags = '--cfg of_cfg'"}),
    "build": Source(files={"../../.cargo/config.toml": "build.rustflags = ['--cfg', 'build']"}),
    "build-env": Source(env={"CARGO_BUILD_RUSTFLAGS": "--cfg build_env"}),
    "home": Source(files={"../../../home/.cargo/config.toml": "build.rustflags = ['--cfg', 'home']"}),
}  # fmt: skip


SITUATIONS = {
    "an empty encoded variable switches all flags off": Source(
        files={".cargo/config.toml": "build.rustflags = '--cfg lost'"}, env={"CARGO_ENCODED_RUSTFLAGS": ""}
    ),
    "the encoded variable beats an empty plain one": Source(
        env={"CARGO_ENCODED_RUSTFLAGS": "--cfg\x1fkept", "RUSTFLAGS": ""}
    ),
    "the plain variable is split at blanks only and trimmed": Source(env={"RUSTFLAGS": "\t--cfg \n\n plain\t "}),
    "a configuration variable is split at all white space": Source(
        env={"CARGO_BUILD_RUSTFLAGS": "\t--cfg\xa0\nbuild "}
    ),
    "an empty triple list lets the build table through": Source(
        files={".cargo/config.toml": "target.{host}.rustflags = []\nbuild.rustflags = '--cfg build'"},
    ),
    "an empty triple variable adds nothing": Source(
        files={".cargo/config.toml": "build.rustflags = '--cfg build'"}, env={"CARGO_TARGET_{HOST}_RUSTFLAGS": ""}
    ),
    "an empty build variable removes nothing": Source(
        files={".cargo/config.toml": "build.rustflags = ['--cfg', 'build']"}, env={"CARGO_BUILD_RUSTFLAGS": ""}
    ),
    "a variable is appended to a string as well": Source(
        files={".cargo/config.toml": "build.rustflags = '--cfg build'"},
        env={"CARGO_BUILD_RUSTFLAGS": "--cfg build_env"},
    ),
    "the variable of the triple stands before the cfg tables": Source(
        files={".cargo/config.toml": "target.'cfg(unix)'.rustflags = '--cfg c'\ntarget.{host}.rustflags = '--cfg t'"},
        env={"CARGO_TARGET_{HOST}_RUSTFLAGS": "--cfg triple_env"},
    ),
    "lists of several files join, the nearest last": Source(
        files={
            ".cargo/config.toml": "build.rustflags = ['--cfg', 'near']",
            "../.cargo/config.toml": "build.rustflags = ['--cfg', 'middle']",
            "../../../home/.cargo/config.toml": "build.rustflags = ['--cfg', 'home']",
        },
        env={"CARGO_BUILD_RUSTFLAGS": "--cfg build_env"},
    ),
    "of several strings the nearest wins": Source(
        files={
            ".cargo/config.toml": "build.rustflags = '--cfg near'",
            "../.cargo/config.toml": "build.rustflags = '--cfg far'",
        },
    ),
    "the file without an extension wins": Source(
        files={
            ".cargo/config": "build.rustflags = '--cfg old_name'",
            ".cargo/config.toml": "build.rustflags = '--cfg new_name'",
        },
    ),
    "CARGO_HOME names another home, relative to where cargo runs": Source(
        files={
            "../other/config.toml": "build.rustflags = '--cfg other_home'",
            "../../../home/.cargo/config.toml": "build.rustflags = '--cfg home'",
        },
        env={"CARGO_HOME": "../other"},
    ),
    "a home on the way up is read once, in its place": Source(
        files={
            "../.cargo/config.toml": "build.rustflags = ['--cfg', 'home']",
            "../../.cargo/config.toml": "build.rustflags = ['--cfg', 'above_home']",
        },
        env={"CARGO_HOME": "../.cargo"},
    ),
    "cfg tables come in the order of their names": Source(
        files={
            ".cargo/config.toml": "target.'cfg(unix)'.rustflags = '--cfg c'\n"
            "target.'cfg(any(unix))'.rustflags = '--cfg a'\ntarget.'cfg( unix )'.rustflags = '--cfg b'",
        },
    ),
    "cfg tables that do not match, or cannot be read, give nothing": Source(
        files={
            ".cargo/config.toml": "target.'cfg(windows)'.rustflags = '--cfg a'\n"
            "target.'cfg(unix'.rustflags = '--cfg b'\ntarget.'cfg(any(unix)'.rustflags = '--cfg c'\n"
            "target.'cfg(target_os = \"linux\", unix)'.rustflags = '--cfg d'\n"
            "target.'cfg(any())'.rustflags = '--cfg e'\ntarget.'cfg(all())'.rustflags = '--cfg matches'\n"
            "target.'cfg(true)'.rustflags = '--cfg also_matches'\ntarget.'cfg(not(false))'.rustflags = '--cfg three'\n"
            "target.'cfg(r#unix)'.rustflags = '--cfg raw'\ntarget.'cfg(proc_macro)'.rustflags = '--cfg proc'\n"
            "target.'cfg(debug_assertions)'.rustflags = '--cfg debug'\n"
            "target.'cfg(all(unix,))'.rustflags = '--cfg comma'",
        },
    ),
    "an include comes before the including file's own values, later ones behind earlier ones": Source(
        files={
            ".cargo/config.toml": "include = ['one.toml', { path = 'sub/two.toml' }, "
            "{ path = 'no.toml', optional = true }]\n"
            "build.rustflags = ['--cfg', 'own']",
            ".cargo/one.toml": "build.rustflags = ['--cfg', 'one']\ntarget.'cfg(unix)'.rustflags = '--cfg one_t'",
            ".cargo/sub/two.toml": "include = ['three.toml']\ntarget.'cfg(unix)'.rustflags = '--cfg two_t'",
            ".cargo/sub/three.toml": "build.rustflags = ['--cfg', 'three']",
        },
    ),
    "included lists join with those of parent directories": Source(
        files={
            ".cargo/config.toml": "include = ['one.toml']\nbuild.rustflags = ['--cfg', 'own']",
            ".cargo/one.toml": "build.rustflags = ['--cfg', 'one']",
            "../.cargo/config.toml": "build.rustflags = ['--cfg', 'far']",
        },
    ),
    "flags of the triple decide which cfg tables match": Source(
        files={
            ".cargo/config.toml": "target.{host}.rustflags = ['--cfg', 'first']\n"
            "target.'cfg(first)'.rustflags = ['--cfg', 'second']\n"
            "target.'cfg(second)'.rustflags = ['--cfg', 'third']\ntarget.'cfg(third)'.rustflags = ['--cfg', 'never']",
        },
    ),
    "flags of the build table decide, and are then replaced": Source(
        files={
            ".cargo/config.toml": "build.rustflags = ['--cfg', 'first']\n"
            "target.'cfg(first)'.rustflags = ['--cfg', 'second']",
        },
    ),
    "a paradox ends as it does in cargo": Source(
        files={".cargo/config.toml": "target.'cfg(not(set))'.rustflags = ['--cfg', 'set']"},
    ),
    "codegen options decide as well": Source(
        files={
            ".cargo/config.toml": "target.{host}.rustflags = ['-Cpanic=abort', '-C', 'target-feature=+crt-static']\n"
            "target.'cfg(panic = \"abort\")'.rustflags = '--cfg aborts'\n"
            "target.'cfg(target_feature = \"crt-static\")'.rustflags = '--cfg crt'",
        },
    ),
    "TOML 1.1 is understood": Source(
        files={".cargo/config.toml": "build = {\n  rustflags = ['--cfg', 'lines'],\n}\nalias.x = '\\e'\n"},
    ),
    "a byte order mark is passed over": Source(files={".cargo/config.toml": "\ufeffbuild.rustflags = '--cfg bom'\r\n"}),
    "an optional include with an impossible name is passed over": Source(
        files={
            ".cargo/config.toml": f"include = [{{ path = '{'n' * 300}.toml', optional = true }}]\n"
            "build.rustflags = '--cfg kept'",
        },
    ),
    "spaces and quotes stay inside one argument": Source(
        files={".cargo/config.toml": "build.rustflags = ['--cfg', 'name=\"a b ü\"']"},
    ),
}  # fmt: skip


REFUSED = {
    "syntax": {"config.toml": "build = [\n"},
    "duplicate key": {"config.toml": "[build]\njobs = 1\n[build]\njobs = 2\n"},
    "not UTF-8": {"config.toml": "build.rustflags = '\udcff'"},
    "number for flags": {"config.toml": "build.rustflags = 3"},
    "number among flags": {"config.toml": "build.rustflags = ['--cfg', 3]"},
    "value for a table": {"config.toml": "build = 3"},
    "text against list": {
        "config.toml": "include = ['a.toml']\nbuild.rustflags = 'a'",
        "a.toml": "build.rustflags = ['b']",
    },
    "include is a string": {"config.toml": "include = 'a.toml'", "a.toml": ""},
    "include is a number": {"config.toml": "include = [1]"},
    "include without path": {"config.toml": "include = [{ optional = true }]"},
    "include with another extension": {"config.toml": "include = ['a']", "a": ""},
    "included file is missing": {"config.toml": "include = ['a.toml']"},
    "include cycle": {"config.toml": "include = ['a.toml']", "a.toml": "include = ['config.toml']"},
    "include cycle by another spelling": {"config.toml": "include = ['../.cargo/config.toml']"},
    "included twice": {
        "config.toml": "include = ['a.toml', 'b.toml']",
        "a.toml": "include = ['b.toml']",
        "b.toml": "",
    },
}
