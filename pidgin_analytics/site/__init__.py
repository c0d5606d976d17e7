"""A site that shows every table: ``python -m pidgin_analytics.site``.

It is written from dbt's manifest, from a warehouse of the bundled sample and from the
pages in ``docs``, and opens from the file system without a network.
"""
