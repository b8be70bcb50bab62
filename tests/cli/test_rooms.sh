# test_rooms.sh - each op of the backend table has its file in every room (docs/ADDING_AN_OP.md).
. "$(dirname "$0")/lib.sh"
cd "$(dirname "$0")/../.." || exit 1
ops=$(sed -nE 's/^ *const cug_[a-z0-9_]+_ops \*([a-z0-9_]+);.*/\1/p' include/cuglyph/backend.h)
[ "$(wc -w <<<"$ops")" -ge 15 ] && pass "the backend table lists its ops" || fail "the backend table" "only: $ops"
missing=""
room() { [ -e "$1" ] || missing="$missing $1"; }
for op in $ops; do
    room "include/cuglyph/$op.h"
    room "src/cuda/$op.c"
    room "kernels/$op.cu"
    room "tests/cases/$op.h"
    case $op in
    step) room "src/host_step.c" ;; # copies alone, the same for both
    *) room "src/cpu/$op.c" ;;
    esac
    case $op in
    conv_block | step) ;; # its reference is the ops it stands for
    *) room "src/ref/$op.c" ;;
    esac
    case $op in
    softmax_xent | bce_logits | mse | normalize | optimizer | metrics | step) ;; # called by the plan and the net, not a layer
    *) room "src/model/ops/$op.c" ;;
    esac
done
[ -z "$missing" ] && pass "every op has all its rooms" || fail "every op has all its rooms" "missing:$missing"
untried=""
for wrapper in $(grep -oE '\bcug_[a-z0-9_]+\(' kernels/device.cuh | tr -d '(' | sort -u); do
    [ "$wrapper" = cug_launch ] || grep -q "\b$wrapper\b" tests/gpu/door.cu || untried="$untried $wrapper"
done
[ -z "$untried" ] && pass "every wrapper of device.cuh has its kernel in gpu-check" || fail "every wrapper of device.cuh has its kernel in gpu-check" "not in tests/gpu/door.cu:$untried"
long=$(git ls-files '*.c' '*.h' '*.cu' '*.cuh' 2>/dev/null | xargs -r wc -l | awk '$2 != "total" && $1 > 500 {print $2}')
[ -z "$long" ] && pass "no source file over 500 lines" || fail "no source file over 500 lines" "$long"
exit $bad
