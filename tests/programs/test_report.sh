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
cp -r "$data" copied
for file in images-idx3 labels-idx1; do cp "$data/t10k-$file-ubyte.gz" "elsewhere/train-$file-ubyte.gz"; done
ok train_zoom_nearest "${smoke[@]}" --data copied --epochs 1 --out copy
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
assert row("Kernel distance")[0] == "%.2f ±\N{NO-BREAK SPACE}%.2f" % (1000 * scores["kid"], 1000 * scores["kid_error"])
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
ok report --runs zoom copy --samples samples.npy samples.npy --out copies.html # the same data under another name
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
helps report

echo "-- in a browser"
if ! command -v chromium >/dev/null; then
  echo "skipped: no chromium, so nothing is known of the page in a browser; all before it is as it should be" >&2
  exit 77
fi
# Runs with long names, of which some have no place to break a line, and eight of them: as wide as a page gets.
long=()
files=()
for i in 1 2 3 4 5 6 7 8; do
  name=a_run_with_a_rather_long_name_of_number_$i
  [ "$i" != 2 ] || name=arunwhoselongnamehasnounderscoreatall
  cp -r zoom "$name"
  long+=("$name")
  files+=(samples.npy)
done
for n in 1 2 8; do
  ok report --runs "${long[@]:0:n}" --samples "${files[@]:0:n}" --floor floor.json --out "long-$n.html"
done

# The browser writes into its home folder, so it gets one of its own.
browse() { # PAGE OPTIONS...
  HOME=$work timeout 120 chromium --headless --no-sandbox --disable-gpu --disable-dev-shm-usage --user-data-dir="$work/profile" \
    --hide-scrollbars --enable-logging=stderr --v=0 "${@:2}" "file://$work/$1"
}
# What is wrong with scripts and policies goes to the console. That the page asks for no other file is checked above.
console() { browse "$1" --window-size=1280,2000 --screenshot="$work/$1.png" 2>&1 >/dev/null | grep CONSOLE; }
# with PAGE SED COPY: a copy that is changed a little.
with() { sed "$2" "$1" >"$3"; }

# measure.html shows each page in frames, which can be as narrow as a telephone, and as it is printed: A4 less its
# margins is 182 mm, 688 pixels wide. The fonts are asked for by name: DejaVu Sans is wide, Liberation Sans (as wide
# as Arial) is narrow. It writes a line for each page, width and font, with what is wrong there.
cat >measure.html <<'HTML'
<!DOCTYPE html>
<pre id="result"></pre>
<script>
const pages = location.hash.slice(1).split(","), fonts = ["DejaVu Sans", "Liberation Sans"];
const lines = [], frames = [];
for (const page of pages) {
  for (const name of [page, "paper-" + page]) {
    const frame = document.createElement("iframe");
    frame.style.cssText = "border: 0; height: 6000px";
    frame.src = name;
    document.body.append(frame);
    frames.push(frame);
  }
}

// A font that is there has the same width whatever the font that would stand in for it.
function present(font) {
  const span = document.createElement("span");
  document.body.append(span);
  span.textContent = "iiiiiiiiiiMMMM";
  const widths = ["monospace", "serif"].map(other => {
    span.style.fontFamily = `"${font}", ${other}`;
    return span.getBoundingClientRect().width;
  });
  return widths[0] === widths[1];
}

function wrongs(doc, width) {
  const root = doc.documentElement, found = [];
  if (root.clientWidth !== width) found.push(`the frame is ${root.clientWidth} pixels wide`);
  if (root.scrollWidth > width) found.push(`the page is ${root.scrollWidth} pixels wide`);
  for (const e of doc.querySelectorAll("th, td, h1, h2, h3, p, figcaption")) {
    if (e.scrollWidth > e.clientWidth) found.push(`sticks out of its ${e.tagName}: ${e.textContent}`);
  }
  for (const box of doc.querySelectorAll(".scroll")) {
    const label = box.querySelector("tbody th").getBoundingClientRect().width;
    if (box.scrollWidth > box.clientWidth && label > box.clientWidth / 2)
      found.push("the labels of a table that scrolls leave no room for its columns");
  }
  for (const picture of doc.querySelectorAll("svg")) {
    const all = picture.getBoundingClientRect();
    for (const e of picture.querySelectorAll(":is(path, use, text):not(defs *)")) {
      const a = e.getBoundingClientRect();
      const out = Math.max(all.left - a.left, a.right - all.right, all.top - a.top, a.bottom - all.bottom);
      if (a.width + a.height > 0 && out > 0) found.push(`is cut off in a picture: ${e.tagName} ${e.textContent}`);
    }
    const texts = [...picture.querySelectorAll("text")].map(e => [e.getBoundingClientRect(), e.textContent]);
    texts.forEach(([a, text], i) => {
      for (const [b, other] of texts.slice(0, i)) {
        const across = Math.min(a.right, b.right) - Math.max(a.left, b.left);
        const down = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
        if (across > 0 && down > a.height / 3) found.push(`lie on each other in a picture: ${text}, ${other}`);
      }
    });
  }
  return found;
}

