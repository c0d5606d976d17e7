"""How values stand in CSV: texts that are no formulas, times in UTC, JSON."""

from __future__ import annotations

from pidgin_analytics.exports.tables import NUMBERS, Column, as_text
from pidgin_analytics.sql_text import identifier, literal

# A spreadsheet takes a text for a formula that begins with one of these signs, plain
# or full-width, perhaps behind characters that nobody sees. Apostrophes are passed over
# too: so one apostrophe can be put before such a text and taken away again, whether or
# not there were others.
FORMULA = r"^[\p{Z}\p{C}\s']*([=+\-@＝＋－＠]|[\t\r\n])"
CSV_OPTIONS = r"format csv, header, new_line '\r\n'"


def csv_column(column: Column) -> str:
    """Write the SQL of a column as a CSV file holds it."""
    name = identifier(column.name)
    if NUMBERS.fullmatch(column.type) or column.type in ("BOOLEAN", "DATE", "UUID"):
        return name
    if column.type == "TIMESTAMP WITH TIME ZONE":
        return (
            f"strftime(timezone('UTC', {name}), '%Y-%m-%dT%H:%M:%S.%f+00:00') as {name}"
        )
    text = as_text(column)
    return (
        f"if(regexp_matches({text}, {literal(FORMULA)}), '''' || {text}, {text})"
        f" as {name}"
    )
