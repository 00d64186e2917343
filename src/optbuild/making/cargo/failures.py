"""How a build can fail, each with what fixes it."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from optbuild.errors import BuildError, OptbuildError, StorageError
from optbuild.files import tail_of
from optbuild.plan.kinds.compile import Compile
from optbuild.text import last_lines
from optbuild.toolchain.packages import USE_STABLE

_SHOWN_ERROR_LINES = 40
_PROFILING_RUNTIME = b"InstrProfiling"  # how the source files of LLVM's profiling runtime begin, in words of the linker
# The second is a linker's end: it writes to memory that the file system has no place for.
_DISK_FULL = (os.strerror(errno.ENOSPC).encode(), b"terminated with signal 7 [Bus error]")
# What cargo says before it builds anything, and what mends that.
_REMEDIES = (
    (
        b"--locked was passed",
        "let cargo bring Cargo.lock up to date (`cargo check`), or write `locked = false` under [project]",
    ),
    (b"specs require -Zjson-target-spec", "write json-target-spec = true under [unstable] in .cargo/config.toml"),
    (b" requires rustc ", f"use a newer toolchain: {USE_STABLE}; or older dependencies: cargo update NAME --precise"),
    (
        b"lock file version `",
        f"use a newer toolchain: {USE_STABLE}; or delete Cargo.lock: cargo generate-lockfile",
    ),
    (
        b"failed to parse lock file",
        "take one side of a conflict (git checkout --theirs Cargo.lock), and let cargo correct it: cargo check",
    ),
    (b"offline mode", "let cargo download what is missing once (`cargo fetch`), then build offline"),
    (b"--offline was specified", "let cargo download what is missing once (`cargo fetch`), then build offline"),
    (b"network failure", "get the dependencies first, where the network can be reached: cargo fetch"),
    (b"failed to download", "get the dependencies first, where the network can be reached: cargo fetch"),
    (
        b"failed to load source for dependency",
        "put the dependency where Cargo.toml says that it is; if it is a git submodule: git submodule update --init",
    ),
    (
        b"the listed checksum of ",
        "restore the vendored sources (cargo vendor), or name the edited crate under [patch.crates-io]",
    ),
    (
        b"could not execute process `",
        "install the program that cargo names, or correct the setting that names it, such as `rustc-wrapper`",
    ),
    (b"rustup component add ", "run the command that cargo names above"),
)
_OF_COMPILER = b"could not compile `"


def cargo_failed(action: Compile, exit_code: int, status: bytes, log: Path) -> OptbuildError:
    """Cargo ended with an error; where the disk was full, that is not the project's fault.

    Args:
        action: What was built.
        exit_code: Cargo's; negative for a signal.
        status: What it printed to standard error.
        log: Where all is kept that it said.
    """
    lines = status.splitlines(keepends=True)
    first = next((i for i, line in enumerate(lines) if line.startswith(b"error")), max(0, len(lines) - 20))
    detail = last_lines(b"".join(lines[first : first + _SHOWN_ERROR_LINES]), _SHOWN_ERROR_LINES)
    end = tail_of(log)
    if any(said in end for said in _DISK_FULL):
        return StorageError(
            f"{action.label}: the disk is full below {action.cargo_target}",
            help="free some disk space (`optbuild clean`), and run again",
            location=str(log),
            detail=detail,
        )
    if b"SIGKILL" in status:
        return BuildError(
            f"{action.label}: the system killed the compiler, most likely for want of memory",
            help='build with fewer jobs (`--jobs 1`), or use `lto = "thin"` in this variant',
            location=str(log),
            detail=detail,
        )
    if _PROFILING_RUNTIME in end:
        return BuildError(
            f"{action.label}: LLVM's profiling runtime cannot be linked into this program",
            help="it needs the C library: link the program with it, or build only variants without PGO "
            "(`optbuild run VARIANT`)",
            location=str(log),
            detail=detail,
        )
    how = f"exit code {exit_code}" if exit_code >= 0 else f"signal {-exit_code}"
    remedies = (remedy for said, remedy in _REMEDIES if said in status)
    speaker = "the compiler" if _OF_COMPILER in status else "cargo"
    return BuildError(
        f"{action.label}: cargo failed ({how})",
        help=next(remedies, f"mend what {speaker} says above; the whole log is in the file named here"),
        location=str(log),
        detail=detail,
    )


def nothing_to_run(action: Compile, log: Path) -> BuildError:
    """What the workload asks of cargo would run no program."""
    call = action.recipe.call
    verb = "run" if call is None else call.verb
    return BuildError(
        f"{action.label}: cargo {verb} would run nothing",
        help=f"see what there is: cargo {verb} -- --list; and correct `cargo` in the workload's [[workloads]] table",
        location=str(log),
    )


def no_file_for(name: str, log: Path) -> BuildError:
    """Cargo named no file of a product."""
    return BuildError(
        f"cargo reported no file for {name!r}",
        help="check `bins` in the build profile against the targets in Cargo.toml",
        location=str(log),
    )
