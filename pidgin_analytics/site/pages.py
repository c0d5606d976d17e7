"""Writes the pages of the site."""

from __future__ import annotations

import dataclasses
import inspect
import json
import os
import re
import shutil
from collections import defaultdict
from functools import cached_property, partial
from importlib import resources
from pathlib import Path
from typing import Any

import click
import duckdb
import jinja2
import sqlglot
import yaml
from latex2mathml import converter
from markupsafe import Markup, escape
from sqlglot import exp

from pidgin_analytics import palette, settings
from pidgin_analytics.command_line import main as command_line
from pidgin_analytics.report import write_report
from pidgin_analytics.site.catalog import (
    PUBLIC,
    SECTIONS,
    Catalog,
    Column,
    Relation,
    file_name,
)
from pidgin_analytics.site.distribution import Distribution, distributions
from pidgin_analytics.site.drawing import Box, Drawing, layered
from pidgin_analytics.site.lineage import Lineage, Place
from pidgin_analytics.site.text import Rendered, Writer, code_block, relative
from pidgin_analytics.warehouse import Warehouse

PACKAGE = "pidgin_analytics.site"
DOCS = Path(settings.PROJECT) / "docs"
# What stands first among the pages of `docs`; others follow.
ORDER = (
    "questions",
    "metrics",
    "validity",
    "life-of-an-experiment",
    "watch",
    "python",
    "exports",
    "parity",
)
# Functions need something to be asked.
EXAMPLES = {
    "search_messages": "select * from search_messages('lighthouse') limit 10;",
    "similar_conversations": (
        "select * from similar_conversations((select min(conversation_id)"
        " from conversations));"
    ),
    "conversation_state_as_of": (
        "select * from conversation_state_as_of('2026-01-12 10:00:00+00');"
    ),
    "experiment_dashboard_as_of": (
        "select * from experiment_dashboard_as_of('2026-01-12 10:00:00+00');"
    ),
}


@dataclasses.dataclass(frozen=True)
class Question:
    """A question of the cookbook, with its SQL."""

    title: str
    sql: str
    page: str
    relations: frozenset[str]


@dataclasses.dataclass(frozen=True)
class Entry:
    """What a search can find."""

    title: str
    kind: str
    page: str
    text: str
    # Other words, each with its rank: from 0, where this is what they mean most.
    words: tuple[tuple[str, int], ...] = ()
    # From 0, what most people look for, to 2.
    depth: int = 0


