"""Watch programs while they run on their workloads: where time goes, as data."""
