"""Alpha Vantage: shares, currencies and coins behind a key.

What belongs here: what an answer says (answers.py), its table (series.py), its times (stamps.py),
which question is put (questions.py), and the vendor port (vendor.py).
What does not: sending (adapters/vendors/http.py).
"""
