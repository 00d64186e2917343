"""The story of one run: load, discover, plan, build, check, measure, record."""
