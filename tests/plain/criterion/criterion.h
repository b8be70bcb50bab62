/* criterion.h - as much of Criterion's interface as the tests use, for builds where Criterion itself cannot run:
 * ThreadSanitizer refuses its memory arena, and MemorySanitizer needs every library instrumented. The test files are
 * the same; tests/plain/main.c runs them, each in a process of its own. */
#ifndef PLAIN_CRITERION_H
#define PLAIN_CRITERION_H

#include <math.h>
#include <stdio.h>
#include <string.h>

typedef struct plain_test plain_test;
struct plain_test {
    const char *suite, *name; /* name NULL: what its tests have in common */
    void (*run)(void), (*init)(void), (*fini)(void);
    double timeout; /* seconds */
    plain_test *next;
};
void plain_add(plain_test *t);
/* fmt and what follows: the test's own message; NULL: none. */
void plain_failed(const char *file, int line, int fatal, const char *what, const char *fmt, ...);
void plain_skip(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));

/* Each macro takes everything as one list, so that none of ISO C's rules about empty variable arguments is broken. */
#define Test(...) PLAIN_TEST(__VA_ARGS__, )
#define PLAIN_TEST(s, n, ...)                                                                                          \
    static void plain_##s##_##n(void);                                                                                 \
    __attribute__((constructor)) static void plain_add_##s##_##n(void) {                                               \
        static plain_test t = {.suite = #s, .name = #n, .run = plain_##s##_##n, __VA_ARGS__};                          \
        plain_add(&t);                                                                                                 \
    }                                                                                                                  \
    static void plain_##s##_##n(void)
#define TestSuite(...) PLAIN_SUITE(__VA_ARGS__, )
#define PLAIN_SUITE(s, ...)                                                                                            \
    __attribute__((constructor)) static void plain_suite_##s(void) {                                                   \
        static plain_test t = {.suite = #s, __VA_ARGS__};                                                              \
        plain_add(&t);                                                                                                 \
    }                                                                                                                  \
    struct plain_test

#define PLAIN_SAY(ok, fatal, text, ...) ((ok) ? (void)0 : plain_failed(__FILE__, __LINE__, fatal, text, __VA_ARGS__))
#define PLAIN_ONE(fatal, text, a, ...) PLAIN_SAY(a, fatal, text, __VA_ARGS__)
#define PLAIN_NOT(fatal, text, a, ...) PLAIN_SAY(!(a), fatal, text, __VA_ARGS__)
#define PLAIN_TWO(op, fatal, text, a, b, ...) PLAIN_SAY((a)op(b), fatal, text, __VA_ARGS__)
#define PLAIN_STR(op, fatal, text, a, b, ...) PLAIN_SAY(strcmp(a, b) op 0, fatal, text, __VA_ARGS__)
#define PLAIN_NEAR(fatal, text, a, b, e, ...)                                                                          \
    PLAIN_SAY(fabs((double)(a) - (double)(b)) <= (double)(e), fatal, text, __VA_ARGS__)
#define PLAIN_ARR(fatal, text, a, b, n, ...) PLAIN_SAY(!memcmp(a, b, n), fatal, text, __VA_ARGS__)

#define cr_assert(...) PLAIN_ONE(1, #__VA_ARGS__, __VA_ARGS__, NULL)
#define cr_expect(...) PLAIN_ONE(0, #__VA_ARGS__, __VA_ARGS__, NULL)
#define cr_expect_not(...) PLAIN_NOT(0, #__VA_ARGS__, __VA_ARGS__, NULL)
#define cr_assert_null(...) PLAIN_NOT(1, #__VA_ARGS__, __VA_ARGS__, NULL)
#define cr_expect_null(...) PLAIN_NOT(0, #__VA_ARGS__, __VA_ARGS__, NULL)
#define cr_assert_not_null(...) PLAIN_ONE(1, #__VA_ARGS__, __VA_ARGS__, NULL)
#define cr_expect_not_null(...) PLAIN_ONE(0, #__VA_ARGS__, __VA_ARGS__, NULL)
#define cr_assert_eq(...) PLAIN_TWO(==, 1, #__VA_ARGS__, __VA_ARGS__, NULL)
#define cr_expect_eq(...) PLAIN_TWO(==, 0, #__VA_ARGS__, __VA_ARGS__, NULL)
#define cr_assert_neq(...) PLAIN_TWO(!=, 1, #__VA_ARGS__, __VA_ARGS__, NULL)
#define cr_expect_neq(...) PLAIN_TWO(!=, 0, #__VA_ARGS__, __VA_ARGS__, NULL)
#define cr_assert_lt(...) PLAIN_TWO(<, 1, #__VA_ARGS__, __VA_ARGS__, NULL)
#define cr_expect_lt(...) PLAIN_TWO(<, 0, #__VA_ARGS__, __VA_ARGS__, NULL)
#define cr_assert_leq(...) PLAIN_TWO(<=, 1, #__VA_ARGS__, __VA_ARGS__, NULL)
#define cr_expect_leq(...) PLAIN_TWO(<=, 0, #__VA_ARGS__, __VA_ARGS__, NULL)
#define cr_assert_gt(...) PLAIN_TWO(>, 1, #__VA_ARGS__, __VA_ARGS__, NULL)
#define cr_expect_gt(...) PLAIN_TWO(>, 0, #__VA_ARGS__, __VA_ARGS__, NULL)
#define cr_assert_geq(...) PLAIN_TWO(>=, 1, #__VA_ARGS__, __VA_ARGS__, NULL)
#define cr_expect_geq(...) PLAIN_TWO(>=, 0, #__VA_ARGS__, __VA_ARGS__, NULL)
#define cr_assert_str_eq(...) PLAIN_STR(==, 1, #__VA_ARGS__, __VA_ARGS__, NULL)
#define cr_expect_str_eq(...) PLAIN_STR(==, 0, #__VA_ARGS__, __VA_ARGS__, NULL)
#define cr_expect_str_neq(...) PLAIN_STR(!=, 0, #__VA_ARGS__, __VA_ARGS__, NULL)
#define cr_expect_float_eq(...) PLAIN_NEAR(0, #__VA_ARGS__, __VA_ARGS__, NULL)
#define cr_expect_arr_eq(...) PLAIN_ARR(0, #__VA_ARGS__, __VA_ARGS__, NULL)
#define cr_assert_fail(...) plain_failed(__FILE__, __LINE__, 1, "", __VA_ARGS__, NULL)
#define cr_skip_test(...) plain_skip(__VA_ARGS__)
#define cr_skip(...) plain_skip(__VA_ARGS__)

#endif
