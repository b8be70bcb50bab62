# test_eval.sh - what `cuglyph eval` prints, writes and refuses.
. "$(dirname "$0")/lib.sh"
data_set
run="$dir/run"
"$CUGLYPH" train "$small_model" --data "$data" --val 60 --epochs 1 --threads 2 --run "$run" --quiet >/dev/null 2>"$dir/err" ||
    fail "a run to evaluate" "$(cat "$dir/err")"

expect "accuracy and its interval" 0 "^accuracy [0-9.]+%  \(95 % interval" "$CUGLYPH" eval "$run"
expect "top-2, and no top-5 of four classes" 0 "^top-2 accuracy [0-9.]+%$" "$CUGLYPH" eval "$run"
expect "a top-k of one's own" 0 "^top-3 accuracy" "$CUGLYPH" eval "$run" --top-k 3
expect "calibration" 0 "expected calibration error 0\.[0-9]{4} \(15 bins\)" "$CUGLYPH" eval "$run"
expect "averages" 0 "^ +weighted +0\.[0-9]{4}" "$CUGLYPH" eval "$run"
[ "$("$CUGLYPH" eval "$run" --worst 4 | sed -n '/greatest loss/,$p' | wc -l)" -eq 6 ] &&
    pass "as many worst samples as asked for" || fail "--worst 4" "$("$CUGLYPH" eval "$run" --worst 4 | tail -n 8)"
"$CUGLYPH" eval "$run" --worst 0 | grep -q "greatest loss" && fail "--worst 0" "a table" || pass "--worst 0 leaves the table out"
expect "the picture of the worst" 0 "they are drawn, 3 in a row" "$CUGLYPH" eval "$run" --worst 7 --worst-png "$dir/w.png"
[ "$(head -c 4 "$dir/w.png" | tail -c 3)" = PNG ] && pass "the picture is a PNG" || fail "the picture" "$(ls -l "$dir/w.png")"
expect "a picture that cannot be written" 1 "no/w.png" "$CUGLYPH" eval "$run" --worst-png "$dir/no/w.png"
expect "a picture of nothing" 2 "worst" "$CUGLYPH" eval "$run" --worst 0 --worst-png "$dir/w.png"
expect "top-0" 2 "from 1 to 256" "$CUGLYPH" eval "$run" --top-k 0
expect "too many worst" 2 "from 0 to 10000" "$CUGLYPH" eval "$run" --worst 10001
expect "JSON into no folder" 1 "no/x.json" "$CUGLYPH" eval "$run" --json="$dir/no/x.json"
expect "an unknown part" 1 "test, val or train" "$CUGLYPH" eval "$run" --part all

if command -v python3 >/dev/null; then
    "$CUGLYPH" eval "$run" --json --worst 200 >"$dir/a.json" 2>"$dir/err"
    "$CUGLYPH" eval "$run" --json="$dir/b.json" --worst 200 >/dev/null 2>>"$dir/err"
    cmp -s "$dir/a.json" "$dir/b.json" && pass "JSON to the output and to a file are one" || fail "--json=FILE" "$(cat "$dir/err")"
    python3 - "$dir/a.json" 2>"$dir/err" <<'PY' && pass "JSON agrees with itself" || fail "JSON" "$(tail -n 3 "$dir/err")"
import json, sys
m = json.load(open(sys.argv[1]))
n, c = m["images"], m["confusion"]
near = lambda a, b: abs(a - b) < 1e-9
hit = [c[i][i] for i in range(4)]
support = [sum(r) for r in c]
predicted = [sum(r[i] for r in c) for i in range(4)]
f1 = [2 * h / (p + s) for h, p, s in zip(hit, predicted, support)]
assert sum(support) == n == 200 and near(sum(hit) / n, m["accuracy"])
assert near(m["macro_f1"], sum(f1) / 4) and near(m["weighted_f1"], sum(f * s for f, s in zip(f1, support)) / n)
assert near(m["micro_precision"], m["accuracy"]) and near(m["weighted_recall"], m["accuracy"])
top, bins, worst = m["top_k"], m["calibration"], m["worst"]
assert len(top) == 4 and near(top[0], m["accuracy"]) and top == sorted(top) and top[3] == 1
used = [b for b in bins if b["images"]]
assert len(bins) == 15 and sum(b["images"] for b in bins) == n
assert all(b["from"] < b["confidence"] <= b["to"] + 1e-9 for b in used)
assert all(b["accuracy"] is None for b in bins if not b["images"])
ece = sum(b["images"] * abs(b["accuracy"] - b["confidence"]) for b in used) / n
assert near(ece, m["expected_calibration_error"])
assert len(worst) == n == len({w["index"] for w in worst})
assert [w["loss"] for w in worst] == sorted((w["loss"] for w in worst), reverse=True)
assert near(sum(w["loss"] for w in worst) / n, m["loss"])
assert sum(w["label"] != w["prediction"] for w in worst) == n - m["correct"]
assert near(sum(w["probability"] for w in worst) / n, m["mean_confidence"])
PY
else
    skip "eval --json" "no python3"
fi
exit $bad
