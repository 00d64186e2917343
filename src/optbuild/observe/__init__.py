"""Look into a program while it runs a workload: what it allocates, and where its time goes."""
