"""What one run produced, and where it is kept."""
