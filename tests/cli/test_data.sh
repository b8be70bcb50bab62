# test_data.sh - where make run gets its data from, with the mirrors out of reach.
. "$(dirname "$0")/lib.sh"
root=$(cd "$(dirname "$0")/../.." && pwd)
nowhere=(env -u CUGLYPH_DATA XDG_CACHE_HOME="$dir/cache" https_proxy=http://127.0.0.1:9 http_proxy=http://127.0.0.1:9 HTTPS_PROXY=http://127.0.0.1:9 HTTP_PROXY=http://127.0.0.1:9 no_proxy= NO_PROXY=)

"${nowhere[@]}" "$CUGLYPH" data fetch mnist >"$dir/out" 2>"$dir/err"
rc=$?
[ $rc -ne 0 ] && grep -q "^cuglyph: " "$dir/err" && pass "fetch with no mirror in reach fails with its reason" ||
    fail "fetch with no mirror in reach" "status $rc: $(cat "$dir/err")"
find "$dir/cache" -type f 2>/dev/null | grep -q . && fail "a failed fetch leaves no file" "$(find "$dir/cache" -type f)" ||
    pass "a failed fetch leaves no file"

if [ -e /usr/share/datasets/fashion-mnist ]; then
    "${nowhere[@]}" "$root/data/obtain" "$CUGLYPH" >"$dir/out" 2>"$dir/err"
    rc=$?
    if [ $rc -eq 0 ] && grep -q "^--data fashion-mnist" "$dir/out" && grep -q "Fashion-MNIST .* instead" "$dir/err"; then
        pass "with no mirror in reach, Fashion-MNIST from its package, and it says so"
    else
        fail "Fashion-MNIST instead" "status $rc: $(cat "$dir/out" "$dir/err")"
    fi
else
    skip "Fashion-MNIST instead of MNIST" "Debian's dataset-fashion-mnist is not installed"
fi

mkdir "$dir/bin" # a system without apt
for c in bash env dirname cat id mktemp rm; do ln -s "$(command -v $c)" "$dir/bin/$c"; done
if [ -e /usr/share/datasets/fashion-mnist ]; then
    skip "nothing to train on" "Fashion-MNIST is installed"
else
    "${nowhere[@]}" PATH="$dir/bin" "$root/data/obtain" "$CUGLYPH" >"$dir/out" 2>"$dir/err"
    rc=$?
    if [ $rc -ne 0 ] && [ ! -s "$dir/out" ] && [ "$(grep -c "nothing to train on" "$dir/err")" -eq 1 ]; then
        pass "nothing to train on: one line that says what to do"
    else
        fail "nothing to train on" "status $rc: $(cat "$dir/out" "$dir/err")"
    fi
fi

if "$CUGLYPH" data verify --data mnist >"$dir/out" 2>"$dir/err"; then
    pass "MNIST's raw bytes are MNIST's"
    [ "$("$root/data/obtain" "$CUGLYPH" 2>/dev/null)" = "--data mnist" ] && pass "make run takes MNIST where it is" ||
        fail "make run takes MNIST where it is" "$("$root/data/obtain" "$CUGLYPH" 2>&1)"
else
    skip "MNIST itself" "no MNIST in CUGLYPH_DATA or the cache folder"
fi
exit $bad
