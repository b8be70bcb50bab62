# test_resume.sh - kill -9 at random moments and Ctrl-C: each run, resumed, ends with the same weights, byte for byte, and no
# checkpoint that was due is lost.
. "$(dirname "$0")/lib.sh"
data_set
kills=10 every=45
[ "${CUGLYPH_TEST_FULL:-0}" = 1 ] && kills=200 every=3
train=("$CUGLYPH" train "$small_model" --data "$data" --val 60 --batch 4 --epochs 12 --threads 2 --checkpoint-every $every --log-every 10 --quiet)
step_of() { # the last step in a log or a checkpoint (whose metadata escapes the quotes); 0: none
    local n
    n=$(grep -a -oE 'step\\?": ?[0-9]+' "$1" 2>/dev/null | tail -n 1 | grep -oE '[0-9]+$')
    echo "${n:-0}"
}
hash_of() { grep -o '"weights_sha256": "[0-9a-f]*"' "$1/metrics.json"; }

t0=$(date +%s%N)
"${train[@]}" --run "$dir/whole" >/dev/null 2>"$dir/err" || fail "an uninterrupted run" "$(cat "$dir/err")"
ms=$((($(date +%s%N) - t0) / 1000000))
want=$(hash_of "$dir/whole")
[ -n "$want" ] && pass "an uninterrupted run" || fail "an uninterrupted run" "no weights_sha256"
lines=$(wc -l <"$dir/whole/log.jsonl")

RANDOM=$$
same=1 why="" killed=0 behind=0
for i in $(seq $kills); do
    run="$dir/killed$i"
    "${train[@]}" --run "$run" >/dev/null 2>&1 &
    pid=$!
    sleep "$(awk -v ms=$ms -v r=$RANDOM 'BEGIN { printf "%.3f", ms * (0.02 + 0.8 * r / 32768) / 1000 }')"
    kill -9 $pid 2>/dev/null && killed=$((killed + 1))
    wait $pid 2>/dev/null
    # A step that is in the log was done, so the checkpoints before it were due and must be there.
    logged=$(step_of "$run/log.jsonl") saved=$(step_of "$run/last.safetensors")
    [ "$logged" -gt 0 ] && [ "$saved" -lt $(((logged - 1) / every * every)) ] && { same=0; why="$why run $i: at step $logged, checkpoint of $saved"; }
    [ "$saved" -gt 0 ] && behind=$((behind + 1))
    if [ ! -e "$run/config" ]; then # killed before the run began: nothing to resume, so it starts
        rm -rf "$run"
        "${train[@]}" --run "$run" >/dev/null 2>"$dir/err"
    else
        "$CUGLYPH" train --resume "$run" --quiet >/dev/null 2>"$dir/err"
    fi || { same=0; why="run $i: $(cat "$dir/err")"; }
    [ "$(hash_of "$run")" = "$want" ] || { same=0; why="$why run $i: other weights"; }
    [ "$(wc -l <"$run/log.jsonl")" -eq "$lines" ] || { same=0; why="$why run $i: log has other lines"; }
    ls -A "$run" | grep -q tmp && { same=0; why="$why run $i: temporary file left"; }
    rm -rf "$run"
done
if [ $same = 1 ]; then pass "kill -9 at $kills random moments, then resume: the same weights"; else fail "kill -9, then resume" "$why"; fi
[ $behind -ge $((kills / 3)) ] && pass "$behind of them had a checkpoint by then, each the latest that was due" || fail "the kills hit runs with checkpoints" "$behind of $kills"
[ $killed -ge $((kills / 2)) ] && pass "most of the kills hit a running process" || fail "the kills hit" "$killed of $kills"

set -m # a background job of its own group takes SIGINT
"${train[@]}" --run "$dir/int" >/dev/null 2>"$dir/err" &
pid=$!
for _ in $(seq 3000); do # until it is well under way
    [ "$(step_of "$dir/int/log.jsonl")" -ge 20 ] && break
    sleep 0.01
done
kill -INT $pid
wait $pid
rc=$?
if [ $rc -eq 130 ] && grep -q "cuglyph train --resume $dir/int" "$dir/err"; then
    pass "Ctrl-C stops with a checkpoint and says how to go on"
else
    fail "Ctrl-C" "status $rc: $(cat "$dir/err")"
fi
"$CUGLYPH" train --resume "$dir/int" --quiet >/dev/null 2>"$dir/err" || fail "resume after Ctrl-C" "$(cat "$dir/err")"
[ "$(hash_of "$dir/int")" = "$want" ] && pass "resumed after Ctrl-C: the same weights" || fail "resumed after Ctrl-C" "other weights"

"$CUGLYPH" train --config "$dir/whole/config" --run "$dir/again" --quiet >/dev/null 2>"$dir/err"
[ "$(hash_of "$dir/again")" = "$want" ] && pass "train --config RUN/config repeats the run" || fail "train --config" "$(cat "$dir/err")"

"$CUGLYPH" eval "$dir/whole" --json >"$dir/eval.json" 2>"$dir/err"
# the run's own figure, not that of one of the worst samples
a=$(grep -oE '^ {1,4}"loss": [0-9.e-]+' "$dir/eval.json" | grep -oE '[0-9][0-9.e-]*') b=$(grep -o '"test_loss": [0-9.e-]*' "$dir/whole/metrics.json" | cut -d' ' -f2)
[ -n "$a" ] && [ "$a" = "$b" ] && pass "eval gives the run's final loss exactly" || fail "eval" "'$a' is not '$b' $(cat "$dir/err")"
exit $bad
