"""What the platform does by itself: when it runs what, and when it stops trying.

What belongs here: the parsed form of config/automation.yaml (policy.py), from a clock to the
sessions that a schedule asks for (closes.py), the cut-off after repeated failures (cutoff.py). All
of it is pure. What does not: schedules and their runs (jobs/automation), reading the file
(adapters/automation.py), keeping state (adapters/operations).
"""
