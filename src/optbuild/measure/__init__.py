"""From artifacts to samples and comparisons: schedule, sampler, statistics."""
