/* known.c - the data sets the program knows by name: files, SHA-256 of the raw bytes, mirrors, class names. */
#include "data/places.h"
#include <string.h>

static const char *const digit_names[] = {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"};
static const char *const fashion_names[] = {"T-shirt/top", "Trouser", "Pullover", "Dress", "Coat",
                                            "Sandal",      "Shirt",   "Sneaker",  "Bag",   "Ankle boot"};

static const cug_known_dataset known[] = {
    {
        .name = "mnist",
        .file =
            {
                {"train-images-idx3-ubyte", "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
                 47040016},
                {"train-labels-idx1-ubyte", "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5", 60008},
                {"t10k-images-idx3-ubyte", "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7", 7840016},
                {"t10k-labels-idx1-ubyte", "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2", 10008},
            },
        .mirrors = {"https://ossci-datasets.s3.amazonaws.com/mnist/",
                    "https://storage.googleapis.com/cvdf-datasets/mnist/"},
        .class_names = digit_names,
    },
    {
        .name = "fashion-mnist",
        .file =
            {
                {"train-images-idx3-ubyte", "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
                 47040016},
                {"train-labels-idx1-ubyte", "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9", 60008},
                {"t10k-images-idx3-ubyte", "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b", 7840016},
                {"t10k-labels-idx1-ubyte", "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34", 10008},
            },
        /* plain HTTP is all there is: the checksums carry the trust */
        .mirrors = {"http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"},
        .class_names = fashion_names,
    },
};

/* The first ten training labels, in the order of `known`: enough to notice one set lying where the other is expected,
 * without hashing at every start. */
static const uint8_t first_labels[][10] = {{5, 0, 4, 1, 9, 2, 1, 3, 1, 4}, {9, 0, 0, 3, 0, 2, 7, 2, 5, 5}};

enum { KNOWN = sizeof known / sizeof *known };

const cug_known_dataset *cug_known_dataset_at(int i) { return i >= 0 && i < KNOWN ? &known[i] : NULL; }

const cug_known_dataset *cug_known_dataset_find(const char *name) {
    for (int i = 0; i < KNOWN; i++)
        if (name && strcmp(known[i].name, name) == 0) return &known[i];
    return NULL;
}

const cug_known_dataset *cug_known_by_labels(const uint8_t *labels, size_t n) {
    for (int i = 0; i < KNOWN; i++)
        if (n >= sizeof first_labels[i] && memcmp(labels, first_labels[i], sizeof first_labels[i]) == 0)
            return &known[i];
    return NULL;
}
