/* Asks the service of its container until it answers as it should: the health check of the images here.

   /etc/healthy holds the question, a step a line, from top to bottom; README.md lists the steps. Exit code 0: it
   answered. Otherwise one line says which step failed, and why.

   The engine spends 30 to 45 ms of processor on each run of a health check, whatever the check does. So while its
   container is young it does not fail at once, it asks again every 20 ms: one run sees the service become ready, where
   runs in a row would take the processor that it needs for that. Later, a service that does not answer fails soon. */

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifndef QUESTION /* tests have their own */
#define QUESTION "/etc/healthy"
#endif

static const double YOUNG_SECONDS = 30.0;
/* How long it asks again: less than the check's timeout, so that it can say what is wrong. */
static const double PATIENCE_SECONDS = 8.0, SHORT_PATIENCE_SECONDS = 1.5;
static const double PAUSE_SECONDS = 0.02;
/* A command costs as much as the run of a check. */
static const double PAUSE_AFTER_COMMAND_SECONDS = 0.2;
/* A datagram may be lost: it is sent again. */
static const double DATAGRAM_SECONDS = 0.25;

enum { MAX_FILE_BYTES = 8192, MAX_STEPS = 32, MAX_ANSWER_BYTES = 16384 };

struct bytes {
    char *at;
    size_t length;
};

struct step {
    const char *name;
    char *line; /* what follows the name, as it is written */
    struct bytes text; /* the same without escapes */
};

struct asking {
    int socket;
    struct sockaddr_storage peer;
    socklen_t peer_length; /* of datagrams: where the next one goes */
    char answer[MAX_ANSWER_BYTES];
    size_t answer_length;
    double until;
    char reason[300];
};

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_BOOTTIME, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void nap(double seconds) {
    struct timespec time = {.tv_sec = (time_t)seconds, .tv_nsec = (long)((seconds - (double)(time_t)seconds) * 1e9)};
    nanosleep(&time, NULL);
}

__attribute__((format(printf, 2, 3))) static bool fail(struct asking *asking, const char *format, ...) {
    va_list values;
    va_start(values, format);
    vsnprintf(asking->reason, sizeof asking->reason, format, values);
    va_end(values);
    return false;
}

static bool failed(struct asking *asking, const struct step *step) {
    return fail(asking, "%s %.80s: %s", step->name, step->line, strerror(errno));
}

__attribute__((noreturn, format(printf, 1, 2))) static void give_up(const char *format, ...) {
    va_list values;
    va_start(values, format);
    vprintf(format, values);
    va_end(values);
    putchar('\n');
    fflush(stdout);
    _exit(1);
}

/* Places. A new one closes the one before. */

static bool open_socket(struct asking *asking, const struct step *step, int family, int kind) {
    if (asking->socket >= 0) close(asking->socket);
    asking->answer_length = 0;
    asking->socket = socket(family, kind | SOCK_CLOEXEC, 0);
    return asking->socket >= 0 || failed(asking, step);
}

static bool reach(struct asking *asking, const struct step *step) {
    if (connect(asking->socket, (struct sockaddr *)&asking->peer, asking->peer_length) != 0)
        return failed(asking, step);
    asking->peer_length = 0;
    return true;
}

static bool use_port(struct asking *asking, const struct step *step) {
    struct sockaddr_in local = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    local.sin_port = htons((uint16_t)atoi(step->line));
    memcpy(&asking->peer, &local, sizeof local);
    asking->peer_length = sizeof local;
    return true;
}

static bool step_tcp(struct asking *asking, const struct step *step) {
    return open_socket(asking, step, AF_INET, SOCK_STREAM) && use_port(asking, step) && reach(asking, step);
}

/* Not connected: some servers answer from another port than the one asked. */
static bool step_udp(struct asking *asking, const struct step *step) {
    return open_socket(asking, step, AF_INET, SOCK_DGRAM) && use_port(asking, step);
}

