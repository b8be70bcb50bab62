# lib.sh - for the command-line tests: TAP lines, a temporary folder, a small data set. Sourced.
set -u
: "${CUGLYPH:?path of the program to test}"
dir=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null; rm -rf "$dir"' EXIT
bad=0

pass() { echo "ok - $1"; }
fail() { # NAME WHY
    echo "not ok - $1"
    echo "# $2" | head -c 600
    echo
    bad=1
}
skip() { echo "ok - $1 # SKIP $2"; }

# expect NAME STATUS PATTERN COMMAND...: exit status, and on stderr exactly one line that matches (status 0: stdout).
expect() {
    local name=$1 want=$2 pattern=$3 rc
    shift 3
    "$@" >"$dir/out" 2>"$dir/err" </dev/null
    rc=$?
    if [ "$rc" -ne "$want" ]; then
        fail "$name" "status $rc, expected $want: $(cat "$dir/err")"
    elif [ "$want" -eq 0 ]; then
        if grep -qE -- "$pattern" "$dir/out"; then pass "$name"; else fail "$name" "no '$pattern' in: $(cat "$dir/out")"; fi
    elif [ "$(wc -l <"$dir/err")" -ne 1 ]; then
        fail "$name" "not one line on stderr: $(cat "$dir/err")"
    elif grep -qE -- "$pattern" "$dir/err"; then
        pass "$name"
    else
        fail "$name" "no '$pattern' in: $(cat "$dir/err")"
    fi
}

# images NAME COUNT: 10x10 images of four classes, each bright in its own quarter, as IDX files in $dir.
images() {
    LC_ALL=C awk -v n="$2" -v seed="$3" 'BEGIN {
        srand(seed)
        printf "%c%c%c%c%c%c%c%c%c%c%c%c%c%c%c%c", 0, 0, 8, 3, 0, 0, int(n / 256), n % 256, 0, 0, 0, 10, 0, 0, 0, 10
        for (i = 0; i < n; i++) for (r = 0; r < 10; r++) for (c = 0; c < 10; c++)
            printf "%c", int(rand() * 140) + ((r >= 5) * 2 + (c >= 5) == i % 4 ? 60 : 0)
    }' >"$dir/$1-images"
    LC_ALL=C awk -v n="$2" 'BEGIN {
        printf "%c%c%c%c%c%c%c%c", 0, 0, 8, 1, 0, 0, int(n / 256), n % 256
        for (i = 0; i < n; i++) printf "%c", i % 4
    }' >"$dir/$1-labels"
}

data_set() {
    images train 600 1
    images test 200 2
    data="idx:$dir/train-images,$dir/train-labels,$dir/test-images,$dir/test-labels"
}

small_model="input 10x10x1; conv 8 3x3; relu; maxpool 2; flatten; linear 16; relu; dropout 0.25; linear 4"
