"""What a user may not do with the tables that the platform works on.

What belongs here: asking PostgreSQL's catalogue, which answers whoever asks; the words and the
cure. What does not: which server is asked (timescale.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg

_USAGE = "usage"
# Rows: a schema's or table's name, its schema, and what this user lacks there.
_LACKING = """
with wanted as (select oid, nspname from pg_namespace where nspname = any(%s)),
lacking as (
    select 'schema ' || nspname as name, nspname, 'usage' as privilege, 1 as place,
           not has_schema_privilege(oid, 'usage') as lacks
    from wanted
    union all
    select nspname || '.' || relname, nspname, privilege, place,
           not has_table_privilege(c.oid, privilege)
    from pg_class c join wanted on wanted.oid = c.relnamespace,
         unnest(array['select', 'insert', 'update', 'delete'])
             with ordinality as rights (privilege, place)
    where relkind in ('r', 'p')
    union all
    -- Not left to the condition below, which may be looked at later than what it guards.
    select 'sequence ' || nspname || '.' || relname, nspname, 'usage', 1,
           case when relkind = 'S' then not has_sequence_privilege(c.oid, 'usage') end
    from pg_class c join wanted on wanted.oid = c.relnamespace
    where relkind = 'S'
)
select name, nspname, array_agg(privilege order by place)
from lacking where lacks group by 1, 2 order by 2, 1
"""


@dataclass(frozen=True)
class Lack:
    """What a user may not do with one schema, table or sequence.

    Attributes:
        name: "schema emp", "emp.months" or "sequence emp.revisions".
        schema: in which it lies.
        privileges: usage, or some of select, insert, update and delete.
    """

    name: str
    schema: str
    privileges: tuple[str, ...]


def lacking(connection: psycopg.Connection[Any], schemas: Sequence[str]) -> list[Lack]:
    """What the user of a connection lacks in some schemas, as far as these exist."""
    found = connection.execute(_LACKING, (list(schemas),)).fetchall()
    return [Lack(name, schema, tuple(privileges)) for name, schema, privileges in found]


def told(lacks: Iterable[Lack]) -> str:
    """A sentence that says what lacks what; what lacks the same stands together."""
    alike: dict[tuple[str, ...], list[str]] = {}
    for lack in lacks:
        alike.setdefault(lack.privileges, []).append(lack.name)
    parts = (f"{', '.join(p)} on {', '.join(names)}" for p, names in alike.items())
    return f"this user lacks {'; '.join(parts)}"


def cure(lacks: Iterable[Lack], user: str) -> str:
    """The statements that grant it all.

    Args:
        lacks: what is lacking.
        user: whom to grant it, in words.
    """
    wanted: dict[str, Mapping[str, None]] = {}
    for lack in lacks:
        kind = "tables"
        if lack.privileges == (_USAGE,):
            kind = "sequences" if lack.name.startswith("sequence ") else ""
        where = f"all {kind} in schema {lack.schema}" if kind else f"schema {lack.schema}"
        wanted[where] = {**wanted.get(where, {}), **dict.fromkeys(lack.privileges)}
    grants = "; ".join(f"grant {', '.join(p)} on {where}" for where, p in wanted.items())
    return f"let their owner run, each with 'to' and {user}: {grants}"
