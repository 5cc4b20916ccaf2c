"""The commands of `emp`, one file each.

What belongs here: options, and the order in which a command calls what does the work. Modules
import what is heavy inside the command, so that `emp --help` and reading bars start at once.
What does not: rules and use-cases (market_data), the graph (emp_assets).
"""
