#!/usr/bin/env python3
"""Checks the house rules that can be read off the headers; prints each breach and exits 1 if there is any.

The arrows of the layers, what each header may include, `#pragma once`, the namespace line, the length of a header, and
that nn/ names no backend. Needs Python alone.
"""
import pathlib
import re
import sys

INCLUDE = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent.parent / "include")

# A folder includes itself and folders of lower layers; two folders of one layer never meet. `testing`,
# `interop` and `distributed` stand above everything and nothing includes them.
LAYERS = [
    {"core"},
    {"backend", "schedule", "interpolation", "prediction", "data", "io"},
    {"degradation", "initial_state", "nn", "metrics"},
    {"optim", "sampling"},
    {"training"},
    {"testing", "interop", "distributed"},
]
LAYER = {folder: number for number, folders in enumerate(LAYERS) for folder in folders}
NOBODY_INCLUDES = LAYERS[-1]

# Leaf headers may include these packages, keyed by their first path component; CMakeLists.txt lists the same leaves.
LEAVES = {
    r"io/(jpeg|load_picture|tar_pictures)\.hpp": {"jpeglib.h", "archive.h", "archive_entry.h"},
    r"(io|data)/[^/]*\.hpp|training/checkpoint\.hpp": {"png.h", "zlib.h", "nlohmann"},
    r"interop/eigen\.hpp|metrics/frechet\.hpp|initial_state/fit_mixture\.hpp|testing/examine_degradation\.hpp": {"Eigen"},
    r"interop/xtensor\.hpp": {"xtensor", "xtl"},
    r"distributed/mpi\.hpp": {"mpi.h"},
    r"backend/cuda/[^/]*\.cuh": {"cuda_runtime.h", "cublasLt.h", "cudnn.h"},
}

STANDARD = set("""
algorithm any array atomic barrier bit bitset charconv chrono compare complex concepts condition_variable coroutine
deque exception execution filesystem forward_list fstream future initializer_list iomanip ios iosfwd istream iterator
latch limits list locale map memory memory_resource mutex new numbers numeric optional ostream queue random ratio
semaphore set shared_mutex source_location span sstream stack stdexcept stop_token streambuf string string_view
system_error thread tuple type_traits typeindex typeinfo unordered_map unordered_set utility valarray variant vector
version cassert cctype cerrno cfenv cfloat cinttypes climits clocale cmath csetjmp csignal cstdarg cstddef cstdint
cstdio cstdlib cstring ctime cuchar cwchar cwctype
""".split())
# POSIX and compiler headers, which need no package.
PLATFORM = {"sched.h", "sys/mman.h", "unistd.h", "fcntl.h", "stdlib.h", "sys/resource.h", "sys/stat.h", "sys/syscall.h", "immintrin.h", "arm_neon.h"}
# Heavy to compile, or missing from a supported compiler.
FORBIDDEN = {"iostream", "regex", "functional", "format", "ranges"}

# nn/ reaches what differs from backend to backend through this header alone.
OPERATIONS = "backend/operations.hpp"
BACKENDS_OWN = re.compile(r"backend/(cpu|device|cuda)/")
BACKEND_BRANCH = re.compile(r"if constexpr.*(fused|block|spectral|fast_convolution)", re.IGNORECASE)

MOST_LINES = 400
# Kernels: one algorithm each, which reads worse in pieces.
KERNELS = {
    "backend/cpu/direct_convolution.hpp",
    "backend/cpu/bf16_convolution.hpp",
    "backend/cpu/transformed_convolution.hpp",
    "backend/device/direct_convolution.hpp",
}

INCLUDE_LINE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.MULTILINE)
NAMESPACE_LINE = re.compile(r"^namespace coldzoom::inline COLDZOOM_ISA(::\w+)* \{$", re.MULTILINE)
OTHER_NAMESPACE = re.compile(r"^\s*(inline )?namespace coldzoom\b(?!::inline COLDZOOM_ISA)", re.MULTILINE)

breaches = []


def report(header, text):
    breaches.append(f"include/coldzoom/{header}: {text}")


def packages(header):
    return next((allowed for pattern, allowed in LEAVES.items() if re.fullmatch(pattern, header)), None)


