# test_bench.sh - cuglyph bench: what it prints and writes, the comparison's exit status, one clear line for odd input.
. "$(dirname "$0")/lib.sh"
quick=(--device cpu --samples 2 --min-time 0 --max-time 0)
one=(kernels --op "linear fwd" --shape "one sample" "${quick[@]}")

for c in kernels train infer; do
    expect "bench $c --help" 0 "^usage: cuglyph bench $c" "$CUGLYPH" bench $c --help
done
expect "bench --help" 0 "bench kernels" "$CUGLYPH" bench --help
expect "bench alone" 2 "kernels, train or infer" "$CUGLYPH" bench
expect "unknown benchmark" 2 "no benchmark 'kernel'" "$CUGLYPH" bench kernel
expect "unknown option" 2 "unexpected argument '--ops'" "$CUGLYPH" bench kernels --ops x
expect "an op that is not there" 1 "no benchmark fits" "$CUGLYPH" bench kernels --op conv3d "${quick[@]}"
expect "an empty op" 2 "--op needs a value" "$CUGLYPH" bench kernels --op
expect "samples" 2 "whole number from 1" "$CUGLYPH" bench kernels --samples 0
expect "a time" 2 "--min-time needs seconds" "$CUGLYPH" bench kernels --min-time soon
expect "a NaN of a time" 2 "--max-time needs seconds" "$CUGLYPH" bench kernels --max-time nan
expect "threads" 2 "numbers from 1 to 1024" "$CUGLYPH" bench kernels --threads 1,,2
expect "threads out of range" 2 "numbers from 1 to 1024" "$CUGLYPH" bench train mlp --threads 0
expect "a batch" 2 "numbers from 1 to 65536" "$CUGLYPH" bench train mlp --batch 12x
expect "precision" 2 "fp32, tf32, bf16" "$CUGLYPH" bench kernels --precision fp16
expect "a precision that the CPU lacks" 1 "" "$CUGLYPH" bench kernels --precision bf16 --device cpu
expect "device" 2 "expected auto, cpu" "$CUGLYPH" bench train mlp --device tpu
expect "device number" 2 "expected auto, cpu" "$CUGLYPH" bench kernels --device cpu:1
expect "no model" 2 "which model" "$CUGLYPH" bench train
expect "unknown model" 1 "cnn-d" "$CUGLYPH" bench train cnn-dd --device cpu
expect "the list of cases" 0 "^conv2d +bwd +models +cnn-d conv2" "$CUGLYPH" bench kernels --list

expect "one kernel" 0 "^linear fwd +one sample .* GFLOP|^linear fwd +one sample" "$CUGLYPH" bench "${one[@]}" --json "$dir/a.json" --csv "$dir/a.csv"
grep -q '"key": "linear fwd cases/one sample cpu' "$dir/a.json" && pass "its JSON" || fail "its JSON" "$(cat "$dir/a.json")"
[ "$(wc -l <"$dir/a.csv")" -eq 2 ] && pass "its CSV" || fail "its CSV" "$(cat "$dir/a.csv")"
expect "a chart with nothing to draw" 1 "nothing|no warm float32" "$CUGLYPH" bench kernels --op bias --shape 1x1 "${quick[@]}" --plot "$dir/k.svg"
expect "its roofline" 0 "^linear fwd" "$CUGLYPH" bench "${one[@]}" --plot "$dir/k.svg"
grep -q "roof, memory" "$dir/k.svg" && pass "its chart" || fail "its chart" "$(head -c 300 "$dir/k.svg")"
expect "instruction sets" 0 "cpu base" "$CUGLYPH" bench "${one[@]}" --isa base
expect "an instruction set that is not there" 1 "CUGLYPH_CPU_ISA=mmx" "$CUGLYPH" bench "${one[@]}" --isa mmx
expect "a file that cannot be written" 1 "none/x.json" "$CUGLYPH" bench "${one[@]}" --json "$dir/none/x.json"

# An earlier run that took a picosecond, and one that took an hour.
with_times() { sed -E "s/\"seconds(_low|_high)?\": [0-9.e+-]+/\"seconds\\1\": $1/; s/\"seconds(_low|_high)\": null/\"seconds\\1\": $1/" "$dir/a.json" >"$dir/$2"; }
with_times 1e-12 fast.json
with_times 3600.0 slow.json
six=(kernels --op "linear fwd" --shape "one sample" --device cpu --samples 8 --min-time 0 --max-time 0)
"$CUGLYPH" bench "${six[@]}" --compare "$dir/fast.json" >"$dir/out" 2>&1
rc=$?
if [ $rc -eq 3 ] && grep -q "^slower .*linear fwd cases/one sample" "$dir/out" && grep -q "1 compared, 1 slower" "$dir/out"; then
    pass "slower than before: exit status 3"
else
    fail "slower than before: exit status 3" "status $rc: $(cat "$dir/out")"
fi
expect "faster than before" 0 "1 compared, 0 slower, 1 faster" "$CUGLYPH" bench "${six[@]}" --compare "$dir/slow.json"
expect "compared with nothing" 1 "none.json: cannot be read" "$CUGLYPH" bench "${one[@]}" --compare "$dir/none.json"
echo '{"bench": "train", "rows": []}' >"$dir/other.json"
expect "compared with another benchmark" 1 "of .bench train." "$CUGLYPH" bench "${one[@]}" --compare "$dir/other.json"

tiny="input 8x8x1; conv 4 3x3; relu; maxpool 2x2; flatten; linear 4"
expect "training steps" 0 "images/s" "$CUGLYPH" bench train "$tiny" --batch 4,8 --threads 1,2 "${quick[@]}" --json "$dir/t.json" --plot "$dir/t.svg" --small
[ "$(grep -c '"key": "train ' "$dir/t.json")" -eq 4 ] && pass "two batches by two thread counts" || fail "two batches by two thread counts" "$(grep key "$dir/t.json")"
grep -q "</svg>" "$dir/t.svg" && pass "its chart" || fail "its chart" "$(head -c 300 "$dir/t.svg")"
expect "evaluation steps" 0 "together [0-9.]+ % of a step" "$CUGLYPH" bench infer "$tiny" --batch 8 "${quick[@]}"
expect "steps in a precision that the CPU lacks" 1 "bf16 needs a GPU" "$CUGLYPH" bench train "$tiny" --precision bf16 "${quick[@]}"
expect "steps in no precision" 2 "fp32, tf32, bf16" "$CUGLYPH" bench infer "$tiny" --precision half "${quick[@]}"
expect "whose convolutions" 2 "needs own, cudnn or auto" "$CUGLYPH" bench train "$tiny" --conv cublas "${quick[@]}"
exit $bad
