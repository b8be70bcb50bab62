// bugs_main.cpp - runs every scenario right and with each of its bugs, in several orders, each run a process of its
// own. Right runs must be silent in all of them; every bug must be caught in one. Prints a line for each, and the
// count.
#include "bugs.h"
#include "emu/library.h"
#include "sanitize.h"

#include <cstring>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined(EMU_TSAN)
enum { ASAN = 0, TSAN = 1, MSAN = 0 };
#elif defined(EMU_MSAN)
enum { ASAN = 0, TSAN = 0, MSAN = 1 };
#elif defined(EMU_ASAN)
enum { ASAN = 1, TSAN = 0, MSAN = 0 };
#else
enum { ASAN = 0, TSAN = 0, MSAN = 0 };
#endif

// Which builds must see a bug. _ONLY: no other can, since what the program computes is right on the emulator.
enum By {
    RIGHT,     // nothing is wrong
    ANY,       // every build, in one order at least
    ADDRESS,   // ASan and UBSan alone
    RACE,      // every build; ThreadSanitizer as a data race, in every order
    RACE_ONLY, // ThreadSanitizer alone
    UNSET,     // every build; MemorySanitizer as memory nobody wrote, in every order
    UNSET_ONLY // MemorySanitizer alone
};
struct Bug {
    Scenario run;
    int number;
    By by;
    const char *what;
};
static const Bug bugs[] = {
    {in_a_block, 0, RIGHT, "a block through shared memory"},
    {in_a_block, 1, RACE, "no barrier between writing and reading"},
    {in_a_block, 2, RACE, "no barrier between reading and writing again"},
    {in_a_block, 3, UNSET, "shared memory nobody wrote"},
    {in_a_block, 4, ANY, "two barriers instead of one"},
    {in_a_block, 5, ANY, "a thread exits before a barrier"},
    {in_a_block, 6, ANY, "past a shared array, into the next"},
    {in_a_block, 7, ANY, "off-by-one tail: a store past the end"},
    {in_a_block, 8, ADDRESS, "a tile too many is read"},
    {in_a_block, 9, RACE, "a thread leaves a barrier out"},
    {in_a_block, 10, UNSET_ONLY, "a branch on shared memory nobody wrote"},
    {in_a_warp, 0, RIGHT, "a warp through shared memory and shuffles"},
    {in_a_warp, 1, RACE, "no __syncwarp"},
    {in_a_warp, 2, ANY, "half a warp in a shuffle of all"},
    {in_a_warp, 3, ANY, "a shuffle from a lane outside the mask"},
    {in_a_warp, 4, ANY, "a calling lane outside the mask"},
    {in_a_warp, 5, RACE_ONLY, "a shuffle in place of __syncwarp"},
    {async_copies, 0, RIGHT, "asynchronous copies"},
    {async_copies, 1, ANY, "the last copy is not waited for"},
    {async_copies, 2, ANY, "a wait that keeps one group too many"},
    {async_copies, 3, ANY, "a copy nobody waits for"},
    {async_copies, 4, ANY, "a copy to a misaligned address"},
    {async_copies, 5, ANY, "a copy into the tile being read"},
    {dynamic_memory, 0, RIGHT, "dynamic shared memory"},
    {dynamic_memory, 1, ANY, "dynamic shared memory overrun"},
    {dynamic_memory, 2, ANY, "dynamic shared memory not asked for"},
    {dynamic_memory, 3, ANY, "more shared memory than there is"},
    {across_blocks, 0, RIGHT, "blocks, and a short batch"},
    {across_blocks, 1, ANY, "the order of blocks decides"},
    {across_blocks, 2, ANY, "a block too few"},
    {across_blocks, 3, ANY, "no mask for a short batch"},
    {across_blocks, 4, RACE_ONLY, "two blocks store to one place"},
    {addresses, 0, RIGHT, "addresses"},
    {addresses, 1, ADDRESS, "past a thread's own array"},
    {addresses, 2, ADDRESS, "a misaligned float4"},
    {addresses, 3, ADDRESS, "an index overflows"},
    {addresses, 4, ANY, "a store before the beginning"},
    {addresses, 5, UNSET_ONLY, "a branch on device memory nobody wrote"},
    {tensor_cores_tf32, 0, RIGHT, "a matrix product in TF32"},
    {tensor_cores_tf32, 1, ANY, "two registers of a exchanged"},
    {tensor_cores_tf32, 2, ANY, "the registers of b exchanged"},
    {tensor_cores_tf32, 3, ANY, "terms past the end of a row"},
    {tensor_cores_tf32, 4, ANY, "factors that were never rounded"},
    {tensor_cores_tf32, 5, ANY, "lanes that exit before an instruction of all"},
    {tensor_cores_tf32, 6, ANY, "results in the wrong rows"},
    {tensor_cores_bf16, 0, RIGHT, "a matrix product in bfloat16"},
    {tensor_cores_bf16, 1, ANY, "pairs the wrong way round in one factor"},
    {tensor_cores_bf16, 2, ANY, "the registers of b exchanged"},
    {tensor_cores_bf16, 3, ANY, "terms past the end of a row"},
    {tensor_cores_bf16, 4, ANY, "factors cut off instead of rounded"},
    {tensor_cores_bf16, 5, ANY, "half a warp in an instruction of its own"},
    {staging, 0, RIGHT, "a staging ring"},
    {staging, 1, ANY, "a slot is filled again too early"},
    {staging, 2, RACE, "a batch is overwritten while being read"},
    {staging, 3, ANY, "an event recorded before its copy"},
    {staging, 4, RACE, "no wait for the copy"},
    {staging, 5, RACE, "a wait for the other slot's copy"},
    {staging, 6, RACE, "a kernel in the wrong stream"},
    {staging, 7, RACE, "an event recorded in the wrong stream"},
    {staging, 8, RACE, "the wrong stream is waited for"},
    {staging, 9, RACE_ONLY, "two streams add to one sum, nobody waits"},
    {results, 0, RIGHT, "a result to the host"},
    {results, 1, UNSET, "adds to memory nobody wrote"},
    {results, 2, RACE, "a result read in another stream"},
    {results, 3, ADDRESS, "the host writes where a queued copy will"},
    {results, 4, ANY, "pinned memory freed under a queued copy"},
    {results, 5, RACE, "a result read before it is there"},
    {results, 6, ADDRESS, "the host reads device memory"},
    {results, 7, ADDRESS, "the host writes device memory"},
    {handles, 0, RIGHT, "handles"},
    {handles, 1, ANY, "a stream used after its end"},
    {handles, 2, ANY, "an event used after its end"},
    {handles, 3, ANY, "nothing is given back"},
    {handles, 4, ANY, "a stream never destroyed"},
    {handles, 5, ANY, "an event never destroyed"},
    {handles, 6, ANY, "memory never freed"},
    {handles, 7, ANY, "pinned memory never freed"},
    {handles, 8, ANY, "memory freed twice"},
    {memory, 0, RIGHT, "pointers and sizes"},
    {memory, 1, ANY, "a copy past the end"},
    {memory, 2, ANY, "a copy the wrong way"},
    {memory, 3, ANY, "memory used after it is freed"},
    {memory, 4, ANY, "a launch of no blocks"},
    {memory, 5, ANY, "a launch of too many threads"},
    {memory, 6, ANY, "a host pointer to a kernel"},
    {memory, 7, ANY, "a grid longer than its array"},
    {memory, 8, ANY, "a free of the middle"},
    {graphs, 0, RIGHT, "a captured graph"},
    {graphs, 1, ANY, "a synchronisation inside a capture"},
    {graphs, 2, ANY, "an allocation inside a capture"},
    {graphs, 3, ANY, "a captured branch that never comes back"},
    {graphs, 4, RACE, "a captured branch not waited for"},
    {graphs, 5, ANY, "a graph launched after its memory was freed"},
    {graphs, 6, ANY, "pinned memory changed under a launched graph"},
    {graphs, 7, ANY, "a graph never destroyed"},
    {threads, 0, RIGHT, "a thread that fills batches"},
    {threads, 1, RACE_ONLY, "its progress is read without the lock"},
    {threads, 2, RACE_ONLY, "a slot is handed over before it is filled"},
#if EMU_HAVE_LIBRARIES
    {dense, 0, RIGHT, "a dense layer by the library"},
    {dense, 1, ANY, "an algorithm chosen for another shape"},
    {dense, 2, ANY, "a workspace too small, and said so"},
    {dense, 3, ANY, "a workspace too small, said to be large enough"},
    {dense, 4, ANY, "a wrong leading dimension"},
    {dense, 5, ANY, "a transposition forgotten"},
    {dense, 6, UNSET, "adds to memory nobody wrote, by the library"},
    {dense, 7, ANY, "an algorithm whose sums have no order"},
    {dense, 8, RACE, "the library's call in the wrong stream"},
    {dense, 9, ANY, "the last call's bias"},
    {dense, 10, ANY, "a layout never destroyed"},
    {dense, 11, ANY, "a precision nobody asked for"},
    {convolution, 0, RIGHT, "a convolution by the library"},
    {convolution, 1, ANY, "a plan for another shape"},
    {convolution, 2, ANY, "a convolution's workspace too small"},
    {convolution, 3, ANY, "strides of another layout"},
    {convolution, 4, ANY, "tensors exchanged"},
    {convolution, 5, ANY, "an engine whose sums have no order"},
    {convolution, 6, ANY, "an engine of tensor cores"},
    {convolution, 7, RACE, "the handle's stream never set"},
    {convolution, 8, ANY, "a plan used after its end"},
    {convolution, 9, ANY, "a plan never destroyed"},
    {convolution, 10, UNSET, "an adding plan used to overwrite"},
#endif
};

