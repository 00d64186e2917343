"""What a command demands of a build profile beyond what it says: whose counts to take, and flags for one build."""

from __future__ import annotations

from dataclasses import replace

from optbuild.profile.model import BuildProfile
from optbuild.profile.profile_data import UseProfileData
from optbuild.session.request import RunRequest


def with_request(build_profile: BuildProfile, request: RunRequest) -> BuildProfile:
    """A build profile as a request wants it."""
    if request.ignore_profile_data or request.require_profile_data:
        use = UseProfileData.NEVER if request.ignore_profile_data else UseProfileData.ALWAYS
        build_profile = replace(build_profile, profile_data=replace(build_profile.profile_data, use=use))
    if not request.rustflags:
        return build_profile
    variants = {
        name: replace(variant, rustflags=(*(variant.rustflags or ()), *request.rustflags))
        for name, variant in build_profile.variants.items()
    }
    return replace(build_profile, variants=variants)
