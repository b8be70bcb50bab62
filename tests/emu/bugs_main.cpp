// bugs_main.cpp - runs every scenario right and with each of its bugs, in several orders, each run a process of its
// own. Right runs must be silent in all of them; every bug must be caught in one. Prints a line for each, and the
// count.
#include "bugs.h"
#include "emu/library.h"

#include <cstring>
#include <fcntl.h>
#include <string>
#include <sys/wait.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__)
static const bool sanitized = true;
#else
static const bool sanitized = false;
#endif

struct Bug {
    Scenario run;
    int number; // 0: nothing is wrong
    bool sanitizer_only;
    const char *what;
};
static const Bug bugs[] = {
    {in_a_block, 0, false, "a block through shared memory"},
    {in_a_block, 1, false, "no barrier between writing and reading"},
    {in_a_block, 2, false, "no barrier between reading and writing again"},
    {in_a_block, 3, false, "shared memory nobody wrote"},
    {in_a_block, 4, false, "two barriers instead of one"},
    {in_a_block, 5, false, "a thread exits before a barrier"},
    {in_a_block, 6, false, "past a shared array, into the next"},
    {in_a_block, 7, false, "off-by-one tail: a store past the end"},
    {in_a_block, 8, true, "a tile too many is read"},
    {in_a_block, 9, false, "a thread leaves a barrier out"},
    {in_a_warp, 0, false, "a warp through shared memory and shuffles"},
    {in_a_warp, 1, false, "no __syncwarp"},
    {in_a_warp, 2, false, "half a warp in a shuffle of all"},
    {in_a_warp, 3, false, "a shuffle from a lane outside the mask"},
    {in_a_warp, 4, false, "a calling lane outside the mask"},
    {async_copies, 0, false, "asynchronous copies"},
    {async_copies, 1, false, "the last copy is not waited for"},
    {async_copies, 2, false, "a wait that keeps one group too many"},
    {async_copies, 3, false, "a copy nobody waits for"},
    {async_copies, 4, false, "a copy to a misaligned address"},
    {async_copies, 5, false, "a copy into the tile being read"},
    {dynamic_memory, 0, false, "dynamic shared memory"},
    {dynamic_memory, 1, false, "dynamic shared memory overrun"},
    {dynamic_memory, 2, false, "dynamic shared memory not asked for"},
    {dynamic_memory, 3, false, "more shared memory than there is"},
    {across_blocks, 0, false, "blocks, and a short batch"},
    {across_blocks, 1, false, "the order of blocks decides"},
    {across_blocks, 2, false, "a block too few"},
    {across_blocks, 3, false, "no mask for a short batch"},
    {addresses, 0, false, "addresses"},
    {addresses, 1, true, "past a thread's own array"},
    {addresses, 2, true, "a misaligned float4"},
    {addresses, 3, true, "an index overflows"},
    {addresses, 4, false, "a store before the beginning"},
    {staging, 0, false, "a staging ring"},
    {staging, 1, false, "a slot is filled again too early"},
    {staging, 2, false, "a batch is overwritten while being read"},
    {staging, 3, false, "an event recorded before its copy"},
    {staging, 4, false, "no wait for the copy"},
    {staging, 5, false, "a wait for the other slot's copy"},
    {staging, 6, false, "a kernel in the wrong stream"},
    {staging, 7, false, "an event recorded in the wrong stream"},
    {staging, 8, false, "the wrong stream is waited for"},
    {results, 0, false, "a result to the host"},
    {results, 1, false, "adds to memory nobody wrote"},
    {results, 2, false, "a result read in another stream"},
    {results, 3, true, "the host writes where a queued copy will"},
    {results, 4, false, "pinned memory freed under a queued copy"},
    {results, 5, false, "a result read before it is there"},
    {results, 6, true, "the host reads device memory"},
    {results, 7, true, "the host writes device memory"},
    {handles, 0, false, "handles"},
    {handles, 1, false, "a stream used after its end"},
    {handles, 2, false, "an event used after its end"},
    {handles, 3, false, "nothing is given back"},
    {handles, 4, false, "a stream never destroyed"},
    {handles, 5, false, "an event never destroyed"},
    {handles, 6, false, "memory never freed"},
    {handles, 7, false, "pinned memory never freed"},
    {handles, 8, false, "memory freed twice"},
    {memory, 0, false, "pointers and sizes"},
    {memory, 1, false, "a copy past the end"},
    {memory, 2, false, "a copy the wrong way"},
    {memory, 3, false, "memory used after it is freed"},
    {memory, 4, false, "a launch of no blocks"},
    {memory, 5, false, "a launch of too many threads"},
    {memory, 6, false, "a host pointer to a kernel"},
    {memory, 7, false, "a grid longer than its array"},
    {memory, 8, false, "a free of the middle"},
    {graphs, 0, false, "a captured graph"},
    {graphs, 1, false, "a synchronisation inside a capture"},
    {graphs, 2, false, "an allocation inside a capture"},
    {graphs, 3, false, "a captured branch that never comes back"},
    {graphs, 4, false, "a captured branch not waited for"},
    {graphs, 5, false, "a graph launched after its memory was freed"},
    {graphs, 6, false, "pinned memory changed under a launched graph"},
    {graphs, 7, false, "a graph never destroyed"},
#if EMU_HAVE_LIBRARIES
    {dense, 0, false, "a dense layer by the library"},
    {dense, 1, false, "an algorithm chosen for another shape"},
    {dense, 2, false, "a workspace too small, and said so"},
    {dense, 3, false, "a workspace too small, said to be large enough"},
    {dense, 4, false, "a wrong leading dimension"},
    {dense, 5, false, "a transposition forgotten"},
    {dense, 6, false, "adds to memory nobody wrote, by the library"},
    {dense, 7, false, "an algorithm whose sums have no order"},
    {dense, 8, false, "the library's call in the wrong stream"},
    {dense, 9, false, "the last call's bias"},
    {dense, 10, false, "a layout never destroyed"},
    {dense, 11, false, "a precision nobody asked for"},
    {convolution, 0, false, "a convolution by the library"},
    {convolution, 1, false, "a plan for another shape"},
    {convolution, 2, false, "a convolution's workspace too small"},
    {convolution, 3, false, "strides of another layout"},
    {convolution, 4, false, "tensors exchanged"},
    {convolution, 5, false, "an engine whose sums have no order"},
    {convolution, 6, false, "an engine of tensor cores"},
    {convolution, 7, false, "the handle's stream never set"},
    {convolution, 8, false, "a plan used after its end"},
    {convolution, 9, false, "a plan never destroyed"},
    {convolution, 10, false, "an adding plan used to overwrite"},
#endif
};

