# test_cuda.sh - what `cuglyph` says and does when a GPU is not there, too old, too small or refuses something: with the
# program that `make emu` builds, whose emulated device can be all of that (docs/EMULATOR.md).
. "$(dirname "$0")/lib.sh"
CUGLYPH=${CUGLYPH%/*}/emu/cuglyph
if [ ! -x "$CUGLYPH" ]; then
    skip "the CUDA backend's errors" "no program with the emulated device: make emu-suite"
    exit 0
fi
data_set
run=0
train() { # [VARIABLE=VALUE ...] -- OPTION...: one step of the small model in a new run folder, $dir/r$run
    local vars=()
    while [ "$1" != -- ]; do vars+=("$1") && shift; done
    shift
    env "${vars[@]}" "$CUGLYPH" train "$small_model" --data "$data" --val 60 --device cuda --max-steps 1 --run "$dir/r$run" "$@"
}
hash_of() { grep -o '"weights_sha256": "[0-9a-f]*"' "$1/metrics.json"; }

# --- memory: the batch that is named fits, half as much again does not ----------------------------------------------------
names_what_fits() { # NAME MEMORY OPTION...: stderr's advice, tried
    local name=$1 memory=$2 line advice batch
    shift 2
    run=$((run + 1))
    if train EMU_MEMORY=$memory -- "$@" >"$dir/out" 2>"$dir/err"; then
        fail "$name" "it fits $memory bytes as it is"
        return
    fi
    line=$(cat "$dir/err")
    if [ "$(wc -l <"$dir/err")" -ne 1 ] || ! grep -qE "needs [0-9]+ bytes, [0-9]+ of $memory are free; .* would fit: --batch [0-9]+" "$dir/err"; then
        fail "$name" "$line"
        return
    fi
    [ -e "$dir/r$run" ] && fail "$name: no run folder is left" "$(ls "$dir/r$run")"
    advice=${line##*would fit: }
    if ! train EMU_MEMORY=$memory -- "$@" $advice >"$dir/out" 2>"$dir/err"; then
        fail "$name: $advice fits" "$line; then: $(cat "$dir/err")"
        return
    fi
    run=$((run + 1))
    batch=$(sed -E 's/--batch ([0-9]+).*/\1/' <<<"$advice")
    if train EMU_MEMORY=$memory -- "$@" $advice --batch $((batch + batch / 2 + 1)) >"$dir/out" 2>"$dir/err"; then
        fail "$name: $advice is the most" "half as much again fits too"
    else
        pass "$name: $advice, and it does fit"
    fi
}
names_what_fits "out of memory, staged" 3000000 --batch 520
names_what_fits "out of memory, less of it" 1500000 --batch 520
names_what_fits "out of memory, resident" 1500000 --batch 520 --loader resident
names_what_fits "out of memory, plain, Adam off" 1500000 --batch 520 --loader plain --optimizer sgd
names_what_fits "out of memory for evaluation as well" 1200000 --batch 520 --eval-batch 520
expect "out of memory for any batch" 1 "needs [0-9]+ bytes, .*not even a batch of 1 would fit" train EMU_MEMORY=1060000 --
expect "out of memory for the data set" 1 "no batch would fit beside the data set: --loader staged" \
    train EMU_MEMORY=1100000 -- --loader resident
expect "no memory for the device itself" 1 "cudaMalloc: out of memory.* 1048576 bytes needed, 1000 of 1000 free" train EMU_MEMORY=1000 --
run=$((run + 1))
train -- >"$dir/out" 2>"$dir/err" || fail "a run to evaluate" "$(cat "$dir/err")"
expect "evaluation out of memory" 1 "evaluation batch 200 needs .* would fit: --eval-batch [0-9]+" \
    env EMU_MEMORY=1200000 "$CUGLYPH" eval "$dir/r$run" --eval-batch 200
expect "evaluation of what was named" 0 "accuracy" \
    env EMU_MEMORY=1200000 "$CUGLYPH" eval "$dir/r$run" $(grep -oE -- "--eval-batch [0-9]+" "$dir/err")
expect "a refusal that no batch explains keeps CUDA's own line" 1 "cudaMalloc: out of memory.*bytes needed" train EMU_FAIL=cudaMalloc:3:2 --

# --- pinned memory refused: said once, the same bits -----------------------------------------------------------------------
want=""
for pinned in 17179869184 4194304 0; do # all; the bounce buffers alone; none
    run=$((run + 1))
    train EMU_PINNED=$pinned -- --max-steps 8 --epochs 2 --batch 90 --loader staged >"$dir/out" 2>"$dir/err"
    said=$(grep -c "pinned memory refused" "$dir/err")
    if [ -z "$want" ]; then
        want=$(hash_of "$dir/r$run")
        [ "$said" -eq 0 ] && [ -n "$want" ] && pass "with pinned memory" || fail "with pinned memory" "$(cat "$dir/err")"
    elif [ "$said" -eq 1 ] && [ "$(hash_of "$dir/r$run")" = "$want" ]; then
        pass "with $pinned bytes of pinned memory: said once, the same weights"
    else
        fail "with $pinned bytes of pinned memory" "said $said times, $(hash_of "$dir/r$run"): $(cat "$dir/err")"
    fi
