"""The import graph that `python -m benchmarks.rooms` draws, on checkouts that are small enough to know."""

import tomllib

import pytest

from benchmarks.imports import Checkout, Import, read_imports
from benchmarks.rooms import banned, house, picture, text

FILES = {
    "netgraph/__init__.py": "from netgraph.low import Value\n",
    "netgraph/errors.py": "class Error(Exception): pass\n",
    "netgraph/low/__init__.py": """
from netgraph.low.value import Value
from netgraph.low.other import helper as helps
""",
    "netgraph/low/value.py": """
from typing import TYPE_CHECKING
from netgraph.errors import Error
if TYPE_CHECKING:
    from netgraph.high import Box
class Value: pass
def draw():
    from netgraph.high import draw
    return draw
""",
    "netgraph/low/other.py": "import numpy as np\nfrom netgraph.low.value import Value\ndef helper(): pass\n",
    "netgraph/high/__init__.py": "from netgraph.high.box import Box, draw\n",
    "netgraph/high/box.py": """
from netgraph.low.value import Value
from netgraph.low import Value, helps
from netgraph import low
class Box: pass
def draw(): pass
""",
    "benchmarks/speed.py": "from netgraph.low import Value, other\nfrom netgraph.high import Box\n",
}


@pytest.fixture
def checkout(tmp_path):
    for name, code in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(code)
    return tmp_path


def test_imports_are_read_wherever_they_stand(checkout):
    assert read_imports(checkout / "netgraph/low/value.py") == [
        Import("typing", "TYPE_CHECKING", "TYPE_CHECKING", 2, "start"),
        Import("netgraph.errors", "Error", "Error", 3, "start"),
        Import("netgraph.high", "Box", "Box", 5, "typing"),
        Import("netgraph.high", "draw", "draw", 8, "local"),
    ]


def test_a_relative_import_is_refused(tmp_path):
    (tmp_path / "a.py").write_text("from . import b\n")
    with pytest.raises(ValueError, match="line 1, has a relative import"):
        read_imports(tmp_path / "a.py")


def test_names_are_followed_to_where_they_are_defined(checkout):
    read = Checkout(checkout)
    assert read.definition("netgraph", "Value") == "netgraph.low.value"
    assert read.definition("netgraph.low", "helps") == "netgraph.low.other"
    assert read.definition("netgraph", "low") == "netgraph.low"


def test_arrows_count_names_and_the_weakest_one_of_a_circle_runs_back_up(checkout):
    found = house(checkout)
    assert {way: dict(counts) for way, counts in found.arrows.items()} == {
        ("netgraph.low", "netgraph.errors"): {"start": 1},
        ("netgraph.low", "netgraph.high"): {"typing": 1, "local": 1},
        ("netgraph.high", "netgraph.low"): {"start": 4},
    }
    assert found.circles == [["netgraph.high", "netgraph.low"]]
    assert found.back == [("netgraph.low", "netgraph.high")]
    assert found.floors == [["netgraph.errors"], ["netgraph.low"], ["netgraph.high"]]


def test_names_from_inside_of_another_package_bypass_its_facade(checkout):
    found = house(checkout)
    assert found.bypasses == {"netgraph.low.value": 1}
    assert found.users == {"benchmarks": 1, "examples": 0, "tests": 0}


def test_text_and_picture_name_rooms_and_arrows(checkout):
    found = house(checkout)
    assert "netgraph.low -> netgraph.high: 1 local, 1 typing" in text(found)
    assert "1 names of the product bypass a facade" in text(found)
    assert picture(found).startswith("<svg")


def test_modules_beside_folders_stand_on_the_floors_between_them(checkout):
    inside = checkout / "netgraph" / "high" / "inner"
    inside.mkdir()
    (inside / "__init__.py").write_text("from netgraph.high.inner.deep import deep\n")
    (inside / "deep.py").write_text("from netgraph.high.box import Box\ndef deep(): pass\n")
    (checkout / "netgraph" / "high" / "use.py").write_text("from netgraph.high.inner import deep\nUSED = deep\n")
    found = house(checkout)
    assert found.rooms["netgraph.high"] == ["netgraph.high", "netgraph.high.box"]
    assert found.rooms["netgraph.high (2)"] == ["netgraph.high.use"]
    assert found.arrows[("netgraph.high (2)", "netgraph.high.inner")] == {"start": 1}
    assert found.circles == [["netgraph.high", "netgraph.low"]]
    (checkout / "netgraph" / "high" / "box.py").write_text("from netgraph.high.inner import deep\nBox = draw = deep\n")
    assert ["netgraph.high", "netgraph.high.inner"] in [[r for r in c if "high" in r] for c in house(checkout).circles]


def test_the_linter_is_given_what_lies_behind_facades(checkout):
    (checkout / "netgraph" / "high" / "__init__.py").write_text(
        "from netgraph.high.box import box\n__all__ = ['box']\n"
    )
    assert tomllib.loads(banned(checkout))["lint"]["flake8-tidy-imports"]["banned-api"] == {
        "netgraph.low.other": {"msg": "import its names from netgraph.low"},
        "netgraph.low.value": {"msg": "import its names from netgraph.low"},
    }
