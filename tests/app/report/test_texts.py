"""No text of a run becomes markup: every one of them is hostile here."""

import json
import shlex

import pytest
from html_pages import Page
from named_runs import HARMLESS, HOSTILE, named_run

from netgraph.app.report.command import command_lines, grow_command
from netgraph.app.report.data import RunFacts
from netgraph.app.report.page import SECTIONS, Reporter, report_page
from netgraph.app.run_directory import RunDirectory


@pytest.fixture
def config(finished):
    return json.loads((finished / "config.json").read_text())


def facts_of(directory, config, text):
    return RunFacts.read(named_run(directory, config, text))


def test_hostile_texts_change_no_element(tmp_path, config):
    folders = (tmp_path / "hostile" / "a<b>&\"'c", tmp_path / "harmless" / "a")
    hostile, harmless = (
        Page(report_page(facts_of(folder, config, text)))
        for folder, text in zip(folders, (HOSTILE, HARMLESS), strict=True)
    )
    assert hostile.skeleton() == harmless.skeleton()
    assert hostile.count("script") == harmless.count("script")
    assert hostile.foreign() == []
    assert "alert(1)" in hostile.text
    assert "{{ 7*7 }}" in hostile.text
    assert "\x00" not in hostile.source
    assert "\x1b" not in hostile.source


@pytest.mark.parametrize("key", list(SECTIONS))
def test_every_part_closes_its_elements_whatever_it_holds(key, tmp_path, config):
    for section in Reporter().sections(facts_of(tmp_path / "run", config, HOSTILE)):
        if section.key == key:
            Page(section.html)


def test_commands_can_be_pasted_whatever_they_hold(tmp_path, config):
    folder = tmp_path / "it's a <run>; rm"
    facts = facts_of(folder, config, "a 'b' \"c\" $(d) `e` \\ & ; <f>\nnext")
    for _text, command in command_lines(facts):
        words = shlex.split(command)
        assert words[0] == "netgraph"
        assert any(word.startswith(str(folder)) for word in words)
    words = shlex.split(grow_command(facts.config, "out"))
    assert words[2] == facts.config["data"]
    assert f"--set=criterion={facts.config['data']}" in words


def test_a_directory_with_a_hostile_name_can_be_reported(run, call, tmp_path):
    folder = tmp_path / "<img src=x onerror=alert(1)>&'\""
    run.rename(folder)
    assert call("report", folder)[0] == 0
    page = Page((folder / "report.html").read_text())
    assert page.count("img") == 0
    assert "<img src=x onerror=alert(1)>" in page.text
    assert RunDirectory(folder).config["data"] == "digits"
