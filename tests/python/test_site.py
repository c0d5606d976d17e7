"""The site shows what the project holds, finds it, and lets nothing run."""

from __future__ import annotations

import html
import itertools
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import duckdb
import pytest
import yaml
from click.testing import CliRunner
from conftest import ProjectMaker
from helpers.browser import is_wider_than_window, opened_page, severe_violations
from helpers.harness import ROOT, SAMPLE, Project
from playwright.sync_api import Page

from pidgin_analytics.command_line import main as command_line
from pidgin_analytics.descriptions import (
    all_columns,
    definition,
    facts_of,
    null_in_words,
    range_in_words,
)
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
# What people look for, and what they should find, by its table or kind.
QUERIES = (
    ("mutual_mimicry", "turn_metrics.mimicry_score_a_to_b"),
    ("lsm", "turn_metrics.structural_similarity"),
    ("linguistic style matching", "analysis.turns.structural_similarity"),
    ("hedge_ratio", "message_metrics.hedge_density"),
    ("type-token ratio", "message_metrics.type_token_ratio"),
    ("Type Token", "message_metrics.type_token_ratio"),
    ("ttr", "message_metrics.type_token_ratio"),
    ("alignment", "turn_metrics.vocabulary_overlap"),
    ("entrainment", "turn_metrics.vocabulary_overlap"),
    ("overall_convergence", "turn_metrics.convergence_balanced"),
    ("total_cost", "analysis.conversations.cost_usd"),
    ("going in circles", "conversation_patterns.has_loop"),
    ("vocab overl", "turn_metrics.vocabulary_overlap"),
    ("readability", "message_metrics.flesch_reading_ease"),
    ("rejected_lines", "view.rejected_lines"),
    ("search_mess", "function.search_messages"),
    ("kandra demberg", "conversation_patterns.alignment_gain"),
    ("forget", "command.pidgin-analytics forget"),
)

# What a comparison of all metrics leaves behind, cut short.
PARITY = """## What was compared

| Metric | sample_data |
|---|---:|
| `mattr` | 540 (1.1e-16) |
"""


class Built:
    """A site, and what it was made from."""

    def __init__(self, project: Project, artifacts: Path, folder: Path) -> None:
        """Write the site of a project that was built."""
        self.project = project
        self.artifacts = artifacts
        self.folder = folder
        self.manifest = json.loads((artifacts / "manifest.json").read_text("utf-8"))
        parity = folder.with_name("parity.md")
        parity.write_text(PARITY, encoding="utf-8")
        self.site = pages.Site(artifacts, project.warehouse, parity=parity)
        self.site.build(folder)
        self.documents = {
            path.relative_to(folder).as_posix(): Document(path)
            for path in folder.rglob("*.html")
            if path.name not in ("dbt.html", "sample-report.html")
        }

    @property
    def catalog(self) -> Catalog:
        """What there is to show."""
        return self.site.catalog


class Document(HTMLParser):
    """What a page holds: its text, its ids and its links."""

    def __init__(self, path: Path) -> None:
        """Read a page."""
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
    folder = tmp_path_factory.mktemp("site") / "site"
    return Built(sample, write_artifacts(sample), folder)


def write_artifacts(project: Project) -> Path:
    """Let dbt write what the site is made from, and return the folder."""
    project._take_place()
    arguments = project.arguments("docs", "generate", "--static")
    arguments.remove("--no-write-json")
    subprocess.run(
        [sys.executable, "-m", "dbt.cli.main", *arguments],
        cwd=ROOT,
        env=project.environment,
        check=True,
        capture_output=True,
    )
    return project.home / "target"


