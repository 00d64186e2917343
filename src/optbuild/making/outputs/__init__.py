"""Does every variant do what the baseline does?"""