static bool step_unix(struct asking *asking, const struct step *step) {
    struct sockaddr_un local = {.sun_family = AF_UNIX};
    snprintf(local.sun_path, sizeof local.sun_path, "%s", step->line);
    memcpy(&asking->peer, &local, sizeof local);
    asking->peer_length = sizeof local;
    return open_socket(asking, step, AF_UNIX, SOCK_STREAM) && reach(asking, step);
}

/* Words. */

static bool step_send(struct asking *asking, const struct step *step) {
    ssize_t sent = sendto(asking->socket, step->text.at, step->text.length, MSG_NOSIGNAL,
                          asking->peer_length ? (struct sockaddr *)&asking->peer : NULL, asking->peer_length);
    return sent == (ssize_t)step->text.length || failed(asking, step);
}

/* Receive more of the answer. */
static bool receive(struct asking *asking, const struct step *step) {
    bool by_datagrams = asking->peer_length > 0;
    double left = by_datagrams ? DATAGRAM_SECONDS : asking->until - now();
    struct pollfd waiting = {.fd = asking->socket, .events = POLLIN};
    if (poll(&waiting, 1, left > 0 ? (int)(left * 1000) : 0) <= 0) {
        /* What an earlier attempt met says more. */
        if (*asking->reason == '\0') fail(asking, "%s %.80s: no such answer in time", step->name, step->line);
        return false;
    }
    if (asking->answer_length == MAX_ANSWER_BYTES) return fail(asking, "%s: too long an answer", step->name);
    socklen_t length = sizeof asking->peer;
    ssize_t got = recvfrom(asking->socket, asking->answer + asking->answer_length,
                           MAX_ANSWER_BYTES - asking->answer_length, 0,
                           by_datagrams ? (struct sockaddr *)&asking->peer : NULL, by_datagrams ? &length : NULL);
    if (got < 0) return failed(asking, step);
    if (got == 0) return fail(asking, "%s %.80s: another answer", step->name, step->line);
    asking->answer_length += (size_t)got;
    return true;
}

static bool step_hear(struct asking *asking, const struct step *step) {
    char *found;
    while ((found = memmem(asking->answer, asking->answer_length, step->text.at, step->text.length)) == NULL) {
        if (!receive(asking, step)) return false;
    }
    size_t used = (size_t)(found - asking->answer) + step->text.length;
    asking->answer_length -= used;
    memmove(asking->answer, asking->answer + used, asking->answer_length);
    return true;
}

/* Other signs. */

static bool step_file(struct asking *asking, const struct step *step) {
    char path[256], bytes[MAX_FILE_BYTES];
    const char *text = strchr(step->line, ' ');
    if (text == NULL) return fail(asking, "file %.80s: has no text to look for", step->line);
    snprintf(path, sizeof path, "%.*s", (int)(text - step->line), step->line);
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) return failed(asking, step);
    ssize_t got = read(file, bytes, sizeof bytes);
    close(file);
    if (got < 0) return failed(asking, step);
    return memmem(bytes, (size_t)got, text + 1, strlen(text + 1)) != NULL ||
           fail(asking, "file %.80s: is not in it", step->line);
}

static bool step_run(struct asking *asking, const struct step *step) {
    pid_t child = fork();
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* the engine ends only us when a check takes too long */
        execl("/bin/sh", "sh", "-c", step->line, NULL);
        _exit(127);
    }
    int status = 0;
    if (child < 0 || waitpid(child, &status, 0) != child) return failed(asking, step);
    if (status == 0) return true;
    nap(PAUSE_AFTER_COMMAND_SECONDS);
    return fail(asking, "run %.80s: exit code %d", step->line, WEXITSTATUS(status));
}

static const struct {
    const char *name;
    bool (*take)(struct asking *, const struct step *);
} STEPS[] = {
    {"tcp", step_tcp},   {"udp", step_udp},   {"unix", step_unix}, {"send", step_send},
    {"hear", step_hear}, {"file", step_file}, {"run", step_run},
};

/* The question. */

static int hex(char digit) {
    const char *digits = "0123456789abcdef", *found = digit ? strchr(digits, digit) : NULL;
    return found ? (int)(found - digits) : -1;
}

