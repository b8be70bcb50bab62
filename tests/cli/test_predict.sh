# test_predict.sh - `cuglyph predict`: twenty digits drawn with a mouse, what it prints, and what it refuses.
. "$(dirname "$0")/lib.sh"
digits=$(cd "$(dirname "$0")/../fixtures/digits" && pwd)
root=$(cd "$(dirname "$0")/../.." && pwd)
data_set
run="$dir/small"
"$CUGLYPH" train "$small_model" --data "$data" --val 60 --epochs 1 --threads 2 --run "$run" --quiet >/dev/null 2>"$dir/err" ||
    fail "a run to ask" "$(cat "$dir/err")"

# 10x10 images of four classes: an IDX file's answers are those of eval.
expect "a picture" 0 "^$digits/3a.png: [0-3]  [0-9.]+%  \(then [0-3] [0-9.]+%, [0-3] [0-9.]+%\)$" "$CUGLYPH" predict "$run" "$digits/3a.png"
expect "no runners-up" 0 "^$digits/3a.png: [0-3]  [0-9.]+%$" "$CUGLYPH" predict "$run" "$digits/3a.png" --top 0
expect "one image of an IDX file" 0 "test-images\[7\]: [0-3] " "$CUGLYPH" predict "$run" "$dir/test-images" --index 7
[ "$("$CUGLYPH" predict "$run" "$dir/test-images" --index 3-9 | wc -l)" -eq 7 ] && pass "a range of images" || fail "a range" "not 7 lines"
gzip -k "$dir/test-images"
"$CUGLYPH" predict "$run" "$dir/test-images" | sed 's/.*\[/[/' >"$dir/plain"
"$CUGLYPH" predict "$run" "$dir/test-images.gz" | sed 's/.*\[/[/' >"$dir/gz"
cmp -s "$dir/plain" "$dir/gz" && [ "$(wc -l <"$dir/gz")" -eq 200 ] && pass "plain and gzip alike" || fail "gzip" "$(diff "$dir/plain" "$dir/gz" | head -n 3)"
want=$("$CUGLYPH" eval "$run" --json | grep -o '"correct": [0-9]*' | grep -o '[0-9]*')
got=$(awk '{split($1, a, /[][]/); n += $2 == a[2] % 4} END {print n}' "$dir/plain")
[ -n "$want" ] && [ "$got" = "$want" ] && pass "as many right as eval says" || fail "as many right as eval" "$got, eval: $want"

expect "an image past the end" 1 "numbered 0 to 199" "$CUGLYPH" predict "$run" "$dir/test-images" --index 200
expect "labels are no images" 1 "rank 1" "$CUGLYPH" predict "$run" "$dir/test-labels"
expect "no such picture" 1 "none.png: cannot be opened" "$CUGLYPH" predict "$run" "$dir/none.png"
expect "a folder" 1 "not a regular file" "$CUGLYPH" predict "$run" "$dir"
printf '\377\330\377\340 a JPEG begins like this' >"$dir/photo.jpg"
expect "a JPEG" 1 "photo.jpg: a JPEG picture; save the picture as PNG" "$CUGLYPH" predict "$run" "$dir/photo.jpg"
head -c 700 "$digits/3a.png" >"$dir/cut.png"
expect "a PNG cut short" 1 "cut.png: .*cut short" "$CUGLYPH" predict "$run" "$dir/cut.png"
: >"$dir/empty.png"
expect "an empty file" 1 "empty.png: empty" "$CUGLYPH" predict "$run" "$dir/empty.png"
expect "nothing to ask of" 2 "which pictures" "$CUGLYPH" predict "$run"
expect "no run" 1 "$dir/none" "$CUGLYPH" predict "$dir/none" "$digits/3a.png"
expect "a bad range" 2 "FIRST-LAST" "$CUGLYPH" predict "$run" "$dir/test-images" --index 5-2
expect "a bad polarity" 2 "auto, yes or no" "$CUGLYPH" predict "$run" "$digits/3a.png" --invert maybe
expect "the wrong polarity is told" 1 "is --invert right" "$CUGLYPH" predict "$run" "$digits/3a.png" --invert no
expect "images of another size" 1 "28x28x1, but .* takes 10x10x1" "$CUGLYPH" predict "$run" "$root/data/segments/t10k-images-idx3-ubyte.gz"

