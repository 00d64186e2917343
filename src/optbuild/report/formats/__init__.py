"""One file and one line in `FORMATS` for each report format."""
