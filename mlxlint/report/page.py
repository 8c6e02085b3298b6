"""Pages of HTML that stand alone: one file, nothing loaded, to be read without JavaScript and by keyboard.

Whatever comes from linted code goes through :func:`text`. A policy in the page allows its own script and style by their
hashes and nothing else, so that what should slip through is not run.
"""

from __future__ import annotations

import base64
import hashlib
import html
import re
from collections.abc import Iterable, Iterator, Sequence
from importlib.resources import files
from string import Template
from typing import NamedTuple, TextIO

from mlxlint import __version__
from mlxlint.report.shared import counted, showable

_CODE = re.compile(r"`([^`\n]+)`")
FIRST = 20  # rows of a long table that are shown at once


class Section(NamedTuple):
    """A part of a page, which the navigation names."""

    id: str
    title: str
    body: Iterable[str]


def text(value: object) -> str:
    """Anything as text of a page or in the quotes of an attribute; characters that do not show are made visible."""
    return html.escape("\n".join(map(showable, str(value).split("\n"))))


def prose(value: str) -> str:
    """Text with what stands in backticks as code."""
    return _CODE.sub(r"<code>\1</code>", text(value))


def write(title: str, lead: str, sections: Sequence[Section], stream: TextIO) -> None:
    """Write a page; ``title`` and ``lead`` are text, the sections' bodies pieces of HTML."""
    style, script = _template("page.css"), _template("page.js")
    page = Template(_template("page.html")).substitute(
        policy=f"default-src 'none'; style-src '{_digest(style)}'; script-src '{_digest(script)}'; "
        "base-uri 'none'; form-action 'none'",
        title=text(title),
        lead=text(lead),
        version=__version__,
        style=style,
        script=script,
        links="".join(f'<li><a href="#{section.id}">{text(section.title)}</a></li>' for section in sections),
        body="\n".join(map(_section, sections)),
    )
    encoding = getattr(stream, "encoding", None) or "utf-8"
    stream.write(page.encode(encoding, "xmlcharrefreplace").decode(encoding))


def _section(section: Section) -> str:
    heading = f'<h2 id="{section.id}-title">{text(section.title)}</h2>'
    body = "\n".join(section.body)
    return f'<section id="{section.id}" aria-labelledby="{section.id}-title">\n{heading}\n{body}\n</section>'


def _template(name: str) -> str:
    return (files("mlxlint.report") / "templates" / name).read_text(encoding="utf-8")


def _digest(content: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()


# Parts


def long_table(caption: str, heads: Sequence[str], rows: Sequence[str], noun: str) -> Iterator[str]:
    """A table of the first rows, and one to be opened of the others."""
    yield table(caption, heads, rows[:FIRST])
    if len(rows) > FIRST:
        more = counted(len(rows) - FIRST, f"more {noun}")
        yield f"<details><summary>{more}</summary>{table(f'{caption}, the others', heads, rows[FIRST:])}</details>"


def table(caption: str, heads: Sequence[str], rows: Iterable[str], *, id: str = "") -> str:
    """A table; a head that begins with ``#`` is of numbers, one with ``=`` of bars, and rows are pieces of HTML."""
    cells = "".join(_head(head) for head in heads)
    name = f' id="{id}"' if id else ""
    body = "\n".join(rows)
    return (
        f'<div class="scroll" role="region" aria-label="{text(caption)}" tabindex="0"><table{name}>'
        f"<thead><tr>{cells}</tr></thead>\n<tbody>\n{body}\n</tbody></table></div>"
    )


def _head(head: str) -> str:
    kind = {"#": "number", "=": "wide"}.get(head[:1])
    if kind is not None:
        return f'<th scope="col" class="{kind}">{text(head[1:])}</th>'
    return f'<th scope="col">{text(head)}</th>'


def path(name: str) -> str:
    """A file's name, to be broken between folders."""
    return "<code>" + text(name).replace("/", "/<wbr>") + "</code>"


def number(value: object) -> str:
    return f'<td class="number">{value}</td>'


def bar(parts: Iterable[tuple[str, int]], most: int) -> str:
    """A bar of parts, each a class and a number; ``most`` fills the width. The numbers are to stand beside it."""
    rects, at = [], 0.0
    for kind, count in parts:
        width = 100 * count / max(most, 1)
        if count:
            rects.append(f'<rect class="{kind}" x="{at:.2f}" width="{width:.2f}" height="8"/>')
        at += width
    shapes = "".join(rects)
    return f'<svg class="bar" viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true">{shapes}</svg>'


def cards(values: Iterable[tuple[str, object]]) -> str:
    shown = "".join(f"<div><dt>{text(name)}</dt><dd>{text(value)}</dd></div>" for name, value in values)
    return f'<dl class="cards">{shown}</dl>'


def choice(label: str, name: str, options: Iterable[tuple[str, str]]) -> str:
    """A choice of one of some values, or of all."""
    listed = "".join(f'<option value="{text(value)}">{text(shown)}</option>' for value, shown in options)
    return f'<label>{text(label)} <select name="{name}"><option value="">all</option>{listed}</select></label>'


def filters(list_id: str, controls: Iterable[str], *, opened: bool | None = None) -> str:
    """A form that chooses among the items of a list; it shows where there is JavaScript.

    With ``opened`` said it opens the groups of the list, and closes them again.
    """
    pressed = "" if opened is None else str(opened).lower()
    button = f'<button type="button" data-open aria-pressed="{pressed}">Open all</button>' if pressed else ""
    return (
        f'<form class="filters" role="search" data-list="{list_id}"><fieldset><legend>Filters</legend>'
        f'<label>Search <input type="search" name="q"></label>{"".join(controls)}{button}'
        f'<button type="reset">Reset</button><output aria-live="polite"></output></fieldset></form>'
    )
