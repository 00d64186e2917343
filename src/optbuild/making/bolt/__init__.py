"""What does BOLT make of linked programs?"""
