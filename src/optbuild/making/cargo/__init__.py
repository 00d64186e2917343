"""What does cargo build, and from which sources?"""
