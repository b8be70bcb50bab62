/* http_server.h - a web server for one test: answers on 127.0.0.1 as well or as badly as each route says. */
#ifndef TEST_HTTP_SERVER_H
#define TEST_HTTP_SERVER_H

#include <stddef.h>
#include <sys/types.h>

typedef enum {
    HTTP_GOOD,
    HTTP_CUT,           /* Content-Length says all, half comes */
    HTTP_CUT_NO_LENGTH, /* half comes, no Content-Length */
    HTTP_STALL,         /* half comes, then silence */
    HTTP_REDIRECT,      /* body: the address to go to, with NAME of the request put behind it */
    HTTP_FORBIDDEN,
} http_answer;

/* /FOLDER/NAME: a request for it gets `answer`; name NULL: any name. What matches no route gets 404. */
typedef struct http_route {
    const char *folder, *name;
    http_answer answer;
    const void *body;
    size_t n;
} http_route;

typedef struct http_server {
    int port, listener;
    pid_t pid;
    int *requests; /* so far; shared with the server's process */
} http_server;

/* Listens first (the port is then known and open), serves from a child process after http_serve. */
void http_listen(http_server *s);
void http_serve(http_server *s, const http_route *routes, int n);
void http_stop(http_server *s);

#endif
