"""Archives: experiments that rest, each in a Parquet file.

``format`` alone knows what such a file is; ``verify`` says whether one is whole;
``write``, ``restore`` and ``forget`` do what the commands of these names say, and
``queries`` has the SQL that they ask. docs/decisions/0004-archives.md and
docs/decisions/0019-archiving-in-python.md say why it is so.
"""
