"""A cluster of Dask: the one at an address, or one on this machine; and whether it has the workers that a fleet needs.

A worker offers a resource whose name holds the version of optbuild. Dask gives a task only to a worker that offers what
it asks for: so a plain worker of Dask, and one of another version, get none. A task that no worker can take would wait
for ever, so this is checked before anything is submitted.

Sources:
    Dask.distributed, "Worker Resources": https://distributed.dask.org/en/stable/resources.html
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from optbuild import __version__
from optbuild.errors import ToolchainError
from optbuild.text import sanitize_line

if TYPE_CHECKING:
    from distributed import Client

_PREFIX = "optbuild-"
_CONNECT_S = 10.0
INSTALL = "pip install 'cargo-optbuild[fleet]'"


def resource_of(role: str, version: str = __version__) -> str:
    """What a worker of a version offers for a role, `build` or `bench`."""
    return f"{_PREFIX}{role} {version}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Crew:
    """The workers of a cluster that a fleet can use, by address.

    Attributes:
        builders: They build.
        benches: They measure.
        strangers: Names and versions of workers that belong to another optbuild.
    """

    builders: tuple[str, ...]
    benches: tuple[str, ...]
    strangers: tuple[str, ...]

    @classmethod
    def of(cls, workers: Mapping[str, Mapping[str, Any]]) -> Crew:
        """Sort the workers that a scheduler knows."""
        offers = {address: tuple(worker.get("resources") or ()) for address, worker in workers.items()}
        own = {resource_of("build"), resource_of("bench")}
        strangers = (
            f"{sanitize_line(str(workers[address].get('name', address)))} (optbuild {sanitize_line(name.split()[-1])})"
            for address, names in offers.items()
            for name in names
            if name.startswith(_PREFIX) and name not in own
        )
        return cls(
            builders=tuple(address for address, names in offers.items() if resource_of("build") in names),
            benches=tuple(address for address, names in offers.items() if resource_of("bench") in names),
            strangers=tuple(strangers),
        )

    def of_role(self, role: str) -> tuple[str, ...]:
        """The workers of a role, `build` or `bench`."""
        return self.builders if role == "build" else self.benches

    def require(self, address: str) -> None:
        """Refuse a cluster on which something would wait for ever.

        Raises:
            ToolchainError: It has no builder, or no benchmark worker, of this version.
        """
        lacks = ["a builder"] * (not self.builders) + ["a benchmark worker"] * (not self.benches)
        if not lacks:
            return
        others = f"; of another version: {', '.join(self.strangers)}" if self.strangers else ""
        starts = [f"optbuild worker {address}"] * (not self.builders)
        starts += [f"optbuild worker --bench {address}"] * (not self.benches)
        raise ToolchainError(
            f"the cluster at {address} lacks {' and '.join(lacks)} of optbuild {__version__}{others}",
            help=f"start one: {'; '.join(starts)}",
            location=address,
        )


def find_crew(client: Client) -> Crew:
    """The workers of a cluster."""
    return Crew.of(client.scheduler_info(n_workers=-1)["workers"])


@contextmanager
def connected(address: str) -> Iterator[Client]:
    """A connection to a scheduler.

    Raises:
        ToolchainError: Dask is not installed, or nobody answers.
    """
    require_dask()
    from distributed import Client

    try:
        client = Client(address, timeout=_CONNECT_S, set_as_default=False)
    except (OSError, ValueError) as error:
        raise ToolchainError(
            f"no scheduler answers at {address}",
            help="start one: dask scheduler; and name its address: --scheduler tcp://HOST:8786",
            location=address,
            detail=sanitize_line(str(error)),
        ) from error
    with client:
        yield client


@contextmanager
def local_cluster(builders: int, directory: Path) -> Iterator[str]:
    """A cluster on this machine, with one benchmark worker; its address.

    Builds and measurements take turns on it: whoever measures is alone.

    Args:
        builders: How many builders.
        directory: Where the workers write.
    """
    require_dask()
    import dask
    from distributed import Nanny, Scheduler, SpecCluster

    roles = {**{f"builder-{number}": "build" for number in range(1, builders + 1)}, "bench": "bench"}
    workers = {
        name: {
            "cls": Nanny,
            "options": {
                "nthreads": 1,
                "resources": {resource_of(role): 1},
                "local_directory": str(directory / name),
                "preload": ["optbuild.cli.worker_setup"],
                "silence_logs": logging.CRITICAL,
                "dashboard": False,
            },
        }
        for name, role in roles.items()
    }
    scheduler = {
        "cls": Scheduler,
        "options": {"host": "127.0.0.1", "port": 0, "dashboard": True, "dashboard_address": "127.0.0.1:0"},
    }
    # Dask would set variables for numerical libraries, which builds would inherit.
    with (
        dask.config.set({"distributed.nanny.pre-spawn-environ": {}}),
        SpecCluster(workers=workers, scheduler=scheduler, silence_logs=logging.CRITICAL) as cluster,
    ):
        yield str(cluster.scheduler_address)


def require_dask() -> None:
    """Refuse where Dask is not installed.

    Raises:
        ToolchainError: It is not.
    """
    import importlib.util

    if importlib.util.find_spec("distributed") is None:
        raise ToolchainError("Dask is not installed", help=INSTALL)
