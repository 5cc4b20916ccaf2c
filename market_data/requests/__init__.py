"""What is asked of vendors: when one is left alone, what a plan costs.

What belongs here: pure rules. What does not: counting and keeping (adapters/requests).
"""
