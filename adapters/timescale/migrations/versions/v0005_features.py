"""The hypertables of features, predictions and regime statistics."""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

# As those of the bars that the rows are made of.
CHUNKS = {
    "1m": "7 days",
    "5m": "28 days",
    "15m": "90 days",
    "1h": "1 year",
    "4h": "2 years",
    "1d": "10 years",
}

HEAD = """
    symbol text collate "C" not null,
    ts timestamp with time zone not null,
    session date not null,
    available_at timestamp with time zone not null,
"""

PRICE = """
    ret_1 double precision,
    ret_5 double precision,
    ret_20 double precision,
    ma_5 double precision,
    ma_20 double precision,
    vol_20 double precision,
    num_missing_in_window_5 bigint,
    num_missing_in_window_20 bigint,
"""

VOLUME = """
    vol_ma_20 double precision,
    vol_zscore_20 double precision,
    vol_percentile_20 double precision,
"""

INDICATORS = """
    rsi_14 double precision,
    macd double precision,
    macd_signal double precision,
    macd_hist double precision,
    bb_upper double precision,
    bb_middle double precision,
    bb_lower double precision,
    adx_14 double precision,
    plus_di_14 double precision,
    minus_di_14 double precision,
    atr_14 double precision,
    stoch_k_14 double precision,
    stoch_d_3 double precision,
    cci_20 double precision,
    williams_r_14 double precision,
    ichimoku_tenkan_9 double precision,
    ichimoku_kijun_26 double precision,
    ichimoku_senkou_a double precision,
    ichimoku_senkou_b double precision,
    sma_20 double precision,
    sma_50 double precision,
"""

REGIME = """
    trend bigint,
    atr_ratio double precision,
    regime text,
    volatility text,
"""

LABELS = """
    fwd_ret_1 double precision,
    fwd_end_1 timestamp with time zone,
    fwd_ret_5 double precision,
    fwd_end_5 timestamp with time zone,
    fwd_ret_20 double precision,
    fwd_end_20 timestamp with time zone,
"""

CONFLUENCE = """
    base text,
    direction_1d bigint,
    direction_4h bigint,
    direction_1h bigint,
    direction_15m bigint,
    direction_5m bigint,
    direction_1m bigint,
    points_up double precision,
    points_down double precision,
    points_known double precision,
    signal text,
"""

MACRO_CONTEXT = """
    hours_since_release double precision,
    hours_since_high double precision,
    releases_1d bigint,
    releases_5d bigint,
    importance_5d double precision,
"""

TAIL = """
    definition text not null
"""

PREDICTIONS = """
    symbol text collate "C" not null,
    ts timestamp with time zone not null,
    session date not null,
    available_at timestamp with time zone not null,
    timeframe text collate "C" not null,
    model text collate "C" not null,
    model_version text collate "C" not null,
    output text collate "C" not null,
    value double precision,
    features text not null,
    inputs_digest text not null
"""

REGIME_STATS = """
    symbol text collate "C" not null,
    session date not null,
    timeframe text collate "C" not null,
    regime text collate "C" not null,
    volatility text collate "C" not null,
    bars bigint not null,
    labelled bigint not null,
    wins bigint not null,
    sum_return double precision not null,
    sum_square double precision not null,
    sum_atr_ratio double precision not null,
    definition text not null
"""

KINDS = {
    "price": PRICE,
    "volume": VOLUME,
    "indicators": INDICATORS,
    "regime": REGIME,
    "labels": LABELS,
}

TABLES = {
    **{
        f"features.{kind}_{timeframe}_v1": (HEAD + columns + TAIL, "ts", chunk, "symbol, ts")
        for timeframe, chunk in CHUNKS.items()
        for kind, columns in KINDS.items()
    },
    "features.confluence_v1": (HEAD + CONFLUENCE + TAIL, "ts", "7 days", "symbol, ts"),
    "features.macro_context_v1": (HEAD + MACRO_CONTEXT + TAIL, "ts", "10 years", "symbol, ts"),
    "features.predictions": (
        PREDICTIONS,
        "ts",
        "1 year",
        "symbol, ts, timeframe, model, model_version, output",
    ),
    "marts.regime_stats": (
        REGIME_STATS,
        "session",
        "10 years",
        "symbol, session, timeframe, regime, volatility",
    ),
}


def upgrade() -> None:
    """Create schemas, tables, and the index of each that serves reads and uniqueness."""
    for schema in ("features", "marts"):
        op.execute(f"create schema if not exists {schema}")
    for name, (columns, time, chunk, key) in TABLES.items():
        op.execute(f"create table {name} ({columns})")
        op.execute(
            f"select create_hypertable('{name}', by_range('{time}', interval '{chunk}'),"
            " create_default_indexes => false)"
        )
        op.execute(f"create unique index {name.split('.')[1]}_key on {name} ({key})")


def downgrade() -> None:
    """Drop everything that `upgrade` made."""
    op.execute("drop schema features cascade")
    op.execute("drop schema marts cascade")
