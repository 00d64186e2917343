"""Did PGO take effect?"""
