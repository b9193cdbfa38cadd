# SPDX-License-Identifier: BSD-3-Clause
"""The strings of QUIP: numbers as Fortran writes them, and lists of words and key=value pairs."""

import numpy as np

_CLOSING = {"{": "}", '"': '"', "'": "'"}


def number(text):
    """A number of Fortran, ``.5E-003`` or ``1.D0``, as a float. Raises ValueError for anything else."""
    return float(text.strip().replace("D", "E").replace("d", "e"))


def numbers(text):
    """Numbers between blanks, also within braces, as an array."""
    return np.array([number(word) for word in text.replace("{", " ").replace("}", " ").replace(",", " ").split()])


def integers(text):
    """As `numbers`, for integers, as a list."""
    return [int(word) for word in text.replace("{", " ").replace("}", " ").replace(",", " ").split()]


def logical(text):
    """T, TRUE, .true. and the like are True."""
    return text.strip().strip(".").upper() in ("T", "TRUE")


def arguments(text):
    """Words, and key=value pairs as a dictionary with keys in lower case.

    Blanks or commas separate them; a value in braces or quotes may hold both. Of repeated keys the last one counts.
    Raises ValueError for a brace or quote that is not closed."""
    words, values = [], {}
    for item in _split(text):
        key, equals, value = item.partition("=")
        if not equals:
            words.append(key)
            continue
        while len(value) > 1 and _CLOSING.get(value[0]) == value[-1]:
            value = value[1:-1].strip()
        values[key.strip().lower()] = value
    return words, values


def _split(text):
    item, depth, quote = "", 0, ""
    for letter in text:
        if not depth and not quote and letter in " ,\t\r\n":
            if item:
                yield item
            item = ""
            continue
        item += letter
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "\"'":
            quote = letter
        else:
            depth += (letter == "{") - (letter == "}")
    if depth or quote:
        raise ValueError(f"a brace or quote is not closed in {text!r}")
    if item:
        yield item
