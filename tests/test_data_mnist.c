/* test_data_mnist.c - the facts of MNIST as it is: what every later accuracy stands on. Skipped where it is not here.
 */
#include "support/data_files.h"
#include <criterion/criterion.h>
#include <cuglyph/dataset.h>
#include <cuglyph/fetch.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static cug_dataset *mnist(void) {
    cug_dataset *d;
    tdata_have_mnist();
    cr_assert_eq(cug_dataset_open(&d, "mnist", NULL), CUG_OK);
    return d;
}

Test(data_mnist, labels_counts_and_statistics) {
    static const int32_t train[] = {5, 0, 4, 1, 9, 2, 1, 3, 1, 4}, test[] = {7, 2, 1, 0, 4, 1, 4, 9, 5, 9};
    static const int test_counts[] = {980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009};
    cug_dataset *d = mnist();
    cr_assert(d->train.count == 60000 && d->test.count == 10000 && d->classes == 10);
    cr_assert(d->train.H == 28 && d->train.W == 28 && d->train.C == 1);
    cr_assert_eq(memcmp(d->train.labels, train, sizeof train), 0);
    cr_assert_eq(memcmp(d->test.labels, test, sizeof test), 0);
    int counts[10] = {0};
    for (int i = 0; i < 10000; i++) counts[d->test.labels[i]]++;
    cr_assert_eq(memcmp(counts, test_counts, sizeof counts), 0);
    double mean = NAN, sd = NAN;
    cug_images_stats(&d->train, NULL, 0, &mean, &sd);
    cr_assert(fabs(mean - .13066) <= 5e-6, "%g", mean);
    cr_assert(fabs(sd - .30811) <= 5e-6, "%g", sd);
    cug_dataset_free(d);
}

Test(data_mnist, steps_of_an_epoch) {
    cug_dataset *d = mnist();
    int32_t ids[128], *train, *val;
    size_t n_train, n_val;
    int n = -1;
    cug_loader l = {&d->train, NULL, 60000, 128, 1, 1, 0};
    cr_assert_eq(cug_loader_batches(&l), 469);
    cug_loader_batch(&l, 0, 468, ids, NULL, NULL, &n);
    cr_assert_eq(n, 96);
    /* early stopping holds out 5,000 */
    cr_assert_eq(cug_split_stratified(&d->train, 5000, 1, &train, &n_train, &val, &n_val), CUG_OK);
    cr_assert(n_train == 55000 && n_val == 5000);
    l.ids = train;
    l.n = n_train;
    cr_assert_eq(cug_loader_batches(&l), 430);
    int counts[2][10] = {{0}};
    for (size_t i = 0; i < n_train; i++) counts[0][d->train.labels[train[i]]]++;
    for (size_t i = 0; i < n_val; i++) counts[1][d->train.labels[val[i]]]++;
    for (int c = 0; c < 10; c++) {
        double share = (counts[0][c] + counts[1][c]) * 5000.0 / 60000.0;
        cr_assert(fabs(counts[1][c] - share) < 1, "class %d: %d of %g", c, counts[1][c], share);
    }
    free(train), free(val);
    cug_dataset_free(d);
}

Test(data_mnist, two_classes_for_logistic_regression) {
    cug_dataset *d = mnist();
    cr_assert_eq(cug_dataset_keep_classes(d, "0,1"), CUG_OK);
    cr_assert(d->train.count == 5923 + 6742 && d->test.count == 980 + 1135 && d->classes == 2);
    cug_dataset_free(d);
}

Test(data_mnist, the_files_are_the_known_ones) {
    tdata_have_mnist();
    tdata_run r;
    tdata_cuglyph(&r, (const char *const[]){"data", "verify", NULL}, NULL);
    cr_assert_eq(r.status, 0, "%s%s", r.out, r.err);
    cr_assert_eq(r.err_lines, 0);
}
