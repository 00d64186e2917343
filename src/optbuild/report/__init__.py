"""From a record to text. Pure."""
