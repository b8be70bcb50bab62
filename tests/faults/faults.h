/* faults.h - calls to the system that fail on demand. faults.mk has the linker send every call of these functions that
 * the library or the program makes to faults.c first; libjansson's allocations are the program's (cli_guard_json). */
#ifndef TESTS_FAULTS_H
#define TESTS_FAULTS_H

typedef enum { FAULT_MEMORY, FAULT_FILE, FAULT_OTHER, FAULT_KINDS } fault_kind;

/* From now on calls are counted, over all threads, from 1. Call number `at` fails (0: none does), and with `lasting`
 * also every later one of its kind, as when a disk is full or memory is used up. */
void fault_arm(long at, int lasting);
/* Counts no more; the number of calls since fault_arm. */
long fault_disarm(void);
/* The function that failed first, "none" as long as there is none. */
const char *fault_name(void);

#endif
