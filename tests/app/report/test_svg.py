"""Pictures inside a page: ids of their own, and texts as they are."""

from netgraph.app.report.svg import inline_svg

SVG = (
    '<?xml version="1.0"?><!-- a comment --><svg viewBox="0 0 4 3"><g id="a"><use href="#a"/><path id="b" '
    'clip-path="url(#a)"/></g><text>url(#c) here</text></svg>'
)


def test_ids_have_a_prefix_where_something_refers_to_them_and_go_elsewhere():
    text = inline_svg(SVG, "one", 'a "label" <b>')
    assert '<g id="one-a"><use href="#one-a"/><path clip-path="url(#one-a)"/></g>' in text
    assert "comment" not in text
    assert text.startswith('<svg xmlns="http://www.w3.org/2000/svg"')
    assert 'aria-label="a &quot;label&quot; &lt;b&gt;" viewBox="0 0 4 3">' in text


def test_texts_that_look_like_references_stay_as_they_are():
    assert "<text>url(#c) here</text>" in inline_svg(SVG, "one", "label")
