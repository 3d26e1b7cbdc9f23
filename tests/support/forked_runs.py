"""Runs that are killed, or write one directory at once: `python forked_runs.py starts|kills|races FOLDER COUNT SEED`.

A process of its own that imports everything once and forks for every run. It ends with the first law that is broken.
"""

import os
import random
import shutil
import signal
import sys
import time
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import netgraph as ng
from netgraph.app.lock import sole_writer
from netgraph.app.places import is_unbegun
from netgraph.app.run_directory import RunDirectory

OPERATIONS = {"open", "os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.link", "os.truncate"}
OLD, NEW = {"seed": 1}, {"seed": 2}


def forked(work):
    """Start a function in a process of its own, silently; its exit code is what it returns."""
    process = os.fork()
    if process:
        return process
    code = 70
    try:
        with Path(os.devnull).open("w") as null, redirect_stdout(null), redirect_stderr(null):
            code = work()
    finally:
        os._exit(code)


def ended(process):
    """The exit code of a process, or minus the signal that ended it."""
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


# -- kills at every file operation of a start ---------------------------------------------------------


def start(place, graph, overwrite, last=None):
    """Begin a run; with `last`, end before the file operation of this number."""
    if last is not None:
        seen = []

        def hook(event, arguments):
            if event in OPERATIONS and arguments and str(place) in str(arguments[0]):
                seen.append(event)
                if len(seen) > last:
                    os._exit(9)

        sys.addaudithook(hook)
    with sole_writer(place, make=True):
        RunDirectory.create(place, NEW, graph, overwrite=overwrite)
    return 0


def contents(place):
    return {p.relative_to(place).as_posix(): p.read_bytes() for p in place.rglob("*") if p.is_file()}


def killed_starts(folder, _count, _rng):
    """Wherever a start is killed, the directory holds the old run, the new one, or what may be begun anew."""
    os.fsync = lambda handle: None  # A kill loses nothing that was written, and waiting for the disk takes seconds.
    graph = ng.mlp([3, 2])
    for old in (False, True):
        last = 0
        while True:
            place = folder / f"{old}-{last}"
            before = {}
            if old:
                RunDirectory.create(place, OLD, ng.mlp([3, 4, 2]))
                (place / "notes.txt").write_text("mine")
                (place / "journal" / "notes.txt").write_text("mine")
                (place / "summary.json").write_text("{}")
                before = contents(place)
            code = ended(forked(lambda place=place, old=old, last=last: start(place, graph, old, last)))
            after = contents(place) if place.exists() else {}
            for name in ("notes.txt", "journal/notes.txt"):
                assert after.get(name) == before.get(name), (old, last, name)
            if "config.json" in after:
                seed = RunDirectory(place).config["seed"]
                assert seed == 2 or before.items() <= after.items(), (old, last)
                if seed == 2:
                    assert RunDirectory(place).journal.first().equals(graph), (old, last)
                    assert "summary.json" not in after, (old, last)
            else:
                assert not place.exists() or is_unbegun(place, "run"), (old, last)
            assert start(place, graph, overwrite=True) == 0
            assert RunDirectory(place).config["seed"] == 2, (old, last)
            assert RunDirectory(place).journal.first().equals(graph)
            assert not list(place.rglob(".*")), (old, last)
            shutil.rmtree(place)
            if code == 0:
                break
            assert code == 9, code
            last += 1
        print(f"{last} kills, overwriting {old}")
        assert last > 10


# -- kills and races of whole runs ----------------------------------------------------------------------


def table(folder):
    rng = random.Random(0)
    rows = [f"{k % 2 + rng.random():.3f},{rng.random():.3f},{'xy'[k % 2]}" for k in range(80)]
    (folder / "s.csv").write_text("a,b,label\n" + "\n".join(rows) + "\n")
    return folder / "s.csv"


def main(arguments):
    from netgraph.app import cli  # with torch, which starts take no part of

    return cli.main(arguments)


def grow(data, out, *extra, epochs=6):
    return main(["grow", str(data), "--target", "label", "--out", str(out), "--epochs", str(epochs), *extra])


def killed_runs(folder, count, rng):
    """Whatever a run that is killed within its first second leaves behind can be resumed or overwritten."""
    data, resumed, whole = table(folder), 0, 0
    for k in range(count):
        out = folder / f"run-{k}"
        extra = ["--overwrite"] if k % 3 == 2 else []
        if extra:
            assert ended(forked(lambda out=out: grow(data, out, epochs=2))) == 0
        old = (out / "config.json").stat().st_ino if extra else None
        process = forked(lambda out=out, extra=extra: grow(data, out, *extra))
        end = time.monotonic() + 20
        while not (out.exists() if old is None else (out / ".netgraph-lock").exists()) and time.monotonic() < end:
            time.sleep(0.0005)
        time.sleep(rng.choice((0.003, 0.03, 0.3, 1.0)) * rng.random())
        os.kill(process, signal.SIGKILL)
        whole += ended(process) == 0
        way = rng.choice(("--resume", "--overwrite"))
        code = ended(forked(lambda out=out, way=way: grow(data, out, way)))
        if way == "--resume" and code == 2:  # the old run of other settings, or nothing yet
            code = ended(forked(lambda out=out: grow(data, out, "--overwrite")))
        else:
            resumed += way == "--resume"
        assert code == 0, (k, way, code, sorted(p.name for p in out.iterdir()))
        assert ended(forked(lambda out=out: main(["replay", str(out)]))) == 0
        assert not list(out.rglob(".*")), k
    print(f"{count} kills, {whole} after the end; {resumed} resumed, {count - resumed} overwritten")


def races(folder, count, rng):
    """Two commands at once on one run: those that are refused change nothing, and the run is whole."""
    data = table(folder)
    commands = {
        "resume": lambda out: grow(data, out, "--resume"),
        "overwrite": lambda out: grow(data, out, "--overwrite"),
        "static": lambda out: main(["compare", str(out), "--static", "--overwrite"]),
        "report": lambda out: main(["report", str(out)]),
        "undo": lambda out: main(["undo", str(out)]),
    }
    seen = {}
    for k in range(count):
        out = folder / f"race-{k}"
        assert ended(forked(lambda out=out: grow(data, out))) == 0
        pair = [rng.choice(("resume", "overwrite")), rng.choice(list(commands))]
        processes = [forked(lambda name=name, out=out: commands[name](out)) for name in pair]
        codes = [ended(process) for process in processes]
        assert set(codes) in ({0}, {0, 2}), (k, pair, codes)
        seen[tuple(codes)] = seen.get(tuple(codes), 0) + 1
        for command in ("show", "replay"):
            assert ended(forked(lambda out=out, command=command: main([command, str(out)]))) == 0, (k, pair, codes)
        assert not list(out.rglob(".*")), (k, pair, codes)
    print(f"{count} races, exit codes {seen}")


if __name__ == "__main__":
    what, folder, count, seed = sys.argv[1:]
    Path(folder).mkdir(parents=True, exist_ok=True)
    if what != "starts":
        import torch

        import netgraph.app.cli  # once, for all that are forked

        torch.set_num_threads(1)
    work = {"starts": killed_starts, "kills": killed_runs, "races": races}[what]
    work(Path(folder), int(count), random.Random(int(seed)))