class Site:
    """A site, made of one manifest and one warehouse."""

    def __init__(
        self,
        artifacts: Path,
        warehouse: Path,
        docs: Path = DOCS,
        parity: Path | None = None,
    ) -> None:
        """Read what there is to show.

        Args:
            artifacts: Folder in which dbt left ``manifest.json`` and
                ``static_index.html``.
            warehouse: A published warehouse.
            docs: Folder with Markdown pages.
            parity: How the metrics compared, in Markdown; follows that page.
        """
        self.artifacts = artifacts
        self.parity = parity.read_text(encoding="utf-8") if parity is not None else ""
        self.warehouse = warehouse
        text = (artifacts / "manifest.json").read_text(encoding="utf-8")
        self.catalog = Catalog(json.loads(text))
        self.distributions: dict[str, dict[str, Distribution]] = {}
        schema: dict[str, dict[str, dict[str, str]]] = defaultdict(dict)
        with duckdb.connect(str(warehouse), read_only=True) as connection:
            # Thousands of small queries: one thread is faster than handing them round.
            connection.execute("set TimeZone = 'UTC'; set threads = 1")
            for relation in self.catalog:
                found = distributions(connection, relation)
                self.distributions[relation.unique_id] = found
            for place, table, column, kind in connection.execute(
                "select schema_name, table_name, column_name, data_type"
                " from duckdb_columns() where not internal order by column_index"
            ).fetchall():
                schema[place].setdefault(table, {})[column] = kind
            self.counts = _counts(connection)
        for relation in self.catalog:
            # What a view takes from another model stands where its SQL has it.
            physical = schema.get(relation.schema, {}).get(relation.alias, {})
            places = {name: place for place, name in enumerate(physical)}
            relation.columns.sort(key=lambda one: places.get(one.name, len(places)))
        self.lineage = Lineage(self.catalog, schema)
        self.writer = Writer()
        self.sources = _sources(docs)
        self.pages: dict[str, str] = {}
        self.entries: list[Entry] = []
        self.formulas = {
            name: _formula(**parts) for name, parts in _data("formulas.yml").items()
        }
        self.environment = jinja2.Environment(
            loader=jinja2.PackageLoader(PACKAGE),
            autoescape=True,
            trim_blocks=True,
            lstrip_blocks=True,
            undefined=jinja2.StrictUndefined,
        )

    # Where things are

    def link(self, target: str, page: str, source: str = "") -> str | None:
        """Return where a link in a text leads; None drops it.

        Args:
            target: The link as written.
            page: The page that shows the text.
            source: The file that holds it, from the project's folder.
        """
        if re.match(r"https?://", target):
            return target
        if re.match(r"[a-z][a-z0-9+.-]*:", target, re.IGNORECASE):
            return None
        path, mark, fragment = target.partition("#")
        if not path:
            return target
        path = os.path.normpath(os.path.join(os.path.dirname(source), path))  # noqa: PTH118, PTH120
        found = self.sources.get(path)
        if found is None:
            stem = Path(path).name.split(".")[0]
            if path.startswith(("models/", "seeds/")) and stem in self._names:
                found = self._names[stem].page
        return relative(found + mark + fragment, page) if found else None

    @cached_property
    def _names(self) -> dict[str, Relation]:
        names: dict[str, Relation] = {}
        for relation in self.catalog:
            for name in (relation.title, relation.name):
                names.setdefault(name, relation)
            names.setdefault(relation.alias, relation)
        # The views have the names of tables, which are meant where no schema stands.
        physical = self.catalog.physical()
        for name in ("conversations", "messages"):
            if ("main", name) in physical:
                names[name] = physical["main", name]
        return names

    def code(
        self, text: str, page: str, relation: Relation | None = None
    ) -> str | None:
        """Return where a code span leads: to a table or to a column of this one."""
        name = re.sub(r"\(.*\)$", "", text)
        if name == text and relation is not None:
            column = relation.column(name) if "." not in name else None
            if column is not None and name not in self._names:
                return relative(f"{relation.page}#{anchor(column)}", page)
        found = self._names.get(name)
        if found is not None and found is not relation:
            return relative(found.page, page)
        table, _, column_name = name.rpartition(".")
        found = self._names.get(table)
        column = found.column(column_name) if found is not None else None
        if found is not None and column is not None:
            return relative(f"{found.page}#{anchor(column)}", page)
        return None

    def inline(self, text: str, page: str, relation: Relation | None = None) -> Markup:
        """Write sentences of a description."""
        source = relation.path if relation is not None else ""
        return self.writer.inline(
            text,
            link=partial(self.link, page=page, source=source),
            code=partial(self.code, page=page, relation=relation),
        )

    def rows(self, relation: Relation) -> int | None:
        """Return how many rows a relation has in the sample; None for a function."""
        found = self.distributions[relation.unique_id]
        return next(iter(found.values())).rows if found else None

    def place(self, place: Place) -> tuple[Relation, Column | None]:
        """Return the relation and column of a place in the database."""
        relation = self.catalog.physical()[place[:2]]
        return relation, relation.column(place[2])

    # Pages

    def build(self, folder: Path) -> None:
        """Write all pages.

        Args:
            folder: Where to; what is in it of an earlier site is replaced.
        """
        if not _is_replaceable(folder):
            raise FileExistsError(f"{folder} holds something else than a site.")
        self._write_docs()
        for relation in self.catalog:
            self._write_relation(relation)
        self._write_commands()
        self._write_graph()
        self._write_entities()
        self._write("tables.html", "tables.html", title="Tables", catalog=self.catalog)
        self._write("index.html", "home.html", title="Pidgin Analytics")
        for place in ("tables", "decisions", "assets"):
            shutil.rmtree(folder / place, ignore_errors=True)
            (folder / place).mkdir(parents=True)
        for old in folder.glob("*.html"):
            old.unlink()
        for page, text in self.pages.items():
            (folder / page).write_text(text, encoding="utf-8", newline="\n")
        for name in ("site.css", "site.js", "theme.js"):
            text = (resources.files(PACKAGE) / "assets" / name).read_text("utf-8")
            (folder / "assets" / name).write_text(text, encoding="utf-8", newline="\n")
        (folder / "assets" / "colours.css").write_text(colours(), encoding="utf-8")
        entries = [dataclasses.astuple(entry) for entry in self.entries]
        (folder / "assets" / "search.js").write_text(
            f"window.searchEntries = {script(entries)};\n", encoding="utf-8"
        )
        shutil.copy(self.artifacts / "static_index.html", folder / "dbt.html")
        write_report(Warehouse(self.warehouse), folder / "sample-report.html")

    def _write(self, page: str, template: str, **values: Any) -> None:
        self.pages[page] = self.environment.get_template(template).render(
            site=self,
            page=page,
            to=partial(relative, page=page),
            inline=partial(self.inline, page=page),
            anchor=anchor,
            sections=SECTIONS,
            public=PUBLIC,
            documents=self.documents,
            **values,
        )

    @cached_property
    def documents(self) -> list[tuple[str, str]]:
        """Page and title of each page of ``docs``, decisions aside."""
        return [
            (page, self._rendered(source).title)
            for source, page in self.sources.items()
            if "/" not in page
        ]

    @cached_property
    def decisions(self) -> list[tuple[str, str]]:
        """Page and title of each decision."""
        return [
            (page, self._rendered(source).title)
            for source, page in self.sources.items()
            if page.startswith("decisions/")
        ]

    def _rendered(self, source: str) -> Rendered:
        page = self.sources[source]
        path = self._docs_folder / source.removeprefix("docs/")
        text = path.read_text(encoding="utf-8")
        if source == "docs/parity.md" and self.parity:
            text += f"\n{self.parity}"
        return self.writer.page(
            text,
            link=partial(self.link, page=page, source=source),
            code=partial(self.code, page=page),
            after_name=self.formulas.get,
        )

    @property
    def _docs_folder(self) -> Path:
        return self.sources.folder

    def _write_docs(self) -> None:
        for source, page in self.sources.items():
            rendered = self._rendered(source)
            is_decision = page.startswith("decisions/")
            self._write(page, "document.html", title=rendered.title, rendered=rendered)
            for level, name, text in rendered.headings:
                self.entries.append(
                    Entry(
                        text,
                        rendered.title if level > 1 else "page",
                        page if level == 1 else f"{page}#{name}",
                        "",
                        depth=1 + is_decision,
                    )
                )
        self._write("decisions.html", "decisions.html", title="Decisions")

    def _write_relation(self, relation: Relation) -> None:
        page = relation.page
        body = self.writer.page(
            relation.description.replace("### Nuance\n", "## Nuance\n"),
            link=partial(self.link, page=page, source=relation.path),
            code=partial(self.code, page=page, relation=relation),
        )
        self._write(
            page,
            "relation.html",
            title=relation.title,
            relation=relation,
            body=body,
            needs=[self.catalog.relations[one] for one in relation.needs],
            used_by=[self.catalog.relations[one] for one in relation.used_by],
            questions=self.examples(relation),
            spread=self.distributions[relation.unique_id],
            code_block=code_block,
        )
        words = self.synonyms
        depth = 0 if relation.is_public else 2
        self.entries.append(
            Entry(
                relation.title,
                relation.kind,
                page,
                plain(relation.description),
                tuple(words.get(f"table: {relation.title}", ())),
                depth,
            )
        )
        for column in relation.columns:
            base = re.sub(r"^[ab]_|_[ab]$", "", column.name)
            found = dict.fromkeys([*words.get(column.name, ()), *words.get(base, ())])
            self.entries.append(
                Entry(
                    column.name,
                    relation.title,
                    f"{page}#{anchor(column)}",
                    plain(column.text),
                    tuple(found) if relation.is_public else (),
                    depth,
                )
            )

    @cached_property
    def synonyms(self) -> dict[str, list[tuple[str, int]]]:
        """Other words with their rank, by column or table that they find."""
        found: dict[str, list[tuple[str, int]]] = defaultdict(list)
        for group in _data("synonyms.yml"):
            for rank, name in enumerate(group["finds"]):
                found[name] += [(word, rank) for word in group["words"]]
        return found

    @cached_property
    def questions(self) -> list[Question]:
        """The questions of the cookbook."""
        if "docs/questions.md" not in self.sources:
            return []
        text = (self._docs_folder / "questions.md").read_text(encoding="utf-8")
        anchors = {
            title: name
            for _, name, title in self._rendered("docs/questions.md").headings
        }
        found = []
        for section in re.split(r"^### ", text, flags=re.MULTILINE)[1:]:
            title = section.splitlines()[0].strip()
            sql = "\n".join(
                re.findall(r"^```sql\n(.*?)^```", section, re.DOTALL | re.MULTILINE)
            )
            found.append(
                Question(
                    title,
                    sql,
                    f"questions.html#{anchors[title]}",
                    frozenset(self._read_by(sql)),
                )
            )
        return found

    def _read_by(self, sql: str) -> set[str]:
        """Return what a query reads."""
        found = set()
        for statement in sqlglot.parse(sql, dialect="duckdb"):
            if statement is None:
                continue
            for table in statement.find_all(exp.Table):
                name = table.this.name.lower()
                schema = table.db or "main"
                relation = self.catalog.physical().get((schema, name))
                if relation is not None:
                    found.add(relation.unique_id)
        return found

    def examples(self, relation: Relation) -> list[Question]:
        """Return queries of a relation: those of the cookbook, or a plain one."""
        found = [one for one in self.questions if relation.unique_id in one.relations]
        if found or not relation.is_public:
            return found
        sql = EXAMPLES.get(
            relation.title, f"select *\nfrom {relation.title}\nlimit 10;"
        )
        return [Question("The first rows", sql, "", frozenset([relation.unique_id]))]

    def formula(self, relation: Relation, column: Column) -> Markup | None:
        """Return the formula of a column, or of the one that it is taken from."""
        own = self.formulas.get(f"{relation.title}.{column.name}")
        if own is not None:
            return own
        behind = self.lineage.behind(relation, column.name) or []
        if len(behind) != 1:
            return None
        source, name = behind[0][1], behind[0][2]
        if re.sub(r"^[ab]_", "", column.name) != name:
            return None
        return self.formulas.get(f"{source}.{name}")

    def inherited(self, relation: Relation, column: Column) -> Column | None:
        """Return the column that a description sends its readers to."""
        seen = {column.name}
        other = relation.column(column.refers_to) if column.refers_to else None
        while other is not None and other.name not in seen:
            seen.add(other.name)
            if not other.refers_to or other.null or other.range:
                return other
            other = relation.column(other.refers_to)
        return None

    # Pictures

    def _write_graph(self) -> None:
        shown = list(self.catalog)
        boxes = [
            Box(relation.unique_id, 24 + 7.3 * len(relation.short), 30)
            for relation in shown
        ]
        edges = [
            (one, relation.unique_id) for relation in shown for one in relation.needs
        ]
        self._write(
            "graph.html", "graph.html", title="Graph", drawing=layered(boxes, edges)
        )

    def _write_entities(self) -> None:
        tested, shared = self.entity_edges()
        keys = dict.fromkeys(key for edge in [*tested, *shared] for key in edge)
        relations = [self.catalog.relations[key] for key in keys]
        boxes = []
        columns = {}
        for relation in relations:
            used = [one.column for one in relation.references]
            names = list(dict.fromkeys([*relation.primary_key, *used]))
            columns[relation.unique_id] = names
            longest = max(len(name) for name in [relation.short, *names])
            boxes.append(
                Box(relation.unique_id, 30 + 7.6 * longest, 34 + 20 * len(names))
            )
        drawing: Drawing = layered(
            boxes, [(end, start) for start, end in [*tested, *shared]]
        )
        self._write(
            "entities.html",
            "entities.html",
            title="Joins",
            drawing=drawing,
            tested=tested,
            shared=shared,
            columns=columns,
            relations=relations,
        )

    def entity_edges(
        self,
    ) -> tuple[dict[tuple[str, str], str], dict[tuple[str, str], str]]:
        """Return which relation leads to which by a key.

        Returns:
            From relation to relation, with the columns: what a test holds, and what has
            the other's key among its columns.
        """
        tested = {
            (relation.unique_id, reference.relation): reference.column
            for relation in self.catalog
            if relation.section == "marts"
            for reference in relation.references
        }
        tables = [one for one in self.catalog.in_section("marts") if one.primary_key]
        by_key: dict[frozenset[str], list[Relation]] = defaultdict(list)
        for relation in tables:
            by_key[frozenset(relation.primary_key)].append(relation)
        heads = {
            key: max(
                relations,
                key=lambda one: (
                    sum(end == one.unique_id for _, end in tested),
                    # Of one key, the table with most rows has those of the others.
                    self.rows(one) or 0,
                    len(one.used_by),
                ),
            )
            for key, relations in by_key.items()
            if len(relations) > 1 or len(key) == 1
        }
        shared: dict[tuple[str, str], str] = {}
        for relation in tables:
            names = {column.name for column in relation.columns}
            mine = frozenset(relation.primary_key)
            for key, head in heads.items():
                if head is relation or not key <= names:
                    continue
                if key < mine or heads.get(mine) is not relation or not mine <= key:
                    edge = (relation.unique_id, head.unique_id)
                    if edge not in tested:
                        shared[edge] = ", ".join(head.primary_key)
        return tested, _reduced(shared, tested)

    def _write_commands(self) -> None:
        commands = []
        context = click.Context(command_line, info_name="pidgin-analytics")
        for name in command_line.list_commands(context):
            command = command_line.get_command(context, name)
            if command is None or command.hidden:
                continue
            own = click.Context(command, info_name=name, parent=context)
            options = [
                record
                for parameter in command.get_params(own)
                if (record := parameter.get_help_record(own)) is not None
            ]
            paragraphs = [
                part.removeprefix("\b\n")
                for part in inspect.cleandoc(command.help or "").split("\n\n")
            ]
            commands.append((name, command.get_usage(own), paragraphs, options))
            self.entries.append(
                Entry(
                    f"pidgin-analytics {name}",
                    "command",
                    f"commands.html#command-{file_name(name)}",
                    " ".join((command.help or "").split()),
                    depth=1,
                )
            )
        self._write(
            "commands.html",
            "commands.html",
            title="Commands",
            commands=commands,
            file_name=file_name,
        )


