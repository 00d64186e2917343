from __future__ import annotations

import pytest

from optbuild.profile.cargo_words import CargoCall, CargoVerb, TargetOption, parse_cargo_words
from optbuild.profile.faults import RefusedValueError

_NOTHING_ELSE = (
    "before `--`, write only names and --bench, --test, --bin, --example, --benches, --tests, --lib, --bins,"
    " --examples, --all-targets, -p; what `cargo {verb}` passes on to programs follows `--`"
)
_NOTHING_ELSE_TO_RUN = (
    "before `--`, write only names and --bin, --example, -p; what `cargo run` passes on to programs follows `--`"
)


@pytest.mark.parametrize(
    ("one", "other", "shared"),
    [
        ("bench --bench speed", "bench --bench=speed -p other", True),
        ("bench --bench speed", "bench --bench size", False),
        ("bench --bench speed --bench size", "bench --bench size -- some", True),
        ("bench", "bench --bench size", True),
        ("bench --benches", "bench --bench size", True),
        ("bench --bench s*", "bench --bench size", True),
        ("test --lib", "test --test all", False),
        ("test", "bench", False),
        ("run --bin a", "run --bin a -- other", False),
        ("bench -p core", "bench -p cli", False),
        ("bench -p core", "bench -p cli -p core", True),
        ("bench -p core", "bench", True),
    ],
)
def test_what_is_trained_and_what_is_measured_may_be_one_program(one: str, other: str, *, shared: bool) -> None:
    """However it is spelled; what `cargo run` starts is told apart by its arguments, as any command is."""
    first, second = (parse_cargo_words(tuple(words.split())) for words in (one, other))
    assert first.shares_programs(second) is second.shares_programs(first) is shared


@pytest.mark.parametrize(
    ("words", "call"),
    [
        ("test", CargoCall(verb=CargoVerb.TEST)),
        (
            "bench --bench parse",
            CargoCall(verb=CargoVerb.BENCH, targets=(TargetOption(option="--bench", name="parse"),)),
        ),
        ("test --lib", CargoCall(verb=CargoVerb.TEST, targets=(TargetOption(option="--lib"),))),
        (
            "test --test=cli -p app --package=lib",
            CargoCall(
                verb=CargoVerb.TEST, packages=("app", "lib"), targets=(TargetOption(option="--test", name="cli"),)
            ),
        ),
        ("bench large -- --exact", CargoCall(verb=CargoVerb.BENCH, arguments=("large", "--exact"))),
        (
            "run --example shapes -- --bin -p",
            CargoCall(
                verb=CargoVerb.RUN,
                targets=(TargetOption(option="--example", name="shapes"),),
                arguments=("--bin", "-p"),
            ),
        ),
    ],
)
def test_words_are_read_as_cargo_reads_them(words: str, call: CargoCall) -> None:
    """Packages and targets choose what is built; a filter and what stands after `--` go to the programs."""
    assert parse_cargo_words(tuple(words.split())) == call


def test_after_its_first_argument_all_words_are_the_programs() -> None:
    """`cargo run` takes no options any more after a word that is none."""
    assert parse_cargo_words(("run", "data.txt", "--bin", "x")).arguments == ("data.txt", "--bin", "x")


def test_a_target_option_is_written_as_cargo_reads_it() -> None:
    """The name stands in a word of its own."""
    assert TargetOption(option="--bench", name="parse").words == ("--bench", "parse")
    assert TargetOption(option="--lib").words == ("--lib",)


@pytest.mark.parametrize(
    ("words", "message", "help_text"),
    [
        (
            "bnech",
            "`cargo bnech` cannot be a workload",
            'did you mean "bench"? the first word is "test", "bench" or "run"',
        ),
        (
            "cargo bench",
            "`cargo cargo` cannot be a workload",
            'the first word is "test", "bench" or "run"',
        ),
        (
            "bench --release",
            '"--release" is not for `cargo`',
            "leave it out: programs are built like the variant, with `cargo-profile` of [project]",
        ),
        ("test -j4", '"-j4" is not for `cargo`', "name it on the command line: optbuild pgo --jobs N"),
        ("test --target=wasm32", '"--target=wasm32" is not for `cargo`', "write `target` under [project]"),
        ("test --bench", "`--bench` lacks a name", 'write "--bench", "NAME"'),
        ("test --bench --lib", "`--bench` lacks a name", 'write "--bench", "NAME"'),
        ("test --test=", "`--test` lacks a name", 'write "--test", "NAME"'),
        ("bench --profile-time 1", '"--profile-time" is not known here', _NOTHING_ELSE.format(verb="bench")),
        (
            "test --tset cli",
            '"--tset" is not known here',
            "did you mean `--test`? " + _NOTHING_ELSE.format(verb="test"),
        ),
        ("run --exmple x", '"--exmple" is not known here', "did you mean `--example`? " + _NOTHING_ELSE_TO_RUN),
    ],
)
def test_what_cannot_be_meant_is_refused_with_what_to_write(words: str, message: str, help_text: str) -> None:
    """What optbuild says itself is told where to write; a slip is told what was meant."""
    with pytest.raises(RefusedValueError) as caught:
        parse_cargo_words(tuple(words.split()))
    assert str(caught.value) == message
    assert caught.value.help == help_text


@pytest.mark.parametrize(
    "word",
    [
        *("--no-run", "--doc", "--no-fail-fast", "--message-format=json", "-q", "--manifest-path=x", "--workspace"),
        *("--features=a", "-F", "--all-features", "--no-default-features", "--locked", "--config=a.b=1", "--verbose"),
        *("--target-dir=t", "--profile=bench", "-r", "--exclude"),
    ],
)
def test_arguments_that_optbuild_gives_itself_are_refused(word: str) -> None:
    """Each would undo what is asked of cargo, or do nothing."""
    with pytest.raises(RefusedValueError, match="is not for `cargo`"):
        parse_cargo_words(("bench", word))
