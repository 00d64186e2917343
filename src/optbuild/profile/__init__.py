"""The user's build profile: from `optbuild.toml` to a validated `BuildProfile`."""
