"""`optbuild heap`, with real cargo and a real valgrind: what a program allocates, to the block."""

from __future__ import annotations

import gzip
import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.integration.optbuild_program import Optbuild, copy_crate, edit

pytestmark = pytest.mark.valgrind

TIMES = 300
WORDS_IN_TEXT = 18


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One project for all tests here, so that it is built once."""
    return copy_crate("habits", tmp_path_factory.mktemp("heap") / "habits")


def sites(document: dict[str, Any], workload: str) -> dict[str, dict[str, Any]]:
    """The largest site of each function on a workload; a function may copy and let something grow as well."""
    found = next(each for each in document["workloads"] if each["workload"] == workload)
    return {site["function"]: site for site in reversed(found["sites"])}


def test_every_allocation_is_found_at_the_code_that_asked_for_it(shared_optbuild: Optbuild, project: Path) -> None:
    """One string for each word, and each growth of a vector that lives briefly; nothing is published."""
    document = shared_optbuild.run("heap", "release", "--json", cwd=project).expect(0).document
    words = sites(document, "words")["habits::own_words"]
    assert (words["blocks"], words["cause"]) == (TIMES * WORDS_IN_TEXT, "copy")
    assert words["location"].startswith("src/main.rs:")
    assert [frame["function"] for frame in words["stack"]] == ["habits::own_words", "habits::main"]
    grown = sites(document, "grow")["habits::grow"]
    assert grown["blocks"] % TIMES == 0
    assert grown["short_lived_blocks"] > grown["blocks"] / 2
    assert grown["peak_bytes"] < grown["bytes"] / 100
    assert not (project / "target" / "optbuild" / "artifacts" / "release").exists()
    assert not (project / "target" / "optbuild" / "observing").exists()


def test_a_variant_that_is_watched_without_bolt_says_so(shared_optbuild: Optbuild, project: Path) -> None:
    """Only measuring decides on an optional layout, and whoever observes measures nothing."""
    build_profile = project / "optional-bolt.toml"
    build_profile.write_text(
        (project / "optbuild.toml").read_text() + '\n[variants.laid-out]\ninherits = "release"\nbolt = "auto"\n'
    )
    words = ("heap", "laid-out", "-f", str(build_profile), "--workload", "grow")
    told = shared_optbuild.run(*words, cwd=project).expect(0).stderr
    assert "variant laid-out is built without BOLT" in told


def test_two_variants_are_compared_site_by_site(shared_optbuild: Optbuild, project: Path) -> None:
    """An optimisation that keeps all allocations shows no difference, however it inlines."""
    words = ("heap", "smaller", "--diff", "release", "--workload", "grow", "--json")
    document = shared_optbuild.run(*words, cwd=project).expect(0).document
    (found,) = document["workloads"]
    assert (document["variant"], document["base"]) == ("smaller", "release")
    of_growing = next(each for each in found["differences"] if each["function"] == "habits::grow")
    assert of_growing["base"]["blocks"] == of_growing["variant"]["blocks"] > 0


def test_programs_are_compared_by_their_allocations(shared_optbuild: Optbuild, project: Path) -> None:
    """Counted once each, of programs as they are; another program of the workload is left out."""
    built = shared_optbuild.run("heap", "release", "--json", "--workload", "grow", cwd=project).expect(0).document
    program = next((project / "target" / "optbuild" / "binaries").glob("*/habits"))
    words = ("bench", f"old={program}", f"new={program}", "--metric", "allocations", "--json")
    command = ("--", "sh", "-c", '"$0" grow 300', "{bin}")
    counts = shared_optbuild.run(*words, *command, cwd=project).expect(0).document["allocations"]
    assert [count["variant"] for count in counts] == ["old", "new"]
    assert counts[0]["blocks"] == counts[1]["blocks"] == built["workloads"][0]["total"]["blocks"]


def test_allocations_that_valgrind_cannot_see_are_said_to_be_hidden(
    shared_optbuild: Optbuild, project: Path, tmp_path: Path
) -> None:
    """A static program is refused by name of what hides them, with what to do; so is a machine without valgrind."""
    hidden = copy_crate("habits", tmp_path / "habits")
    static = '[variants.release]\nrustflags = ["-Ctarget-feature=+crt-static"]\n'
    edit(hidden / "optbuild.toml", "[variants.release]\n", static)
    error = shared_optbuild.run("heap", "release", "--json", cwd=hidden).expect(3).error
    assert "linked statically" in error["message"]
    assert "--from dhat-heap.json" in error["help"]
    nowhere = {"PATH": str(tmp_path)}
    error = shared_optbuild.run("heap", "release", "--json", cwd=project, env=nowhere).expect(3).error
    assert "valgrind is not on PATH" in error["message"]


def test_a_file_of_a_program_is_read_without_building(shared_optbuild: Optbuild, tmp_path: Path) -> None:
    """What the crate dhat wrote, as it is or against another file; anything else is refused."""
    recorded = Path(__file__).parents[1] / "recorded" / "dhat" / "dhat-rs.json"
    ended = shared_optbuild.run("heap", "--from", recorded, "--json", cwd=tmp_path).expect(0)
    (found,) = ended.document["workloads"]
    assert ended.document["tool"] == "dhat-rs"
    assert found["total"]["blocks"] == sum(site["blocks"] for site in found["sites"]) == 1502
    less = json.loads(recorded.read_text())
    less["pps"] = [point for point in less["pps"] if point["tbk"] != 500]
    (tmp_path / "less.json").write_text(json.dumps(less))
    ended = shared_optbuild.run("heap", "--from", "less.json", "--diff", recorded, cwd=tmp_path).expect(0)
    assert "1,002 blocks, −33.3% against 1,502" in ended.stdout
    assert "own::brief" in ended.stdout
    (tmp_path / "other.json").write_text("{}")
    assert "not a file of DHAT" in shared_optbuild.run("heap", "--from", "other.json", cwd=tmp_path).expect(2).stderr


def own_sites(document: dict[str, Any]) -> list[tuple[Any, ...]]:
    """What the project's own code asks for, by workload: stack, cause, and how much."""
    return sorted(
        (workload["workload"], str(site["stack"]), site["cause"], site["bytes"], site["blocks"])
        for workload in document["workloads"]
        for site in workload["sites"]
        if site["stack"]
    )


