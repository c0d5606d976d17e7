"""Tables of the warehouse as files: Parquet, CSV, a workbook, or a corpus of ConvoKit.

Beside the data there is always a codebook, made of the comments in the warehouse. An
export is written into a folder of its own first; its files take their places together,
when all of them are whole.
"""

from pidgin_analytics.exports.corpus import export_corpus
from pidgin_analytics.exports.files import Exported
from pidgin_analytics.exports.table_files import export_tables
from pidgin_analytics.exports.tables import ExportError, known_tables

__all__ = [
    "FORMATS",
    "ExportError",
    "Exported",
    "export_corpus",
    "export_tables",
    "known_tables",
]

FORMATS = ("parquet", "csv", "xlsx", "convokit")