static const struct {
    const char *threads, *streams;
} orders[] = {{"asc", "fifo"}, {"desc", "lifo"}, {"rand:1", "rand:1"}, {"rand:2", "rand:2"}, {"rand:3", "rand:3"}};

static char said[1 << 16]; // by the last run

// Whether the run ended as a right one does.
static bool silent(const Bug &b, const char *threads, const char *streams) {
    int out[2];
    fflush(stdout); // or the child says it again
    if (pipe(out)) exit(3);
    const pid_t child = fork();
    if (child < 0) exit(3);
    if (child == 0) {
        dup2(out[1], 1);
        dup2(out[1], 2);
        close(out[0]);
        setenv("EMU_ORDER", threads, 1);
        setenv("EMU_STREAMS", streams, 1);
        const int wrong = b.run(b.number);
        if (wrong) printf("wrong result\n");
        exit(wrong);
    }
    close(out[1]);
    char rest[4096], *to = said;
    for (ssize_t n; (n = read(out[0], to, sizeof said - 1 - static_cast<size_t>(to - said))) > 0;) to += n;
    *to = '\0';
    while (read(out[0], rest, sizeof rest) > 0) continue;
    close(out[0]);
    int status = 0;
    waitpid(child, &status, 0);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

// The line that says it best.
static const char *gist() {
    const char *at = said;
    for (const char *mark : {"Sanitizer: ", "line ", "EMU ERROR", "wrong result", "runtime error: ", "ERROR: ", "EMU "})
        if (strstr(said, mark)) {
            at = strstr(said, mark);
            break;
        }
    said[at - said + static_cast<std::ptrdiff_t>(strcspn(at, "\n"))] = '\0';
    return at;
}

// The words that have to stand in what every order says, in this build; NULL: none have to.
static const char *wanted(By by) {
    if (TSAN && (by == RACE || by == RACE_ONLY)) return "Sanitizer: data race";
    if (MSAN && (by == UNSET || by == UNSET_ONLY)) return "Sanitizer: use-of-uninitialized-value";
    return nullptr;
}

static bool not_for_this_build(By by) {
    return (by == ADDRESS && !ASAN) || (by == RACE_ONLY && !TSAN) || (by == UNSET_ONLY && !MSAN);
}

int main() {
    const int all = static_cast<int>(sizeof orders / sizeof *orders);
    int caught = 0, missed = 0, skipped = 0, right = 0, false_alarms = 0;
    for (const Bug &b : bugs) {
        char first[121] = "";
        int hits = 0, named = 0;
        if (not_for_this_build(b.by)) {
            skipped++;
            continue;
        }
        for (const auto &o : orders) {
            if (silent(b, o.threads, o.streams)) continue;
            named += wanted(b.by) && strstr(said, wanted(b.by));
            if (!hits++) snprintf(first, sizeof first, "%.120s", gist());
        }
        const bool seen = wanted(b.by) ? named == all : hits > 0;
        const char *verdict = b.number ? seen ? "caught" : "MISSED" : hits ? "FALSE ALARM" : "right";
        printf("%-11s %d of %d  %-46s %s\n", verdict, hits, all, b.what, first);
        if (b.number) (seen ? caught : missed)++;
        if (!b.number) (hits ? false_alarms : right)++;
    }
    printf("seeded bugs: %d caught, %d missed, %d that other builds see; %d right programs, %d false alarms\n", caught,
           missed, skipped, right, false_alarms);
    return missed || false_alarms;
}
