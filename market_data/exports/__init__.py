"""Exports: datasets laid out as files for Spark and others, each with a manifest.

What belongs here: which exports there are, their layout, the manifest, the digest of their content,
what makes one wrong. What does not: reading and writing (adapters/exports), assets
(emp_assets/exports).
"""
