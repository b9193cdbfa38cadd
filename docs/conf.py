# SPDX-License-Identifier: BSD-3-Clause
"""Sphinx configuration: ``sphinx-build -W docs build/html``."""

import tomllib
from pathlib import Path

project = "mlcalc"
author = "the mlcalc developers"
copyright = "the mlcalc developers"
release = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]["version"]
extensions = ["myst_parser", "sphinx.ext.mathjax"]
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


def setup(app):
    from pygments.lexers.special import TextLexer

    app.add_lexer("lammps", TextLexer)
