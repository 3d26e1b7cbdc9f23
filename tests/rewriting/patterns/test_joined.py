"""Patterns of several parts: their order, their funnel, their limit, and the errors of patterns that do not fit."""

import numpy as np
import pytest

import netgraph as ng
from netgraph.errors import OptionError, RewriteError
from netgraph.rewriting.patterns import row_index, search


@pytest.fixture
def diamond():
    """x(2) -> a(2) -> y(1), and x -> y around a; ids count up."""
    b = ng.GraphBuilder()
    b.input("x", 2)
    b.layer("a", 2, activation="relu")
    b.output("y", 1)
    b.edges("x", "a", [0, 1, 1], [0, 0, 1], weight=[1, 2, 3])
    b.edges("x", "y", [0], [0], weight=[4])
    b.edges("a", "y", [0, 1], [0, 0], weight=[5, 6])
    return b.build()


def bound(pattern, graph, *names):
    m, _ = pattern.match(graph)
    return list(zip(*(m.bound[name].id.tolist() for name in names), strict=True))


def test_shapes_bind_edges_and_vertices(diamond):
    assert bound(ng.path("a", "b", "c"), diamond, "a", "b", "c") == [(0, 2, 4), (1, 2, 4), (1, 3, 4)]
    assert bound(ng.triangle("a", "b", "c"), diamond, "a", "b", "c") == [(0, 2, 4)]
    assert bound(ng.fork("p", "a", "b"), diamond, "p", "a", "b") == [(0, 2, 4), (1, 2, 3)]
    assert bound(ng.join("a", "b", "c"), diamond, "a", "b", "c") == [(0, 1, 2), (0, 2, 4), (0, 3, 4), (2, 3, 4)]
    m, _ = ng.path("a", "b", "c", edges=("into", "out")).match(diamond)
    assert m.into.weight.tolist() == [1, 2, 3]
    assert m.out.weight.tolist() == [5, 5, 6]


def test_a_path_in_place_of_a_vertex_is_none(diamond):
    """Names differ, so vertices differ: a path never runs through a vertex twice."""
    pattern = ng.all_of(ng.edge("e", src="a", dst="b"), ng.edge("f", src="c", dst="b"))
    assert sorted(bound(pattern, diamond, "a", "c")) == [
        (0, 1), (0, 2), (0, 3), (1, 0), (2, 0), (2, 3), (3, 0), (3, 2)
    ]  # fmt: skip


def test_parts_are_joined_in_an_order_in_which_they_meet(diamond):
    scattered = ng.all_of(ng.edge("e1", src="a", dst="b"), ng.vertex("d"), ng.edge("e2", src="b", dst="d"))
    assert scattered.names == ("e1", "a", "b", "e2", "d")
    assert bound(scattered, diamond, "a", "b", "d") == bound(ng.path("a", "b", "d"), diamond, "a", "b", "d")


def test_patterns_of_several_parts_are_parts(diamond):
    nested = ng.all_of(ng.path("a", "b", "c").without(ng.edge("x", src="b")), ng.edge("e3", src="a", dst="c"))
    flat = ng.all_of(*ng.path("a", "b", "c").parts, ng.edge("e3", src="a", dst="c")).without(ng.edge("x", src="b"))
    assert nested == flat
    assert bound(nested, diamond, "a", "b", "c") == [(0, 2, 4)]
    limited = ng.all_of(ng.path("a", "b", "c").first(1), ng.edge("e3", src="d", dst="b"))
    assert bound(limited, diamond, "a", "b", "c", "d") == [(0, 2, 4, 1)]


def test_vertices_in_the_order_of_edges_are_not_compared(diamond):
    """Along edges no vertex comes twice, so that no stage says so; of two sources it can."""
    assert not [text for text, _ in ng.path("a", "b", "c").match(diamond)[1] if "is not" in text]
    assert [text for text, _ in ng.join("a", "b", "c").match(diamond)[1] if "before" in text] == ["a before b"]


