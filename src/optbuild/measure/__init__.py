"""From arms to verdicts: `contest` runs arms in turns, and says what that proves."""
