from __future__ import annotations

import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from optbuild.errors import UsageError
from optbuild.execution.command import Command, Stream
from optbuild.profile.model import BuildProfile, MeasureSettings
from optbuild.profile.variants import Variant
from optbuild.profile.workloads import MetricName, Use, Workload, slug
from optbuild.project.model import LibFile, LibKind
from optbuild.workloads.invocation import Invocation
from optbuild.workloads.make_invocation import make_invocation
from optbuild.workloads.words import BuiltNames, Values

SCRATCH = Path("/scratch")
BINS = ("wordfreq", "tool")


def make(
    directory: Path,
    *words: str,
    environ: dict[str, str] | None = None,
    written: frozenset[Path] = frozenset(),
    **fields: Any,  # noqa: ANN401 - fields of Workload
) -> Invocation:
    """An invocation of a workload `books` in a build profile's directory."""
    workload = Workload(name="books", command=words or ("{bin}",), **fields)
    return make_from(directory, workload, environ=environ or {}, written=written)


def make_from(
    directory: Path,
    workload: Workload,
    *,
    default_bin: str | None = "wordfreq",
    environ: dict[str, str] | None = None,
    metric: MetricName = MetricName.WALL,
    written: frozenset[Path] = frozenset(),
) -> Invocation:
    """An invocation of any workload, where two binaries are built."""
    profile = BuildProfile(
        path=None,
        directory=directory,
        variants={"release": Variant(name="release")},
        measure=MeasureSettings(metric=metric),
    )
    return make_invocation(
        workload,
        profile,
        BuiltNames(bins=BINS, default_bin=default_bin),
        scratch=SCRATCH,
        environ=environ or {},
        written=written,
    )


def make_command(invocation: Invocation) -> Command:
    """The command of an invocation with binaries in `/b`."""
    return invocation.make_command(
        Values(binaries={name: Path("/b") / name for name in BINS}),
        extra_env={},
        stdout=Stream.NULL,
        stderr=Stream.NULL,
    )


def test_placeholders_are_filled_and_binaries_stay_open(tmp_path: Path) -> None:
    """The same invocation runs the binaries of every variant; what is shown names them."""
    invocation = make(
        tmp_path, "{bin}", "--with={bin:tool}", "{env:CORPUS}/x", "{scratch}", "{{}}", "", environ={"CORPUS": "/c"}
    )

    scratch = str(SCRATCH / slug("books"))
    assert invocation.bins == ("wordfreq", "tool")
    assert invocation.shown_argv() == ("{bin:wordfreq}", "--with={bin:tool}", "/c/x", scratch, "{}", "")
    assert make_command(invocation).argv == ("/b/wordfreq", "--with=/b/tool", "/c/x", scratch, "{}", "")


def test_a_binary_that_is_named_twice_is_used_once(tmp_path: Path) -> None:
    """`{bin}` and the default binary's name mean the same."""
    assert make(tmp_path, "{bin}", "{bin:wordfreq}").bins == ("wordfreq",)
    assert make(tmp_path, "python3", "bench.py").bins == ()


def test_a_filled_value_is_not_filled_again(tmp_path: Path) -> None:
    """Braces in an environment variable are text."""
    invocation = make(tmp_path, "{bin}", "{env:A}{env:A}", environ={"A": "{bin}"})

    assert make_command(invocation).argv == ("/b/wordfreq", "{bin}{bin}")


@pytest.mark.parametrize(
    ("word", "message", "help_text"),
    [
        (
            "{bin:other}",
            "workload 'books': {bin:other}: no such binary is built",
            "there is {bin:wordfreq}, {bin:tool}",
        ),
        ("{env:UNSET}", "workload 'books': {env:UNSET}: that variable is not set", "set it first: export UNSET=…"),
        (
            "{env:MY_TOKEN}",
            "workload 'books': {env:MY_TOKEN} looks like a secret",
            "arguments are shown and recorded: use a file",
        ),
    ],
)
def test_a_placeholder_without_a_value_is_refused(tmp_path: Path, word: str, message: str, help_text: str) -> None:
    """Nothing runs with a hole in its arguments, nor with a secret that the record would keep."""
    with pytest.raises(UsageError) as caught:
        make(tmp_path, "{bin}", word, environ={"MY_TOKEN": "s3cret"})

    assert (caught.value.message, caught.value.help) == (message, help_text)


