"""Methods by name, and defaults in which one differs from another with the same options."""

from dataclasses import fields

import pytest

from netgraph.methods import METHODS, get_method


@pytest.mark.parametrize("name", METHODS)
def test_defaults_of_a_method_are_other_values_of_its_options_and_can_be_overruled(name):
    spec = get_method(name)
    usual = {field.name: field.default for field in fields(spec.options)}
    for option, value in spec.defaults.items():
        assert usual[option] != value
        assert getattr(spec.make_options(**{option: usual[option]}), option) == usual[option]
    assert vars(spec.make_options()) == {**usual, **spec.defaults}


def test_methods_with_the_same_options_and_start_differ_by_their_defaults():
    made = [(spec.options, spec.start, tuple(spec.defaults.items())) for spec in METHODS.values()]
    assert len(set(made)) == len(made)