def test_the_funnel_counts_every_part(diamond):
    pattern = ng.path(
        "a", ng.vertex("b", role="hidden", where=lambda v: v.out_degree == 1), "c"
    ).without(ng.edge("around", src="a", dst="c"))  # fmt: skip
    m, funnel = pattern.match(diamond)
    assert bound(pattern, diamond, "a", "b", "c") == [(1, 2, 4), (1, 3, 4)]
    stages = dict(funnel)
    assert stages["e1: e1 is trainable"] == 6
    assert stages["e1: b is hidden"] == 3
    assert stages["e1: b passes its where"] == 3
    assert stages["e2: joined at b"] == 3
    assert stages["no around at a and c"] == 2 == len(m)
    assert [count for _, count in funnel][-1] == 2


def test_named_conditions_of_a_part_are_stages_of_their_own(diamond):
    part = ng.edge("e", where={"is large": lambda e: e.weight > 2, "is odd": lambda e: e.weight % 2 == 1})
    m, funnel = part.match(diamond)
    assert sorted(m.e.weight.tolist()) == [3, 5]
    assert dict(funnel)["is large"] == 4
    assert dict(funnel)["is odd"] == 2


def test_conditions_of_a_part_that_are_no_masks_are_refused(diamond):
    with pytest.raises(RewriteError, match=r"of 'e' is float32 of shape \(6,\), expected \(6,\) booleans"):
        ng.edge("e", where=lambda e: e.weight).match(diamond)
    with pytest.raises(OptionError, match="where=3 of 'e' is no function"):
        ng.edge("e", where=3)


def test_on_limits_the_first_part(diamond):
    m, _ = ng.path("a", "b", "c").match(diamond, on=[1])
    assert m.e1.id.tolist() == [1]


def test_first_stops_the_search(diamond, monkeypatch):
    monkeypatch.setattr(row_index, "BLOCK", 1)
    monkeypatch.setattr(search, "MAX_MATCHES", 2)  # no limit: at most that number is asked for
    m, funnel = ng.path("a", "b", "c").first(2).match(diamond)
    assert m.a.id.tolist() == [0, 1]
    assert funnel[-1] == ("the first 2", 2)
    assert dict(funnel)["e2: joined at b"] == 2, "the third path was joined"
    assert len(ng.path("a", "b", "c").first(9).match(diamond)[0]) == 3
    with pytest.raises(OptionError, match=r"first\(\): count"):
        ng.path("a", "b", "c").first(0)


def test_more_matches_than_the_limit_are_counted_and_refused(monkeypatch):
    wide = ng.mlp([20, 20, 20], seed=0)
    monkeypatch.setattr(search, "MAX_MATCHES", 7_999)
    with pytest.raises(RewriteError, match=r"pattern of e1, a, b, e2, c has 8,000 matches.*at most 7,999.*\.first"):
        ng.path("a", "b", "c").match(wide)
    left_out = ng.path("a", "b", "c").without(ng.edge("x", dst="a"))
    with pytest.raises(RewriteError, match="has more than 7,999 matches"):
        left_out.match(wide)
    assert len(ng.path("a", "b", "c").without(ng.edge("x", src="b")).match(wide)[0]) == 0
    assert len(ng.path("a", "b", "c").first(10).match(wide)[0]) == 10


def test_counting_needs_no_list():
    """10^18 paths are counted in the time of their edges."""
    wide = ng.mlp([100] * 9, seed=0)
    with pytest.raises(RewriteError, match="1,000,000,000,000,000,000 matches"):
        ng.path(*"abcdefghi").match(wide)


def test_what_must_be_absent_may_be_frozen_or_a_wire(maps):
    assert len(ng.vertex("v", role="input").without(ng.edge("x", src="v")).match(maps)[0]) == 0
    only = ng.vertex("v").without(ng.edge("x", src="v"))
    assert bound(only, maps, "v") == [(5,), (7,)]


