"""Jobs: selections of the graph that are launched as one.

What belongs here: job definitions and schedules, and later maintenance and drills.
What does not: what an asset does (emp_assets).
"""