done

# --- which device -----------------------------------------------------------------------------------------------------------
no_folder=$run
run=$((run + 1))
expect "no such device" 1 "^cuglyph: cuda:7: this machine has 1 device, cuda:0$" train -- --device cuda:7
expect "no such device of several" 1 "cuda:3: this machine has 3 devices, cuda:0 to cuda:2" train EMU_DEVICES=3 -- --device cuda:3
expect "not a number" 2 "'cuda:x' is not one of auto, cpu, ref, cuda, cuda:N" train -- --device cuda:x
expect "eval: no such device" 1 "cuda:7: this machine has 1 device" "$CUGLYPH" eval "$dir/r$no_folder" --device cuda:7
expect "driver too old" 1 "the driver runs CUDA up to 11.4, this build needs [0-9]+.[0-9]+ .*install driver [0-9]+ or newer" train EMU_DEVICES=old --
expect "no GPU" 1 "no CUDA device: the driver finds no GPU" train EMU_DEVICES=0 --
expect "no kernels for this GPU" 1 "no kernel image is available .* this build has kernels for sm_.*ARCH=native" \
    train EMU_FAIL=cudaLaunchKernelEx:1:209 --
[ -e "$dir/r$run" ] && fail "a device that does not open leaves no folder" "$(ls "$dir/r$run")" || pass "a device that does not open leaves no folder"
on() { # NAME PATTERN OF stderr [VARIABLE=VALUE ...] -- OPTION...: it trains, and says so
    local name=$1 pattern=$2
    shift 2
    run=$((run + 1))
    if train "$@" >"$dir/out" 2>"$dir/err" && [ "$(grep -cE -- "$pattern" "$dir/err")" -eq 1 ]; then pass "$name"; else fail "$name" "$(cat "$dir/err")"; fi
}
on "cuda:0" "images, cuda:0, emulated" -- --device cuda:0
on "cuda:1 of two" "images, cuda:1, emulated" EMU_DEVICES=2 -- --device cuda:1
on "cpu" "images, cpu, " -- --device cpu
on "auto takes the GPU" "images, cuda:0, " -- --device auto
on "auto with an old driver" "up to 11.4.*; using the CPU$" EMU_DEVICES=old -- --device auto
on "auto without a GPU" "no GPU.*; using the CPU$" EMU_DEVICES=0 -- --device auto
on "auto without kernels for the GPU" "no kernel image.*; using the CPU$" EMU_FAIL=cudaLaunchKernelEx:1:209 -- --device auto

# --- the report -----------------------------------------------------------------------------------------------------------------
report() { # NAME VARIABLE=VALUE PATTERN...: each line of `info --device` that must be there, once
    local name=$1 var=$2 p missing=""
    shift 2
    env "$var" "$CUGLYPH" info --device >"$dir/out" 2>"$dir/err" || missing=" status $?"
    for p in "$@"; do [ "$(grep -cE -- "$p" "$dir/out")" -eq 1 ] || missing="$missing '$p'"; done
    [ -z "$missing" ] && pass "$name" || fail "$name" "not there:$missing in: $(cat "$dir/out" "$dir/err")"
}
report "info --device" EMU_ARCH=80 "^cpu, " "^cuda:0 +emulated sm_80$" "compute capability +8\.0 \(this build has sm_" \
    "multiprocessors +4$" "memory +[0-9.]+ of 17\.18 GB free" "L2 cache +4\.2 MB" "CUDA +driver up to [0-9.]+, built with [0-9.]+$" \
    "copies, pinned +[0-9.]+ GB/s to the GPU, [0-9.]+ GB/s back" "copies, pageable +[0-9.]+ GB/s to the GPU, [0-9.]+ GB/s back"
report "info --device, pinned memory refused" EMU_PINNED=0 "copies, pinned +pinned memory was refused" "copies, pageable +[0-9.]+ GB/s to the GPU"
report "info --device, two of them" EMU_DEVICES=2 "^cuda:0 " "^cuda:1 "
report "info --device, none" EMU_DEVICES=0 "^cpu, " "^no CUDA device: the driver finds no GPU"
report "info --device, driver too old" EMU_DEVICES=old "^no CUDA device: the driver runs CUDA up to 11\.4"
if command -v python3 >/dev/null; then
    "$CUGLYPH" info --device --json | python3 -c '
import json, sys
g, = json.load(sys.stdin)["cuda"]
assert g["name"] and g["major"] * 10 + g["minor"] >= 75 and g["pinned"] and 0 < g["memory_free"] <= g["memory_total"]
assert all(g[f"{m}_{d}_bytes_per_s"] > 0 for m in ("pinned", "pageable") for d in ("upload", "download"))
assert g["multiprocessors"] > 0 and g["l2"] > 0 and g["driver"] >= g["runtime"] >= 13000
' 2>"$dir/err" && pass "info --device as JSON" || fail "info --device as JSON" "$(tail -n 3 "$dir/err")"
fi
exit $bad
