"""Charts of a run: what they show, as data, and how matplotlib draws them as SVG that a page can style."""
