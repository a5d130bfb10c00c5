#!/usr/bin/env bash
# The `cpp` blocks of docs/ compile, those of one page together, after `#include <coldzoom/coldzoom.hpp>`, the headers
# of files and `using namespace coldzoom`. Excerpts that are not meant to compile are `c++` blocks.
set -euo pipefail

source_dir=${COLDZOOM_SOURCE_DIR:-$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

python3 - "$source_dir/docs" >"$work/pages.cpp" <<'PYTHON'
import pathlib
import re
import sys
import textwrap

docs = pathlib.Path(sys.argv[1])
headers = ["coldzoom", "core/file", "data/mnist", "initial_state/fit_mixture", "io/load_picture", "io/npy", "io/png", "io/safetensors",
           "io/tar_pictures", "testing/degradation_laws", "testing/examine_degradation", "training/checkpoint"]
for header in headers:
    print(f"#include <coldzoom/{header}.hpp>")
print("using namespace coldzoom;")
count = 0
for page in sorted(docs.rglob("*.md")):
    blocks = re.findall(r"^[ \t]*```cpp\n.*?^[ \t]*```$", page.read_text(), re.MULTILINE | re.DOTALL)
    count += len(blocks)
    name = re.sub(r"\W", "_", str(page.relative_to(docs)))
    print(f"namespace {name} {{")
    for block in blocks:
        code = textwrap.dedent(block).split("\n", 1)[1].rsplit("\n", 1)[0]
        print(f'#line 1 "{page.relative_to(docs)}, a block"\n{code}')
    print("}")
print("int main() {}")
if count < 12:
    sys.exit(f"found only {count} blocks")
print(f"{count} blocks", file=sys.stderr)
PYTHON
"${CXX:-g++}" -std=c++20 -Wall -Wextra -Wconversion -Wshadow -Werror -fsyntax-only -I "$source_dir/include" \
  -isystem "${EIGEN3_INCLUDE_DIR:-/usr/include/eigen3}" "$work/pages.cpp"

# The change of one line that own_degradation.md speaks of.
line='coldzoom::linear_schedule(10)'
drawn="$line, coldzoom::inputs(coldzoom::plain_input{}, coldzoom::noise_input{4}), coldzoom::energy_score{}"
sed "s/unit{}, vignette{}, $line)/unit{}, vignette{}, $drawn)/" "$source_dir/examples/custom_degradation.cpp" \
  >"$work/drawn.cpp"
changed=$(diff "$source_dir/examples/custom_degradation.cpp" "$work/drawn.cpp" | grep -c '^>' || true)
[ "$changed" = 1 ] || { echo "FAILED: $changed lines of custom_degradation.cpp changed, wanted 1" >&2; exit 1; }
"${CXX:-g++}" -std=c++20 -Wall -Wextra -Wconversion -Wshadow -Werror -fsyntax-only -I "$source_dir/include" \
  -I "$source_dir/examples" -DCOLDZOOM_EMBEDDED_DATA='"."' "$work/drawn.cpp"
