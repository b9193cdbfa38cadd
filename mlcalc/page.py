# SPDX-License-Identifier: BSD-3-Clause
"""Reports as one HTML file: text, tables and pictures in it, opened without a server."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from pathlib import Path

from jinja2 import Environment, StrictUndefined

from .files import write_bytes

TEMPLATE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{{ title }}</title>
<style>
body { font: 15px/1.45 system-ui, sans-serif; max-width: 70em; margin: 2em auto; padding: 0 1em; color: #1c2330; }
h1 { font-size: 1.6em; } h2 { font-size: 1.2em; margin-top: 2em; border-bottom: 1px solid #d5dae3; }
table { border-collapse: collapse; margin: .8em 0; font-variant-numeric: tabular-nums; }
th, td { padding: .2em .8em; text-align: right; border-bottom: 1px solid #e6e9ef; }
th { font-weight: 600; } td:first-child, th:first-child { text-align: left; }
pre { background: #f4f6f9; padding: .8em; overflow-x: auto; font-size: .85em; }
img { max-width: 100%; display: block; margin: .8em 0; } p { max-width: 50em; }
.warning { background: #fff4e0; border-left: 4px solid #e08a2c; padding: .4em .8em; }
</style></head><body>
<h1>{{ title }}</h1>
{% for section in sections %}<h2>{{ section.title }}</h2>
{% for text in section.texts %}<p{% if text.startswith("WARNING") %} class="warning"{% endif %}>{{ text }}</p>
{% endfor %}{% for table in section.tables %}<table><tr>{% for name in table.head %}<th>{{ name }}</th>{% endfor %}</tr>
{% for row in table.rows %}<tr>{% for cell in row %}<td>{{ cell }}</td>{% endfor %}</tr>
{% endfor %}</table>
{% endfor %}{% for block in section.blocks %}<pre>{{ block }}</pre>
{% endfor %}{% for picture in section.pictures %}
<img alt="{{ section.title }}" src="data:image/png;base64,{{ picture }}">
{% endfor %}{% endfor %}</body></html>
"""


@dataclass
class Table:
    """Names of columns, and rows of what stands in them; numbers are written with three digits."""

    head: list[str]
    rows: list[list]


@dataclass
class Section:
    """A part of a page: paragraphs, tables, preformatted blocks, and PNG pictures as their contents."""

    title: str
    texts: list[str] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    pictures: list[bytes] = field(default_factory=list)
    blocks: list[str] = field(default_factory=list)


def _cell(value) -> str:
    if value is None:
        return "-"
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def html(title: str, sections: list[Section]) -> str:
    """The page; what comes from data is escaped."""
    template = Environment(autoescape=True, undefined=StrictUndefined).from_string(TEMPLATE)
    return template.render(title=title, sections=[_shown(s) for s in sections])


def _shown(section: Section) -> dict:
    """What the template shows of a section: numbers written out, pictures encoded."""
    tables = [{"head": t.head, "rows": [[_cell(c) for c in row] for row in t.rows]} for t in section.tables]
    pictures = [base64.b64encode(p).decode() for p in section.pictures]
    return {"title": section.title, "texts": section.texts, "blocks": section.blocks, "tables": tables,
            "pictures": pictures}  # fmt: skip


def write_page(path: Path, title: str, sections: list[Section]):
    """Writes the page, whole or not at all."""
    write_bytes(path, html(title, sections).encode())


def png(figure) -> bytes:
    """A matplotlib figure as the contents of a PNG file."""
    import io

    stream = io.BytesIO()
    figure.savefig(stream, dpi=130, format="png")
    return stream.getvalue()
