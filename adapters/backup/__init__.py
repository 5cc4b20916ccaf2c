"""Backups: a folder that holds all that an installation cannot make again, and the way back.

What belongs here: making one (creating.py), reading one back (verifying.py), putting one in place
(restoring.py), what each says of itself (manifest.py).
What does not: how rows are copied (market_data/pipeline/copying.py, adapters/sides.py), what a
person is shown (emp/commands/backup.py), how old one may be (market_data/operations/backups.py).
"""
