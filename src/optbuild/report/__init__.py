"""From a record to text for users to paste: what happened, what is proven, and what is not."""
