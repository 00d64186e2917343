"""Every failure optbuild reports on purpose, with its exit code.

```
OptbuildError                  70  internal error
├── UsageError                  2  command line or build profile: nothing was run
│   └── SettingsError           2  every problem of a file of settings at once
│       ├── BuildProfileError   2  of a build profile
│       └── FleetFileError      2  of a list of projects
├── ToolchainError              3  something on this machine is missing or incompatible
├── BuildError                 10  cargo or rustc failed
├── WorkloadError              11  a workload failed
│   └── WorkloadTimeoutError   12  a workload took longer than its timeout
├── UnitTimeoutError           12  a project of a fleet took longer than its timeout
├── ProfileDataError           13  profile data is missing, broken or proves nothing
│   └── ImplausibleCountsError 13  impossible counts, as from threads that share counters
├── NotComparableError         15  outputs differ, or sources changed meanwhile
├── LockHeldError              16  another run holds the project
├── StorageError               17  disk full, no permission, or a directory that optbuild did not make
└── InterruptedRunError     128+n  ended by signal n
```

An error says what happened (`message`), where (`location`), and what fixes it (`help`). Only `optbuild.cli` catches
them. Exit code 1 is an answer (a gate or a check failed, a search proved nothing), not an error; 14 is reserved.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import ClassVar


class OptbuildError(Exception):
    """Base of all errors that optbuild reports on purpose.

    Args:
        message: What happened, in one or two sentences.
        help: A command or an edit that fixes it.
        location: Where it happened: `file:line`, a path, a variant.
        detail: Further text to show below the message, such as the last lines of a program's output.
    """

    exit_code: ClassVar[int] = 70
    code: ClassVar[str] = "internal"

    def __init__(
        self,
        message: str,
        *,
        help: str,  # noqa: A002 - the word users read
        location: str | None = None,
        detail: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.help = help
        self.location = location
        self.detail = detail

    @property
    def status(self) -> int:
        """The exit code of the process that ends with this error."""
        return self.exit_code


@contextmanager
def located(place: str | None) -> Iterator[None]:
    """Add the place to an error that leaves this context without one."""
    try:
        yield
    except OptbuildError as error:
        error.location = error.location or place
        raise


class UsageError(OptbuildError):
    """The command line asks for something impossible; nothing was run."""

    exit_code = 2
    code = "usage"


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing wrong with a file of settings.

    Attributes:
        location: `file:line` or `file:line:column`.
        message: What is wrong, with the key's path.
        help: What to write instead.
        excerpt: The offending line with a caret below it, if that helps.
    """

    location: str
    message: str
    help: str
    excerpt: str | None = None


class SettingsError(UsageError):
    """A file of settings cannot be used; carries every problem found.

    Attributes:
        subject: What the file is called in messages.
    """

    code = "settings"
    subject: ClassVar[str] = "the file"

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        first = problems[0]
        count = len(problems)
        listed = "; ".join(f"{each.location}: {each.message}" for each in problems)
        message = first.message if count == 1 else f"{self.subject} has {count} problems: {listed}"
        super().__init__(message, help=first.help, location=first.location)
        self.problems = problems


class BuildProfileError(SettingsError):
    """A build profile cannot be used; carries every problem found."""

    code = "build-profile"
    subject = "the build profile"


class FleetFileError(SettingsError):
    """A list of projects cannot be used; carries every problem found."""

    code = "fleet-file"
    subject = "the fleet file"


class ToolchainError(OptbuildError):
    """A tool is missing or incompatible, or the machine cannot do what was asked."""

    exit_code = 3
    code = "toolchain"


class BuildError(OptbuildError):
    """Cargo or rustc failed; their output was shown already."""

    exit_code = 10
    code = "build"


class WorkloadError(OptbuildError):
    """A workload could not be started, or did not end as expected."""

    exit_code = 11
    code = "workload"


class WorkloadTimeoutError(WorkloadError):
    """A workload was stopped because it ran longer than its timeout."""

    exit_code = 12
    code = "timeout"


class UnitTimeoutError(OptbuildError):
    """A unit of a fleet was stopped because all of it took longer than its timeout."""

    exit_code = 12
    code = "unit-timeout"


class AttemptFault(StrEnum):
    """What is wrong with one way of training that another way may fix."""

    NOT_BUILT = "not-built"
    """The instrumented program cannot be built."""
    UNFIT = "unfit"
    """The profile does not match what is compiled with it, or not well enough."""
    IMPLAUSIBLE = "implausible"
    """Counters hold values that no run of the workload can reach."""


class ProfileDataError(OptbuildError):
    """Profile data is missing, broken, or does not prove that PGO took effect.

    Args:
        fault: What another way of training may mend; None where that would be in vain.

    Attributes:
        set_aside: Raw profiles that a failed training has kept for people to look at, and what is wrong with each.
    """

    exit_code = 13
    code = "profile-data"

    def __init__(
        self,
        message: str,
        *,
        help: str,  # noqa: A002 - the word users read
        location: str | None = None,
        detail: str | None = None,
        fault: AttemptFault | None = None,
    ) -> None:
        super().__init__(message, help=help, location=location, detail=detail)
        self.fault = fault
        self.set_aside: Mapping[Path, str] = {}


class ImplausibleCountsError(ProfileDataError):
    """Counters hold values that no run of the workload can reach; atomic counters may fix it."""

    code = "implausible-counts"


class NotComparableError(OptbuildError):
    """Variants cannot be compared: their outputs differ, or the sources changed during the run."""

    exit_code = 15
    code = "not-comparable"


class LockHeldError(OptbuildError):
    """Another optbuild run holds the project."""

    exit_code = 16
    code = "lock-held"


class StorageError(OptbuildError):
    """Writing failed, or a directory that optbuild did not make is in the way."""

    exit_code = 17
    code = "storage"


class InterruptedRunError(OptbuildError):
    """A signal ended the run; what was finished is kept."""

    code = "interrupted"

    def __init__(self, signal_number: int) -> None:
        name = signal.Signals(signal_number).name
        super().__init__(
            f"stopped by {name}; finished builds and training runs are kept",
            help="run the same command again: it continues where it stopped",
        )
        self.signal_number = signal_number

    @property
    def status(self) -> int:
        """128 plus the signal's number, as shells have it."""
        return 128 + self.signal_number
