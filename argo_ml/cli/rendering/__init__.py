"""What the command line shows: the only place beside the commands that writes to the terminal.

A command imports its own part: together they import most of the package.
"""
