"""The read cache: in this process, or in Redis for all of them.

What belongs here: one concern per file: settings, policy, the two caches, the store that reads
through one. What does not: what is worth caching beyond whole scans.
"""