def test_a_secret_is_not_passed_on_in_silence(tmp_path: Path) -> None:
    """A program that only missed the variable would fail late, or do something else."""
    with pytest.raises(UsageError, match="`pass-env` names MY_TOKEN, which looks like a secret") as caught:
        make(tmp_path, "{bin}", pass_env=("HOME", "MY_TOKEN"))

    assert "file" in caught.value.help


def test_an_ambiguous_binary_is_refused_with_what_there_is(tmp_path: Path) -> None:
    """Without a default, `{bin}` could be any."""
    workload = Workload(name="books", command=("{bin}",))

    with pytest.raises(UsageError) as caught:
        make_from(tmp_path, workload, default_bin=None)

    assert caught.value.message == "workload 'books': {bin} could be any of several binaries"
    assert caught.value.help == "name one: {bin:wordfreq}, {bin:tool}"


def lib(name: str, kind: LibKind = LibKind.CDYLIB) -> LibFile:
    """One file of a library."""
    suffix = "so" if kind is LibKind.CDYLIB else "a"
    return LibFile(name=name, package=name, kind=kind, file_name=f"lib{name}.{suffix}")


def library_word(directory: Path, word: str, *libs: LibFile) -> str:
    """What a word of a command is shown as where libraries are built and no program is."""
    workload = Workload(name="books", command=("python3", word))
    profile = BuildProfile(path=None, directory=directory, variants={"release": Variant(name="release")})
    made = make_invocation(workload, profile, BuiltNames(libs=libs), scratch=SCRATCH, environ={})
    assert made.bins == tuple(item.file_name for item in libs if item.file_name in made.shown_argv()[1])
    return made.shown_argv()[1]


def test_a_library_is_named_by_its_name_or_by_its_file(tmp_path: Path) -> None:
    """The shared one is meant where there are two files of it; the file's name tells them apart."""
    both = (lib("my_core"), lib("my_core", LibKind.STATICLIB))
    assert library_word(tmp_path, "{lib}", *both) == "{lib:libmy_core.so}"
    assert library_word(tmp_path, "-L{lib:my-core}", *both) == "-L{lib:libmy_core.so}"
    assert library_word(tmp_path, "{lib:libmy_core.a}", *both) == "{lib:libmy_core.a}"
    assert library_word(tmp_path, "{lib:other}", *both, lib("other")) == "{lib:libother.so}"


@pytest.mark.parametrize(
    ("word", "libs", "message", "remedy"),
    [
        ("{lib}", (lib("a"), lib("b")), "{lib} could be any of several libraries", "name one: {lib:a}, {lib:b}"),
        ("{lib:c}", (lib("a"),), "{lib:c}: no such library is built", "there is {lib:a}"),
        ("{lib}", (), "{lib}: no such library is built", 'crate-type "cdylib"'),
        ("{bin}", (lib("a"),), "{bin}: no program is built", "use {lib}"),
        ("{bin:a}", (lib("a"),), "{bin:a}: no program is built", "use {lib}"),
    ],
)
def test_what_is_not_built_is_refused_with_what_is(
    tmp_path: Path, word: str, libs: tuple[LibFile, ...], message: str, remedy: str
) -> None:
    """An unclear or unknown library names the choices; one for Rust alone cannot be loaded."""
    with pytest.raises(UsageError) as caught:
        library_word(tmp_path, word, *libs)
    assert caught.value.message == f"workload 'books': {message}"
    assert remedy in caught.value.help


