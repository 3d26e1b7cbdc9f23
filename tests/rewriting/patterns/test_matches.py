"""Groups of matches, and what patterns refuse to bind."""

import numpy as np
import pytest

import netgraph as ng
from netgraph.errors import OptionError, RewriteError


def groups(m, *keys):
    return [g.e.id.tolist() for g in m.by(*keys)]


def test_groups_come_in_the_order_of_their_keys(maps):
    m, _ = ng.edge("e", src=ng.vertex("p"), dst=ng.vertex("c")).match(maps)
    assert groups(m, "target layer") == [[0, 1, 2], [5, 6], [7, 8]]
    assert groups(m, "source layer") == [[0, 1, 2], [5, 6], [7, 8]]
    assert groups(m, "link") == [[0, 1, 2], [5, 6], [7, 8]]
    assert groups(m, "port") == [[0, 1, 2, 7, 8], [5, 6]]
    assert groups(m, "link kind") == [[7, 8], [0, 1, 2], [5, 6]]
    assert groups(m, "source grid") == [[0, 1, 2, 5, 6, 7, 8]]
    assert groups(m, "port", "target layer") == [[0, 1, 2], [7, 8], [5, 6]]
    assert groups(m.take(np.array([6, 0, 1])), "target layer") == [[0, 1], [8]]
    assert groups(m.take(np.array([], dtype=int)), "target layer") == []
    assert next(iter(m.by("link"))).e.kind == ng.Conv2d((3, 3), padding=(1, 1))
    with pytest.raises(RewriteError, match="links of different kinds"):
        _ = m.e.kind


def test_groups_of_vertices(maps):
    m, _ = ng.vertex("v").match(maps)
    assert [g.v.id.tolist() for g in m.by("layer")] == [[0, 1], [2, 3], [4, 5, 6], [7]]


def test_a_match_has_the_same_key_among_fewer_matches(maps):
    m, _ = ng.missing_edge("e").match(maps)
    assert len(np.unique(m.key, axis=0)) == len(m)
    for start in range(len(m)):
        assert (m.take(np.arange(start, len(m), 7)).key == m.key[start::7]).all()


def test_edges_know_their_ends(maps):
    m, _ = ng.edge("e", src="p", dst="c").match(maps)
    assert (m.e.sources.rows == m.p.rows).all()
    assert (m.e.targets.rows == m.c.rows).all()


def test_unknown_groups(maps):
    m, _ = ng.vertex("v").match(maps)
    for key in ("leyer", "target layer", "link", "port"):
        with pytest.raises(RewriteError, match="Unknown group key"):
            next(m.by(key))


# -- patterns that match nothing by a slip -------------------------------------------------------------


@pytest.mark.parametrize("maker", [ng.vertex, ng.layer])
def test_an_unknown_role_is_refused_with_the_nearest(maker):
    with pytest.raises(OptionError, match=r"role='hiden' is none of .*Did you mean 'hidden'"):
        maker("v", role="hiden")


@pytest.mark.parametrize("name", [3, "", "two words", "graph", "take", "by", "root", "bound", "_v"])
@pytest.mark.parametrize("maker", [ng.vertex, ng.layer, ng.edge, ng.missing_edge, ng.link, ng.missing_link])
def test_names_that_a_rule_could_not_read_are_refused(maker, name):
    with pytest.raises(OptionError, match=f"cannot bind the name {name!r}"):
        maker(name)


@pytest.mark.parametrize("maker", [ng.edge, ng.missing_edge, ng.link, ng.missing_link])
def test_ends_that_do_not_fit_are_refused(maker):
    right, wrong = (ng.vertex, ng.layer) if maker in (ng.edge, ng.missing_edge) else (ng.layer, ng.vertex)
    with pytest.raises(
        OptionError, match=rf"src=5 of 'e' is no pattern that fits; give a name, or src={right.__name__}\('name'\)"
    ):
        maker("e", src=5)
    assert maker("e", src="p") == maker("e", src=right("p"))
    with pytest.raises(OptionError, match=r"dst=.*is no pattern that fits"):
        maker("e", dst=wrong("c"))
    for ends in ({"src": right("e")}, {"src": right("p"), "dst": right("p")}, {"src": right("dst")}):
        with pytest.raises(OptionError, match="not all different"):
            maker("e", **ends)
