"""What a fleet costs beside its builds and measurements, which are stand-ins: with the number of units, and for each.

* the time to read `FLEET.toml`, find the units and share them out;
* the time of a unit on a cluster of two builders and a benchmark worker, and the memory of the scheduler and of the
  program that submits, at the beginning, on the way and at the end;
* the time to merge the results, and the memory that this takes.

Figures are printed and kept, none is asserted. Usage: python -m benchmarks.fleet [--units N…] [--out FILE.json]
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil

from benchmarks import fleet_stand_ins as stand_ins
from optbuild.errors import ToolchainError
from optbuild.fleet.actions import Action
from optbuild.fleet.cluster import connected, find_crew
from optbuild.fleet.dispatch import Site, Work, dispatch
from optbuild.fleet.load import load_fleet
from optbuild.fleet.merge import merge
from optbuild.fleet.plan import make_matrix, render_matrix
from optbuild.fleet.results import ResultStore
from optbuild.fleet.units import Unit, make_units

ROOT = Path(__file__).resolve().parents[1]
OPTBUILD = Path(sys.executable).with_name("optbuild")
LOOKS = 20
BUILDERS = 2
SOURCE = {"source": b"fn main() {}"}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--units", type=int, nargs="*", default=[1000, 10_000])
    parser.add_argument("--most-on-cluster", type=int, default=10_000, help="larger fleets are only planned and merged")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    rounds = []
    for count in options.units:
        with tempfile.TemporaryDirectory(prefix="optbuild-bench-") as name:
            rounds.append(measure_fleet(count, Path(name), on_cluster=count <= options.most_on_cluster))
            print(json.dumps(rounds[-1]), flush=True)
        if options.out is not None:
            keep(rounds, options.out)


def keep(rounds: list[dict[str, Any]], out: Path) -> None:
    """Write what was measured so far."""
    machine = {"cores": os.cpu_count(), "load_average": os.getloadavg(), "python": sys.version.split()[0]}
    out.write_text(json.dumps({"machine": machine, "rounds": rounds}, indent=1) + "\n")


def measure_fleet(count: int, directory: Path, *, on_cluster: bool) -> dict[str, Any]:
    """All figures of a fleet of so many units."""
    path = directory / "FLEET.toml"
    projects = (f'\n[[projects]]\ncrate = "crate-{number}"\nversion = "1.0.0"\n' for number in range(count))
    path.write_text("schema = 1\n" + "".join(projects))
    started = time.process_time()
    units = make_units(load_fleet(path))
    planned_s = time.process_time() - started
    started = time.process_time()
    render_matrix(make_matrix(units, 256))
    shared_s = time.process_time() - started
    store = ResultStore(directory=directory / "results")
    store.save_list(units)
    sent = measure_dispatch(units, store, directory) if on_cluster else write_results(units, store)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.process_time()
    report = merge([store.directory], lambda _: None)
    merged_s = time.process_time() - started
    if len(report.units) != count or report.missing:
        raise ValueError(f"{len(report.units)} of {count} units, {len(report.missing)} missing")
    return {
        "units": count,
        "plan_cpu_s": planned_s,
        "share_out_cpu_s": shared_s,
        **sent,
        "merge_cpu_s": merged_s,
        "merge_growth_of_peak_kib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before,
        "result_bytes": store.path_of(units[0].id).stat().st_size,
    }


def write_results(units: tuple[Unit, ...], store: ResultStore) -> dict[str, Any]:
    """Put results where a cluster would."""
    for unit in units:
        store.save(stand_ins.make_result(unit))
    return {}


def measure_dispatch(units: tuple[Unit, ...], store: ResultStore, directory: Path) -> dict[str, Any]:
    """Send all units through a cluster, and look at its memory on the way."""
    with cluster(directory) as (address, scheduler):
        work = Work(build=stand_ins.build, measure=stand_ins.measure)
        site = Site(address=address, connect=connected, work=work, emit=lambda _: None)
        own, memory = psutil.Process(), []
        started, cpu_started = time.monotonic(), own.cpu_times().user + scheduler.cpu_times().user
        for number, result in enumerate(dispatch(units, lambda unit: (Action(unit=unit), SOURCE), site)):
            store.save(result)
            if number % max(len(units) // LOOKS, 1) == 0 or number == len(units) - 1:
                rss = {"scheduler_rss_bytes": scheduler.memory_info().rss, "own_rss_bytes": own.memory_info().rss}
                memory.append({"done": number + 1, **rss})
        elapsed_s = time.monotonic() - started
        cpu_s = own.cpu_times().user + scheduler.cpu_times().user - cpu_started
    return {
        "elapsed_s": elapsed_s,
        "elapsed_per_unit_s": elapsed_s / len(units),
        "cpu_per_unit_s": cpu_s / len(units),
        "memory": memory,
    }


@contextmanager
def cluster(directory: Path) -> Iterator[tuple[str, psutil.Process]]:
    """A scheduler, two builders and a benchmark worker; its address, and the scheduler's process."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port = listening.getsockname()[1]
    address = f"tcp://127.0.0.1:{port}"
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join((str(ROOT), str(ROOT / "src"))), "TMPDIR": str(directory)}
    scheduler_argv = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--host", "127.0.0.1"]
    scheduler_argv += ["--port", str(port), "--no-dashboard", "--no-show"]
    workers = [("one",), ("two",), ("bench", "--bench")]
    argvs = [
        scheduler_argv,
        *(
            [str(OPTBUILD), "worker", address, "--out", str(directory / name), "--name", name, *more]
            for name, *more in workers
        ),
    ]
    processes = [
        subprocess.Popen(argv, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) for argv in argvs
    ]
    try:
        await_crew(address)
        yield address, psutil.Process(processes[0].pid)
    finally:
        for process in processes:
            process.kill()
            process.wait()


def await_crew(address: str) -> None:
    """Wait until the scheduler answers and knows all workers."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        with suppress(ToolchainError), connected(address) as client:
            while time.monotonic() < deadline:
                crew = find_crew(client)
                if (len(crew.builders), len(crew.benches)) == (BUILDERS, 1):
                    return
                time.sleep(0.2)
    raise TimeoutError(address)


if __name__ == "__main__":
    main()