addEventListener("load", () => {
  for (const font of fonts) {
    if (!present(font)) lines.push(`no font ${font}`);
    for (const frame of frames) {
      const name = frame.src.replace(/.*\//, ""), doc = frame.contentDocument;
      const style = doc.createElement("style");
      style.textContent = `body, svg * { font-family: "${font}" !important; }`;
      doc.head.append(style);
      for (const width of name.startsWith("paper") ? [688] : [1280, 688, 390]) {
        frame.style.width = width + "px";
        const size = frame.contentWindow.getComputedStyle(doc.documentElement).fontSize;
        lines.push(`${name} ${width} ${font} ${size}: ${wrongs(doc, width).join("; ") || "fits"}`);
      }
      style.remove();
    }
  }
  document.getElementById("result").textContent = lines.join("\n");
});
</script>
HTML
# measure SIZE PAGE...: the lines of measure.html where the text of the reader is SIZE pixels high.
measure() {
  local page pages
  for page in "${@:2}"; do with "$page" 's/@media print/@media all/; s/@media screen/@media speech/' "paper-$page"; done
  pages=$(IFS=,; echo "${*:2}")
  browse "measure.html#$pages" --allow-file-access-from-files --blink-settings=defaultFontSize="$1" --dump-dom \
    2>/dev/null | sed -n '/<pre/,/<\/pre>/ {s/<[^>]*>//g; p}'
}
# As wide as a browser's text is by default, and 25 % larger.
for size in 16 20; do
  measure $size long-1.html long-2.html long-8.html >"fits-$size.txt"
  cat "fits-$size.txt"
  if grep "^no font" "fits-$size.txt" >&2; then
    echo "skipped: the pages cannot be measured in that font; all before it is as it should be" >&2
    exit 77
  fi
  [ "$(grep -c " ${size}px: fits\$" "fits-$size.txt")" = 24 ] || fail "a page does not fit"
done
for page in both.html long-8.html; do
  if console $page; then fail "the browser complains of $page"; fi
  [ "$(stat -c %s $page.png)" -gt 20000 ] || fail "the browser shows nothing of $page"
done
# That these can fail.
with both.html 's|</body>|<script>absent()<\/script>&|' wrong.html
console wrong.html >/dev/null || fail "the browser does not complain of a wrong script"
# One pixel too wide for a telephone, and for nothing else.
with long-1.html 's|</body>|<div style="position: absolute; left: 0; width: 391px">wide</div>&|' wide.html
# Letters of pictures that are three times too large, and names that may not break in the columns of paper.
with long-1.html 's|font-size="13.00"|font-size="39.00"|' letters.html
with long-8.html 's|</style>|td { white-space: nowrap; }&|' cells.html
measure 16 wide.html letters.html cells.html >wrong.txt
noticed() { grep "^$1: .*$2" wrong.txt >/dev/null || fail "not noticed: $1 $2; $(cut -c 1-200 wrong.txt)"; }
for font in "DejaVu Sans" "Liberation Sans"; do
  noticed "wide.html 390 $font 16px" "the page is 391 pixels wide"
  noticed "wide.html 688 $font 16px" fits
  noticed "letters.html 1280 $font 16px" "is cut off in a picture: text mean squared error"
  noticed "letters.html 1280 $font 16px" "lie on each other in a picture: "
  noticed "paper-cells.html 688 $font 16px" "sticks out of its TD: "
done
browse both.html --no-pdf-header-footer --print-to-pdf="$work/both.pdf" >/dev/null 2>&1
[ "$(head -c 5 both.pdf)" = "%PDF-" ] || fail "the page does not print"
echo "all as it should be"