def _is_replaceable(folder: Path) -> bool:
    """Tell whether a folder is missing, empty, or holds an earlier site."""
    if not folder.exists() or (folder / "assets" / "search.js").exists():
        return True
    return folder.is_dir() and not any(folder.iterdir())


class _Sources(dict[str, str]):
    """The page of each Markdown file, by its path from the project's folder."""

    folder: Path


def _sources(docs: Path) -> _Sources:
    def place(path: Path) -> tuple[int, str]:
        return (ORDER.index(path.stem) if path.stem in ORDER else len(ORDER), path.stem)

    found = _Sources()
    found.folder = docs
    for path in sorted(docs.glob("*.md"), key=place):
        found[f"docs/{path.name}"] = f"{file_name(path.stem)}.html"
    for path in sorted(docs.glob("decisions/*.md")):
        found[f"docs/decisions/{path.name}"] = f"decisions/{file_name(path.stem)}.html"
    return found


def _counts(connection: duckdb.DuckDBPyConnection) -> dict[str, int]:
    """Count what the landing page tells of the sample."""
    row = connection.execute(
        "select (select count(*) from experiments),"
        " (select count(*) from conversations), (select count(*) from turn_metrics),"
        " (select count(*) from messages)"
    ).fetchone()
    names = ("experiments", "conversations", "turns", "messages")
    return dict(zip(names, row or (), strict=True))


