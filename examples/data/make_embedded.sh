#!/bin/sh
# Remakes the four files of this folder from the four full files of MNIST, to the byte (GNU gzip).
#
# usage: make_embedded.sh FULL_FOLDER [OUTPUT_FOLDER]     (for example: make_embedded.sh data/mnist)
#
# Takes the first 10,000 training and the first 2,000 test images with their labels.
set -eu

if [ $# -lt 1 ] || [ $# -gt 2 ] || [ "$1" = -h ] || [ "$1" = --help ]; then
  sed -n '2,/^set/s/^# \{0,1\}//p' "$0"
  exit 2
fi
full=$1
output=${2:-$(dirname "$0")}

# shorten NAME COUNT COUNT_AS_BYTES HEADER_BYTES SAMPLE_BYTES: an IDX file is its magic (4 bytes), the number of
# samples (4 bytes, big-endian), the other extents and the samples.
shorten() {
  wanted=$(($4 + $2 * $5))
  size=$(wc -c < "$full/$1") || exit 1
  if [ "$size" -lt "$wanted" ]; then
    echo "$full/$1: found $size bytes, wanted at least $wanted: give the folder of the full files" >&2
    exit 1
  fi
  {
    head -c 4 "$full/$1"
    # shellcheck disable=SC2059  # the third argument is a format: octal escapes
    printf "$3"
    head -c "$wanted" "$full/$1" | tail -c +9
  } | gzip -9n > "$output/$1.gz"
}

shorten train-images-idx3-ubyte 10000 '\000\000\047\020' 16 784
shorten train-labels-idx1-ubyte 10000 '\000\000\047\020' 8 1
shorten t10k-images-idx3-ubyte 2000 '\000\000\007\320' 16 784
shorten t10k-labels-idx1-ubyte 2000 '\000\000\007\320' 8 1