/* Replace \r, \n, \0, \\ and \xHH in place; what else follows a backslash is a mistake. */
static struct bytes unescaped(const char *line) {
    char *text = strdup(line), *to = text;
    if (text == NULL) give_up("no memory");
    for (const char *from = line; *from; from++) {
        if (*from != '\\') {
            *to++ = *from;
            continue;
        }
        switch (*++from) {
            case 'r': *to++ = '\r'; break;
            case 'n': *to++ = '\n'; break;
            case '0': *to++ = '\0'; break;
            case '\\': *to++ = '\\'; break;
            case 'x': {
                int high = hex(from[1]), low = high < 0 ? -1 : hex(from[2]);
                if (low < 0) give_up("%s: \\x takes two hex digits: %s", QUESTION, line);
                *to++ = (char)(high * 16 + low);
                from += 2;
                break;
            }
            default: give_up("%s: an unknown escape: %s", QUESTION, line);
        }
    }
    return (struct bytes){text, (size_t)(to - text)};
}

static size_t read_question(struct step steps[MAX_STEPS]) {
    static char bytes[MAX_FILE_BYTES];
    int file = open(QUESTION, O_RDONLY | O_CLOEXEC);
    if (file < 0) give_up("%s: %s", QUESTION, strerror(errno));
    ssize_t got = read(file, bytes, sizeof bytes - 1);
    close(file);
    if (got < 0 || got == sizeof bytes - 1) give_up("%s: cannot be read, or is too long", QUESTION);
    size_t count = 0;
    char *rest = bytes, *line;
    while ((line = strsep(&rest, "\n")) != NULL) {
        if (*line == '#' || *line == '\0') continue;
        if (count == MAX_STEPS) give_up("%s: more than %d steps", QUESTION, MAX_STEPS);
        char *name = strsep(&line, " ");
        if (line == NULL) give_up("%s: %s: is not a step with what it takes", QUESTION, name);
        bool is_text = strcmp(name, "send") == 0 || strcmp(name, "hear") == 0;
        steps[count++] = (struct step){name, line, is_text ? unescaped(line) : (struct bytes){line, strlen(line)}};
    }
    if (count == 0) give_up("%s: asks nothing", QUESTION);
    return count;
}

static bool take(struct asking *asking, const struct step *step) {
    for (size_t i = 0; i < sizeof STEPS / sizeof *STEPS; i++) {
        if (strcmp(STEPS[i].name, step->name) == 0) return STEPS[i].take(asking, step);
    }
    give_up("%s: %s: is not a step", QUESTION, step->name);
}

static bool ask(struct asking *asking, const struct step *steps, size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (!take(asking, &steps[i])) return false;
    }
    return true;
}

/* Return how long ago the container's first process began. */
static double age(void) {
    FILE *file = fopen("/proc/1/stat", "re");
    char bytes[1024] = {0};
    if (file == NULL) return YOUNG_SECONDS;
    size_t got = fread(bytes, 1, sizeof bytes - 1, file);
    fclose(file);
    /* Its name may hold anything: what counts comes after the last parenthesis (proc(5)), the start as field 22. */
    char *rest = got ? strrchr(bytes, ')') : NULL;
    unsigned long long ticks = 0;
    if (rest == NULL ||
        sscanf(rest + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %llu", &ticks) != 1)
        return YOUNG_SECONDS;
    return now() - (double)ticks / (double)sysconf(_SC_CLK_TCK);
}

/* An argument is how many seconds to ask, whatever the container's age. */
int main(int count, char **words) {
    static struct step steps[MAX_STEPS];
    static struct asking asking = {.socket = -1};
    size_t step_count = read_question(steps);
    double patience = age() < YOUNG_SECONDS ? PATIENCE_SECONDS : SHORT_PATIENCE_SECONDS;
    if (count > 1) patience = atof(words[1]);
    asking.until = now() + patience;
    while (!ask(&asking, steps, step_count)) {
        if (now() >= asking.until) give_up("%s", asking.reason);
        nap(PAUSE_SECONDS);
    }
    return 0;
}
