"""The environment that workloads run in: declared, small, and without secrets."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping

# What a program needs to start and to use the user's language, and nothing personal.
BASE_NAMES = (
    "PATH",
    "LANG",
    "LANGUAGE",
    "TZ",
    "TMPDIR",
    "LD_LIBRARY_PATH",
    "DYLD_LIBRARY_PATH",
    "DYLD_FALLBACK_LIBRARY_PATH",
)
_LOCALE = re.compile(r"LC_[A-Z]+")
_SECRET = re.compile(
    r"TOKEN|SECRET|PASSW|PASSPHRASE|CREDENTIAL|API_?KEY|PRIVATE_?KEY|ACCESS_?KEY|AUTH(?!ORS?(?![A-Z]))", re.IGNORECASE
)

# Variables that are meant for a program, not for a shell or a desktop: those of libraries common in Rust programs, of
# allocators and thread pools, and of the loader. Not RUST_BACKTRACE, which many shells and CI systems set: it only adds
# to what a panic prints.
_PROGRAMS = re.compile(
    r"(?:RAYON|TOKIO|OMP|GOMP|KMP|MKL|OPENBLAS|BLIS|POLARS|MALLOC|MIMALLOC|TCMALLOC|JEMALLOC|_RJEM|DYLD)_\w+"
    r"|RUST_(?:LOG|MIN_STACK)|GLIBC_TUNABLES|LD_PRELOAD|LD_BIND_NOW"
)


def is_secret_name(name: str) -> bool:
    """Whether a variable's name says that its value should stay private."""
    return _SECRET.search(name) is not None


def find_meant_for_programs(
    environ: Mapping[str, str], programs: Iterable[str], read: Collection[str] = frozenset()
) -> tuple[str, ...]:
    """The caller's variables that are most likely meant for the programs, but reach none unless passed.

    Args:
        environ: The caller's environment.
        programs: Names of programs and packages: `RIPGREP_CONFIG_PATH` is meant for `ripgrep`.
        read: Names that the sources of these programs read.
    """
    prefixes = tuple(f"{re.sub(r'[^A-Z0-9]', '_', name.upper())}_" for name in programs)
    return tuple(
        name
        for name in sorted(environ)
        if (_PROGRAMS.fullmatch(name) or name.startswith(prefixes) or name in read)
        and name not in BASE_NAMES
        and not is_secret_name(name)
    )


def make_workload_env(
    declared: Mapping[str, str], passed: tuple[str, ...], environ: Mapping[str, str]
) -> dict[str, str]:
    """The whole environment of a workload.

    Args:
        declared: `env` of the workload; these win.
        passed: `pass-env` of the workload: names to take from the caller, if set.
        environ: The caller's environment.
    """
    names = [name for name in environ if name in BASE_NAMES or _LOCALE.fullmatch(name) or name in passed]
    return {name: environ[name] for name in names if not is_secret_name(name)} | dict(declared)
