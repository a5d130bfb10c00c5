#!/usr/bin/env python3
"""Checks that every C++ block of README.md is, word for word, a marked piece of a program under examples/.

A piece lies between the lines `// [readme: NAME]` and `// [readme: end]`; its common indentation is taken off.
Prints each block that is none, and exits 1 if there is any. Needs Python alone.
"""
import pathlib
import re
import sys
import textwrap

ROOT = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent.parent)
PIECE = re.compile(r"^[ \t]*// \[readme: (?!end\])([^\]\n]+)\]\n(.*?)^[ \t]*// \[readme: end\]$", re.MULTILINE | re.DOTALL)
BLOCK = re.compile(r"^```cpp\n(.*?)^```$", re.MULTILINE | re.DOTALL)

pieces = {}  # text -> name
for source in sorted((ROOT / "examples").rglob("*.[ch]pp")):
    for name, text in PIECE.findall(source.read_text()):
        pieces[textwrap.dedent(text)] = f"{source.relative_to(ROOT)}, {name}"

blocks = BLOCK.findall((ROOT / "README.md").read_text())
strangers = [block for block in blocks if block not in pieces]
for block in strangers:
    print(f"README.md has a block that no program under examples/ contains:\n{block}", file=sys.stderr)
if not blocks:
    print("README.md has no C++ block", file=sys.stderr)
for block in blocks:
    if block in pieces:
        print(f"found in {pieces[block]}")
sys.exit(bool(strangers) or not blocks)
