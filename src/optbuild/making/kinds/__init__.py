"""How is each kind of action performed? A module each, and a row of `table`."""
