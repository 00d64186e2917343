"""How a variant's settings become recipes and actions: one file and one line in `STEPS` each."""
