"""One file per external program: argv out, output in. Pure, starts nothing."""
