"""Features: what models and people are told about bars, in numbers that were known at the time.

    registry.py    every group of features: columns, definitions, versions
    definitions.py the texts and numbers of each column
    series.py      bars as features take them: usable ones, on one basis, with gaps counted
    prices.py, indicators.py, regimes.py   features of bars, volumes among them in prices.py
    arrays.py, averages.py   windows and averages along the series of each symbol
    labels.py      what came after a bar; never a feature
    confluence.py  the six timeframes together
    macro_context.py   releases around a session
    compute.py     from bars to the rows of a group
    checks.py      judging stored rows
    regime_stats.py, schemas.py   what is made of features
    windows.py     which bars before a session its features are made of

What does not belong here: reading bars and storing features (market_data/pipeline).
"""
