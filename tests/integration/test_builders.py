"""Builders other than cargo, played by scripts that call the real cargo: what is asked of them, and what is checked."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from optbuild.tools.builders import BUILDERS, BuilderName, linker_variable
from tests.integration.optbuild_program import Optbuild, copy_crate, edit, write_script

pytestmark = pytest.mark.cargo

TARGET = "x86_64-unknown-linux-gnu"


def test_the_linker_gets_a_symbol_and_its_option_as_one_word(tmp_path: Path) -> None:
    """Also where there are so many words that rustc writes them to a file; all others stay as they are."""
    script = BUILDERS[BuilderName.ZIGBUILD].link_script(TARGET)
    assert script is not None
    linker = write_script(
        tmp_path / "linker", 'for word; do echo "$word"; case $word in @*) cat "${word#@}";; esac; done'
    )
    program = tmp_path / script.name
    program.write_text(script.text)
    program.chmod(0o755)
    words = tmp_path / "linker-arguments"
    words.write_text("a.o\n-u\nsymbol\n-o\nb\\ c\n")
    argv = [str(program), "a b.o", "-u", "first", "-u", "second", f"@{words}", "-unknown"]
    env = {"PATH": "/usr/bin:/bin", linker_variable(TARGET): str(linker)}
    said = subprocess.run(argv, env=env, capture_output=True, text=True, check=True).stdout.splitlines()
    file = ["a.o", "-Wl,-u,symbol", "-o", "b\\ c"]
    assert said == ["a b.o", "-Wl,-u,first", "-Wl,-u,second", f"@{words}", *file, "-unknown"]


def test_a_program_that_needs_a_newer_glibc_than_its_target_names_is_refused(
    optbuild: Optbuild, tmp_path: Path
) -> None:
    """A builder that links with this machine's glibc is not believed: the symbols' versions show it."""
    project = copy_crate("tally", tmp_path / "tally")
    target = f'[project]\nbuilder = "zigbuild"\ntarget = "{TARGET}.2.3"\n[variants.release]'
    edit(project / "optbuild.toml", "[variants.release]", target)
    call = f"""[ "$1" = --version ] && echo cargo-zigbuild 0.0.0 && exit
[ "$1" = zig ] && exit
shift
for word; do
    shift
    [ "$word" = {TARGET}.2.3 ] && word={TARGET}
    set -- "$@" "$word"
done
exec "$CARGO" build "$@\""""
    write_script(tmp_path / "bin/cargo-zigbuild", call)
    env = {"PATH": f"{tmp_path / 'bin'}:{optbuild.environ['PATH']}"}
    error = optbuild.run("build", "release", "--json", cwd=project, env=env).expect(10).error
    assert "tally needs GLIBC_2." in error["message"]
    assert "the target names glibc 2.3" in error["message"]
    assert not list(project.glob("target/optbuild/artifacts/release/*"))
