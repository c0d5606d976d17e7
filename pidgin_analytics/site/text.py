"""Markdown as HTML: of the pages in ``docs``, and of descriptions."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markupsafe import Markup

# Takes a link as written, and returns where it leads; None drops it.
Linker = Callable[[str], str | None]

# Names of parts that all pages have.
RESERVED = {"search", "hits", "found", "theme", "main"}


@dataclass
class Rendered:
    """A text as HTML."""

    html: Markup
    title: str
    # Level, id and text of each heading.
    headings: list[tuple[int, str, str]] = field(default_factory=list)

    @property
    def head(self) -> Markup:
        """The title, up to where other things may stand between it and the text."""
        before, mark, _ = self.html.partition("</h1>")
        return Markup(before + mark) if mark else Markup()  # noqa: S704

    @property
    def rest(self) -> Markup:
        """All but the title."""
        return Markup(self.html.removeprefix(self.head))  # noqa: S704


@dataclass
class _Context:
    link: Linker
    code: Linker
    headings: list[tuple[int, str, str]]
    after_name: Callable[[str], Markup | None] | None


class Writer:
    """Writes Markdown as HTML in which nothing runs and nothing is loaded.

    HTML in a text is shown as text, pictures become links, and a link that leads
    nowhere in the site or to a web page is plain text.
    """

    def __init__(self) -> None:
        """Set up the parser."""
        # A picture would be a request.
        self._parser = MarkdownIt("commonmark", {"html": False}).enable("table")
        self._parser.disable("image")
        for rule in (
            _link_open,
            _code_inline,
            _heading_open,
            _table_open,
            _table_close,
            _fence,
        ):
            self._parser.add_render_rule(rule.__name__.removeprefix("_"), rule)

    def page(
        self,
        text: str,
        *,
        link: Linker,
        code: Linker,
        after_name: Callable[[str], Markup | None] | None = None,
    ) -> Rendered:
        """Write a page.

        Args:
            text: Markdown.
            link: Where a link leads.
            code: Where a code span leads; None if nowhere.
            after_name: What to add to the definition in a row of a table that begins
                with a name: it gets the heading above, a dot and the name.
        """
        context = _Context(link, code, [], after_name)
        environment = {"context": context}
        # Comments between the paragraphs are for whoever writes the page.
        text = re.sub(r"^<!--.*?-->$", "", text, flags=re.MULTILINE)
        tokens = self._parser.parse(text, environment)
        _mark_links(tokens, context)
        _label_cells(tokens)
        html = self._parser.renderer.render(tokens, self._parser.options, environment)
        title = next((name for _, _, name in context.headings), "")
        return Rendered(Markup(html), title, context.headings)  # noqa: S704

    def inline(self, text: str, *, link: Linker, code: Linker) -> Markup:
        """Write a sentence or several, without a paragraph around them."""
        context = _Context(link, code, [], None)
        environment = {"context": context}
        tokens = self._parser.parseInline(" ".join(text.split()), environment)
        _mark_links(tokens, context)
        return Markup(  # noqa: S704
            self._parser.renderer.render(tokens, self._parser.options, environment)
        )


def _mark_links(tokens: Sequence[Token], context: _Context) -> None:
    """Set where links lead, and make plain text of those that lead nowhere."""
    for token in tokens:
        open_links: list[bool] = []
        for child in token.children or []:
            if child.type == "link_open":
                target = context.link(str(child.attrs.get("href", "")))
                open_links.append(target is not None)
                child.hidden = target is None
                if target is not None:
                    child.attrSet("href", target)
            elif child.type == "link_close":
                child.hidden = not open_links.pop()
            elif child.type == "code_inline":
                child.meta["is_linked"] = any(open_links)


def _label_cells(tokens: Sequence[Token]) -> None:
    """Tell each cell of a table the heading of its column, for narrow windows.

    The inline token of a cell also learns what its row is about: the heading above,
    and the name in the first cell.
    """
    heads: list[str] = []
    place = 0
    section = name = ""
    for number, token in enumerate(tokens):
        if token.type == "heading_open":
            section = plain(tokens[number + 1].content)
        elif token.type == "thead_open":
            heads = []
        elif token.type == "tr_open":
            place, name = 0, ""
            token.attrSet("role", "row")
        elif token.type == "th_open":
            token.attrSet("role", "columnheader")
            heads.append(plain(tokens[number + 1].content))
        elif token.type == "td_open":
            inner = tokens[number + 1]
            label = heads[place] if place < len(heads) else ""
            token.attrSet("role", "cell")
            token.attrSet("data-label", label)
            if place == 0:
                name = inner.content.strip("`")
                for child in inner.children or []:
                    child.meta["section"] = section
            if label == "Definition":
                inner.meta["defines"] = f"{section}.{name}"
            place += 1


def _link_open(
    self: RendererHTML, tokens: Sequence[Token], place: int, options: Any, env: Any
) -> str:
    token = tokens[place]
    if token.hidden:
        return ""
    if re.match(r"https?:", str(token.attrs.get("href", ""))):
        token.attrSet("rel", "noreferrer")
    return self.renderToken(tokens, place, options, env)


def _code_inline(
    self: RendererHTML, tokens: Sequence[Token], place: int, options: Any, env: Any
) -> str:
    del self, options
    content = tokens[place].content
    context: _Context = env["context"]
    meta = tokens[place].meta
    target = None
    if not meta.get("is_linked"):
        section = meta.get("section")
        target = (section and context.code(f"{section}.{content}")) or context.code(
            content
        )
    # Long names may break behind an underscore.
    shown = escape(content).replace("_", "_<wbr>")
    if target is None:
        return f"<code>{shown}</code>"
    return f'<a href="{escape(target)}"><code>{shown}</code></a>'


def _heading_open(
    self: RendererHTML, tokens: Sequence[Token], place: int, options: Any, env: Any
) -> str:
    context: _Context = env["context"]
    text = plain(tokens[place + 1].content)
    name = slug(text)
    taken = RESERVED | {one for _, one, _ in context.headings}
    anchor = name
    number = 1
    while anchor in taken:
        number += 1
        anchor = f"{name}-{number}"
    context.headings.append((int(tokens[place].tag[1:]), anchor, text))
    tokens[place].attrSet("id", anchor)
    return self.renderToken(tokens, place, options, env)


def _table_open(
    self: RendererHTML, tokens: Sequence[Token], place: int, options: Any, env: Any
) -> str:
    del self, options
    _add_to_cells(tokens, place, env["context"])
    return '<table role="table">'


def _table_close(
    self: RendererHTML, tokens: Sequence[Token], place: int, options: Any, env: Any
) -> str:
    del self, tokens, place, options, env
    return "</table>"


def _add_to_cells(tokens: Sequence[Token], place: int, context: _Context) -> None:
    if context.after_name is None:
        return
    for token in tokens[place:]:
        if token.type == "table_close":
            return
        defined = token.meta.get("defines")
        if defined and (added := context.after_name(defined)):
            # Written by this program, and so let through.
            extra = Token("html_inline", "", 0, content=str(added))
            token.children = [*(token.children or []), extra]


def _fence(
    self: RendererHTML, tokens: Sequence[Token], place: int, options: Any, env: Any
) -> str:
    del self, options, env
    return code_block(tokens[place].content, tokens[place].info.strip())


def code_block(content: str, language: str = "") -> Markup:
    """Write a block of code with a button that copies it."""
    return Markup(
        '<div class="code"><pre tabindex="0"><code data-language="{}">{}</code></pre>'
        '<button type="button" class="copy" hidden>Copy</button></div>'
    ).format(language, content)


def plain(text: str) -> str:
    """Take the markup out of a line of Markdown."""
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", text)
    return re.sub(r"[`*]|\\(?=[^\w\s])", "", text).strip()


def slug(text: str) -> str:
    """Write a heading as the fragment of an address, as GitHub does."""
    kept = re.sub(r"[^\w\- ]", "", text.lower())
    return kept.strip().replace(" ", "-") or "section"


def relative(target: str, page: str) -> str:
    """Write a path of the site, with or without a fragment, as seen from a page."""
    path, mark, fragment = target.partition("#")
    found = posixpath.relpath(path, posixpath.dirname(page) or ".") if path else ""
    return found + mark + fragment
