"""What does cargo build, and of which sources?"""
