"""Sensors: what starts runs and sends word without a person.

What belongs here: sensor definitions; each tick calls one use-case.
What does not: schedules (jobs), the use-cases themselves.
"""
