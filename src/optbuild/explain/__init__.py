"""What a variant's settings did to a program: its functions beside those of another build. Pure."""
