# SPDX-License-Identifier: BSD-3-Clause
"""Sphinx configuration: ``sphinx-build -W docs build/html``."""

import tomllib
from pathlib import Path

project = "mlcalc"
author = "the mlcalc developers"
copyright = "the mlcalc developers"
release = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]["version"]
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
html_math_renderer = "mathml"  # by the browser itself: pages need no script and no network
autodoc_typehints = "none"
autodoc_default_options = {"exclude-members": "__new__, __init__"}
myst_enable_extensions = ["dollarmath", "amsmath", "colon_fence", "deflist"]
myst_heading_anchors = 3
exclude_patterns = ["_build"]
html_theme = "alabaster"
html_theme_options = {
    "description": "Potentials that see near (SOAP) and far (LODE), in ASE and in LAMMPS",
    "page_width": "1060px",
    "sidebar_width": "240px",
    "fixed_sidebar": True,
}

highlight_language = "none"


def formula(node, display):
    """The MathML of a formula node."""
    from latex2mathml.converter import convert

    return convert(node.astext(), display=display)


def visit_math(self, node):
    from docutils import nodes

    self.body.append(formula(node, "inline"))
    raise nodes.SkipNode


def visit_displaymath(self, node):
    from docutils import nodes

    self.body.append(f'<div class="math">{formula(node, "block")}</div>')
    raise nodes.SkipNode


def setup(app):
    app.add_html_math_renderer("mathml", (visit_math, None), (visit_displaymath, None))
    from pygments.lexers.special import TextLexer

    app.add_lexer("lammps", TextLexer)
