/* places.h - where the files of known data sets lie. Private to src/data and src/cli. */
#ifndef CUG_DATA_PLACES_H
#define CUG_DATA_PLACES_H

#include <cuglyph/fetch.h>
#include <limits.h>

/* The path of DIR/NAME.gz or DIR/NAME, the first that is there; 1 when found. */
int cug_data_file(char out[PATH_MAX], const char *dir, const char *name);

/* The folder that holds all four files of k; data_dir NULL or "": $CUGLYPH_DATA, then the cache folder. CUG_ENOENT with
 * the places looked at. */
cug_status cug_data_find(char out[PATH_MAX], const cug_known_dataset *k, const char *data_dir);

/* mkdir -p. */
cug_status cug_make_folders(const char *dir);

/* The known data set whose training labels begin like these; NULL: none. */
const cug_known_dataset *cug_known_by_labels(const uint8_t *labels, size_t n);

#endif
