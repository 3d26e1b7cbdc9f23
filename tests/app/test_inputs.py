"""Data of a run, read and split; the machine is set up by a function of its own."""

import torch

from netgraph.app.hardware import set_up_process
from netgraph.app.inputs import RunSettings, read_inputs


def test_reading_data_leaves_the_machine_as_it_is():
    before = torch.get_num_threads()
    inputs = read_inputs("digits", RunSettings(threads=2, samples=60), 0, target=None, task=None)
    assert len(inputs.parts[0]) < 60 == len(inputs.parts[0]) + len(inputs.parts[2])
    assert torch.get_num_threads() == before


def test_a_process_is_set_up_with_its_threads():
    set_up_process(2)
    assert torch.get_num_threads() == 2