def _reduced(
    shared: dict[tuple[str, str], str], tested: dict[tuple[str, str], str]
) -> dict[tuple[str, str], str]:
    """Leave out what follows from others: A leads to B, and B to C."""
    after: dict[str, set[str]] = defaultdict(set)
    for start, end in [*shared, *tested]:
        after[start].add(end)

    def reaches(start: str, end: str, seen: frozenset[str]) -> bool:
        return any(
            one == end or (one not in seen and reaches(one, end, seen | {one}))
            for one in after[start]
        )

    return {
        (start, end): columns
        for (start, end), columns in shared.items()
        if not any(
            one != end and reaches(one, end, frozenset([start, one]))
            for one in after[start]
        )
    }


def _formula(formula: str, where: str) -> Markup:
    """Write a formula as MathML, and what its letters stand for."""
    text = converter.convert(formula).replace("<math ", '<math displaystyle="true" ', 1)
    math = Markup(text)  # noqa: S704
    explained = re.sub(
        r"`([^`]*)`|\b([A-Za-z])_(\w+(?:,\w)?)(?:\^(\w))?",
        lambda found: (
            f"<code>{found[1]}</code>"
            if found[1]
            else f"<i>{found[2]}</i><sub>{found[3]}</sub><sup>{found[4] or ''}</sup>"
        ),
        str(escape(where)),
    )
    return Markup(
        '<span class="formula"><span class="math">{}</span>'
        '<span class="where">{}.</span></span>'
    ).format(math, Markup(explained))  # noqa: S704