static const struct {
    const char *threads, *streams;
} orders[] = {{"asc", "fifo"}, {"desc", "lifo"}, {"rand:1", "rand:1"}, {"rand:2", "rand:2"}, {"rand:3", "rand:3"}};

// Whether the run ended as a right one does. What it said is kept in `said`.
static bool silent(const Bug &b, const char *threads, const char *streams, std::string *said) {
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
    char text[4096];
    said->clear();
    for (ssize_t n; (n = read(out[0], text, sizeof text)) > 0;) said->append(text, static_cast<size_t>(n));
    close(out[0]);
    int status = 0;
    waitpid(child, &status, 0);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

// The line that says it best.
static std::string gist(const std::string &said) {
    for (const char *mark : {"line ", "EMU ERROR", "wrong result", "runtime error: ", "ERROR: ", "EMU "}) {
        const size_t at = said.find(mark);
        if (at != std::string::npos) return said.substr(at, said.find('\n', at) - at);
    }
    return said.substr(0, said.find('\n'));
}

int main() {
    int caught = 0, missed = 0, skipped = 0, right = 0, false_alarms = 0;
    for (const Bug &b : bugs) {
        std::string said, first;
        int hits = 0;
        if (b.sanitizer_only && !sanitized) {
            skipped++;
            continue;
        }
        for (const auto &o : orders) {
            if (silent(b, o.threads, o.streams, &said)) continue;
            if (!hits++) first = gist(said);
        }
        const char *verdict = b.number ? hits ? "caught" : "MISSED" : hits ? "FALSE ALARM" : "right";
        printf("%-11s %d of 5  %-46s %.120s\n", verdict, hits, b.what, first.c_str());
        if (b.number) (hits ? caught : missed)++;
        if (!b.number) (hits ? false_alarms : right)++;
    }
    printf(
        "seeded bugs: %d caught, %d missed, %d that only a sanitized build sees; %d right programs, %d false alarms\n",
        caught, missed, skipped, right, false_alarms);
    return missed || false_alarms;
}
