"""What a variant's settings did to a program: its functions compared with those of another build. Pure."""
