"""The lock of a portable profile: which counts it belongs to, what trained them, and which translator read them."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from optbuild.errors import ProfileDataError
from optbuild.portable.encoding import PortableProfile
from optbuild.portable.head import Sha256, Training
from optbuild.portable.matching import TRANSLATOR


def lock_path(profile: Path) -> Path:
    """Where the lock of a profile lies."""
    return profile.with_name(f"{profile.name}.lock")


class Lock(BaseModel):
    """What a lock says.

    Attributes:
        content_sha256: Of the profile's content.
        translator: The version of the rules by which counts find their function.
        training: As in the profile's head.
        matched_ratio: The share of the counts that found their function in the program that was trained; what `--merge`
            keeps of older trainings need not. None in a lock without it.
        names_sha256: Of the file with the names of the program that was trained; None where there is none.
        build: Which build those are of.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    content_sha256: Sha256
    translator: str
    training: Training
    matched_ratio: Annotated[float, Field(ge=0, le=1)] | None = None
    names_sha256: Sha256 | None = None
    build: Sha256 | None = None

    @classmethod
    def of(
        cls,
        profile: PortableProfile,
        matched_ratio: float | None = None,
        *,
        names: bytes | None = None,
        build: str | None = None,
    ) -> Lock:
        """The lock that belongs to a profile, and to the names of the build that was trained."""
        return cls(
            content_sha256=profile.content_sha256,
            translator=TRANSLATOR,
            training=profile.training,
            matched_ratio=matched_ratio,
            names_sha256=None if names is None else hashlib.sha256(names).hexdigest(),
            build=build,
        )

    def render(self) -> bytes:
        """The bytes of its file."""
        return (json.dumps(self.model_dump(mode="json"), indent=1, ensure_ascii=False) + "\n").encode()


def check_lock(path: Path, data: bytes, profile: PortableProfile) -> Lock:
    """Check that a lock belongs to a profile.

    Args:
        path: The lock's, for errors.
        data: What is in it.
        profile: The profile that it accompanies.

    Returns:
        What the lock says.

    Raises:
        ProfileDataError: It cannot be read, or is that of another profile.
    """
    remedy = "take both files from the same commit (git checkout), or train anew: optbuild train"
    try:
        lock = Lock.model_validate_json(data)
    except ValidationError as error:
        what = f"{path} cannot be read: {error.errors()[0]['msg']}"
        raise ProfileDataError(what, help=remedy, location=str(path)) from error
    if lock.content_sha256 != profile.content_sha256:
        what = f"{path} does not belong to the profile next to it: it names other counts"
        raise ProfileDataError(what, help=remedy, location=str(path))
    return lock
