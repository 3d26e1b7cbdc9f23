"""The live page: what it serves, to whom, and that nothing that happens to a run ends it."""

import http.client
import json
import math
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest
from ctrl_c import listen
from grow_runs import refused
from html_pages import Page
from named_runs import HARMLESS, HOSTILE, named_run

from benchmarks.damage import damages
from netgraph.app.report.data import RunFacts
from netgraph.app.report.page import Reporter
from netgraph.app.report.server import HOST, LivePage, serve
from netgraph.app.run_directory import RunDirectory


@pytest.fixture
def served():
    """`served(directory)` serves a page about it; a function that asks it for a path comes back."""
    servers = []

    def start(directory):
        server = serve(directory)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        servers.append(server)

        def ask(path, method="GET", **headers):
            connection = http.client.HTTPConnection(HOST, server.server_port, timeout=30)
            connection.request(method, path, headers=headers)
            answer = connection.getresponse()
            answer.text = answer.read().decode()
            connection.close()
            return answer

        ask.port = server.server_port
        return ask

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def keys(ask):
    return [key for key, _title, _digest in json.loads(ask("/state").text)["sections"]]


def test_a_finished_run_is_served_as_in_its_report(finished, served):
    ask = served(finished)
    page = Page(ask("/").text)
    report = Page((finished / "report.html").read_text())
    assert page.text.split("Written by")[0].split() == report.text.split("Written by")[0].split()
    assert page.count("script") == report.count("script") + 1
    assert page.foreign() == []
    assert ask("/").headers["Content-Type"] == "text/html; charset=utf-8"


def test_hostile_runs_neither_end_the_server_nor_speak_on_the_terminal(run, served, capfd):
    ask, rng = served(run), random.Random(0)
    good = ask("/state").text
    for name in ("config.json", "metrics.jsonl", "journal.jsonl", "summary.json", "checkpoint.safetensors"):
        whole = (run / name).read_bytes()
        first, end, rest = whole.partition(b"\n") if name.endswith("jsonl") else (whole, b"", b"")
        texts = damages({} if name.startswith("check") else json.loads(first), 6, rng)
        for _words, text in texts:
            (run / name).write_bytes(text + end + rest)
            assert ask("/").status == 200
            assert ask("/state").status == 200
        (run / name).write_bytes(whole)
    assert [s[:2] for s in json.loads(ask("/state").text)["sections"]] == [s[:2] for s in json.loads(good)["sections"]]
    assert capfd.readouterr().err == ""


def test_an_error_that_nobody_foresaw_is_a_page_and_the_next_request_is_answered(run, served, monkeypatch, capfd):
    from netgraph.app.report import server

    ask = served(run)
    with monkeypatch.context() as patch:
        patch.setattr(Reporter, "sections", lambda *_: 1 / 0)
        assert "ZeroDivisionError: division by zero" in ask("/").text
    with monkeypatch.context() as patch:
        patch.setattr(server, "render_page", lambda *_: 1 / 0)
        answer = ask("/")
        assert (answer.status, "ZeroDivisionError" in answer.text) == (500, True)
    (run / "metrics.jsonl").touch()
    assert "cannot be" not in ask("/").text
    assert capfd.readouterr().err == ""


def test_parts_are_told_apart_by_what_they_hold(run, served):
    ask = served(run)
    before = json.loads(ask("/state").text)
    assert json.loads(ask("/state").text) == before
    lines = (run / "metrics.jsonl").read_text().splitlines()

    def measured(accuracy):
        last = json.dumps({**json.loads(lines[-1]), "val_accuracy": accuracy})
        (run / "metrics.jsonl").write_text("".join(f"{line}\n" for line in [*lines[:-1], last]))

    measured(0.123)
    after = json.loads(ask("/state").text)
    assert after["version"] != before["version"]
    changed = {a[0] for a, b in zip(after["sections"], before["sections"], strict=True) if a != b}
    assert changed == {"curves"}
    measured(0.4567)  # Parts are those of the state that named them.
    part = json.loads(ask("/section/curves").text)
    assert part["digest"] == next(d for key, _, d in after["sections"] if key == "curves")
    assert "0.123" in part["html"]


def test_pictures_of_graphs_are_made_once(run, monkeypatch):
    calls = []

    def lowered(graph):
        calls.append(graph)
        return lower(graph)

    from netgraph.app.report import page

    lower = page.lower
    monkeypatch.setattr(page, "lower", lowered)
    live = LivePage(run)
    first = live.now()
    assert live.now() is first
    with (run / "metrics.jsonl").open("a") as file:
        file.write((run / "metrics.jsonl").read_text().splitlines(keepends=True)[-1])
    assert live.now() is not first
    assert len(calls) == 1


def test_the_timeline_of_a_run_that_trains_lets_the_training_go_first(run):
    lines = (run / "journal.jsonl").read_text().splitlines(keepends=True)
    summary = (run / "summary.json").read_bytes()
    (run / "summary.json").unlink()

    def growth(reporter, rewrites):
        (run / "journal.jsonl").write_text("".join(lines[:rewrites]))
        sections = reporter.sections(RunFacts.read(RunDirectory(run)))
        return next(section.html for section in sections if section.key == "growth")

    eager, patient = Reporter(), Reporter(patience=1e6)
    first, second = growth(eager, 1), growth(eager, 2)
    assert first != second
    assert eager.due == math.inf
    assert growth(patient, 1) == first
    assert growth(patient, 2) == first
    assert patient.due < math.inf
    assert growth(patient, 1) == first
    assert patient.due == math.inf
    (run / "summary.json").write_bytes(summary)
    assert growth(patient, len(lines)) != first
    assert patient.due == math.inf


