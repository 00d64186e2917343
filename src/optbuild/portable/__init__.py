"""A profile that travels: counts under names that another version, compiler or target has as well. Pure."""