def test_alternatives_are_found_once(diamond):
    left = ng.all_of(ng.vertex("b", role="hidden"), ng.edge("e", src="a", dst="b"))
    right = ng.all_of(ng.edge("e", src="a", dst="b"), ng.vertex("a", role="input"))
    m, funnel = ng.either(left, right).match(diamond)
    assert sorted(m.e.id.tolist()) == [0, 1, 2, 3]
    assert funnel[-1] == ("one alternative or another", 4)
    assert any(text.startswith("alternative 2: ") for text, _ in funnel)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ng.path("a"), "has no edge"),
        (lambda: ng.path("a", "b", edges=("e", "f")), r"edges=\['e', 'f'\] has 2 names, and the pattern has 1 edges"),
        (lambda: ng.path("a", "b", "a"), "through 'a' twice"),
        (lambda: ng.all_of(), "at least one part"),
        (lambda: ng.all_of("e"), "'e' is no pattern"),
        (lambda: ng.all_of(ng.edge("e"), ng.edge("e")), "Two parts have the name 'e'"),
        (lambda: ng.all_of(ng.edge("e"), ng.vertex("v")), r"share no name .* pair\('a', 'b'\)"),
        (lambda: ng.edge("e").without(ng.edge("x", src="a", dst="b")), "shares no name with the pattern"),
        (lambda: ng.either(), "at least one pattern"),
        (lambda: ng.either(ng.edge("e"), 3), "3 is no pattern"),
        (lambda: ng.either(ng.edge("e"), ng.edge("f")), "bind the same names"),
    ],
)
def test_patterns_that_do_not_fit_are_refused(make, message):
    with pytest.raises(OptionError, match=message):
        make()


def test_alternatives_of_different_kinds_are_refused(diamond):
    edges, layers = ng.edge("e", src="a", dst="b"), ng.link("e", src="a", dst="b")
    with pytest.raises(OptionError, match="parts of different kinds"):
        ng.either(edges, layers).match(diamond)


def test_groups_of_a_part_are_named(diamond):
    m, _ = ng.path("a", "b", "c").match(diamond)
    assert [g.a.id.tolist() for g in m.by("a layer")] == [[0, 1, 1]]
    assert [g.e2.id.tolist() for g in m.by("e2 link")] == [m.e2.id.tolist()]
    assert [set(g.b.id.tolist()) for g in m.by("b layer", "c grid")] == [{2, 3}]
    with pytest.raises(RewriteError, match="Unknown group key 'd layer'"):
        next(m.by("d layer"))


def test_keys_differ_for_different_matches(diamond):
    m, _ = ng.path("a", "b", "c").match(diamond)
    assert m.key.shape == (3, 5)
    assert len(np.unique(m.key, axis=0)) == 3
    assert np.array_equal(m.take(np.array([2, 0])).key, m.key[[2, 0]])


@pytest.mark.parametrize(
    "pattern",
    [
        ng.all_of(ng.edge("e", src="a", dst="b"), ng.link("k", src="a", dst="c")),
        ng.all_of(ng.edge("e", src="a", dst="b"), ng.edge("f", src="e", dst="c")),
        ng.all_of(ng.edge("e", src="a", dst="b"), ng.layer("a")),
        ng.vertex("a").without(ng.link("k", src="a")),
    ],
    ids=["link", "edge", "layer", "absent"],
)
def test_a_name_is_of_one_kind(pattern, diamond):
    with pytest.raises(OptionError, match=r"is bound to .* by one part and to .* by another; a name that parts share"):
        pattern.match(diamond)


def test_links_and_layers_are_joined(diamond):
    def named(pattern, *names):
        m, _ = pattern.match(diamond)
        return [tuple(layer.name for layer in row) for row in zip(*(m.bound[name] for name in names), strict=True)]

    around = ng.all_of(ng.link("k", src="p", dst="q"), ng.link("l", src="q", dst="r"), ng.link("j", src="p", dst="r"))
    assert named(around, "p", "q", "r") == [("x", "a", "y")]
    assert named(ng.layer("l").without(ng.link("k", dst="l")), "l") == [("x",)]
    assert named(ng.layer("l").without(ng.link("k", src="l")), "l") == [("y",)]