def test_what_is_behind_catches_up_although_no_file_changes(run):
    live = LivePage(run)
    before = live.now()
    live._reporter.due = 0.0
    after = live.now()
    assert after.version != before.version
    assert after.sections == before.sections
    assert live.now() is after is live.last()


def test_the_page_waits_for_a_run(finished, served, tmp_path):
    ask = served(tmp_path / "later")
    assert keys(ask) == ["notice"]
    assert "Waiting for a run" in ask("/").text
    (tmp_path / "later").mkdir()
    assert keys(ask) == ["notice"]
    shutil.copytree(finished, tmp_path / "later", dirs_exist_ok=True)
    assert "notice" not in keys(ask)
    assert "rewrites" in keys(ask)


def test_a_run_that_is_removed_or_replaced_is_told(run, served, finished):
    ask = served(run)
    all_of_it = keys(ask)
    (run / "config.json").unlink()
    assert keys(ask) == ["notice", *all_of_it]
    assert "any more" in ask("/").text
    shutil.rmtree(run)
    assert keys(ask) == ["notice", *all_of_it]
    shutil.copytree(finished, run)
    assert keys(ask) == all_of_it


@pytest.mark.parametrize("name", ["journal.jsonl", "journal/first.safetensors", "metrics.jsonl", "config.json"])
@pytest.mark.parametrize("content", [None, "damaged\n"])
def test_files_that_go_or_break_while_they_are_read_do_not_end_it(name, content, run, served):
    ask = served(run)
    before = (run / name).read_bytes()
    expected = keys(ask)
    if content is None:
        (run / name).unlink()
    else:
        (run / name).write_text(content)
    assert keys(ask) == ["notice", *expected]
    (run / name).write_bytes(before)
    assert keys(ask) == expected


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:80", "127.0.0.1", "localhost:1", "", "127.0.0.1.nip.io"]
)
@pytest.mark.parametrize("path", ["/", "/state", "/section/head"])
def test_other_names_of_the_host_are_refused(host, path, finished, served):
    answer = served(finished)(path, Host=host)
    assert answer.status == 403
    assert "digits" not in answer.text


def test_its_own_names_are_served(finished, served):
    ask = served(finished)
    for name in ("127.0.0.1", "localhost", "LocalHost"):
        assert ask("/state", Host=f"{name}:{ask.port}").status == 200


@pytest.mark.parametrize(
    "path",
    ["/config.json", "/../config.json", "/..%2fconfig.json", "/report.html", "/section/", "/section/none",
     "/section/../", "/?x=<script>alert(1)</script>", "/section/head?<b>", "/<b>", "/state/"],
)  # fmt: skip
def test_other_paths_are_not_there(path, finished, served):
    answer = served(finished)(path)
    assert answer.status == 404
    assert answer.text == "There is nothing here.\n"
    assert answer.headers["Content-Type"].startswith("text/plain")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
def test_nothing_can_be_changed_through_it(method, finished, served):
    answer = served(finished)("/", method)
    assert answer.status == 501
    assert "Access-Control-Allow-Origin" not in answer.headers


def test_hostile_names_stay_text(finished, served, tmp_path):
    config = json.loads((finished / "config.json").read_text())
    folder = tmp_path / "<img src=x onerror=alert(1)>&'\""
    ask = served(folder)
    waiting = Page(ask("/").text)
    assert waiting.count("img") == 0
    assert str(folder) in waiting.text
    named_run(folder, config, HOSTILE)
    named_run(tmp_path / "harmless", config, HARMLESS)
    page, harmless = Page(ask("/").text), Page(served(tmp_path / "harmless")("/").text)
    assert page.skeleton() == harmless.skeleton()
    assert page.count("img") == 0
    assert json.loads(ask("/state").text)["title"].startswith(HOSTILE.split("/")[-1][:10])


def test_a_port_in_use_is_told_with_a_way_out(finished, call):
    with socket.create_server((HOST, 0)) as other:
        port = other.getsockname()[1]
        assert refused(call("watch", finished, "--port", port), f"Port {port}", "another by --port")


@pytest.mark.parametrize("port", ["-1", "65536"])
def test_ports_that_do_not_exist_are_refused(port, finished, call):
    assert refused(call("watch", finished, f"--port={port}"), port, "65535")


def test_a_file_is_no_directory_to_watch(tmp_path, call):
    (tmp_path / "file").write_text("")
    assert refused(call("watch", tmp_path / "file"), "is a file")


def test_only_this_machine_is_served(finished):
    server = serve(finished)
    try:
        assert server.socket.getsockname()[0] == "127.0.0.1"
    finally:
        server.server_close()


def test_the_command_prints_its_address_and_ends_by_ctrl_c(finished):
    process = subprocess.Popen(
        [sys.executable, "-m", "netgraph.app.cli", "watch", str(finished)],
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        preexec_fn=listen,
    )  # fmt: skip
    try:
        line = process.stdout.readline()
        assert f"watching {finished} at http://127.0.0.1:" in line
        port = int(line.split("127.0.0.1:")[1].split("/")[0])
        connection = http.client.HTTPConnection(HOST, port, timeout=30)
        connection.request("GET", "/state")
        assert connection.getresponse().status == 200
        # A browser that holds a connection open keeps nothing from ending.
        with socket.create_connection((HOST, port)):
            time.sleep(0.1)
            process.send_signal(signal.SIGINT)
            rest, _ = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 0
    assert "watching ended" in rest
    assert "Traceback" not in rest