def relations(manifest: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Return what the manifest describes: models, seeds and sources."""
    for node in {**manifest["nodes"], **manifest["sources"]}.values():
        if node["resource_type"] in ("model", "seed", "source"):
            yield node


def words(text: str) -> str:
    """Return a text without markup and white space at its ends."""
    bare = re.sub(r"[`*#]|^\s*- ", "", text, flags=re.MULTILINE)
    return " ".join(bare.split())


def column_text(document: str, name: str) -> str:
    """Return the piece of a page that is about a column."""
    mark = f'<article class="column" id="column-{file_name(name)}"'
    assert document.count(mark) == 1, name
    return document.partition(mark)[2].partition("</article>")[0]


def shown(piece: str) -> str:
    """Return the text of a piece of a page."""
    parted = re.sub(r"<(?=/?(?:dt|dd|p|li|div|summary)\b)", " <", piece)
    return " ".join(html.unescape(re.sub(r"<[^>]*>", "", parted)).split())


# What is there


def test_every_relation_and_column_is_there_with_all_of_its_description(
    built: Built,
) -> None:
    count = 0
    declared = {
        node["name"]: [*node["columns"].values()] for node in relations(built.manifest)
    }
    for node in relations(built.manifest):
        relation = built.catalog.relations[node["unique_id"]]
        page = (built.folder / relation.page).read_text(encoding="utf-8")
        text = words(built.documents[relation.page].text)
        for sentence in re.split(r"\n\n|\n(?=- )", node["description"]):
            assert words(sentence) in text, (relation.title, sentence)
        for column in all_columns(node, declared):
            piece = shown(column_text(page, column["name"]))
            facts = facts_of(column)
            told = [
                *re.split(r"(?<=\.)\s+(?=[A-Z`])", definition(column)),
                range_in_words(facts),
                null_in_words(facts),
                *(facts.get(fact, "") for fact in ("unit", "source")),
            ]
            for sentence in told:
                assert words(sentence) in words(piece), (relation.title, sentence)
            assert (column["data_type"] or "").lower() in piece
            count += 1
    assert count > 1000


def test_every_table_of_the_warehouse_has_a_page(built: Built) -> None:
    """Of the schemas that people see, and with all of its columns."""
    rows = built.project.query(
        "select schema_name, table_name, column_name from duckdb_columns()"
        " where schema_name in ('main', 'analysis', 'seeds') and not internal"
    )
    physical = built.catalog.physical()
    for schema, table, column in rows:
        relation = physical[schema, table]
        assert f"column-{column}" in built.documents[relation.page].ids


def test_facts_stand_beside_a_column(built: Built) -> None:
    page = (built.folder / "tables/turn_metrics.html").read_text(encoding="utf-8")
    piece = column_text(page, "vocabulary_overlap")
    text = shown(piece)
    assert "Unit ratio" in text
    assert "Range From 0 to 1; 0 if a message has no words." in text
    assert "NULL NULL if a message is a placeholder or missing." in text
    assert "Source Equals vocabulary_overlap and lexical_entrainment" in text
    assert "<mfrac>" in piece
    number = column_text(page, "turn_number")
    assert "together unique, and never NULL" in shown(number)
    owner = shown(column_text(page, "conversation_id"))
    assert "Each conversation_id is a conversation_id of conversations." in owner


def test_a_column_that_refers_to_another_says_its_facts(built: Built) -> None:
    page = (built.folder / TURNS).read_text(encoding="utf-8")
    text = shown(column_text(page, "temperature_b"))
    assert re.search(r"NULL NULL if none was set.*As for temperature_a\.", text)


def test_every_test_is_told_in_words(built: Built) -> None:
    """On the page of each relation that it is about, and with its name."""
    for node in built.manifest["nodes"].values():
        if node["resource_type"] != "test":
            continue
        attached = node.get("attached_node")
        # A model that is switched off has tests, and no page.
        if attached and attached not in built.manifest["nodes"]:
            continue
        needed = [attached] if attached else node["depends_on"]["nodes"]
        for unique_id in needed:
            text = built.documents[built.catalog.relations[unique_id].page].text
            assert node["name"] in text


def test_pages_of_the_documentation_are_there(built: Built) -> None:
    for path in (ROOT / "docs").rglob("*.md"):
        page = path.relative_to(ROOT / "docs").with_suffix(".html").as_posix()
        title = path.read_text(encoding="utf-8").splitlines()[0].removeprefix("# ")
        assert words(title) in built.documents[page].text
    assert (built.folder / "dbt.html").stat().st_size > 1_000_000


def test_the_comparison_of_metrics_follows_its_page(built: Built) -> None:
    page = built.documents["parity.html"]
    assert page.text.index("Every value of a metric") < page.text.index("540 (1.1e-16)")


def test_commands_are_told_with_all_options(built: Built) -> None:
    text = built.documents["commands.html"].text
    assert "\b" not in text
    for name, one in command_line.commands.items():
        assert f"pidgin-analytics {name}" in text
        for option in (one for parameter in one.params for one in parameter.opts):
            assert not option.startswith("--") or option in text


def test_the_report_of_the_sample_is_linked(built: Built) -> None:
    for page in ("index.html", "tables.html"):
        assert "sample-report.html" in built.documents[page].links
    count = built.project.value("select count(*) from conversations")
    report = (built.folder / "sample-report.html").read_text(encoding="utf-8")
    data = re.search(r'id="data">(.*?)</script>', report)
    assert data is not None
    assert json.loads(data[1])["conversations"]["count"] == count


def test_all_links_resolve(built: Built) -> None:
    """Each leads to a file of the site, and to a place that is in it, once."""
    for page, document in built.documents.items():
        assert len(document.ids) == len(set(document.ids)), page
        for link in document.links:
            if link.startswith(("https://", "http://", "data:")):
                assert not link.startswith("data:") or link == "data:,"
                continue
            path, _, fragment = link.partition("#")
            target = (built.folder / page).parent / unquote(path) if path else None
            file = (target or built.folder / page).resolve()
            assert file.is_file(), (page, link)
            if fragment and file.name != "dbt.html":
                name = file.relative_to(built.folder.resolve()).as_posix()
                assert unquote(fragment) in built.documents[name].ids, (page, link)


def test_entries_of_the_search_lead_somewhere(built: Built) -> None:
    for entry in built.site.entries:
        path, _, fragment = entry.page.partition("#")
        assert not fragment or fragment in built.documents[path].ids, entry


# What comes from what


def test_lineage_of_tables_is_that_of_the_manifest(built: Built) -> None:
    """On the graph, and beside each table."""
    edges = set()
    for node in built.manifest["nodes"].values():
        if node["resource_type"] in ("model", "seed"):
            for needed in node["depends_on"].get("nodes", []):
                edges.add((needed, node["unique_id"]))
    drawn = {
        (str(attributes["data-start"]), str(attributes["data-end"]))
        for tag, attributes in built.documents["graph.html"].tags
        if tag == "path"
    }
    assert drawn == edges
    assert len(edges) > 100
    for relation in built.catalog:
        page = (built.folder / relation.page).read_text(encoding="utf-8")
        flow = page.partition('<div class="flow">')[2].partition("</section>")[0]
        before, after = flow.split('<div class="this">')
        for piece, ids in (
            (before, {one for one, end in edges if end == relation.unique_id}),
            (after, {end for one, end in edges if one == relation.unique_id}),
        ):
            names = set(re.findall(r"<li><a [^>]*><code>(.*?)</code>", piece))
            assert names == {built.catalog.relations[one].title for one in ids}


@pytest.mark.parametrize(
    ("relation", "column", "sources"),
    [
        (
            "analysis.turns",
            "a_type_token_ratio",
            {("message_metrics", "type_token_ratio")},
        ),
        (
            "analysis.turns",
            "vocabulary_overlap",
            {("turn_metrics", "vocabulary_overlap")},
        ),
        (
            "analysis.turns",
            "model_pair",
            {("conversations", "agent_a_model"), ("conversations", "agent_b_model")},
        ),
        ("analysis.messages", "content", {("messages", "content")}),
        (
            "word_use",
            "is_stop_word",
            {("stop_words", "word")},
        ),
        ("messages", "content", {("int_messages", "content")}),
        (
            "int_messages",
            "content",
            {
                ("int_message_replies", "content"),
                ("int_turn_records", "agent_a_content"),
            },
        ),
        ("int_message_replies", "duration_ms", {("int_events", "event_data")}),
        ("rolling_convergence", "delta", {("turn_metrics", "convergence_score")}),
    ],
)
def test_a_column_names_the_columns_behind_it(
    built: Built, relation: str, column: str, sources: set[tuple[str, str]]
) -> None:
    """As one sees who reads the SQL."""
    found = built.site.lineage.behind(built.catalog.named(relation), column)
    assert found is not None
    assert {place[1:] for place in found} >= sources
    if relation == "analysis.turns":
        assert {place[1:] for place in found} == sources
    page = (built.folder / built.catalog.named(relation).page).read_text("utf-8")
    for table, name in sources:
        target = built.catalog.named(table)
        assert f"{target.title}.{name}" in shown(column_text(page, column))
        back = (built.folder / target.page).read_text(encoding="utf-8")
        assert f"{relation}.{column}" in shown(column_text(back, name))


def test_columns_come_only_from_what_the_manifest_names(built: Built) -> None:
    """Whatever the SQL was taken for, no table is behind a column that is not used."""
    known = 0
    columns = set(
        built.project.query(
            "select schema_name, table_name, column_name from duckdb_columns()"
        )
    )
    for relation in built.catalog:
        needed = {
            (other.schema, other.alias)
            for other in map(built.catalog.relations.__getitem__, relation.needs)
        }
        for column in relation.columns:
            for place in built.site.lineage.behind(relation, column.name) or ():
                assert place[:2] in needed
                assert place in columns
                known += 1
    assert known > 1500
    # SQL does not name the columns of unnested structs, so no parser follows them.
    assert [
        one
        for one in built.site.lineage.unread
        if "stg_" not in one
        and "max_depth := 2" not in built.catalog.relations[one].sql
    ] == []


def test_keys_are_those_of_the_tests_and_have_a_partner(built: Built) -> None:
    """Each full line is a relationship that holds in the sample."""
    tested, shared = built.site.entity_edges()
    assert len(tested) >= 8
    assert shared
    for start, end in tested:
        one, other = built.catalog.relations[start], built.catalog.relations[end]
        for reference in one.references:
            if reference.relation == end:
                assert not built.project.value(
                    f"select count(*) from {one.title} where {reference.column}"
                    f" not in (select {reference.field} from {other.title})"
                )
    drawn = [tag for tag, _ in built.documents["entities.html"].tags if tag == "path"]
    assert len(drawn) == len(tested) + len(shared)


def test_boxes_of_a_picture_do_not_meet() -> None:
    edges = [("a", "b"), ("a", "c"), ("b", "d"), ("c", "d"), ("a", "d"), ("e", "d")]
    drawing = layered([Box(key, 50, 20) for key in "abcdef"], edges)
    assert {(line.start, line.end) for line in drawing.lines} == set(edges)
    for start, end in edges:
        assert drawing.boxes[start].x + 50 < drawing.boxes[end].x
    for one, other in itertools.combinations(drawing.boxes.values(), 2):
        assert abs(one.x - other.x) >= 50 or abs(one.y - other.y) >= 20
    for box in drawing.boxes.values():
        assert 0 <= box.y <= drawing.height - box.height


# How values are spread


def bars(piece: str) -> list[dict[str, str]]:
    """Return what the bars or values of a column say."""
    found = []
    for tag in re.findall(r"<(?:rect|li) [^>]*data-count[^>]*>", piece):
        pairs = re.findall(r'data-([a-z]+)="([^"]*)"', tag)
        found.append({name: html.unescape(value) for name, value in pairs})
    return found


def test_distributions_equal_sql(built: Built) -> None:
    """Every bar, value and share of NULLs of every table that people query."""
    checked = {"stretch": 0, "value": 0}
    with built.project.opened() as connection, closing(connection.cursor()) as cursor:
        for relation in built.catalog:
            if not relation.is_public or relation.kind == "function":
                continue
            page = (built.folder / relation.page).read_text(encoding="utf-8")
            # A view is computed once.
            cursor.execute(f"create temp table it as from {relation.title}")
            for column in relation.columns:
                piece = column_text(page, column.name)
                check_column(cursor, column.name, piece, checked)
            cursor.execute("drop table it")
    assert checked["stretch"] > 3000
    assert checked["value"] > 300


def check_column(
    cursor: duckdb.DuckDBPyConnection,
    name: str,
    piece: str,
    checked: dict[str, int],
) -> None:
    """Compare the numbers beside a column with the values, counted in Python."""
    values = [row[0] for row in cursor.execute(f'select "{name}" from it').fetchall()]
    (nulls,) = re.findall(r'data-rows="(\d+)" data-nulls="(\d+)"', piece)
    missing = sum(value is None for value in values)
    assert (int(nulls[0]), int(nulls[1])) == (len(values), missing)
    assert (f"NULL in {missing:,} of" in shown(piece)) is (0 < missing < len(values))
    drawn = bars(piece)
    counted = 0
    for place, bar in enumerate(drawn):
        count = int(bar["count"])
        if "low" in bar:
            low, high = float(bar["low"]), float(bar["high"])
            is_last = place == len(drawn) - 1
            own = sum(
                low <= value < high or (value == high and (is_last or low == high))
                for value in values
                if value is not None
            )
            checked["stretch"] += 1
        else:
            own = sum(
                bar["value"]
                == (str(value).lower() if value in (True, False) else str(value))
                for value in values
                if value is not None
            )
            checked["value"] += 1
        assert count == own, (name, bar)
        counted += count
    if drawn and "other values" not in piece:
        assert counted == len(values) - missing, name


@pytest.mark.parametrize(
    ("number", "text"),
    [
        *((0.0, "0"), (1234567.0, "1,234,567"), (0.20588, "0.206"), (-0.5, "-0.5")),
        *((12.3456, "12.3"), (1234.5678, "1,235"), (0.00001234, "0.0000123")),
        *((1e-12, "1.00e-12"), (1e300, "1.00e+300"), (99.96, "100")),
    ],
)
def test_numbers_are_written_short(number: float, text: str) -> None:
    assert written(number) == text


# Queries


def test_queries_beside_a_table_run(built: Built) -> None:
    """And read that table; those of the cookbook are tested to find rows elsewhere."""
    for relation in built.catalog:
        examples = built.site.examples(relation)
        assert bool(examples) or not relation.is_public
        for example in examples:
            assert (
                shown(html.escape(example.sql)) in built.documents[relation.page].text
            )
            if not example.page:
                # Some tables are empty in the sample.
                built.project.query(example.sql)
            assert relation.alias in example.sql


def test_each_question_stands_beside_what_it_reads(built: Built) -> None:
    found = {
        question.title
        for relation in built.catalog
        for question in built.site.examples(relation)
        if question.page
    }
    text = (ROOT / "docs" / "questions.md").read_text(encoding="utf-8")
    assert found == set(re.findall(r"^### (.*)$", text, re.MULTILINE))


# Formulas and synonyms


def test_formulas_belong_to_metrics_and_are_typeset(built: Built) -> None:
    text = (built.folder / "metrics.html").read_text(encoding="utf-8")
    for name in built.site.formulas:
        table, _, column = name.partition(".")
        relation = built.catalog.named(table)
        assert relation.column(column) is not None, name
        page = (built.folder / relation.page).read_text(encoding="utf-8")
        assert "<math " in column_text(page, column)
    in_marts = [
        name
        for name in built.site.formulas
        if not name.startswith(("search_", "similar_"))
    ]
    assert text.count("<math ") == len(in_marts) >= 30


def test_synonyms_find_what_is_there(built: Built) -> None:
    text = (Path(pages.__file__).parent / "synonyms.yml").read_text(encoding="utf-8")
    columns = {
        column.name
        for relation in built.catalog
        if relation.is_public
        for column in relation.columns
    }
    for group in yaml.safe_load(text):
        assert group["words"]
        for name in group["finds"]:
            if name.startswith("table: "):
                assert built.catalog.named(name.removeprefix("table: ")).is_public
            else:
                pattern = rf"([ab]_)?{re.escape(name)}(_[ab])?"
                assert any(re.fullmatch(pattern, one) for one in columns), name


FINDS = """() => [...document.querySelectorAll(".hit")].map((hit) =>
    [".kind", ".title"].map((part) => hit.querySelector(part).textContent).join("."))"""


def search(page: Page, query: str) -> list[str]:
    """Type a query, and return what is found: name and table."""
    page.fill("#search", query)
    return list(page.evaluate(FINDS))


def test_search_finds(built: Built) -> None:
    """By name, beginnings of words, description and other words, at once."""
    with opened_page(built.folder / "index.html") as page:
        missed = [
            (query, wanted, found)
            for query, wanted in QUERIES
            if wanted not in (found := search(page, query)[:15])
        ]
        assert missed == []
        for relation in built.catalog:
            if relation.is_public:
                found = search(page, relation.title)
                assert any(relation.title in one for one in found[:2]), relation.title
        assert search(page, "qqqxyz") == []
        assert "Nothing found" in page.inner_text("#hits")
        assert page.inner_text("#found") == "Nothing found"


# In a browser


def test_search_by_keyboard(built: Built) -> None:
    with opened_page(built.folder / "metrics.html") as page:
        page.keyboard.press("/")
        assert page.evaluate("document.activeElement.id") == "search"
        page.keyboard.type("hedge_density")
        first = page.get_attribute("#search", "aria-activedescendant")
        page.keyboard.press("ArrowDown")
        second = page.get_attribute("#search", "aria-activedescendant")
        assert (first, second) == ("hit-0", "hit-1")
        assert page.get_attribute("#hit-1", "aria-selected") == "true"
        page.keyboard.press("ArrowUp")
        page.keyboard.press("ArrowUp")
        last = page.get_attribute("#search", "aria-activedescendant")
        assert last == f"hit-{len(page.query_selector_all('.hit')) - 1}"
        page.keyboard.press("ArrowDown")
        page.keyboard.press("Enter")
        page.wait_for_url("**/tables/*.html#column-*hedge_density")
        page.keyboard.press("/")
        page.keyboard.type("x")
        page.keyboard.press("Escape")
        assert page.is_hidden("#hits")


def test_columns_are_filtered(built: Built) -> None:
    with opened_page(built.folder / TURNS) as page:
        page.fill("#filter", "mimicry")
        names = page.eval_on_selector_all(
            "article.column:not([hidden])", "all => all.map(one => one.dataset.name)"
        )
        assert {"mimicry_score_a_to_b", "mimicry_score_b_to_a"} <= set(names)
        assert len(names) < 20
        # A link to a column that is hidden shows all again.
        page.evaluate("location.hash = '#column-status'")
        page.wait_for_selector("#column-status:not([hidden])")


def test_graph_marks_what_leads_to_a_table(built: Built) -> None:
    def reach(start: str, side: str) -> set[str]:
        found: set[str] = set()
        waiting = [start]
        while waiting:
            for one in getattr(built.catalog.relations[waiting.pop()], side):
                if one not in found:
                    found.add(one)
                    waiting.append(one)
        return found

    key = "model.pidgin_analytics.messages"
    with opened_page(built.folder / "graph.html", f"#{key}") as page:
        marked = page.eval_on_selector_all("a.box.on", "all => all.map(one => one.id)")
        assert set(marked) == {key} | reach(key, "needs") | reach(key, "used_by")
        assert len(page.query_selector_all("a.box")) == len(list(built.catalog))
        width = page.evaluate("document.querySelector('svg.graph').clientWidth")
        page.click("text=All of it")
        small = page.evaluate("document.querySelector('svg.graph').clientWidth")
        assert small < width


def test_scheme_can_be_chosen_and_stays(built: Built) -> None:
    colour = "getComputedStyle(document.body).backgroundColor"
    with opened_page(built.folder / "index.html") as page:
        light = page.evaluate(colour)
        page.click("#theme")
        dark = page.evaluate(colour)
        assert dark != light
        page.goto((built.folder / TURNS).as_uri())
        assert page.evaluate(colour) == dark
        page.click("#theme")
        assert page.evaluate(colour) == light


# One of each kind; in a large table the check takes as long as in all others.
CHECKED = {
    "light": (
        "index.html",
        "tables.html",
        "tables/turn_metrics.html",
        "tables/search_messages.html",
        "graph.html",
        "entities.html",
        "validity.html",
        "commands.html",
    ),
    "dark": ("index.html", "tables/conversations.html", "graph.html", "validity.html"),
}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_keeps_people_out(built: Built, scheme: Any) -> None:
    """No serious violation that axe-core knows of, with hits of a search open, too."""
    with opened_page(built.folder / "index.html", scheme=scheme) as page:
        for name in CHECKED[scheme]:
            page.goto((built.folder / name).as_uri())
            assert severe_violations(page) == [], name
        search(page, "alignment")
        assert severe_violations(page) == []


def test_nothing_is_wider_than_a_phone(built: Built) -> None:
    """At 400 pixels, every page that people are meant for and some of the others.

    None asks the network or writes an error.
    """
    inner = [name for name in built.documents if re.match(r"tables/(int|stag)", name)]
    names = sorted(set(built.documents) - set(inner)) + inner[::6]
    with opened_page(built.folder / "index.html", width=400) as page:
        for name in names:
            page.goto((built.folder / name).as_uri())
            assert not is_wider_than_window(page), name
        page.goto((built.folder / TURNS).as_uri())
        search(page, "alignment")
        assert not is_wider_than_window(page)


# Hostile texts


def test_hostile_texts_are_shown_as_text(
    built: Built, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """In descriptions, names, tests, questions and in values of the warehouse."""
    home = tmp_path_factory.mktemp("harm")
    manifest = json.loads((built.artifacts / "manifest.json").read_text("utf-8"))
    name = "model.pidgin_analytics.experiments"
    node = manifest["nodes"][name]
    kept = {name, *node["depends_on"]["nodes"]}
    manifest["nodes"] = {
        key: one
        for key, one in manifest["nodes"].items()
        if key in kept
        or (one["resource_type"] == "test" and name in one["depends_on"]["nodes"])
    }
    node["description"] = f"One row per {HARM}.\n\n- {HARM}"
    node["columns"]["status"]["description"] = HARM
    facts = ("range_note", "unit", "null_when", "source")
    node["columns"]["status"]["config"]["meta"] = {
        "range": [HARM, HARM],
        **dict.fromkeys(facts, HARM),
    }
    node["columns"]["status"]["data_type"] = HARM.lower()
    odd = f'"><b>{HARM}'
    node["columns"][odd] = node["columns"]["status"] | {"name": odd}
    for test in manifest["nodes"].values():
        if test["resource_type"] == "test":
            test["description"] = HARM
    artifacts = home / "artifacts"
    artifacts.mkdir()
    (artifacts / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    (artifacts / "static_index.html").write_text("<title>dbt</title>", "utf-8")
    docs = home / "docs"
    docs.mkdir()
    (docs / "odd.md").write_text(
        f"# {HARM}\n\n{HARM} `{HARM}`\n\n| a |\n|---|\n| {HARM} |\n"
    )
    warehouse = home / "pidgin.duckdb"
    shutil.copy(built.project.warehouse, warehouse)
    with duckdb.connect(str(warehouse)) as connection:
        connection.execute("update experiments set status = ?", [HARM[:55]])
    folder = home / "site"
    site = pages.Site(artifacts, warehouse, docs)
    site.build(folder)
    allowed = {"theme.js", "search.js", "site.js"}
    for path in folder.rglob("*.html"):
        if path.name == "sample-report.html":
            # Its own tests are in test_report.py.
            continue
        document = Document(path)
        for tag, attributes in document.tags:
            assert tag not in ("img", "b", "iframe", "object"), path
            if tag == "script":
                assert Path(str(attributes.get("src"))).name in allowed
            assert not any(one.startswith("on") for one in attributes), attributes
        assert not any("javascript:" in link for link in document.links)
        assert "<!--" not in path.read_text("utf-8") or path.name == "dbt.html"
    shown_page = "tables/experiments.html"
    text = Document(folder / shown_page).text
    assert "<script>alert(1)</script>" in text
    assert f"{HARM[:55]} 13" in text
    script = (folder / "assets" / "search.js").read_text(encoding="utf-8")
    assert "</" not in script
    assert "<!--" not in script
    assert "\u2028" not in script
    with opened_page(folder / shown_page, width=400) as page:
        assert any("alert" in hit for hit in search(page, "alert"))
        assert not is_wider_than_window(page)
        page.goto((folder / "odd.html").as_uri())
        page.goto((folder / "graph.html").as_uri())


def test_markdown_drops_what_would_run_or_load() -> None:
    writer = Writer()

    def link(target: str) -> str | None:
        return target if target.startswith("https:") else None

    def code(_: str) -> None:
        return None

    text = (
        "[a](javascript:x) ![b](https://x.example/p.png) <i>c</i> [d](https://e.x)"
        " `<e>`"
    )
    written_text = str(writer.inline(text, link=link, code=code))
    assert 'href="javascript' not in written_text
    assert "<img" not in written_text
    assert "&lt;i&gt;c&lt;/i&gt;" in written_text
    assert '<a href="https://e.x" rel="noreferrer">d</a>' in written_text
    assert "<code>&lt;e&gt;</code>" in written_text


# The command


def test_command_says_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, built: Built
) -> None:
    output = str(tmp_path / "site")
    runner = CliRunner()
    monkeypatch.setenv("PIDGIN_WAREHOUSE", str(tmp_path / "none.duckdb"))
    empty = runner.invoke(command.main, ["--artifacts", str(tmp_path), "-o", output])
    assert empty.exit_code == 1
    assert "run dbt docs generate --static first" in empty.output
    artifacts = str(built.artifacts)
    missing = runner.invoke(command.main, ["--artifacts", artifacts, "-o", output])
    assert missing.exit_code == 1
    assert "run dbt build first" in missing.output


def test_a_folder_of_somebody_is_left_alone(built: Built, tmp_path: Path) -> None:
    (tmp_path / "notes.html").write_text("mine", encoding="utf-8")
    with pytest.raises(FileExistsError, match="holds something else"):
        built.site.build(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.html"]


def test_names_become_names_of_files() -> None:
    for name in ("analysis.turns", "../../etc/passwd", "a b\u2028", "."):
        found = file_name(name)
        assert re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9_.-]*|", found)
    assert file_name("a/b") != file_name("a-b")


def test_a_catalog_of_nothing_is_empty() -> None:
    catalog = Catalog({"nodes": {}, "sources": {}})
    assert list(catalog) == []
    with pytest.raises(KeyError):
        catalog.named("turns")


def test_section_of_each_relation(built: Built) -> None:
    sections: dict[str, list[Relation]] = {
        name: built.catalog.in_section(name) for name in ("analysis", "functions")
    }
    assert [one.title for one in sections["analysis"]] == [
        "analysis.conversations",
        "analysis.messages",
        "analysis.turns",
    ]
    assert all(one.title.isidentifier() for one in sections["functions"])
