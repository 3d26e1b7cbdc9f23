"""What a page holds, as a browser would read it."""

import re
from html.parser import HTMLParser

VOID = {"meta", "link", "br", "img", "hr", "input", "wbr"}


class Page(HTMLParser):
    """Elements, ids, references and text of a page; elements that are not closed in order fail."""

    def __init__(self, text):
        super().__init__()
        self.source = text
        self.elements = []
        self.text = ""
        self.rows = []
        self._open = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag in ("dt", "dd", "li", "p", "span"):
            self.text += " "
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self._open.pop() == tag, self.getpos()

    def handle_data(self, data):
        if self._open and self._open[-1] in ("style", "script"):
            return
        self.text += data
        if {"td", "th"} & set(self._open):
            self.rows[-1][-1] += data

    def count(self, tag):
        return sum(name == tag for name, _ in self.elements)

    def values(self, attribute):
        return [attributes[attribute] for _, attributes in self.elements if attribute in attributes]

    def skeleton(self):
        """Names of elements and of their attributes, in order: what markup in a text would change."""
        return [(tag, sorted(attributes)) for tag, attributes in self.elements]

    def words(self):
        return " ".join(self.text.split())

    def foreign(self):
        """References that would leave the page."""
        outside = [v for name in ("src", "href", "xlink:href", "action", "srcset", "data") for v in self.values(name)
                   if v is not None and not v.startswith(("#", "data:"))]  # fmt: skip
        return outside + re.findall(r"@import|url\((?!#)[^)]*\)", self.source)
