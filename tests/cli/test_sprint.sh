# test_sprint.sh - `cuglyph sprint`: runs, their summary, the recipe as a config, and what is refused.
. "$(dirname "$0")/lib.sh"
data_set
cd "$dir" || exit 1
tiny="input 8x8x1; conv 4 3x3 bias=no; maxpool 2; batchnorm; silu; flatten; linear 4"
few=(--data "$data" --model "$tiny" --crop 1 --batch 32 --max-steps 4 --device cpu)
expect "the recipe as a config" 0 "^crop = 2" "$CUGLYPH" sprint --print-config
"$CUGLYPH" sprint --print-config --lr 0.5 >"$dir/recipe"
grep -q '^lr = 0.5' "$dir/recipe" && pass "options change the recipe" || fail "options change the recipe" "$(grep '^lr' "$dir/recipe")"
expect "one run" 0 "^accuracy: [0-9.]+ %$" "$CUGLYPH" sprint "${few[@]}"
expect "its work, counted densely" 0 " 4 steps, 0\.0 GFLOP counted densely" "$CUGLYPH" sprint "${few[@]}"
expect "seeds count up" 0 "^seed 8 +[0-9.]+ %" "$CUGLYPH" sprint "${few[@]}" --seed 7 --runs 2
expect "an interval from six runs on" 0 "95 % interval of the mean" "$CUGLYPH" sprint "${few[@]}" --runs 6 --quiet
same() { "$CUGLYPH" sprint "${few[@]}" --seed 3 --runs "$1" | sed -nE 's/^seed 4 +([^s]*\)).*/\1/p'; }
[ -n "$(same 2)" ] && [ "$(same 2)" = "$(same 3)" ] && pass "a seed's result does not depend on the runs beside it" ||
    fail "a seed's result does not depend on the runs beside it" "$(same 2) and $(same 3)"
"$CUGLYPH" sprint "${few[@]}" --runs 2 --json "$dir/runs.json" >/dev/null
if command -v python3 >/dev/null; then
    python3 - "$dir/runs.json" <<'P' && pass "the report in JSON" || fail "the report in JSON" "$(head -c 300 "$dir/runs.json")"
import json, sys
r = json.load(open(sys.argv[1]))
assert r["command"].startswith("cuglyph sprint "), r["command"]
assert len(r["rows"]) == 2 and r["summary"]["runs"] == 2 and r["recipe"]["steps"] == 4, r
assert all(0 <= x["accuracy"] <= 100 and x["seconds"] > 0 for x in r["rows"]), r
P
fi
expect "held-out images are judged" 0 "wrong" "$CUGLYPH" sprint "${few[@]}" --val 20
expect "no runs" 2 "1 to" "$CUGLYPH" sprint --runs 0
expect "a stray word" 2 "unexpected argument 'cnn-d'" "$CUGLYPH" sprint cnn-d
expect "an unknown option" 2 "no such option" "$CUGLYPH" sprint --speed 9
expect "a crop that leaves nothing" 1 "nothing would stay" "$CUGLYPH" sprint "${few[@]}" --crop 5
[ ! -e runs ] && pass "no folder is written" || fail "no folder is written" "$(ls)"
exit $bad
