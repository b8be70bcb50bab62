#!/usr/bin/env bash
# pair_cpu.sh CUGLYPH PYTHON [ROUNDS [MODEL...]] - training on the CPU, this program and PyTorch (channels_last) in turn, and
# the ratio of each pair: machines are noisy, so pairs count, not seconds. Needs MNIST (CUGLYPH_DATA) and a Python with torch.
# Ours is `cuglyph train` with its loader; PyTorch repeats steps on tensors in memory, the pages of its large blocks kept
# (glibc would give them back after each step), which is its better figure.
set -eu
cuglyph=$1 python=$2 rounds=${3:-7}
shift $(($# < 3 ? $# : 3))
[ $# -gt 0 ] || set -- cnn-d sprint mlp
here=$(cd "$(dirname "$0")" && pwd)
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
export MALLOC_TRIM_THRESHOLD_=4294967296 MALLOC_MMAP_THRESHOLD_=4294967296
threads=$(nproc)

ours() { # MODEL -> images a second of one epoch
    local batch=128
    [ "$1" = sprint ] && batch=256
    rm -rf "$dir/run"
    "$cuglyph" train "$1" --epochs 1 --batch $batch --threads "$threads" --device cpu --quiet --run "$dir/run" >/dev/null 2>&1
    sed -nE 's/.*"event":"epoch".*"images_per_second":([0-9]+).*/\1/p' "$dir/run/log.jsonl"
}
theirs() { "$python" "$here/torch_cpu.py" --model "$1" --threads "$threads" $([ "$1" = mlp ] || echo --channels-last) --steps 40 --repeat 1 | sed -nE 's/.* ([0-9]+) img\/s.*/\1/p'; }

echo "| model | ours, img/s | PyTorch, img/s | ratio, median (min - max of $rounds pairs) |"
echo "|---|---|---|---|"
for model in "$@"; do
    for _ in $(seq "$rounds"); do echo "$(ours "$model") $(theirs "$model")"; done |
        awk -v model="$model" '
            { a[NR] = $1; b[NR] = $2; r[NR] = $1 / $2 }
            function sorted(v, n,   i, j, t) { for (i = 2; i <= n; i++) for (j = i; j > 1 && v[j] < v[j-1]; j--) { t = v[j]; v[j] = v[j-1]; v[j-1] = t } }
            END { sorted(a, NR); sorted(b, NR); sorted(r, NR); m = int((NR + 1) / 2)
                  printf "| %s | %d | %d | %.1f (%.1f - %.1f) |\n", model, a[m], b[m], r[m], r[1], r[NR] }'
done
