"""What the comparisons on the CPU and on a device share: our program as a process, turns, the table, and what was
measured where."""

import json
import math
import os
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TOLERANCE = 1e-4  # of float32, relative to the norm of a tensor
LEAST_SECONDS = 0.25  # of one timing


@dataclass(frozen=True)
class Task:
    name: str
    network: str
    work: str  # train, forward, sample or zoom
    batch: int = 128
    needs: str = ""  # a package of Python


def fail(message):
    sys.exit(f"compare_pytorch: {message}")


def build(folder, target, *options):
    """The folder of the programs."""
    folder = ROOT / "build" / folder
    configure = [
        "cmake", "-S", ROOT, "-B", folder, "-DCMAKE_BUILD_TYPE=Release", "-DCOLDZOOM_BUILD_TESTS=OFF",
        "-DCOLDZOOM_BUILD_EXAMPLES=OFF", "-DCOLDZOOM_NATIVE=OFF", *options,
    ]
    for command in configure, ["cmake", "--build", folder, "--target", target]:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode:
            sys.exit(f"{done.stdout}\ncompare_pytorch: the build failed")
    return folder / "benchmarks"


class OurError(Exception):
    """Our program could not do what it was asked for."""


class Ours:
    """Our program, which answers commands; network_tasks.hpp says which."""

    def __init__(self, *command, **options):
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, **options
        )

    def ask(self, command):
        try:
            self.process.stdin.write(command + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass  # it stopped, which its answer tells
        answer = self.process.stdout.readline()
        if not answer:
            fail("bench_network stopped")
        if answer.startswith("error: "):
            raise OurError(answer[len("error: "):].strip())
        return answer

    def way(self, task):
        return ""

    def release(self):
        """Its process keeps its memory, which is small."""

    def milliseconds(self, task, batch, count):
        return float(self.ask(f"{task.network} {task.work} {batch} {count}"))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        try:
            self.process.stdin.close()
        except BrokenPipeError:
            pass
        self.process.wait()


def timed(f, count):
    """Seconds for one call by the host's clock."""
    start = time.perf_counter()
    for _ in range(count):
        f()
    return (time.perf_counter() - start) / count


def repetitions(milliseconds):
    """How often to repeat what takes so long."""
    return max(1, math.ceil(1000 * LEAST_SECONDS / milliseconds))


def in_turn(sides, rounds, find):
    """find(side) of each side, round by round. Each side follows itself as often as another."""
    rows = []
    for number in range(rounds):
        found = {}
        for side in sides if number % 2 == 0 else reversed(sides):
            found[side] = find(side)
        rows.append([found[side] for side in sides])
    return rows


class Report:
    """The lines of the table, printed as they come, and the JSON file, written anew after each task."""

    def __init__(self, path, about, columns):
        """`columns` beside those of every table: keys of their rows and formats."""
        self.path, self.about, self.columns, self.rows = path, about, columns, []

    def add(self, row):
        self.rows.append(row)

    def add_way(self, row):
        self.add(row)
        outcome = row["failed"] if "failed" in row else f"{row['ms']:.3f} ms, error {row['error']:.1e}"
        print(f"  {row['task']}, {row['side']} {row['precision']}, {row['way']}: {outcome}", flush=True)

    def add_measured(self, task, batches, rounds, theirs, more, **common):
        """Lines of all sides, and the ratios of ours to `theirs`. `batches` and `rounds`, milliseconds, by side; `common`
        and more(side, images, milliseconds) are further entries of the rows."""
        width = max(len(side.name) for side in batches)
        print(f"{task.name:20} {'batch':>5} {'side':{width}} {'':8} {'ms':>9} {'lowest .. highest':>22} {'images/s':>9} "
              + " ".join(f"{key.split('_')[0]:>10}" for key in self.columns))
        for side, images in batches.items():
            milliseconds = statistics.median(rounds[side])
            row = {
                "task": task.name, "batch": images, **common, "side": side.name, "precision": side.precision,
                "way": side.way(task), "ms": milliseconds, "ms_min": min(rounds[side]), "ms_max": max(rounds[side]),
                "images_per_second": 1000 * images / milliseconds, **more(side, images, milliseconds),
            }
            self.add(row)
            print(f"{task.name:20} {images:5} {side.name:{width}} {side.precision:8} {milliseconds:9.3f} "
                  f"{row['ms_min']:9.3f} .. {row['ms_max']:9.3f} {row['images_per_second']:9.0f} "
                  + " ".join(f"{row[key]:>10{form}}" for key, form in self.columns.items()) + f"  {row['way']}",
                  flush=True)
        for side in [side for side in batches if side not in theirs]:
            for other in theirs:
                ratios = [batches[side] / own / (batches[other] / its)
                          for own, its in zip(rounds[side], rounds[other])]
                self.add_ratios(task, side, other, ratios, common, self.fastest(other.name, theirs, batches, rounds))

    @staticmethod
    def fastest(name, sides, batches, rounds):
        return max((side for side in sides if side.name == name),
                   key=lambda side: batches[side] / statistics.median(rounds[side]))

    def add_ratios(self, task, side, other, ratios, common, fastest):
        """Of the images a second. Printed for equal precisions, and for the other's fastest."""
        row = {
            "task": task.name, **common, "side": side.name, "precision": side.precision, "other_side": other.name,
            "other_precision": other.precision, "ratio_median": statistics.median(ratios), "ratio_min": min(ratios),
            "ratio_max": max(ratios),
        }
        self.add(row)
        if other.precision == side.precision or other is fastest:
            print(f"{task.name}: {side.name} in {side.precision} makes {row['ratio_median']:.2f} ({row['ratio_min']:.2f} "
                  f".. {row['ratio_max']:.2f}) times the images of {other.name} in {other.precision}, "
                  f"{other.way(task)}", flush=True)

    def save(self):
        if self.path:
            self.path.write_text(json.dumps(self.rows + [self.about], indent=1) + "\n")


def output(*command):
    """What a command prints; nothing where there is no such command."""
    try:
        return subprocess.run(
            command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        ).stdout.strip()
    except FileNotFoundError:
        return ""


def environment():
    models = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    changed = output("git", "status", "--porcelain", "--untracked-files=no", "--", "include", "benchmarks")
    return {
        "task": "environment",
        "cpu": models[0].split(":")[1].strip() if models else "unknown",
        "cpus": len(os.sched_getaffinity(0)),
        "commit": (output("git", "rev-parse", "--short", "HEAD") or "unknown") + (" and changes" if changed else ""),
        "date": datetime.now(timezone.utc).isoformat(timespec="minutes"),
        "load_before": os.getloadavg()[0],
    }
