"""The environment that workloads run in: declared, small, and without secrets."""

from __future__ import annotations

import re
from collections.abc import Mapping

# What a program needs to start and to speak the user's language, and nothing of the user's own.
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


def is_secret_name(name: str) -> bool:
    """Whether a variable's name says that its value should stay private."""
    return _SECRET.search(name) is not None


def make_workload_env(
    declared: Mapping[str, str], passed: tuple[str, ...], environ: Mapping[str, str]
) -> dict[str, str]:
    """The whole environment of a workload.

    Args:
        declared: `env` of the workload; these win.
        passed: `pass-env` of the workload: names to take from the caller, where they are set.
        environ: The caller's environment.
    """
    names = [name for name in environ if name in BASE_NAMES or _LOCALE.fullmatch(name) or name in passed]
    return {name: environ[name] for name in names if not is_secret_name(name)} | dict(declared)
