"""From a record to text that people paste: what happened, what is proven, and what is not."""
