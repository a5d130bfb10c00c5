#!/usr/bin/env bash
# The page that report makes: what stands in it, that it needs no other file, and what a browser makes of it.
set -euo pipefail
# shellcheck source=tests/programs/common.sh
. "${COLDZOOM_SOURCE_DIR:?}/tests/programs/common.sh"

smoke=(--smoke --widths "4,3" --samples 0)
here=(--data "$data" "${smoke[@]}")
odd="b<i>&\"'c"
ok train_zoom_nearest "${here[@]}" --learning-rate 3e-3 --out zoom
ok train_ddpm "${here[@]}" --steps 30 --seed 7 --out "$odd"
ok train_zoom_nearest "${here[@]}" --limit 256 --epochs 1 --out fewer
cp -r "$data" elsewhere
ok train_zoom_nearest "${smoke[@]}" --data elsewhere --epochs 1 --out other

# Scores by epoch of the first run, and those of real digits.
ok evaluate --data "$data" --samples train --smoke --json floor.json
ok evaluate --data "$data" --samples test --smoke --json scores.json
ok evaluate --data "$data" --samples test --count 900 --json other_n.json
python3 - <<'PY'
import json
scores = json.load(open("scores.json"))
with open("zoom/metrics.jsonl", "w") as out:
    for epoch, distance in (1, 12.345), (2, 7.891):
        print(json.dumps({"epoch": epoch, **scores, "frechet_distance": distance}), file=out)
PY

echo "-- the page"
both=(--runs zoom "$odd" --floor floor.json --count 60 --title "A & <B>")
ok report "${both[@]}" --out both.html
ok report "${both[@]}" --out again/both.html --threads 1
same both.html again/both.html
python3 - "$odd" <<'PY' || fail "the page is not as documented"
import base64, html.parser, json, os, re, sys, xml.dom.minidom
text = open("both.html", encoding="utf-8").read()
runs = ["zoom", sys.argv[1]]

class Page(html.parser.HTMLParser):
    empty = {"meta", "link", "img", "wbr"}
    def __init__(self):
        super().__init__()
        self.open, self.ids, self.links, self.words, self.rows, self.images = [], [], [], [], {}, []
    def handle_starttag(self, tag, attributes):
        if tag not in self.empty:
            self.open.append(tag)
        assert tag not in ("script", "i", "b", "iframe"), tag
        for name, value in attributes:
            assert not name.startswith("on"), name
            if name == "id":
                self.ids.append(value)
            if name in ("src", "href", "xlink:href"):
                self.links.append(value)
        if tag == "tr":
            self.row = []
        if tag in ("td", "th"):
            self.row.append("")
        if tag == "img":
            self.images.append(dict(attributes)["src"])
    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        if tag not in self.empty:
            self.open.pop()
    def handle_endtag(self, tag):
        assert self.open.pop() == tag, tag
        if tag == "tr" and self.row[0]:
            self.rows[self.row[0]] = self.row[1:]
        elif tag == "tr":
            assert self.row[1:3] == runs, self.row
    def handle_data(self, data):
        self.words.append(data)
        if "td" in self.open or "th" in self.open:
            self.row[-1] += data

page = Page()
page.feed(text)
assert not page.open and len(set(page.ids)) == len(page.ids)
assert all(link.startswith(("data:", "#")) for link in page.links), page.links
assert {link[1:] for link in page.links if link.startswith("#")} <= set(page.ids)
# gnuplot names its name spaces; nothing else may point outwards.
assert set(re.findall(r"https?://[^\"' ]*", text)) == {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}
assert "@import" not in text and not re.search(r"url\((?!#p)", text)
assert "A & <B>" in page.words

