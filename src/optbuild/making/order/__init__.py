"""In what order are the actions of a plan done, and what does a failure mean for the rest?"""