def test_a_runner_stands_before_the_binary(tmp_path: Path) -> None:
    """A program is run as cargo would run it, other commands as they are; a script may only start what runs here."""
    profile = BuildProfile(path=None, directory=tmp_path, variants={"release": Variant(name="release")})

    def shown(*words: str, needs_runner: bool = True) -> tuple[str, ...]:
        built = BuiltNames(bins=BINS, default_bin="tool", runner=("qemu", "-L", "/x"), needs_runner=needs_runner)
        workload = Workload(name="books", command=words, prepare=("{bin}", "--warm"))
        made = make_invocation(workload, profile, built, scratch=SCRATCH, environ={})
        assert made.commands["prepare"][0] == ("qemu",)
        return made.shown_argv()

    assert shown("{bin}", "a") == ("qemu", "-L", "/x", "{bin:tool}", "a")
    assert shown("echo", "a") == ("echo", "a")
    for words in (("sh", "-c", "x", "{bin}"), ("x{bin}",), ("{bin:tool}", "{bin:wordfreq}")):
        with pytest.raises(UsageError, match="qemu can run it only as a command's program"):
            shown(*words)
    assert shown("{bin}", "a", needs_runner=False) == ("qemu", "-L", "/x", "{bin:tool}", "a")
    assert shown("sh", "-c", "x", "{bin}", needs_runner=False) == ("sh", "-c", "x", "{bin:tool}")


@pytest.mark.parametrize("fields", [{"stdin": "{bin}"}, {"inputs": ("x{bin}",)}, {"env": {"TOOL": "{bin:tool}"}}])
def test_only_arguments_may_name_a_binary(tmp_path: Path, fields: dict[str, Any]) -> None:
    """Files and variables are the same whichever variant runs."""
    with pytest.raises(UsageError, match="may name neither built files nor a port"):
        make(tmp_path, **fields)


