"""Writes the site from what dbt left behind."""

from __future__ import annotations

from pathlib import Path

import click

from pidgin_analytics import settings
from pidgin_analytics.site.pages import Site

FOLDER = click.Path(path_type=Path, file_okay=False)


@click.command()
@click.option(
    "--artifacts",
    type=FOLDER,
    default="target",
    show_default=True,
    help="Folder in which `dbt docs generate --static` left its files.",
)
@click.option(
    "-o",
    "--output",
    type=FOLDER,
    default="site",
    show_default=True,
    help="Folder to write; an earlier site in it is replaced.",
)
@click.option(
    "--parity",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="What tests/python/test_metric_parity.py wrote; shown in the page of parity.",
)
def main(artifacts: Path, output: Path, parity: Path | None) -> None:
    """Write the site, with the values of the warehouse PIDGIN_WAREHOUSE."""
    missing = [
        name
        for name in ("manifest.json", "static_index.html")
        if not (artifacts / name).is_file()
    ]
    if missing:
        raise click.ClickException(
            f"{artifacts} has no {missing[0]}: run dbt docs generate --static first."
        )
    warehouse = Path(settings.warehouse())
    if not warehouse.is_file():
        raise click.ClickException(
            f"There is no warehouse {warehouse}: run dbt build first."
        )
    site = Site(artifacts, warehouse, parity=parity)
    try:
        site.build(output)
    except FileExistsError as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"{len(site.pages)} pages: open {output / 'index.html'}")


if __name__ == "__main__":
    main()