"$CUGLYPH" predict "$run" "$dir/cut.png" "$digits/3a.png" "$dir/none.png" "$digits/3b.png" >"$dir/out" 2>"$dir/err"
rc=$?
[ $rc -eq 1 ] && [ "$(wc -l <"$dir/out")" -eq 2 ] && [ "$(wc -l <"$dir/err")" -eq 2 ] &&
    pass "bad files fail alone: one line each, the others answered" || fail "bad files among good" "status $rc: $(cat "$dir/out" "$dir/err")"

"$CUGLYPH" predict "$run" "$digits/3a.png" "$digits/3b.png" --save-prepared "$dir/seen" >/dev/null 2>"$dir/err"
[ "$(ls "$dir/seen" | tr '\n' ' ')" = "001-3a.png 002-3b.png " ] && pass "the images as the net saw them" || fail "--save-prepared" "$(ls "$dir/seen")"
"$CUGLYPH" predict "$run" "$digits/3a.png" | sed 's/.*: //' >"$dir/a"
"$CUGLYPH" predict "$run" "$dir/seen/001-3a.png" --raw | sed 's/.*: //' >"$dir/b"
cmp -s "$dir/a" "$dir/b" && pass "a saved image, taken raw, is answered the same" || fail "saved and raw" "$(cat "$dir/a" "$dir/b")"
[ "$("$CUGLYPH" predict "$run" "$digits/3a.png" --show | wc -l)" -eq 6 ] && pass "--show prints it" || fail "--show" "not 1 + 10/2 lines"

if command -v python3 >/dev/null; then
    "$CUGLYPH" predict "$run" "$dir/cut.png" "$digits/3a.png" "$dir/test-images" --index 4-5 --json 2>/dev/null >"$dir/json"
    python3 - "$dir/json" 2>"$dir/err" <<'PY' && pass "JSON" || fail "JSON" "$(tail -n 3 "$dir/err")"
import json, sys
bad, picture, four, five = json.load(open(sys.argv[1]))
assert "cut short" in bad["error"] and bad["file"].endswith("cut.png") and "prediction" not in bad
for a in picture, four, five:
    p = a["probabilities"]
    assert len(p) == 4 and abs(sum(p) - 1) < 1e-5 and a["probability"] == max(p) == p[a["prediction"]]
    assert a["class"] == str(a["prediction"])
assert "image" not in picture and four["image"] == 4 and five["image"] == 5 and four["file"].endswith("test-images")
PY
else
    skip "predict --json" "no python3"
fi

# The promise: a CNN after one epoch on MNIST knows at least 18 of 20 digits that were drawn with a mouse.
if "$CUGLYPH" data info mnist >/dev/null 2>&1; then
    "$CUGLYPH" train cnn-d --epochs 1 --run "$dir/mnist" --quiet >/dev/null 2>"$dir/err" || fail "training on MNIST" "$(cat "$dir/err")"
    "$CUGLYPH" predict "$dir/mnist" "$digits"/*.png >"$dir/out" 2>"$dir/err"
    right=$(sed -nE 's|.*/([0-9])[ab]\.png: ([0-9]) .*|\1 \2|p' "$dir/out" | awk '$1 == $2 {n++} END {print n + 0}')
    [ "$right" -ge 18 ] && [ "$(wc -l <"$dir/out")" -eq 20 ] && pass "$right of 20 digits drawn with a mouse are right" ||
        fail "digits drawn with a mouse" "$right right: $(sed 's|.*/||' "$dir/out" | tr '\n' ';') $(cat "$dir/err")"
else
    skip "digits drawn with a mouse" "no MNIST in CUGLYPH_DATA or the cache folder"
fi
exit $bad