def test_inputs_are_what_is_declared_and_what_arguments_name(tmp_path: Path) -> None:
    """An argument that is a file counts as an input, from the directory that the workload runs in."""
    for name in ("declared", "query", "data/books.txt", "data/both"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()

    invocation = make(
        tmp_path, "{bin}", "books.txt", "missing.txt", "both", "x" * 5000, "\0", "{bin}",
        cwd="data", stdin="query", inputs=("declared", "{env:DIR}/both"), environ={"DIR": "data"},
    )  # fmt: skip

    assert invocation.cwd == tmp_path / "data"
    assert invocation.stdin == tmp_path / "query"
    assert invocation.inputs == tuple(tmp_path / name for name in ("declared", "data/both", "data/books.txt", "query"))


def test_options_and_directories_count_as_well(tmp_path: Path) -> None:
    """`--option=FILE` names a file, and a directory stands for what is in it; what was declared is not `named`."""
    for name in ("in.txt", "a=b", "data/x", "declared"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()

    invocation = make(
        tmp_path, "{bin}", "--in=in.txt", "a=b", "--out=", "--level=3", "data", "declared", inputs=("declared",)
    )

    assert invocation.named == tuple(tmp_path / name for name in ("in.txt", "a=b", "data"))
    assert invocation.inputs == (tmp_path / "declared", *invocation.named)


def test_what_a_workload_is_known_to_write_is_no_input(tmp_path: Path) -> None:
    """Files that are compared as output, and those below its scratch directory, are left over from earlier runs."""
    (tmp_path / "out.txt").touch()
    scratch = tmp_path / "scratch"
    workload = Workload(name="books", command=("{bin}", "out.txt", "{scratch}/left"), compare_output=("./out.txt",))
    profile = BuildProfile(path=None, directory=tmp_path, variants={"release": Variant(name="release")})
    (scratch / slug("books")).mkdir(parents=True)
    (scratch / slug("books") / "left").touch()

    invocation = make_invocation(
        workload, profile, BuiltNames(bins=BINS, default_bin="wordfreq"), scratch=scratch, environ={}
    )

    assert (invocation.inputs, invocation.named) == ((), ())


def test_a_program_with_a_path_is_known_by_its_content(tmp_path: Path) -> None:
    """A script of the project decides what is run; one that PATH finds, or the binary itself, does not count."""
    (tmp_path / "run.sh").touch()

    assert make(tmp_path, "./run.sh", "{bin}").programs == (tmp_path / "run.sh",)
    assert make(tmp_path, "./gone.sh", "{bin}").programs == ()


@pytest.mark.parametrize(
    ("words", "programs", "inputs"),
    [
        (("python3", "drive.py", "{bin}", "corpus"), ["drive.py"], ["corpus"]),
        (("python3.11", "-X", "drive.py"), ["drive.py"], []),
        (("env", "drive.py"), [], ["drive.py"]),
        (("sh", "-c", "corpus", "drive.py"), [], ["corpus", "drive.py"]),
        (("python3", "-m", "corpus"), [], ["corpus"]),
        (("python3", "{bin}", "drive.py"), [], ["drive.py"]),
        (("cat", "drive.py"), [], ["drive.py"]),
    ],
)
def test_the_script_of_an_interpreter_is_a_program(
    tmp_path: Path, words: tuple[str, ...], programs: list[str], inputs: list[str]
) -> None:
    """It decides what is run, and sharing it is not sharing what is worked on."""
    for name in ("drive.py", "corpus"):
        (tmp_path / name).touch()
    made = make(tmp_path, *words)
    assert ([path.name for path in made.programs], [path.name for path in made.inputs]) == (programs, inputs)


def test_a_program_that_a_workload_makes_is_no_input(tmp_path: Path) -> None:
    """A driver in the scratch directory, linked before each run, is another one in each variant."""
    scratch = tmp_path / "scratch"
    workload = Workload(name="books", command=("{scratch}/driver",), prepare=("{scratch}/driver", "{bin}"))
    (scratch / slug("books")).mkdir(parents=True)
    (scratch / slug("books") / "driver").touch()
    profile = BuildProfile(path=None, directory=tmp_path, variants={"release": Variant(name="release")})
    made = make_invocation(workload, profile, BuiltNames(bins=BINS, default_bin="tool"), scratch=scratch, environ={})
    assert (made.programs, made.inputs, made.bins) == ((), (), ("tool",))
    assert make(tmp_path, "run.sh", "{bin}").programs == ()
    assert make(tmp_path, "{bin}", "run.sh").programs == ()
    assert make(tmp_path, "./run.sh", "{bin}").inputs == ()


def test_an_argument_is_a_file_when_the_environment_says_so(tmp_path: Path) -> None:
    """A corpus outside of the workspace is named by a variable."""
    corpus = tmp_path / "elsewhere" / "corpus"
    corpus.parent.mkdir()
    corpus.touch()

    assert make(tmp_path, "{bin}", "{env:CORPUS}", environ={"CORPUS": str(corpus)}).inputs == (corpus,)


def test_the_command_has_everything_of_the_workload(tmp_path: Path) -> None:
    """Environment, input, timeout and the way to stop it go along; additions win."""
    invocation = make(
        tmp_path,
        env={"MODE": "{env:LEVEL}", "LANG": "C"},
        pass_env=("HOME",),
        timeout_s=5.0,
        stop_signal="INT",
        grace_s=2.0,
        environ={"PATH": "/bin", "HOME": "/h", "LANG": "de", "LEVEL": "3", "API_TOKEN": "t"},
    )

    command = invocation.make_command(
        Values(binaries={"wordfreq": Path("/b")}),
        extra_env={"LANG": "X", "LLVM_PROFILE_FILE": "p"},
        stdout=Path("/o"),
        stderr=Stream.CAPTURE,
    )

    assert command == Command(
        argv=("/b",),
        cwd=tmp_path,
        env={"PATH": "/bin", "HOME": "/h", "LANG": "X", "MODE": "3", "LLVM_PROFILE_FILE": "p"},
        stdin=None,
        stdout=Path("/o"),
        stderr=Stream.CAPTURE,
        timeout_s=5.0,
        stop_signal=signal.SIGINT,
        grace_s=2.0,
    )
    assert invocation.declared_env == {"MODE": "3", "LANG": "C"}
    assert invocation.passed_env == ("HOME",)


def test_the_metric_is_the_workload_s_own_or_that_of_all(tmp_path: Path) -> None:
    """A workload may be measured by CPU time while the others are by the clock."""
    plain = Workload(name="books", command=("{bin}",))

    assert make_from(tmp_path, plain, metric=MetricName.CPU).metric is MetricName.CPU
    assert make_from(tmp_path, replace(plain, metric=MetricName.WALL), metric=MetricName.CPU).metric is MetricName.WALL


def test_the_recipe_is_what_decides_the_result(tmp_path: Path) -> None:
    """A name, a weight or a use can change without running again; arguments, places and limits cannot."""
    base = make(tmp_path)

    for same in ({"weight": 7.0}, {"use": (Use.TRAIN,)}, {"compare_output": "none"}, {"metric": MetricName.CPU}):
        assert make(tmp_path, **same).recipe() == base.recipe()
    for other in (
        {"cwd": "sub"},
        {"env": {"A": "1"}},
        {"pass_env": ("HOME",)},
        {"stdin": "query"},
        {"inputs": ("x",)},
        {"timeout_s": 1.0},
        {"expect_exit": 1},
        {"stop_signal": "INT"},
        {"grace_s": 1.0},
    ):
        assert make(tmp_path, **other).recipe() != base.recipe()
    assert make(tmp_path, "{bin}", "x").recipe() != base.recipe()


def test_the_caller_s_environment_is_no_part_of_the_recipe(tmp_path: Path) -> None:
    """Another home or language asks for no new training; the values of passed variables are private."""
    recipes = {
        repr(make(tmp_path, pass_env=("HOME",), environ={"HOME": home, "LANG": home}).recipe()) for home in ("/a", "/b")
    }

    assert len(recipes) == 1


def test_commands_beside_are_filled_like_the_command(tmp_path: Path) -> None:
    """Binaries that only they use are built as well, scripts that they name are inputs."""
    for name in ("make.sh", "query"):
        (tmp_path / name).write_text("x")
    invocation = make(tmp_path, prepare=("{bin:tool}", "query", "{scratch}"), setup=("./make.sh",))
    assert invocation.bins == ("wordfreq", "tool")
    assert invocation.commands["prepare"][2] == (str(invocation.scratch),)
    assert ([path.name for path in invocation.programs], [path.name for path in invocation.inputs]) == (
        ["make.sh"],
        ["query"],
    )


def test_what_runs_beside_is_part_of_the_recipe(tmp_path: Path) -> None:
    """Another preparation is another workload."""
    recipes = [make(tmp_path, prepare=words).recipe() for words in (None, ("sync",), ("sync", "-f"))]
    assert len({repr(recipe) for recipe in recipes}) == 3


def test_what_an_argument_may_name_and_is_not_there_may_be_an_output(tmp_path: Path) -> None:
    """Once it is known that the workload creates it, it is no input when it is there."""
    (tmp_path / "in.txt").touch()
    words = ("{bin}", "in.txt", "--log=run.log", "-o", "out.json", "{bin:tool}", "x" * 5000)
    before = make(tmp_path, *words)
    assert {tmp_path / name for name in ("run.log", "out.json", "--log=run.log")} <= set(before.absent)
    assert tmp_path / "in.txt" not in before.absent
    for name in ("run.log", "out.json"):
        (tmp_path / name).touch()
    taken = make(tmp_path, *words)
    assert taken.named == (tmp_path / "in.txt", tmp_path / "run.log", tmp_path / "out.json")
    known = make(tmp_path, *words, written=frozenset({tmp_path / "run.log", tmp_path / "out.json"}))
    assert (known.named, known.inputs) == (before.named, before.inputs)
    assert known.recipe() == before.recipe()
    declared = make(tmp_path, *words, inputs=("out.json",), written=frozenset({tmp_path / "out.json"}))
    assert tmp_path / "out.json" in declared.inputs, "who declares it an input is believed"
