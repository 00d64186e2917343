"""Many projects: their list, the units of work that it means, and what came of them. Each unit is one run."""
