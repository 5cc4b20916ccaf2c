"""TimescaleDB: curated datasets, scores and reference tables of institutional mode.

What belongs here: one concern per file: settings, connections, tables and their migrations,
reading, writing, locks. What does not: the operations database, which is a PostgreSQL of its own
(adapters/operations).
"""