def find(name: str) -> str:
    """Where a tool is."""
    return str(shutil.which(name))


@pytest.mark.heaptrack
def test_heaptrack_finds_the_same_allocations_as_valgrind(shared_optbuild: Optbuild, project: Path) -> None:
    """By place in the source, stack and cause, to the byte; only what was freed at once is told in another way."""
    exact = shared_optbuild.run("heap", "release", "--json", cwd=project).expect(0).document
    heaptrack = ("--json", "--tool", "heaptrack")
    quick = shared_optbuild.run("heap", "release", *heaptrack, cwd=project).expect(0).document
    assert (exact["tool"], quick["tool"], quick["short_lived"]) == ("dhat", "heaptrack", None)
    assert own_sites(quick) == own_sites(exact) != []
    assert sites(quick, "words")["habits::own_words"]["short_lived_blocks"] > TIMES * WORDS_IN_TEXT / 2
    words = ("heap", "smaller", "--diff", "release", "--workload", "grow")
    (found,) = shared_optbuild.run(*words, *heaptrack, cwd=project).expect(0).document["workloads"]
    of_growing = next(each for each in found["differences"] if each["function"] == "habits::grow")
    assert of_growing["base"]["blocks"] == of_growing["variant"]["blocks"] > 0


@pytest.mark.heaptrack
def test_what_heaptrack_cannot_see_is_refused_with_what_can(
    shared_optbuild: Optbuild, project: Path, tmp_path: Path
) -> None:
    """A static program, a program that another one starts, and a machine without heaptrack."""
    heap = ("heap", "release", "--json", "--tool", "heaptrack")
    starting = "import subprocess, sys; subprocess.run(sys.argv[1:], check=True)"
    for command, said in (
        (("sh", "-c", 'exec "$0" grow 3', "{bin}"), "saw nothing"),
        ((sys.executable, "-c", starting, "{bin}", "grow", "3"), "does not follow"),
    ):
        error = shared_optbuild.run(*heap, "--", *command, cwd=project).expect(11).error
        assert said in error["message"]
        assert "be {bin} itself" in error["help"]
    hidden = copy_crate("habits", tmp_path / "habits")
    static = '[variants.release]\nrustflags = ["-Ctarget-feature=+crt-static"]\n'
    edit(hidden / "optbuild.toml", "[variants.release]\n", static)
    error = shared_optbuild.run(*heap, cwd=hidden).expect(3).error
    assert "linked statically: heaptrack sees none" in error["message"]
    error = shared_optbuild.run(*heap, cwd=project, env={"PATH": str(tmp_path)}).expect(3).error
    assert "apt-get install heaptrack" in error["help"]


@pytest.mark.heaptrack
def test_a_file_of_heaptrack_is_read_as_it_was_written(
    shared_optbuild: Optbuild, project: Path, tmp_path: Path
) -> None:
    """Compressed by zstd or gzip, or not at all; another tool's file is no base for it."""
    shared_optbuild.run("heap", "release", "--json", "--workload", "grow", cwd=project).expect(0)
    program = next((project / "target" / "optbuild" / "binaries").glob("*/habits"))
    subprocess.run([find("heaptrack"), "-o", tmp_path / "log", program, "grow", "300"], check=True, capture_output=True)
    (written,) = tmp_path.glob("log.*")
    read = ("heap", "--json", "--from")
    document = shared_optbuild.run(*read, written.name, cwd=tmp_path).expect(0).document
    grown = next(site for site in document["workloads"][0]["sites"] if site["function"] == "habits::grow")
    assert (document["tool"], grown["blocks"] % TIMES, grown["cause"]) == ("heaptrack", 0, "growth")
    plain = tmp_path / "plain"
    if written.suffix == ".zst":
        subprocess.run([find("zstd"), "-d", "-q", "-o", plain, written], check=True)
    else:
        plain.write_bytes(gzip.decompress(written.read_bytes()))
    (tmp_path / "log.gz").write_bytes(gzip.compress(plain.read_bytes()))
    for name in ("plain", "log.gz"):
        again = shared_optbuild.run(*read, name, cwd=tmp_path).expect(0).document
        assert again["workloads"] == document["workloads"]
    (tmp_path / "short.gz").write_bytes((tmp_path / "log.gz").read_bytes()[:-100])
    assert shared_optbuild.run(*read, "short.gz", cwd=tmp_path).expect(2).error["help"].startswith("write one")
    recorded = Path(__file__).parents[1] / "recorded" / "dhat" / "dhat-rs.json"
    error = shared_optbuild.run(*read, "plain", "--diff", recorded, cwd=tmp_path).expect(2).error
    assert "they do not count the same" in error["message"]


def test_an_interrupt_leaves_no_process(shared_optbuild: Optbuild, project: Path) -> None:
    """The program below valgrind ends with optbuild."""
    with shared_optbuild.start("heap", "release", "--", "{bin}", "wait", "4000", cwd=project) as running:
        running.await_saying("count the allocations of")
        running.send(signal.SIGINT)
        assert running.end().status == 128 + signal.SIGINT
    shared_optbuild.await_no_children()
