# test_sass.sh - the machine-code check (kernels/sass) accepts what it should and sees each thing it must.
. "$(dirname "$0")/lib.sh"
check=$(cd "$(dirname "$0")/../.." && pwd)/kernels/sass
fp32=_Z11gemm_kernelILi64ELi64E1AEvT0_ tf32=_Z10mma_kernelIL13cug_precision1E1AEvT0_ bf16=_Z10mma_kernelIL13cug_precision2E1AEvT0_

# listing KERNEL INSTRUCTION...: as nvdisasm prints it
listing() {
    echo ".text.$1:"
    shift
    local at=0 i
    for i in "$@" "EXIT"; do
        printf '        /*%04x*/                   %s ;\n' $at "$i"
        at=$((at + 16))
    done
}
sees() { # NAME STATUS PATTERN KERNEL INSTRUCTION...
    local name=$1 want=$2 pattern=$3
    shift 3
    listing "$@" >"$dir/listing"
    "$check" --text "$dir/listing" - sm_90 >"$dir/out" 2>&1
    local rc=$?
    if [ $rc -eq "$want" ] && grep -qE -- "$pattern" "$dir/out"; then pass "$name"; else fail "$name" "status $rc: $(cat "$dir/out")"; fi
}
sees "a good float32 kernel" 0 "1 kernels, 0 not" $fp32 "LDS.128 R4, [R2]" "FFMA R0, R1, R2, R3"
sees "a good kernel of TF32" 0 "1 kernels, 0 not" $tf32 "HMMA.1688.F32.TF32 R0, R4, R8, R0"
sees "a good kernel of BF16" 0 "1 kernels, 0 not" $bf16 "@P0 HMMA.16816.F32.BF16 R0, R4, R8, R0"
sees "an integer atomic" 0 "1 kernels, 0 not" metrics_add_kernel "RED.E.ADD.64.STRONG.GPU desc[UR4][R2.64], R4"
sees "a spilled register" 1 "WRONG: local memory" $fp32 "LDS.128 R4, [R2]" "FFMA R0, R1, R2, R3" "STL [R1], R4" "LDL R4, [R1]"
sees "a predicated spill" 1 "WRONG: local memory" some_kernel "@!P1 LDL.64 R4, [R1+0x8]"
sees "a float atomic" 1 "WRONG: float atomics" some_kernel "RED.E.ADD.F32.FTZ.RN.STRONG.GPU desc[UR4][R2.64], R5"
sees "a tensor-core kernel without its instruction" 1 "no HMMA on TF32" $tf32 "FFMA R0, R1, R2, R3"
sees "the other precision" 1 "no HMMA on BF16.*other precision" $bf16 "HMMA.1688.F32.TF32 R0, R4, R8, R0"
sees "tensor cores in float32" 1 "HMMA in a float32 kernel" $fp32 "LDS.128 R4, [R2]" "FFMA R0, R1, R2, R3" "HMMA.1688.F32.TF32 R0, R4, R8, R0"
sees "a tile kernel that reads words" 1 "no FFMA or no 16-byte" $fp32 "LDS R4, [R2]" "FFMA R0, R1, R2, R3"
: >"$dir/listing"
if "$check" --text "$dir/listing" - sm_90 >"$dir/out" 2>&1; then fail "nothing to look at" "passed"; else pass "nothing to look at"; fi
exit $bad
