# test_usage.sh - help, and one clear line with a non-zero status for whatever is wrong.
. "$(dirname "$0")/lib.sh"
data_set

expect "make run builds and trains" 0 "train cnn-d --epochs 5" make --no-print-directory -n -C "$(dirname "$0")/../.." run
expect "help lists the commands" 0 "gradcheck" "$CUGLYPH" --help
expect "version" 0 "^cuglyph [0-9]" "$CUGLYPH" --version
for c in train sprint eval predict gradcheck info data; do
    expect "$c --help shows defaults or usage" 0 "^usage: cuglyph $c" "$CUGLYPH" $c --help
done
expect "train --help tells the default batch" 0 "128" "$CUGLYPH" train --help
expect "unknown command" 2 "no command 'trian'" "$CUGLYPH" trian
expect "unknown option suggests one" 2 "lr" "$CUGLYPH" train cnn-d --lrr 1
expect "option without value" 2 "needs" "$CUGLYPH" train cnn-d --run
expect "bad value" 2 "batch" "$CUGLYPH" train cnn-d --batch zero
expect "unknown model suggests one" 1 "cnn-d" "$CUGLYPH" train cnn-dd --data "$data"
expect "no data" 1 "data fetch" env -u CUGLYPH_DATA XDG_CACHE_HOME="$dir/none" "$CUGLYPH" train cnn-d
expect "model does not fit the data" 1 "28x28x1" "$CUGLYPH" train cnn-d --data "$data" --val 60
printf 'input 10x10x1\n\nconv 8 99x99 # too large\n' >"$dir/bad.spec"
expect "spec error names file, line and layer" 1 "bad.spec:3: conv1: .*99" "$CUGLYPH" train "$dir/bad.spec" --data "$data"
expect "softmax under cross-entropy" 1 "1.4612" "$CUGLYPH" info "input 784; linear 10; softmax"
expect "a library that has no convolutions" 2 "not one of own, cudnn, auto" "$CUGLYPH" train "$small_model" --data "$data" --val 60 --conv cublas --run "$dir/x"
expect "a library on the CPU" 1 "gemm cublas needs a GPU: device cpu" "$CUGLYPH" train "$small_model" --data "$data" --val 60 --device cpu --gemm cublas --run "$dir/x"
expect "unknown device" 2 "not one of auto" "$CUGLYPH" train "$small_model" --data "$data" --val 60 --device gpu --run "$dir/x"
if nvidia-smi >/dev/null 2>&1; then
    skip "cuda asked for where there is none" "this machine has a GPU"
else
    expect "a library asked for where there is no GPU" 1 "conv cudnn needs a GPU: .*(no CUDA device|no CUDA)" \
        "$CUGLYPH" train "$small_model" --data "$data" --val 60 --conv cudnn --run "$dir/x"
    expect "cuda asked for where there is none" 1 "(no CUDA device|no CUDA;)" \
        "$CUGLYPH" train "$small_model" --data "$data" --val 60 --device cuda --run "$dir/x"
fi
[ -e "$dir/x" ] && fail "a run that cannot start leaves no folder" "$(ls "$dir/x")" || pass "a run that cannot start leaves no folder"
expect "resume of nothing" 1 "no run to resume" "$CUGLYPH" train --resume "$dir/none"
expect "eval of nothing" 1 "$dir/none" "$CUGLYPH" eval "$dir/none"
head -c 100 /dev/zero >"$dir/junk.safetensors"
expect "eval of junk" 1 "junk" "$CUGLYPH" eval "$dir/junk.safetensors"
expect "gradcheck of a small model" 0 "all gradients agree" "$CUGLYPH" gradcheck "input 6x6x1; conv 3 3x3; relu; maxpool 2; flatten; linear 3"
expect "gradcheck wants a model" 2 "which model" "$CUGLYPH" gradcheck
if [ -e /dev/full ]; then
    "$CUGLYPH" info cnn-d >/dev/full 2>"$dir/err" && fail "output to a full disk" "status 0" || pass "output to a full disk"
fi
exit $bad
