"""Pieces of HTML: nothing in a text becomes markup."""

import xml.etree.ElementTree as ET

from hypothesis import given
from hypothesis import strategies as st

from netgraph.markup import escape, html_table


@given(st.text())
def test_any_text_is_taken_literally(text):
    element = ET.fromstring(f'<a b="{escape(text)}">{escape(text)}</a>')
    assert len(element) == 0
    assert (element.text or "").replace("\ufffd", "") == "".join(
        c for c in text if c.isprintable() or c in "\n\t"
    ).replace("\ufffd", "")


def test_control_characters_are_replaced():
    assert escape("a\x00<&\"'\n") == "a\ufffd&lt;&amp;&quot;&#x27;\n"


def test_a_table_has_its_rows_and_right_aligned_numbers():
    root = ET.fromstring(html_table(["name", "n"], [["<b>", 12345], ["x", 0.123456]], caption="a & b"))
    assert [cell.text for cell in root.iter("td")] == ["<b>", "12,345", "x", "0.1235"]
    assert root.find("caption").text == "a & b"
    assert ["right" in cell.get("style") for cell in root.iter("td")] == [False, True, False, True]
