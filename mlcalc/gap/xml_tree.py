# SPDX-License-Identifier: BSD-3-Clause
"""The XML of a potential as a tree, without what is large in it: sparse points become arrays, the training set goes."""

import re
import xml.etree.ElementTree as ElementTree
from xml.parsers import expat

import numpy as np
from ase.data import atomic_numbers

from .quip_strings import numbers

_ATOM = re.compile(r"\s*([A-Z][a-z]?)((?:\s+[-+.\dEeDd]+){3,})(?:\s|$)")


class Tree:
    """``root``, ``points`` of every sparseX element that holds them, and the ``species`` of a stored training set."""

    def __init__(self, path):
        self.root, self.points, self.species = None, {}, set()
        self._path = path
        self._builder = ElementTree.TreeBuilder()
        self._line = None  # within XYZ_data, which may be hundreds of megabytes: what follows the last line break
        parser = expat.ParserCreate(encoding="iso-8859-1")  # some training sets hold bytes that are no UTF-8
        parser.buffer_text, parser.buffer_size = True, 1 << 16
        parser.StartElementHandler, parser.EndElementHandler = self._start, self._end
        parser.CharacterDataHandler = self._data
        try:
            with open(path, "rb") as stream:
                parser.ParseFile(stream)
        except expat.ExpatError as error:
            raise ValueError(f"{path} is no XML file of QUIP: {error}") from None
        self.root = self._builder.close()

    def _start(self, tag, attributes):
        self._builder.start(tag, attributes)
        if tag == "XYZ_data":
            self._line = ""

    def _data(self, text):
        if self._line is None:
            self._builder.data(text)
            return
        *lines, self._line = (self._line + text).split("\n")
        for line in lines:
            match = _ATOM.match(line)
            if match and match[1] in atomic_numbers:
                self.species.add(atomic_numbers[match[1]])

    def _end(self, tag):
        element = self._builder.end(tag)
        if tag == "XYZ_data":
            self._line = None
        elif tag == "sparseX":
            try:
                self.points[element] = _points(element)
            except ValueError as error:
                raise ValueError(f"{self._path}: sparseX {element.get('i')}: {error}") from None
            element.text = None
            element[:] = []


def _points(element):
    """The numbers of one sparse point, those of slices one after the other."""
    slices = element.findall("sparseX_slice")
    if not slices:
        return numbers(element.text or "")
    slices.sort(key=lambda part: int(part.get("start", 0)))
    found = [numbers(part.text or "") for part in slices]
    at = 1
    for part, values in zip(slices, found, strict=True):
        if int(part.get("start", 0)) != at or int(part.get("end", 0)) != at + len(values) - 1:
            raise ValueError(f"the slice from {part.get('start')} to {part.get('end')} has {len(values)} numbers")
        at += len(values)
    return np.concatenate(found)