# Tables say what the files say.
logs = [[json.loads(line) for line in open(run + "/log.jsonl")] for run in runs]
floor, scores = json.load(open("floor.json")), json.load(open("scores.json"))
row = lambda label: next(cells for name, cells in page.rows.items() if name.startswith(label))
assert row("epochs") == ["2", "2", "–"]
assert row("training loss") == ["%.5f" % log[-1]["train_loss"] for log in logs] + ["–"]
assert row("test loss") == ["%.5f" % log[-1]["test_loss"] for log in logs] + ["–"]
assert row("least test loss") == ["%.5f" % min(line["test_loss"] for line in log) for log in logs] + ["–"]
assert row("Frechet distance ↓ squared") == ["7.89", "–", "%.2f" % floor["frechet_distance"]]
assert row("Precision") == ["%.3f" % scores["precision"], "–", "%.3f" % floor["precision"]]
assert row("Kernel distance")[0] == "%.2f ± %.2f" % (1000 * scores["kid"], 1000 * scores["kid_error"])
assert row("kind") == ["zoom_nearest", "ddpm_linear"]
assert row("learning rate") == ["0.003", "0.0002"] and row("seed") == ["0", "7"]
assert row("training images") == ["512", "512"] and row("hidden channels") == ["4,3", "4,3"]
assert "says nothing" in text  # of losses of different things
good = [float(cell) for cell in row("of these of confidence")[:2]]
# "confidence 0.9 or more: 12" and "less confidence: 48" of each run.
shown = [int(number) for number in re.findall(r"confidence(?: 0.9 or more)?: (\d+)", " ".join(page.words))]
assert [a + b for a, b in zip(shown[::2], shown[1::2])] == [60, 60], shown
assert ["%.1f" % g for g in good] == ["%.1f" % (100 * n / 60) for n in shown[::2]]

# Pictures: each in the page and beside it.
files = {name: open("both_files/" + name, "rb").read() for name in os.listdir("both_files")}
assert all(data[:8] == b"\x89PNG\r\n\x1a\n" and len(data) > 300 for data in files.values()), list(files)
inside = [base64.b64decode(image.removeprefix("data:image/png;base64,"), validate=True) for image in page.images]
samples = {name: data for name, data in files.items() if name.startswith(("good", "bad"))}
assert sorted(inside) == sorted(samples.values()) and len(samples) == sum(n > 0 for n in shown)
drawings = re.findall(r"<svg.*?</svg>", text, re.S)
for drawing in drawings:
    xml.dom.minidom.parseString(drawing)
assert len(drawings) == len(files) - len(samples) == 15, (len(drawings), list(files))
assert sum("real digits" in drawing for drawing in drawings) == 13  # not of copies, nor of losses
PY

echo "-- samples and scores from files"
ok sample --model zoom/model.safetensors --count 30 --out samples.npy
ok report --runs zoom --samples samples.npy --scores floor.json --threshold 0 --out one.html
grep -q "confidence 0 or more: 30" one.html || fail "not all samples of the file are good"
grep -q "<p>none</p>" one.html || fail "there are bad samples"
[ ! -e one_files/bad-1.png ] || fail "a picture of nothing"
grep -qF "$(python3 -c 'import json; print("%.2f" % json.load(open("floor.json"))["frechet_distance"])')" one.html ||
  fail "--scores does nothing"

