"""Pieces of HTML: nothing in a text becomes markup."""

import unicodedata
import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netgraph.markup import escape, printable, shortened


@given(st.text())
def test_any_text_is_taken_literally(text):
    element = ET.fromstring(f'<a b="{escape(text)}">{escape(text)}</a>')
    assert len(element) == 0
    assert (element.text or "").replace("\ufffd", "") == "".join(
        c for c in text if c.isprintable() or c in "\n\t" or unicodedata.category(c) == "Zs"
    ).replace("\ufffd", "")


def test_control_characters_are_replaced():
    assert escape("a\x00<&\"'\n") == "a\ufffd&lt;&amp;&quot;&#x27;\n"


@pytest.mark.parametrize(
    ("text", "shown"),
    [("a\u00a0b\u3000\u5c42", "a\u00a0b\u3000\u5c42"), ("a\nb\x00\u202ec", "a b\ufffd\ufffdc"),
     ("\ud800\ufffe", "\ufffd\ufffd"), ("", "")],
)  # fmt: skip
def test_what_does_not_print_is_replaced_and_blanks_stay(text, shown):
    assert printable(text) == shown
    assert printable(text, "\n") == shown.replace("a b", "a\nb")


@pytest.mark.parametrize(("longest", "shown"), [(9, "123456789"), (8, "123…789"), (7, "123…789"), (5, "12…89")])
def test_long_texts_lose_their_middle(longest, shown):
    assert shortened("123456789", longest) == shown
