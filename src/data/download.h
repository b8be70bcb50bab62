/* download.h - one data file from one address, checked on the way. Private to src/data and its tests. */
#ifndef CUG_DATA_DOWNLOAD_H
#define CUG_DATA_DOWNLOAD_H

#include <cuglyph/fetch.h>

typedef struct cug_fetch_limits {
    long connect_seconds;
    long stall_seconds; /* without a byte */
} cug_fetch_limits;

/* Downloads url to the path `target` (a .gz as it comes, or plain), whose raw bytes must be file's. CUG_ENET: not
 * there, cut short, stalled; CUG_ECHECKSUM: other bytes; CUG_EINTR: stopped by progress; CUG_EIO, CUG_ENOSPC,
 * CUG_ENOMEM: no use to try another mirror. Nothing is left on failure. curl_global_init has been called. */
cug_status cug_download(const char *url, const char *target, const cug_known_file *file, const cug_fetch_limits *limits,
                        cug_fetch_progress progress, void *user);

/* cug_fetch with its data set and limits given. */
cug_status cug_fetch_set(const cug_known_dataset *set, const char *dir, const char *mirror,
                         const cug_fetch_limits *limits, cug_fetch_progress progress, void *user);

#endif