echo "-- bad input"
bad() { expect "$1" report --out bad.html "${@:2}"; }
bad "found 256 training images, wanted 512 as in zoom; runs of different data cannot be compared" --runs zoom fewer
bad "found data 'elsewhere', wanted" --runs zoom other
bad "absent: found no such folder" --runs absent
cp -r zoom broken && rm broken/model.safetensors
bad "broken/model.safetensors" --runs zoom broken
cp zoom/model.safetensors broken/ && rm broken/log.jsonl
bad "broken/log.jsonl" --runs zoom broken
echo '{"epoch": 1}' >broken/log.jsonl
bad "broken/log.jsonl: line 1 is no log entry" --runs broken
cp zoom/log.jsonl broken/ && echo '{"epoch": 1, "n": 828}' >broken/metrics.jsonl
bad "broken/metrics.jsonl, line 1: found no number 'frechet_distance'" --runs broken
bad "other_n.json: found n 900, wanted 828" --runs zoom --floor other_n.json
bad "other_n.json: found n 900, wanted 828" --runs zoom "$odd" --scores floor.json other_n.json
bad "no run has scores" --runs "$odd" --floor floor.json
bad "--samples: found 1 files, wanted one for each of the 2 runs" --runs zoom "$odd" --samples samples.npy
bad "floor.json" --runs zoom --samples floor.json
bad "no number 'frechet_distance'" --runs zoom --floor zoom/log.jsonl
bad "--threshold" --runs zoom --threshold 2
bad "found 9 runs, wanted at most 8" --runs zoom zoom zoom zoom zoom zoom zoom zoom zoom
bad "required"
touch a_file
expect "a_file" report --runs zoom --count 1 --out a_file/page.html
[ ! -e bad.html ] || fail "a page in spite of bad input"
"$bin/report" --help | grep -q "Usage" || fail "report --help"

echo "-- in a browser"
if ! command -v chromium >/dev/null; then
  echo "skipped: no chromium, so nothing is known of the page in a browser; all before it is as it should be" >&2
  exit 77
fi
# Eight runs with long names, as wide as a page gets.
long=()
files=()
for i in 1 2 3 4 5 6 7 8; do
  ln -s zoom "a_run_with_a_rather_long_name_of_number_$i"
  long+=("a_run_with_a_rather_long_name_of_number_$i")
  files+=(samples.npy)
done
ok report --runs "${long[@]}" --samples "${files[@]}" --floor floor.json --out eight.html

browse() { # WIDTH PAGE OPTIONS...
  timeout 120 chromium --headless --no-sandbox --disable-gpu --disable-dev-shm-usage --user-data-dir="$work/profile" \
    --enable-logging=stderr --v=0 --window-size="$1,2000" "${@:3}" "file://$work/$2"
}
# What is wrong with scripts and policies goes to the console. That the page asks for no other file is checked above.
console() { browse 1280 "$1" --screenshot="$work/$1.png" 2>&1 >/dev/null | grep CONSOLE; }
# with PAGE SED COPY: a copy that is changed a little.
with() { sed "$2" "$1" >"$3"; }
# fits WIDTH PAGE: nothing sticks out of a window that wide.
fits() {
  local script='<script>document.documentElement.dataset.wide=document.documentElement.scrollWidth<\/script>'
  with "$2" "s|</body>|$script&|" measured.html
  local wide
  wide=$(browse "$1" measured.html --dump-dom 2>/dev/null | grep -o 'data-wide="[0-9]*"' | head -n 1 | tr -dc 0-9)
  [ -n "$wide" ] || fail "chromium did not measure $2"
  echo "$2 is $wide pixels wide in a window of $1"
  [ "$wide" -le "$1" ]
}
for page in both.html one.html eight.html; do
  if console $page; then fail "the browser complains of $page"; fi
  [ "$(stat -c %s $page.png)" -gt 20000 ] || fail "the browser shows nothing of $page"
  fits 1280 $page || fail "$page has to be scrolled sideways"
  # A4 less its margins is 182 mm, 688 pixels wide.
  with $page 's/@media print/@media all/' paper.html
  fits 688 paper.html || fail "$page is too wide for A4"
done
# That these can fail.
with both.html 's|</body>|<script>absent()<\/script>&|' wrong.html
console wrong.html >/dev/null || fail "the browser does not complain of a wrong script"
with both.html 's|</body>|<div style="width: 1400px">wide</div>&|' wide.html
if fits 1280 wide.html; then fail "a page that is too wide was not noticed"; fi
browse 1280 both.html --no-pdf-header-footer --print-to-pdf="$work/both.pdf" >/dev/null 2>&1
[ "$(head -c 5 both.pdf)" = "%PDF-" ] || fail "the page does not print"
echo "all as it should be"
