"""The use-cases: fetch, curate, score, read.

What belongs here: the order of steps, written against the ports alone, so that assets, command
line, notebooks and Spark executors all run the same code.
What does not: rules about rows (the modules above), storage (adapters), Dagster (emp_assets).
"""