def _data(name: str) -> Any:
    return yaml.safe_load((resources.files(PACKAGE) / name).read_text("utf-8"))


def anchor(column: Column) -> str:
    """Return the fragment of a column's address."""
    return "column-" + file_name(column.name)


def plain(description: str) -> str:
    """Take the markup out of a description."""
    text = description.replace("### Nuance", " ").replace("**Primary key**:", "Key:")
    return " ".join(text.replace("`", "").split())


def script(value: Any) -> str:
    """Write a value as JSON that may stand in a script."""
    text = json.dumps(value, ensure_ascii=True, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def colours() -> str:
    """Write the palette as custom properties of a style sheet."""

    def properties(scheme: palette.Palette) -> str:
        values: dict[str, str] = {}
        for name, value in dataclasses.asdict(scheme).items():
            if isinstance(value, str):
                values[name.replace("_", "-")] = value
            else:
                values |= {f"series-{n}": one for n, one in enumerate(value, 1)}
        return "".join(f"--{name}:{value};" for name, value in values.items())

    light, dark = properties(palette.LIGHT), properties(palette.DARK)
    return (
        f":root{{color-scheme:light;{light}}}\n"
        "@media (prefers-color-scheme:dark){"
        f":root:not([data-theme=light]){{color-scheme:dark;{dark}}}}}\n"
        f":root[data-theme=dark]{{color-scheme:dark;{dark}}}\n"
        f"@media print{{:root:root:root{{color-scheme:light;{light}}}}}\n"
    )
