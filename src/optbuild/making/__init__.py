"""From a plan to artifacts and evidence."""
