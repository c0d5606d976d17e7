"""Which columns a column is computed from, read from the SQL that dbt compiled."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.optimizer.qualify import qualify
from sqlglot.optimizer.scope import Scope, build_scope

from pidgin_analytics.site.catalog import Catalog, Relation

# Schema, relation, column.
Place = tuple[str, str, str]
Schema = Mapping[str, Mapping[str, Mapping[str, str]]]

# Stands for the files that a query reads, whose columns no database names.
READ = "read"
FILE_COLUMNS = ("filename", "content", "size", "last_modified", "line")


class Lineage:
    """The columns behind each column, one step back, and the other way round."""

    def __init__(self, catalog: Catalog, schema: Schema) -> None:
        """Read the SQL of all relations.

        Args:
            catalog: What there is.
            schema: Types of columns by schema, relation and column, as in the database.
        """
        self.sources: dict[Place, list[Place]] = {}
        self.uses: dict[Place, list[Place]] = defaultdict(list)
        # Relations whose SQL could not be followed.
        self.unread: list[str] = []
        physical = catalog.physical()
        for relation in catalog:
            if not relation.sql:
                continue
            try:
                found = columns_behind(relation, schema)
            except SqlglotError:
                self.unread.append(relation.unique_id)
                continue
            for name, places in found.items():
                target = (relation.schema, relation.alias, name)
                known = sorted(
                    place
                    for place in places
                    if place[:2] in physical and place[:2] != target[:2]
                )
                self.sources[target] = known
                for place in known:
                    self.uses[place].append(target)

    def behind(self, relation: Relation, column: str) -> list[Place] | None:
        """Return what a column is computed from; None if that is not known."""
        return self.sources.get((relation.schema, relation.alias, column))

    def after(self, relation: Relation, column: str) -> list[Place]:
        """Return the columns that are computed from a column."""
        return self.uses.get((relation.schema, relation.alias, column), [])


def columns_behind(relation: Relation, schema: Schema) -> dict[str, set[Place]]:
    """Follow each column of a query to the columns of tables that it is made of.

    Conditions, groups and orders are left aside: they say which rows there are, not
    what stands in them.

    Raises:
        SqlglotError: the SQL cannot be read.
    """
    tree = sqlglot.parse_one(relation.sql, dialect="duckdb")
    for table in tree.find_all(exp.Table):
        if table.this.name.lower().startswith("read_"):
            table.set("this", exp.to_identifier("files"))
            table.set("db", exp.to_identifier(READ))
    for column in list(tree.find_all(exp.Column)):
        # Where a row stands, which is no column of its table.
        if column.name.lower() == "rowid":
            column.replace(exp.Literal.number(0))
    known: dict[str, object] = dict(schema)
    known[READ] = {"files": dict.fromkeys(FILE_COLUMNS, "varchar")}
    tree = qualify(
        tree,
        schema=known,
        dialect="duckdb",
        validate_qualify_columns=False,
        quote_identifiers=False,
    )
    root = build_scope(tree)
    if root is None:
        raise SqlglotError("no query")
    follower = _Follower(root)
    # With validation off, a name that SQL gives stands, whatever its letters.
    outputs = set(_outputs(root.expression))
    return {
        column.name: follower.behind(root, column.name.lower())
        for column in relation.columns
        if column.name.lower() in outputs
    }


def _outputs(expression: exp.Expr) -> list[str]:
    """Return the names of what a query gives, in small letters."""
    if not isinstance(expression, exp.Query):
        return []
    return [select.alias_or_name.lower() for select in expression.selects]


class _Follower:
    """Follows columns through the steps of one query, each step once."""

    def __init__(self, root: Scope) -> None:
        self._scopes = {id(scope.expression): scope for scope in root.traverse()}
        self._known: dict[tuple[int, str], set[Place]] = {}

    def behind(self, scope: Scope, name: str) -> set[Place]:
        """Return the columns of tables behind an output of a step."""
        key = (id(scope.expression), name)
        if key not in self._known:
            # A recursive step meets itself.
            self._known[key] = set()
            self._known[key] = set(self._found(scope, name))
        return self._known[key]

    def _found(self, scope: Scope, name: str) -> Iterator[Place]:
        expression = scope.expression
        if isinstance(expression, exp.SetOperation):
            names = _outputs(expression)
            place = names.index(name) if name in names else None
            by_name = bool(expression.args.get("by_name"))
            for side in (expression.left, expression.right):
                part = self._scopes.get(id(side.unnest()))
                if part is None:
                    continue
                own = _outputs(part.expression)
                if by_name:
                    wanted = name if name in own else None
                else:
                    wanted = (
                        own[place] if place is not None and place < len(own) else None
                    )
                if wanted is not None:
                    yield from self.behind(part, wanted)
            return
        if not isinstance(expression, exp.Select):
            # A table function, such as unnest: whatever it is given.
            yield from self._inside(expression, scope)
            return
        for select in expression.selects:
            if select.alias_or_name.lower() == name:
                yield from self._inside(select, scope)

    def _inside(self, expression: exp.Expr, scope: Scope) -> Iterator[Place]:
        for column in expression.find_all(exp.Column):
            yield from self._source(column, self._scope_of(column, scope))

    def _scope_of(self, column: exp.Column, scope: Scope) -> Scope:
        """Return the step that a column is written in: perhaps one within."""
        select = column.find_ancestor(exp.Select)
        return self._scopes.get(id(select), scope) if select is not None else scope

    def _source(self, column: exp.Column, scope: Scope | None) -> Iterator[Place]:
        while scope is not None:
            source = scope.sources.get(column.table)
            if source is not None:
                break
            scope = scope.parent
        else:
            return
        if isinstance(source, Scope):
            yield from self.behind(source, column.name.lower())
        elif isinstance(source.this, exp.Identifier):
            yield (source.db or "main", source.name, column.name)
        else:
            yield from self._inside(source, scope)
