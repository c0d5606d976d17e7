"""What there is to show: relations and their columns, as dbt's manifest has them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from pidgin_analytics import descriptions

Json = dict[str, Any]
# Of tables that people query, and of those that these are made of.
SECTIONS = {
    "analysis": "Wide views",
    "marts": "Tables",
    "functions": "Functions",
    "compat": "Pidgin's own tables",
    "seeds": "Seeds",
    "intermediate": "Intermediate",
    "staging": "Staging",
    "sources": "Sources",
}
PUBLIC = ("analysis", "marts", "functions", "compat")
# What a relation is by how it is materialized; the rest are tables.
KINDS = {"view": "view", "table_function": "function"}

# What a value is in, by its type, where `meta` names no unit.
UNITS = {
    "boolean": "true or false",
    "timestamp": "moment, stored in UTC",
    "timestamptz": "moment, stored in UTC",
    "date": "day, in UTC",
}


@dataclass(frozen=True)
class Test:
    """A test, in words."""

    name: str
    words: str
    columns: tuple[str, ...]
    is_warning: bool = False


@dataclass(frozen=True)
class Reference:
    """A column whose values a test looks up in another relation."""

    column: str
    relation: str
    field: str
    words: str


@dataclass
class Column:
    """A column, and what is known of it."""

    name: str
    data_type: str
    # What it holds, and what its `meta` says.
    description: str
    facts: Json = field(default_factory=dict)
    tests: list[Test] = field(default_factory=list)

    @property
    def text(self) -> str:
        """All of it, as in the comment in the database."""
        return descriptions.comment(
            {"description": self.description, "config": {"meta": self.facts}}
        )

    @property
    def range(self) -> str:
        """Which values there are; empty if nothing says so."""
        return descriptions.range_in_words(self.facts)

    @property
    def unit(self) -> str | None:
        """What a value counts or measures in; None if nothing tells."""
        return self.facts.get("unit") or UNITS.get(self.data_type)

    @property
    def source(self) -> str | None:
        """Where the definition comes from."""
        return self.facts.get("source")

    @property
    def null(self) -> str:
        """When the column is NULL, as its `meta` says; empty if it does not."""
        return descriptions.null_in_words(self.facts)

    @property
    def null_rule(self) -> str | None:
        """When the column is NULL, by `meta` or a test; None if nothing says so."""
        if self.null:
            return self.null
        if any("never NULL" in test.words for test in self.tests):
            return "Never, which a test holds."
        return None

    @property
    def refers_to(self) -> str | None:
        """The column that the description sends its readers to for the rest."""
        found = re.search(r"(?:\b[Aa]s(?: for)?|NULL like) `(\w+)`", self.text)
        return found[1] if found else None


@dataclass
class Relation:
    """A table, view, function or file that dbt knows."""

    unique_id: str
    name: str
    section: str
    kind: str
    description: str
    columns: list[Column]
    sql: str
    needs: list[str]
    schema: str
    alias: str
    path: str
    parameters: list[str] = field(default_factory=list)
    used_by: list[str] = field(default_factory=list)
    tests: list[Test] = field(default_factory=list)
    references: list[Reference] = field(default_factory=list)

    @property
    def is_public(self) -> bool:
        """Whether people are meant to query it."""
        return self.section in PUBLIC

    @property
    def title(self) -> str:
        """Its name in a query."""
        if self.schema == "main":
            return self.alias
        return f"{self.schema}.{self.alias}"

    @property
    def short(self) -> str:
        """Its name in a picture, where the colour tells the schema."""
        return self.title if self.section in ("analysis", "compat") else self.alias

    @property
    def page(self) -> str:
        """Path of its page, from the folder of the site."""
        return f"tables/{file_name(self.title)}.html"

    @property
    def grain(self) -> str:
        """What one row is: the first sentence of the description."""
        text = " ".join(self.description.split("\n\n")[0].split())
        return re.split(r"(?<=\.)\s+(?=[A-Z`])", text)[0]

    @property
    def primary_key(self) -> list[str]:
        """The columns that tell rows apart, as the description says."""
        found = re.search(r"\*\*Primary key\*\*:(.*)", self.description)
        return re.findall(r"`([^`]+)`", found[1]) if found else []

    def column(self, name: str) -> Column | None:
        """Find a column; a field of a struct is looked for in its struct."""
        wanted = name.split(".")[0]
        return next((one for one in self.columns if one.name == wanted), None)


class Catalog:
    """All relations of a manifest."""

    def __init__(self, manifest: Json) -> None:
        """Read a manifest.

        Args:
            manifest: Content of dbt's ``manifest.json``.
        """
        self.relations: dict[str, Relation] = {}
        nodes = {**manifest["sources"], **manifest["nodes"]}
        declared = {
            node["name"]: [*node.get("columns", {}).values()] for node in nodes.values()
        }
        for node in nodes.values():
            if node["resource_type"] in ("model", "seed", "source"):
                relation = _relation(node, declared)
                self.relations[relation.unique_id] = relation
        for relation in self.relations.values():
            relation.needs = [one for one in relation.needs if one in self.relations]
            for needed in relation.needs:
                self.relations[needed].used_by.append(relation.unique_id)
        for relation in self.relations.values():
            relation.used_by.sort(key=lambda one: self.order(self.relations[one]))
            relation.needs.sort(key=lambda one: self.order(self.relations[one]))
        for node in nodes.values():
            if node["resource_type"] == "test":
                self._add_test(node)
        for test in manifest.get("unit_tests", {}).values():
            for needed in test["depends_on"]["nodes"]:
                if needed in self.relations:
                    self.relations[needed].tests.append(
                        Test(test["name"], "Unit test: " + named(test["name"]), ())
                    )

    def __iter__(self) -> Iterator[Relation]:
        """Go through all relations, those that people query first."""
        return iter(sorted(self.relations.values(), key=self.order))

    @staticmethod
    def order(relation: Relation) -> tuple[int, str]:
        """Sort by section, then by name."""
        return list(SECTIONS).index(relation.section), relation.title

    def in_section(self, section: str) -> list[Relation]:
        """Return the relations of a section, sorted."""
        return [relation for relation in self if relation.section == section]

    def named(self, name: str) -> Relation:
        """Find a relation by its name in a query or in dbt."""
        found = next(
            (one for one in self if name in (one.title, one.name, one.unique_id)), None
        )
        if found is None:
            raise KeyError(name)
        return found

    def physical(self) -> dict[tuple[str, str], Relation]:
        """Return the relations by schema and name in the database."""
        return {(one.schema, one.alias): one for one in self}

    def _add_test(self, node: Json) -> None:
        is_warning = (node["config"].get("severity") or "").lower() == "warn"
        metadata = node.get("test_metadata")
        if metadata is None:
            words = " ".join((node.get("description") or "").split())
            if not words:
                words = named(node["name"].removeprefix("assert_"))
            for needed in node["depends_on"]["nodes"]:
                if needed in self.relations:
                    self.relations[needed].tests.append(
                        Test(node["name"], words, (), is_warning)
                    )
            return
        attached = node.get("attached_node")
        if attached not in self.relations:
            return
        relation = self.relations[attached]
        arguments = dict(metadata["kwargs"])
        columns = (
            arguments.get("combination_of_columns")
            or arguments.get("columns")
            or [arguments.get("column_name")]
        )
        columns = [column for column in columns if column]
        if metadata["name"] == "values_in_range":
            columns = [
                column.name
                for column in relation.columns
                if not {"range", "one_of"}.isdisjoint(column.facts)
            ]
        words = in_words(metadata["name"], arguments, columns)
        test = Test(node["name"], words, tuple(columns), is_warning)
        relation.tests.append(test)
        for name in dict.fromkeys(columns):
            column = relation.column(name)
            if column is not None and test not in column.tests:
                column.tests.append(test)
        if metadata["name"] == "relationships":
            target = referred(arguments["to"])
            others = [one for one in self if one.name == target]
            if others:
                relation.references.append(
                    Reference(
                        columns[0],
                        others[0].unique_id,
                        arguments["field"],
                        named(node["name"]),
                    )
                )


def _relation(node: Json, declared: Mapping[str, list[Json]]) -> Relation:
    kind: str = node["resource_type"]
    materialized = node.get("config", {}).get("materialized")
    folder = node["path"].split("/")[0]
    schema = node["schema"]
    if kind == "source":
        section, schema = "sources", node["source_name"]
    elif kind == "seed":
        section = "seeds"
    else:
        kind = KINDS.get(materialized, "table")
        section = "intermediate" if schema == "intermediate" else folder
        if kind == "function" and section == "marts":
            section = "functions"
    return Relation(
        unique_id=node["unique_id"],
        name=node["name"],
        section=section,
        kind="files" if kind == "source" else kind,
        description=node["description"].strip(),
        columns=[
            Column(
                column["name"],
                (column.get("data_type") or "").lower(),
                descriptions.definition(column),
                descriptions.facts_of(column),
            )
            for column in descriptions.all_columns(node, declared)
        ],
        sql=node.get("compiled_code") or "",
        needs=list(dict.fromkeys(node.get("depends_on", {}).get("nodes", []))),
        schema=schema,
        alias=node.get("alias") or node["name"],
        path=node["original_file_path"],
        parameters=list(node.get("config", {}).get("parameters") or []),
    )


def in_words(kind: str, arguments: Json, columns: list[str]) -> str:
    """Say what a generic test holds.

    Args:
        kind: Name of the generic test.
        arguments: What it was given.
        columns: The columns it is about.
    """
    names = ", ".join(f"`{column}`" for column in columns)
    if kind == "unique_combination_of_columns":
        if len(columns) == 1:
            return f"{names} is unique and never NULL."
        return f"{names}: together unique, and never NULL."
    if kind == "unique":
        return f"{names} is unique."
    if kind in ("no_nulls", "not_null"):
        verb = "is" if len(columns) == 1 else "are"
        return f"{names} {verb} never NULL."
    if kind == "values_in_range":
        return f"Every value is in its range: {names}."
    if kind == "accepted_values":
        values = ", ".join(f"`{value}`" for value in arguments["values"])
        return f"{names} is one of {values}."
    if kind == "relationships":
        target = referred(arguments["to"])
        return f"Each {names} is a `{arguments['field']}` of `{target}`."
    return f"{named(kind)}: {names}."


def referred(reference: str) -> str:
    """Return the name in a ``ref('...')`` or ``source('...', '...')``."""
    names: list[str] = re.findall(r"'([^']*)'", reference)
    return names[-1]


def named(name: str) -> str:
    """Write the name of a test as a sentence."""
    words = name.replace("__", ": ").replace("_", " ").strip()
    return words[:1].upper() + words[1:] + "."


def file_name(text: str) -> str:
    """Write a name as the name of a file: letters, digits, dots, dashes, lines."""
    return re.sub(
        r"[^A-Za-z0-9_.-]",
        lambda found: f"-{ord(found[0]):x}-",
        text,
    ).lstrip(".")
