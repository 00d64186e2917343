"""Charts of a run: their data, and matplotlib code that draws them as SVG that a page can style."""
