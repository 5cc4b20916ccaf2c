"""From words and files to entries of the universe: symbols, vendors, names that were not there.

What belongs here: what a word means to a vendor, what has to be registered for it, and which
sessions files hold of it. What does not: keeping registrations (adapters/configuration.py), reading
files (adapters/vendors/files), who asks (emp, jobs).

    dropped.py        what a batch of dropped files holds
    entries.py        what a word means, and what is new about it
    file_spans.py     which sessions files hold
    vendor_names.py   what a vendor most likely calls a configured instrument
    yahoo_symbols.py  what Yahoo's way of writing a symbol says
"""
