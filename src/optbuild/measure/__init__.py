"""From arms to verdicts: `contest` runs arms in turns, and judges the results."""
