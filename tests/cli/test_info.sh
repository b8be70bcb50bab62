# test_info.sh - what `cuglyph info` says of the known models and of one.
. "$(dirname "$0")/lib.sh"

expect "the list has every model with its parameters" 0 "^cnn-d +225,034  conv32 pool" "$CUGLYPH" info
expect "totals of a model" 0 "^total +215,194 +1,244,160 +" "$CUGLYPH" info sprint
expect "a layer's row" 0 "^conv2 +conv 32 3x3 +10x10x32 +6,944 +691,200 +1,638,400$" "$CUGLYPH" info sprint
expect "bytes follow the batch" 0 "^conv2 +conv 32 3x3 +10x10x32 +6,944 +691,200 +12,800$" "$CUGLYPH" info sprint --batch 1
expect "asymmetric padding is shown" 0 "^conv1 +conv 3 2x2 pad=0\+1x0\+1 +4x4x3" \
    "$CUGLYPH" info "input 4x4x1; conv 3 2x2 pad=same; flatten; linear 2"
expect "tied layers count once" 0 "^total +110 " "$CUGLYPH" info "input 9; linear 9; linear 9 tie=fc1; linear 2"
expect "memory without a device" 0 "^  total without activations +3.6 MB" "$CUGLYPH" info cnn-d --device-less
expect "batch zero" 2 "1 to" "$CUGLYPH" info cnn-d --batch 0
expect "unknown backend" 1 "no backend 'tpu'" "$CUGLYPH" info cnn-d --backend tpu
expect "two models" 2 "second" "$CUGLYPH" info cnn-d cnn-a
export XDG_CACHE_HOME="$dir/cache"
expect "no choices yet" 0 "^no choices in .*/cuglyph/choices: " "$CUGLYPH" info --choices
mkdir -p "$dir/cache/cuglyph/choices"
printf 'cuglyph-choices 1\nmachine some GPU\nlibrary 41.235 12.020 cudnn-91900 conv2d fwd fp32 N=1\n' >"$dir/cache/cuglyph/choices/0.txt"
echo "something else" >"$dir/cache/cuglyph/choices/1.txt"
expect "a choice with its times" 0 "^  library +41.235 +12.020 +3.43  cudnn-91900 +conv2d fwd fp32 N=1$" "$CUGLYPH" info --choices
expect "a file that is none" 0 "^ignored: .*1.txt:1: the first line is not" "$CUGLYPH" info --choices
if command -v python3 >/dev/null; then
    "$CUGLYPH" info lenet-5 --json --batch 3 | python3 -c '
import json, sys
m = json.load(sys.stdin)
assert m["parameters"] == 61706 == sum(l["parameters"] for l in m["layers"])
assert m["macs"] == sum(l["macs"] for l in m["layers"]) and m["batch"] == 3
assert m["layers"][0] == {"name": "conv1", "layer": "conv 6 5x5 pad=2", "inputs": ["input"], "output": [28, 28, 6],
                          "parameters": 156, "macs": 117600, "output_bytes": 56448}
assert 0 < m["memory"]["arena"] <= m["memory"]["arena_unshared"]
assert m["memory"]["total"] == sum(m["memory"][k] for k in ("parameters", "gradients", "optimizer", "arena"))
' 2>"$dir/err" && pass "JSON of a model" || fail "JSON of a model" "$(tail -n 3 "$dir/err")"
    n=$("$CUGLYPH" info --json | python3 -c 'import json, sys; print(len(json.load(sys.stdin)))')
    [ "$n" = "$("$CUGLYPH" info | tail -n +2 | wc -l)" ] && pass "JSON of the list" || fail "JSON of the list" "$n models"
else
    skip "info --json" "no python3"
fi
exit $bad
