"""What the Cargo project is: packages, bins, configuration, rustflags with their origin, git."""