root = INCLUDE / "coldzoom"
texts = {str(p.relative_to(root)): p.read_text() for p in sorted(root.rglob("*")) if p.suffix in (".hpp", ".cuh")}
own = {header: [] for header in texts}  # library headers that a header includes

for header, text in texts.items():
    folder = header.split("/")[0] if "/" in header else None
    umbrella = folder is None
    if not umbrella and folder not in LAYER:
        report(header, f"folder '{folder}' has no place among the layers")
        continue
    if not re.search(r"^#pragma once$", text, re.MULTILINE):
        report(header, "no #pragma once")
    if not umbrella and header != "core/config.hpp":
        if not NAMESPACE_LINE.search(text):
            report(header, "no line 'namespace coldzoom::inline COLDZOOM_ISA {'")
        if OTHER_NAMESPACE.search(text):
            report(header, "opens namespace coldzoom without 'inline COLDZOOM_ISA'")
    if header.endswith(".cuh") and header != "cuda.cuh" and not header.startswith("backend/cuda/"):
        report(header, "a .cuh belongs into backend/cuda/")
    if header != "core/config.hpp" and not header.endswith(".cuh") and "__CUDACC__" in text:
        report(header, "__CUDACC__ outside core/config.hpp and .cuh files; use COLDZOOM_HD")

    if len(text.splitlines()) > MOST_LINES and header not in KERNELS:
        report(header, f"{len(text.splitlines())} lines; more than {MOST_LINES} are for kernels")
    if folder == "nn":
        for line in filter(BACKEND_BRANCH.search, text.splitlines()):
            report(header, f"'{line.strip()}' asks for a backend; make it an operation of <coldzoom/{OPERATIONS}>")

    for bracket, name in INCLUDE_LINE.findall(text):
        if bracket == '"':
            report(header, f'write <{name}> with its full path, not "{name}"')
        elif name in FORBIDDEN:
            report(header, f"<{name}> is forbidden in include/")
        elif name.startswith("coldzoom/"):
            target = name.removeprefix("coldzoom/")
            if target not in texts:
                report(header, f"<{name}> does not exist")
                continue
            own[header].append(target)
            if folder == "nn" and BACKENDS_OWN.match(target):
                report(header, f"includes <{name}>; nn/ reaches backends through <coldzoom/{OPERATIONS}>")
            if target.endswith(".cuh") and not header.endswith(".cuh"):
                report(header, f"a .hpp includes <{name}>")
            if umbrella:
                continue
            below = target.split("/")[0]
            if below not in LAYER:
                report(header, f"includes the umbrella <{name}>")
            elif below == folder:
                continue
            elif below in NOBODY_INCLUDES:
                report(header, f"includes <{name}>; nothing includes {below}/")
            elif LAYER[below] >= LAYER[folder]:
                report(header, f"includes <{name}>; {below}/ is not below {folder}/")
        elif name not in STANDARD | PLATFORM:
            if name.split("/")[0] not in (packages(header) or ()):
                report(header, f"<{name}> is neither standard nor a package that this header may use")


def reached(header, seen):
    for target in own[header]:
        if target not in seen:
            seen.add(target)
            reached(target, seen)
    return seen


# Outside the leaves, nothing may need a package, directly or through another header.
needs_package = {
    header
    for header, text in texts.items()
    if not header.endswith(".cuh")
    and any(not n.startswith("coldzoom/") and n not in STANDARD | PLATFORM | FORBIDDEN for _, n in INCLUDE_LINE.findall(text))
}
for header in texts:
    if packages(header) is None and not header.endswith(".cuh"):
        for target in sorted(reached(header, set()) & needs_package):
            report(header, f"reaches <coldzoom/{target}>, which needs more than the standard library")

# The umbrella leads to all that needs the standard library alone; testing/ is for tests.
for header in sorted(set(texts) - reached("coldzoom.hpp", {"coldzoom.hpp"})):
    if header.endswith(".hpp") and packages(header) is None and not header.startswith("testing/"):
        report("coldzoom.hpp", f"does not lead to <coldzoom/{header}>, which needs the standard library alone")

if not texts:
    breaches.append(f"no headers below {root}")
for breach in breaches:
    print(breach, file=sys.stderr)
print(f"check_layers: {len(texts)} headers, {len(breaches)} breaches")
sys.exit(bool(breaches))
