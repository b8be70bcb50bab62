/* http_server.c - the test's own web server: a child process, one request at a time. */
#include "http_server.h"
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static void put(int fd, const void *bytes, size_t n) {
    const char *p = bytes;
    while (n) {
        ssize_t w = send(fd, p, n, MSG_NOSIGNAL);
        if (w <= 0) return;
        p += w;
        n -= (size_t)w;
    }
}

static void put_text(int fd, const char *text) { put(fd, text, strlen(text)); }

static void wait_for_hangup(int fd) {
    char byte;
    while (recv(fd, &byte, 1, 0) > 0) {}
}

static void answer(int fd, const http_route *r, const char *name) {
    char head[1024];
    size_t half = r->n / 2;
    switch (r->answer) {
    case HTTP_FORBIDDEN:
        put_text(fd, "HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno");
        return;
    case HTTP_REDIRECT:
        snprintf(head, sizeof head,
                 "HTTP/1.1 302 Found\r\nLocation: %.*s%s\r\nContent-Length: 4\r\nConnection: close\r\n\r\nmove",
                 (int)r->n, (const char *)r->body, name);
        put_text(fd, head);
        return;
    case HTTP_CUT_NO_LENGTH:
        put_text(fd, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
        put(fd, r->body, half);
        return;
    default:
        snprintf(head, sizeof head, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n", r->n);
        put_text(fd, head);
        put(fd, r->body, r->answer == HTTP_GOOD ? r->n : half);
        if (r->answer == HTTP_STALL) wait_for_hangup(fd);
    }
}

static void serve_one(int fd, const http_route *routes, int n) {
    char request[4096] = "", folder[256], name[256];
    size_t have = 0;
    while (!strstr(request, "\r\n\r\n") && have + 1 < sizeof request) {
        ssize_t got = recv(fd, request + have, sizeof request - 1 - have, 0);
        if (got <= 0) return;
        have += (size_t)got;
        request[have] = 0;
    }
    if (sscanf(request, "GET /%255[^/ ]/%255[^ ]", folder, name) == 2)
        for (int i = 0; i < n; i++)
            if (strcmp(routes[i].folder, folder) == 0 && (!routes[i].name || strcmp(routes[i].name, name) == 0)) {
                answer(fd, &routes[i], name);
                return;
            }
    put_text(fd, "HTTP/1.1 404 Not Found\r\nContent-Length: 9\r\nConnection: close\r\n\r\nnot here\n");
}

void http_listen(http_server *s) {
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof a;
    s->pid = 0;
    s->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert_geq(s->listener, 0);
    cr_assert_eq(bind(s->listener, (struct sockaddr *)&a, sizeof a), 0);
    cr_assert_eq(listen(s->listener, 16), 0);
    cr_assert_eq(getsockname(s->listener, (struct sockaddr *)&a, &len), 0);
    s->port = ntohs(a.sin_port);
    s->requests = mmap(NULL, sizeof *s->requests, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    cr_assert(s->requests != MAP_FAILED);
}

void http_serve(http_server *s, const http_route *routes, int n) {
    pid_t parent = getpid();
    s->pid = fork();
    cr_assert_geq(s->pid, 0);
    if (s->pid > 0) return;
    alarm(60); /* the last resort: a server whose test died ends by itself */
    while (getppid() == parent) {
        int fd = accept(s->listener, NULL, NULL);
        if (fd < 0) continue;
        ++*s->requests;
        serve_one(fd, routes, n);
        close(fd);
    }
    _exit(0);
}

void http_stop(http_server *s) {
    if (s->pid > 0) {
        kill(s->pid, SIGKILL);
        waitpid(s->pid, NULL, 0);
    }
    close(s->listener);
    munmap(s->requests, sizeof *s->requests);
    s->pid = 0;
}
