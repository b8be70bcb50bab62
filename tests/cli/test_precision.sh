# test_precision.sh - --precision: kept by a run, refused in one line where it cannot be had, and what it leaves alone.
. "$(dirname "$0")/lib.sh"
data_set
train() { "$CUGLYPH" train "$small_model" --data "$data" --val 60 --epochs 1 --quiet "$@"; }

expect "train --help names the precisions" 0 "fp32, tf32 or bf16" "$CUGLYPH" train --help
expect "no such precision" 2 "not one of fp32, tf32, bf16" train --precision fp16 --run "$dir/x"
expect "no such precision, gradcheck" 2 "needs fp32, tf32 or bf16" "$CUGLYPH" gradcheck mlp --precision half
expect "the cpu computes in float32" 1 "device cpu computes in float32.*--precision fp32" train --device cpu --precision bf16 --run "$dir/x"
if nvidia-smi >/dev/null 2>&1; then
    skip "auto does not fall back to another precision" "this machine has a GPU"
else
    expect "auto does not fall back to another precision" 1 "--precision tf32 needs a GPU \(.*\); .*fp32" train --precision tf32 --run "$dir/x"
fi
[ -e "$dir/x" ] && fail "a refused run leaves no folder" "$(ls "$dir/x")" || pass "a refused run leaves no folder"

expect "ref trains in bf16" 0 "run folder" train --device ref --precision bf16 --max-steps 4 --limit 140 --run "$dir/bf16"
if grep -q "^precision = bf16" "$dir/bf16/config"; then pass "the run's config holds it"; else fail "the run's config holds it" "$(cat "$dir/bf16/config")"; fi
expect "resume keeps it" 2 "--precision cannot change" "$CUGLYPH" train --resume "$dir/bf16" --precision fp32
expect "resume goes on in it" 0 "run folder" "$CUGLYPH" train --resume "$dir/bf16" --epochs 2 --max-steps 6 --quiet
expect "eval in the run's precision" 0 "rounded to bfloat16" "$CUGLYPH" eval "$dir/bf16"
expect "eval in another" 0 "ref, 1 thread, float64$" "$CUGLYPH" eval "$dir/bf16" --precision fp32
expect "eval on the cpu says what to do" 1 "use --precision fp32" "$CUGLYPH" eval "$dir/bf16" --device cpu

emu=$(dirname "$CUGLYPH")/emu/cuglyph
if [ -x "$emu" ]; then
    expect "a GPU without such tensor cores" 1 "--precision tf32 needs compute capability 8.0 .*has 7.5: use --precision fp32" \
        env EMU_ARCH=75 "$emu" gradcheck mlp --backend cuda --precision tf32 --entries 1 --directions 0
    expect "gradcheck in bf16" 0 "all gradients agree" \
        "$emu" gradcheck "input 6x6x1; conv 3 3x3; relu; maxpool 2; flatten; linear 3" --backend cuda --precision bf16
else
    skip "a GPU without such tensor cores" "no emulated device in this build"
fi
exit $bad
