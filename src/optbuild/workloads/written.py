"""The files that workloads were seen to create: a file that only a command names may be its output, not an input.

On a first run such a file does not exist, and afterwards it looks like an input. So the first run remembers it.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from optbuild.adapters import adapter_of
from optbuild.files import atomic_write
from optbuild.profile.workloads import Workload


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenFiles:
    """A small file with what each workload created, by its command; a damaged one counts as empty."""

    path: Path

    def of(self, workload: Workload) -> frozenset[Path]:
        """The files that this workload created."""
        return frozenset(map(Path, self._load().get(_key(workload), ())))

    def remember(self, created: Mapping[str, Iterable[Path]], workloads: Iterable[Workload]) -> None:
        """Keep the files that workloads created, by their names, for the next run.

        Raises:
            StorageError: It cannot be written.
        """
        known = self._load()
        keys = {workload.name: _key(workload) for workload in workloads}
        more = {keys[name]: {*known.get(keys[name], ()), *map(str, paths)} for name, paths in created.items()}
        if any(paths > {*known.get(key, ())} for key, paths in more.items()):
            written = {**known, **{key: sorted(paths) for key, paths in more.items()}}
            atomic_write(self.path, json.dumps(written).encode())

    def _load(self) -> dict[str, tuple[str, ...]]:
        try:
            return adapter_of(dict[str, tuple[str, ...]]).validate_json(self.path.read_bytes())
        except (OSError, ValidationError):
            return {}


def _key(workload: Workload) -> str:
    words = (*(workload.server or ()), *(workload.command or workload.load or ()))
    return f"{workload.name}: {workload.cwd}$ {shlex.join(words)}"
