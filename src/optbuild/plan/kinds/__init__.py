"""The kinds of actions, a module each: what it is made of, and what a plan shows of it.

`making/kinds` has a module of the same name for each: how it is performed.
"""
