"""What is run to train and to measure."""
