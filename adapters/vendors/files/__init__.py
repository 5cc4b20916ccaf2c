"""The `files` reader: bars from text files of any vendor, told apart by a format spec.

What belongs here: one module per step - `spec` (what a format is), `discovery` (which file speaks
for whom), `source` and `blocks` (bytes to lines), `layout`, `times` and `parse` (lines to bars),
`reading` (one file through all of these), `profile` (what is known before),
`vendor` (the port), `extent` (which dates a path covers), `sniff` (a proposal for an unknown file).
What does not: vendors that answer over a network, and where bars are stored.
"""
