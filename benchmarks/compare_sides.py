"""What the comparisons on the CPU and on a device share: our program as a process, turns, and what was measured where."""

import math
import os
import subprocess
import sys
import time
from datetime import datetime, timezone
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TOLERANCE = 1e-4  # of float32, relative to the norm of a tensor
LEAST_SECONDS = 0.25  # of one timing


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

    def milliseconds(self, task, batch, count):
        return float(self.ask(f"{task} {batch} {count}"))

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
