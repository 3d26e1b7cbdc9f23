"""Mutants differ from the code in one place, and are code again."""

import ast
import random

from benchmarks.mutants import ROOT, changed, mutants, nodes_of, source_of


def test_mutants_are_other_code_in_one_place():
    listed = list(mutants())
    assert len(listed) > 5000
    assert len({mutant.key for mutant in listed}) == len(listed)
    for mutant in random.Random(1).sample(listed, 12):
        original = ast.unparse(ast.parse((ROOT / mutant.file).read_text(encoding="utf-8"))).splitlines()
        other = source_of(mutant).splitlines()
        compile("\n".join(other), mutant.file, "exec")
        assert other != original
        assert len(set(original) ^ set(other)) <= 4, mutant


def test_texts_and_annotations_are_left_alone():
    source = '''
def f(x: int = 0) -> bool:
    """At least 1."""
    if x < 0:
        raise ValueError(f"{x} < {0}")
    return not x
'''
    texts = [text for node in nodes_of(ast.parse(source)) if (text := changed(node))]
    assert sorted(texts) == [
        "another comparison",
        "another constant",
        "another constant",
        "no sign",
        "the opposite condition",
    ]
