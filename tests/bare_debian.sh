#!/usr/bin/env bash
# The set-up script and the quickstart in a fresh root of a bare Debian, as the Dockerfile runs them.
set -euo pipefail

usage() {
  cat <<'HELP'
usage: bash tests/bare_debian.sh [--mirror URL] [--epochs N] [--keep]

Makes a minimal Debian 12 with debootstrap in a temporary folder, clones the last commit of this repository into it, and
runs there what the Dockerfile runs: `examples/setup.sh quickstart`, then `examples/quickstart.sh`. Fails unless the
quickstart leaves its pictures, numbers and page. Needs root, debootstrap and a network; exits 77 where one is missing.
Takes about a quarter of an hour on two cores.

  --mirror URL  Debian mirror (default: the one that this machine's apt uses)
  --epochs N    epochs of training (default 1)
  --keep        leave the root where it is, and say where
  --help        this text
HELP
}

cannot() { echo "bare_debian.sh: skipped: $*" >&2; exit 77; }
fail() { echo "bare_debian.sh: FAILED: $*" >&2; exit 1; }

release=bookworm
mirror=
epochs=1
keep=no
while [ $# -gt 0 ]; do
  case $1 in
    --mirror) mirror=${2:?--mirror needs a URL}; shift ;;
    --epochs) epochs=${2:?--epochs needs a number}; shift ;;
    --keep) keep=yes ;;
    --help | -h) usage; exit 0 ;;
    *) echo "bare_debian.sh: unknown argument '$1' (try --help)" >&2; exit 2 ;;
  esac
  shift
done

source_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
[ "$(id -u)" = 0 ] || cannot "chroot needs root"
command -v debootstrap >/dev/null || cannot "found no debootstrap; install it with: apt-get install debootstrap"
if [ -z "$mirror" ]; then
  mirror=$(apt-get indextargets --format "\$(CODENAME) \$(COMPONENT) \$(REPO_URI)" 2>/dev/null |
    awk -v release=$release '$1 == release && $2 == "main" { print $3; exit }') || true
  [ -n "$mirror" ] || cannot "this machine's apt names no mirror of Debian $release; give --mirror"
fi

root=$(mktemp -d)
leave() {
  umount "$root/proc" 2>/dev/null || true
  if [ $keep = yes ]; then echo "bare_debian.sh: the root is $root"; else rm -rf --one-file-system "$root"; fi
}
trap leave EXIT

echo "== debootstrap"
if ! debootstrap --variant=minbase "$release" "$root" "$mirror" >"$root/debootstrap.log" 2>&1; then
  tail -n 3 "$root/debootstrap.log" >&2
  cannot "debootstrap could not make a bare Debian; is there a network?"
fi
mount -t proc proc "$root/proc" || cannot "cannot mount /proc in the new root"
# How this machine reaches the network; nothing else of it.
cp /etc/resolv.conf "$root/etc/resolv.conf"
for settings in /etc/apt/apt.conf /etc/apt/apt.conf.d/*; do
  if grep -qsiE 'proxy|cainfo' "$settings"; then cp "$settings" "$root/etc/apt/apt.conf.d/"; fi
done
git clone --quiet --no-local "$source_dir" "$root/coldzoom"

in_root() {
  chroot "$root" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root \
    http_proxy="${http_proxy:-}" https_proxy="${https_proxy:-}" bash -c "cd /coldzoom && $1"
}
echo "== setup.sh ($SECONDS s)"
in_root "bash examples/setup.sh quickstart" || fail "setup.sh quickstart"
echo "== quickstart.sh ($SECONDS s)"
in_root "bash examples/quickstart.sh --no-install --epochs $epochs" || fail "quickstart.sh"
for file in digits.png shipped.png progression.png loss.png metrics.json report.html report_files/loss.png; do
  [ -s "$root/coldzoom/out/quickstart/$file" ] || fail "the quickstart left no out/quickstart/$file"
done
echo "== all as it should be ($SECONDS s)"
