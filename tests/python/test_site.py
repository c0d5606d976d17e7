"""The site shows what the project holds, finds it, and lets nothing run."""

from __future__ import annotations

import html
import itertools
import json
import re
import shutil
from collections.abc import Iterator
from contextlib import closing
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import duckdb
import pytest
import yaml
from browser import is_wider_than_window, opened_page, severe_violations
from click.testing import CliRunner
from conftest import ProjectMaker
from harness import ROOT, SAMPLE, Project
from playwright.sync_api import Page

from pidgin_analytics.command_line import main as command_line
from pidgin_analytics.site import __main__ as command
from pidgin_analytics.site import pages
from pidgin_analytics.site.catalog import Catalog, Relation, file_name
from pidgin_analytics.site.distribution import written
from pidgin_analytics.site.drawing import Box, layered
from pidgin_analytics.site.text import Writer

HARM = (
    "</script><script>alert(1)</script><img src=x onerror=alert(2)>"
    "<!-- ![p](http://x.example/p.png) [l](javascript:alert(3)) \u202e\u2028 =1+1"
)
TURNS = "tables/analysis.turns.html"


class Built:
    """A site, and what it was made from."""

    def __init__(self, project: Project, artifacts: Path, folder: Path) -> None:
        self.project = project
        self.artifacts = artifacts
        self.folder = folder
        self.manifest = json.loads((artifacts / "manifest.json").read_text("utf-8"))
        self.site = pages.Site(artifacts, project.warehouse)
        self.site.build(folder)
        self.documents = {
            path.relative_to(folder).as_posix(): Document(path)
            for path in folder.rglob("*.html")
            if path.name != "dbt.html"
        }

    @property
    def catalog(self) -> Catalog:
        """What there is to show."""
        return self.site.catalog


class Document(HTMLParser):
    """What a page holds: its text, its ids and its links."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.pieces: list[str] = []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what a tag says."""
        attributes = dict(attrs)
        self.tags.append((tag, attributes))
        if attributes.get("id"):
            self.ids.append(str(attributes["id"]))
        for name in ("href", "src"):
            if attributes.get(name) is not None:
                self.links.append(str(attributes[name]))

    def handle_data(self, data: str) -> None:
        """Note a text."""
        self.pieces.append(data)

    @property
    def text(self) -> str:
        """All texts, with one space for all white space."""
        return " ".join("".join(self.pieces).split())


@pytest.fixture(scope="module")
def built(project: ProjectMaker, tmp_path_factory: pytest.TempPathFactory) -> Built:
    """Build the sample and its site."""
    sample = project(SAMPLE)
    sample.build_only()
    parsed = sample._manifest(("docs", "generate"))
    assert parsed is not None
    outcome = sample.dbt("compile")
    assert outcome.success, outcome.errors
    artifacts = tmp_path_factory.mktemp("artifacts")
    manifest = parsed.writable_manifest().to_dict(omit_none=False)
    (artifacts / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    # dbt's own page is copied as it is.
    (artifacts / "static_index.html").write_text("<title>dbt</title>", "utf-8")
    return Built(sample, artifacts, tmp_path_factory.mktemp("site") / "site")
