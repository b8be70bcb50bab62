# test_package.sh - what `make install` leaves is enough for a program of somebody else, shared or static.
. "$(dirname "$0")/lib.sh"
data_set
top=$(cd "$(dirname "$0")/../.." && pwd)
here=$(cd "$(dirname "$0")/../package" && pwd)
root=$dir/root prefix=/opt/cug
quiet_make=(make --no-print-directory -C "$top" DESTDIR="$root" PREFIX=$prefix)
if ! "${quiet_make[@]}" install >"$dir/log" 2>&1; then
    fail "make install" "$(tail -n 5 "$dir/log")"
    exit 1
fi
at=$root$prefix
lib=$at/lib/libcuglyph.so
pass "make install into DESTDIR"
"$at/bin/cuglyph" --version | grep -q '^cuglyph [0-9]' && pass "the installed program runs" || fail "the installed program" "does not run"

# Names: the SONAME is what the links lead to, and the exported symbols are those the headers declare, no more.
soname=$(readelf -d "$lib" | sed -n 's/.*SONAME.*\[\(.*\)\]/\1/p')
[ "$soname" = libcuglyph.so.0 ] && [ -e "$at/lib/$soname" ] && pass "SONAME $soname" || fail "SONAME" "'$soname'"
# Declared: a name before '(' or ';' on a line that begins at the margin, comments and typedefs aside.
cat "$at"/include/cuglyph/*.h | grep -E '^[a-zA-Z]' | grep -vE '^(typedef|static)' | sed 's,/\*.*,,' |
    grep -oE '\bcug_[a-z0-9_]+(\(|;)' | tr -d '(;' | sort -u >"$dir/declared"
nm -D --defined-only "$lib" | awk '{ print $3 }' | sort -u >"$dir/exported"
if [ "$(wc -l <"$dir/declared")" -gt 100 ] && diff "$dir/declared" "$dir/exported" >"$dir/diff"; then
    pass "exports are the $(wc -l <"$dir/declared") names that the headers declare"
else
    fail "exports are what the headers declare" "< declared only, > exported only: $(grep '^[<>]' "$dir/diff" | tr '\n' ' ')"
fi

# Each header by itself, in C and (where there is a compiler) in C++.
each_header() { # LANGUAGE COMPILER FLAGS...
    local language=$1 bad_headers=""
    shift
    for h in "$at"/include/cuglyph/*.h; do
        echo "#include <cuglyph/$(basename "$h")>" | "$@" -Wall -Wextra -Wpedantic -Werror -I "$at/include" -fsyntax-only - 2>"$dir/err" ||
            bad_headers="$bad_headers $(basename "$h"): $(head -n 1 "$dir/err")"
    done
    [ -z "$bad_headers" ] && pass "every header compiles alone as $language" || fail "every header compiles alone as $language" "$bad_headers"
}
each_header C11 cc -std=c11 -x c
if command -v c++ >/dev/null; then each_header C++17 c++ -std=c++17 -x c++; else skip "every header compiles alone as C++17" "no C++ compiler"; fi

# pkg-config gives the flags; without it they are read from its file, which is what it would do.
if command -v pkg-config >/dev/null; then
    flags() { PKG_CONFIG_PATH=$at/lib/pkgconfig pkg-config --define-variable=prefix="$at" "$@" cuglyph; }
    if [ "$(flags --modversion)" = "$("$at/bin/cuglyph" --version | cut -d' ' -f2)" ]; then
        pass "pkg-config knows the version"
    else
        fail "pkg-config" "$(flags --modversion 2>&1)"
    fi
    shared=$(flags --cflags --libs) static=$(flags --static --cflags --libs)
else
    skip "pkg-config knows the version" "no pkg-config"
    private=$(sed -n 's/^Libs.private: //p' "$at/lib/pkgconfig/cuglyph.pc")
    shared="-I$at/include -L$at/lib -lcuglyph" static="-I$at/include -L$at/lib -lcuglyph -ljansson -lpng -lmd -lz $private"
fi

check_program() { # NAME PROGRAM
    local run=$dir/run-$1
    if ! LD_LIBRARY_PATH=$at/lib "$2" "$dir" "$run" >"$dir/out" 2>"$dir/err"; then
        fail "a program with the $1 library" "$(cat "$dir/out" "$dir/err")"
        return
    fi
    local hits
    hits=$(sed -n 's/^predicted \([0-9]*\) of 200$/\1/p' "$dir/out")
    [ "${hits:-0}" -gt 150 ] && pass "a program with the $1 library trains, saves, loads and predicts" ||
        fail "a program with the $1 library" "$(cat "$dir/out" "$dir/err")"
    grep -E '^(trained|predicted)' "$dir/out" >"$dir/words-$1"
}
warn="-std=c11 -Wall -Wextra -Wpedantic -Werror -O1 -g"
# shellcheck disable=SC2086
if cc $warn "$here/train_predict.c" $shared -o "$dir/shared" 2>"$dir/err"; then check_program shared "$dir/shared"; else fail "linking the shared library" "$(cat "$dir/err")"; fi
# Static: -lcuglyph finds the archive where the shared library is out of the way.
mkdir "$dir/away" && mv "$at"/lib/libcuglyph.so* "$dir/away"
# shellcheck disable=SC2086
if cc $warn "$here/train_predict.c" $static -o "$dir/static" 2>"$dir/err"; then check_program static "$dir/static"; else fail "linking the static library" "$(cat "$dir/err")"; fi
mv "$dir/away"/* "$at/lib"
cmp -s "$dir/words-shared" "$dir/words-static" && pass "shared and static do the same" || fail "shared and static do the same" "$(diff "$dir/words-shared" "$dir/words-static")"
readelf -d "$dir/static" 2>/dev/null | grep -q libcuglyph && fail "the static program needs no libcuglyph.so" "it does" || pass "the static program needs no libcuglyph.so"

# valgrind knows no AVX-512, and finds the processor without it: the same program, other instructions.
if command -v valgrind >/dev/null; then
    if LD_LIBRARY_PATH=$at/lib valgrind -q --error-exitcode=9 --leak-check=full --show-leak-kinds=definite,indirect,possible \
        --errors-for-leak-kinds=definite,indirect,possible "$dir/shared" "$dir" "$dir/run-valgrind" >"$dir/out" 2>"$dir/err"; then
        pass "valgrind: no error, no leak"
    else
        fail "valgrind" "$(head -n 20 "$dir/err")"
    fi
else
    skip "valgrind: no error, no leak" "no valgrind"
fi

# A locale that writes 0,5: made here, for one that the machine has may be none.
if command -v localedef >/dev/null && localedef -i de_DE -f UTF-8 "$dir/de_DE.UTF-8" >/dev/null 2>&1; then
    if LD_LIBRARY_PATH=$at/lib LOCPATH=$dir LC_ALL=de_DE.UTF-8 "$dir/shared" "$dir" "$dir/run-de" >"$dir/out" 2>"$dir/err" &&
        grep -q "^decimal point ',', lr 0.001, message: .*slope 1.5 " "$dir/out" && grep -E '^(trained|predicted)' "$dir/out" | cmp -s - "$dir/words-shared"; then
        pass "numbers have a point in a locale with a comma"
    else
        fail "numbers have a point in a locale with a comma" "$(cat "$dir/out" "$dir/err")"
    fi
    same=1
    for f in config log.csv log.jsonl metrics.json; do # the same run, so the same text but for times
        clean() { sed -E 's/"(seconds|images_per_second)": ?[0-9.e+]+//g; s/,[0-9.]+,[0-9.]+$//' "$1"; }
        cmp -s <(clean "$dir/run-shared/$f") <(clean "$dir/run-de/$f") || same="$f: $(diff <(clean "$dir/run-shared/$f") <(clean "$dir/run-de/$f") | head -n 4)"
    done
    [ "$same" = 1 ] && pass "run folders are the same in both locales" || fail "run folders are the same in both locales" "$same"
else
    skip "numbers have a point in a locale with a comma" "localedef cannot make de_DE here"
fi

if command -v man >/dev/null && command -v groff >/dev/null; then
    LC_ALL=C.UTF-8 MANWIDTH=80 man --warnings=w -l "$at/share/man/man1/cuglyph.1" >"$dir/page" 2>"$dir/err"
    if [ ! -s "$dir/err" ] && grep -q 'weight-decay' "$dir/page"; then pass "the manual page has no warning"; else fail "the manual page" "$(cat "$dir/err")"; fi
else
    skip "the manual page has no warning" "no man or groff"
fi
missing=""
for c in $("$CUGLYPH" --help | sed -nE 's/^  ([a-z]+) .*/\1/p'); do
    for o in $("$CUGLYPH" "$c" --help | grep -oE '^  --[a-z0-9-]+' | sort -u); do
        sed 's/\\-/-/g' "$at/share/man/man1/cuglyph.1" | grep -qE "^\.B $o( |\$)" || missing="$missing $c $o"
    done
done
[ -z "$missing" ] && pass "the manual page has every option" || fail "the manual page has every option" "$missing"

"${quiet_make[@]}" uninstall >"$dir/log" 2>&1
[ -z "$(find "$root" ! -type d)" ] && pass "make uninstall leaves no file" || fail "make uninstall" "$(find "$root" ! -type d)"
exit $bad
