"""The command ``pidgin-analytics``."""

from __future__ import annotations

import click

from pidgin_analytics.commands import (
    archive,
    export,
    figure,
    import_legacy,
    lake,
    notebook,
    report,
    search,
    watch,
)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Look at conversations of Pidgin, search, export, archive or forget them.

    Folders are those of the environment (PIDGIN_OUTPUT_DIR, PIDGIN_ARCHIVE_DIR,
    PIDGIN_WAREHOUSE), as for dbt build.
    """


main.add_command(archive.archive)
main.add_command(archive.forget)
main.add_command(archive.restore)
main.add_command(export.export)
main.add_command(figure.figure)
main.add_command(import_legacy.import_legacy)
main.add_command(lake.clean_lake)
main.add_command(lake.move_to_file)
main.add_command(lake.move_to_lake)
main.add_command(notebook.notebook)
main.add_command(report.report)
main.add_command(search.search)
main.add_command(watch.watch)
