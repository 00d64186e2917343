"""The kinds of actions, a module each: its fields, and what a plan shows about it.

`making/kinds` has a module of the same name for each, which performs it.
"""
