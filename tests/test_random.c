/* test_random.c - the generator against published answers, its permutation, and whether the numbers look as they
 * should. */
#include <criterion/criterion.h>
#include <cuglyph/random.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The known answers that Random123 publishes for philox4x32 with 10 rounds. */
Test(random, philox_known_answers) {
    static const struct {
        uint32_t counter[4], key[2], out[4];
    } answers[] = {
        {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
        {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
         {0xffffffff, 0xffffffff},
         {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
        {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
         {0xa4093822, 0x299f31d0},
         {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}}, /* digits of pi */
    };
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        uint32_t out[4];
        cug_philox((uint64_t)answers[i].key[1] << 32 | answers[i].key[0], answers[i].counter, out);
        for (int j = 0; j < 4; j++)
            cr_expect_eq(out[j], answers[i].out[j], "answer %zu, word %d: %08x, not %08x", i, j, out[j],
                         answers[i].out[j]);
    }
}

static void expect_permutation(uint64_t seed, uint32_t epoch, uint32_t n) {
    unsigned char *seen = calloc(n, 1);
    cr_assert_not_null(seen);
    uint32_t twice = 0, outside = 0;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t p = cug_permute(seed, CUG_RNG_SHUFFLE, epoch, n, i);
        if (p >= n)
            outside++;
        else if (seen[p]++)
            twice++;
    }
    free(seen);
    cr_expect(!twice && !outside, "n %u seed %llu epoch %u: %u repeated, %u out of range", n, (unsigned long long)seed,
              epoch, twice, outside);
}

Test(random, permute_is_a_permutation) {
    static const uint32_t sizes[] = {1, 2, 3, 4, 5, 16, 17, 63, 64, 65, 255, 1000, 4096, 4097, 60000};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (uint32_t epoch = 0; epoch < 3; epoch++) expect_permutation(42 + epoch * 1000003u, epoch, sizes[i]);
    for (uint32_t n = 1; n < 130; n++) expect_permutation(7, 0, n);
}

Test(random, many_places_are_the_same_as_one_by_one) {
    static const uint32_t sizes[] = {1, 2, 17, 64, 65, 1000, 55000};
    uint32_t many[200];
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
        for (uint32_t count = 0; count <= 200 && count <= sizes[s]; count = 3 * count + 1)
            for (int end = 0; end < 2; end++) { /* the first places and the last */
                uint32_t first = end ? sizes[s] - count : 0;
                memset(many, 0xFF, sizeof many);
                cug_permute_many(5, CUG_RNG_SHUFFLE, 2, sizes[s], first, count, many);
                for (uint32_t i = 0; i < count; i++)
                    cr_expect_eq(many[i], cug_permute(5, CUG_RNG_SHUFFLE, 2, sizes[s], first + i), "n %u, %u + %u",
                                 sizes[s], first, i);
                cr_expect(count == 200 || many[count] == UINT32_MAX, "n %u: more than %u written", sizes[s], count);
            }
}

/* A run that is resumed by a later version must meet its images in the same order. */
Test(random, an_order_is_kept_for_good) {
    uint32_t sum = 0;
    for (uint32_t i = 0; i < 51200; i++) sum = sum * 31 + cug_permute(1, CUG_RNG_SHUFFLE, 3, 55000, i);
    cr_expect_eq(sum, 0x4585272bu, "%08x", sum);
}

static int fixed_points(uint64_t seed, cug_rng_purpose purpose, uint32_t epoch, uint64_t seed2,
                        cug_rng_purpose purpose2, uint32_t epoch2, uint32_t n) {
    int same = 0;
    for (uint32_t i = 0; i < n; i++)
        same += cug_permute(seed, purpose, epoch, n, i) == cug_permute(seed2, purpose2, epoch2, n, i);
    return same;
}

/* Two independent permutations agree in one place on average (Poisson): 12 would be a one in 10^9 event. */
Test(random, permutations_differ) {
    cr_expect_lt(fixed_points(1, CUG_RNG_SHUFFLE, 0, 1, CUG_RNG_SHUFFLE, 1, 1000), 12, "epochs");
    cr_expect_lt(fixed_points(1, CUG_RNG_SHUFFLE, 0, 2, CUG_RNG_SHUFFLE, 0, 1000), 12, "seeds");
    cr_expect_lt(fixed_points(1, CUG_RNG_SHUFFLE, 0, 1ull << 32 | 1, CUG_RNG_SHUFFLE, 0, 1000), 12,
                 "high word of seeds");
    cr_expect_lt(fixed_points(1, CUG_RNG_SHUFFLE, 0, 1, CUG_RNG_SPLIT, 0, 1000), 12, "purposes");
    int identity = 0;
    for (uint32_t i = 0; i < 1000; i++) identity += cug_permute(1, CUG_RNG_SHUFFLE, 0, 1000, i) == i;
    cr_expect_lt(identity, 12, "%d of 1000 stay where they are", identity);
}

/* Where element 0 and element n-1 go, over many seeds: chi-square over 8 places, 7 degrees of freedom, p about 1e-6. */
Test(random, permute_has_no_favourite_places) {
    for (int which = 0; which < 2; which++) {
        int hits[8] = {0}, trials = 8000;
        for (int seed = 0; seed < trials; seed++)
            hits[cug_permute((uint64_t)seed, CUG_RNG_SHUFFLE, 0, 8, which ? 7 : 0)]++;
        double chi = 0, mean = trials / 8.0;
        for (int i = 0; i < 8; i++) chi += (hits[i] - mean) * (hits[i] - mean) / mean;
        cr_expect(chi < 40, "element %d: chi-square %g", which ? 7 : 0, chi);
    }
}

Test(random, uniform_is_uniform) {
    enum { BINS = 64, DRAWS = 256000 };
    int bins[BINS] = {0};
    double sum = 0, squares = 0, neighbours = 0, last = 0.5;
    for (uint64_t i = 0; i < DRAWS; i++) {
        double u = (double)cug_uniform(99, CUG_RNG_TEST, 3, i);
        cr_assert(u >= 0 && u < 1, "draw %llu is %g", (unsigned long long)i, u);
        bins[(int)(u * BINS)]++;
        sum += u;
        squares += u * u;
        neighbours += (u - 0.5) * (last - 0.5);
        last = u;
    }
    double chi = 0, mean = (double)DRAWS / BINS;
    for (int i = 0; i < BINS; i++) chi += (bins[i] - mean) * (bins[i] - mean) / mean;
    cr_expect(chi < 130, "chi-square %g over %d bins", chi, BINS); /* 63 degrees of freedom: p < 1e-6 */
    cr_expect_float_eq(sum / DRAWS, 0.5, 0.003);                   /* 5 standard errors */
    cr_expect_float_eq(squares / DRAWS, 1 / 3.0, 0.003);
    cr_expect(fabs(neighbours / DRAWS * 12) < 0.01, "neighbours correlate: %g", neighbours / DRAWS * 12);
}

Test(random, normal_is_normal) {
    enum { DRAWS = 200000 };
    double m1 = 0, m2 = 0, m3 = 0, m4 = 0;
    int within = 0;
    for (uint64_t i = 0; i < DRAWS; i++) {
        double x = (double)cug_normal(5, CUG_RNG_TEST, 1, i);
        cr_assert(isfinite(x));
        m1 += x, m2 += x * x, m3 += x * x * x, m4 += x * x * x * x;
        within += fabs(x) < 1;
    }
    cr_expect_float_eq(m1 / DRAWS, 0, 0.012);
    cr_expect_float_eq(m2 / DRAWS, 1, 0.017);
    cr_expect_float_eq(m3 / DRAWS, 0, 0.05);
    cr_expect_float_eq(m4 / DRAWS, 3, 0.12);
    cr_expect_float_eq((double)within / DRAWS, 0.682689, 0.006);
}

/* A number depends on seed, purpose, stream and index, and on nothing else. */
Test(random, streams_are_their_own) {
    for (uint64_t i = 0; i < 100; i++) {
        float u = cug_uniform(1, CUG_RNG_INIT, 0, i);
        cr_expect_eq(u, cug_uniform(1, CUG_RNG_INIT, 0, i));
        cr_expect_neq(u, cug_uniform(2, CUG_RNG_INIT, 0, i));
        cr_expect_neq(u, cug_uniform(1, CUG_RNG_TEST, 0, i));
        cr_expect_neq(u, cug_uniform(1, CUG_RNG_INIT, 1, i));
        cr_expect_neq(u, cug_uniform(1, CUG_RNG_INIT, 0, i + 1));
        cr_expect_neq(u, cug_uniform(1, CUG_RNG_INIT, 0, i + (4ull << 32))); /* the high word of the block counts */
    }
    cr_expect_eq(cug_u01(0), 0.0f);
    cr_expect_eq(cug_u01(0xffffffffu), 1 - 0x1p-24f);
}
