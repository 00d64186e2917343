"""The command line: parses, prints, reads the environment and exits. Nothing below it does any of these."""
