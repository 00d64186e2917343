"""Shows by simulation that the statistics of `optbuild.measure` keep what they promise; no part of the package."""
