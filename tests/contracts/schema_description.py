"""Describe the schema of a database, and the rows that migrations insert, as sorted text."""

from __future__ import annotations

from collections.abc import Iterable

from django.db.backends.utils import CursorWrapper

SCHEMA = """
WITH our_tables AS (
  SELECT oid, relname FROM pg_class
  WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND relname ~ %(tables)s
)
SELECT 'column ' || relname || '.' || attname || ' ' || format_type(atttypid, atttypmod)
  || coalesce(' collate ' || nullif(collname, 'default'), '')
  || CASE WHEN attnotnull THEN ' not null' ELSE '' END
  || coalesce(' default ' || pg_get_expr(adbin, adrelid), '')
  || CASE WHEN attidentity <> '' THEN ' identity ' || attidentity::text ELSE '' END
FROM our_tables
JOIN pg_attribute ON attrelid = our_tables.oid AND attnum > 0 AND NOT attisdropped
LEFT JOIN pg_collation ON pg_collation.oid = attcollation
LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum

UNION ALL
SELECT 'constraint ' || relname || '.' || conname || ' ' || pg_get_constraintdef(pg_constraint.oid)
  || CASE WHEN convalidated THEN '' ELSE ' not valid' END
FROM our_tables JOIN pg_constraint ON conrelid = our_tables.oid AND contype <> 'n'

UNION ALL
SELECT 'index ' || pg_get_indexdef(indexrelid) FROM our_tables JOIN pg_index ON indrelid = oid

UNION ALL
SELECT 'trigger ' || pg_get_triggerdef(pg_trigger.oid) || ' enabled ' || tgenabled::text
FROM our_tables JOIN pg_trigger ON tgrelid = our_tables.oid AND NOT tgisinternal

UNION ALL
SELECT 'function ' || pg_get_functiondef(oid) FROM pg_proc
WHERE pronamespace = 'public'::regnamespace
  AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = pg_proc.oid AND deptype = 'e')

UNION ALL
SELECT 'sequence ' || sequencename || ' ' || data_type || ' from ' || min_value || ' to '
  || max_value || ' by ' || increment_by
FROM pg_sequences WHERE schemaname = 'public' AND sequencename ~ %(tables)s

UNION ALL
SELECT 'extension ' || extname FROM pg_extension
"""

SEED_ROWS = {
    "auth_group": "SELECT 'group ' || name FROM auth_group",
    "credits_plan": """
        SELECT 'plan ' || (to_jsonb(row) - 'id')::text FROM credits_plan AS row""",
    "chatbots_languagemodel": """
        SELECT 'model ' || (to_jsonb(row) - 'id' - 'created_at')::text
        FROM chatbots_languagemodel AS row WHERE name LIKE 'sandbox/%'""",
    "chatbots_embeddingmodel": """
        SELECT 'embedding model ' || (to_jsonb(row) - 'id' - 'created_at')::text
        FROM chatbots_embeddingmodel AS row WHERE name LIKE 'sandbox/%'""",
    "chatbots_pricechange": """
        SELECT 'price ' || (to_jsonb(row) - 'id' - 'created_at' - 'language_model_id')::text
        FROM chatbots_pricechange AS row WHERE model_name LIKE 'sandbox/%'""",
}


def describe_schema(cursor: CursorWrapper, apps: Iterable[str]) -> list[str]:
    """One sorted entry for each column, constraint, index, trigger, function, sequence, extension.

    Only the tables of `apps` are included. The order of a table's columns makes no difference.
    """
    cursor.execute(SCHEMA, {"tables": f"^({'|'.join(apps)})_"})
    return sorted(entry for (entry,) in cursor.fetchall())


def describe_seed_rows(cursor: CursorWrapper) -> list[str]:
    """One sorted entry for each row that migrations insert, without generated ids and times.

    Tables that do not exist are skipped.
    """
    found: list[str] = []
    for table, query in SEED_ROWS.items():
        cursor.execute("SELECT to_regclass(%s) IS NOT NULL", [table])
        if cursor.fetchone() == (True,):
            cursor.execute(query)
            found += [entry for (entry,) in cursor.fetchall()]
    return sorted(found)
