"""The whole run as a value, before anything starts. Pure."""
