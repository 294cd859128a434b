/* gate CONTROL RECEIPT PATIENCE: wait for a command, say so durably, run it, say how it ended.
 *
 * The first process of a container that was made ahead of time.  It reads one frame from the FIFO
 * CONTROL/payload (manager/gates/protocol.py writes it; the format is described there), for at most PATIENCE seconds,
 * and writes one line into RECEIPT/receipt, a file that it has made itself, before anything else happens:
 *
 *   BEGAN nonce seconds.nanoseconds      right before fork and exec; "FAILED nonce errno" follows if one fails (126)
 *   NEVER nonce reason                   told | patience | short | malformed | unfit | mounts (75)
 *   UNUSABLE nonce missing|denied|workdir     no such command (127), not executable, no such folder (126)
 *
 * The nonce is "-" where none is known.  NEVER has what stands in the file CONTROL/token instead, where there
 * is one when the gate begins: whoever opens the gate takes that away first, so no task can say it.  Without
 * a receipt nothing is run (74); a wrong call ends with 64.
 *
 * The command is its child.  As the first process of a container it passes signals on, reaps orphans and ends
 * with the command's own code, or 128 and the signal's number.  When the command has ended, and everything
 * that it left behind is dead, one line goes into the FIFO CONTROL/end, which the manager reads:
 *
 *   ENDED code seconds.nanoseconds signal      0: by itself, whatever its code; else which signal ended it
 *
 * The engine tells of a container's end some 50 ms later.  Whoever opens the gate takes that FIFO's name away
 * first, and no process can reach into one that can't be dumped: so no task can say it.
 * It stands on system calls alone: static, no locale, no /proc, no /tmp, no memory but its own. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { EXIT_CALL = 64, EXIT_RECEIPT = 74, EXIT_NEVER = 75, EXIT_DENIED = 126, EXIT_MISSING = 127 };
enum {
    MOST_BYTES = 4 << 20,
    MOST_STRINGS = 1 << 18, /* of each kind; exec takes fewer with the usual limits */
    MOST_PATIENCE = 1000000,
    NONCE = 64,
    HEADER = sizeof "AIRX1 4194304\n" - 1,
};
static const char MAGIC[] = "AIRX1 ";
/* Docker's, for images that set none. */
static const char USUAL_PATH[] = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/* Static, so that running out of memory is no case.  One byte more than fits: what comes after a frame is
 * noticed. */
static char frame[HEADER + MOST_BYTES + 1];
static char *arguments[MOST_STRINGS + 1], *environment[MOST_STRINGS + 1];
static size_t got, whole;   /* bytes that are here; bytes of the whole frame, 0 until the header is */
static char *body, *cursor; /* after the header; what is read next of it */
static const char *nonce = "-";
static char token[NONCE + 2];
static int folder, receipt = -1;

static _Noreturn void no_receipt(const char *why)
{
    dprintf(2, "gate: %s: %s\n", why, strerror(errno));
    /* What may not have reached the disk must not be taken for a receipt. */
    if (receipt >= 0) unlinkat(folder, "receipt", 0);
    _exit(EXIT_RECEIPT);
}

static bool put(const char *verb, const char *what)
{
    char line[256];
    int size = snprintf(line, sizeof line, "%s %s %s\n", verb, nonce, what);
    return write(receipt, line, (size_t)size) == size && fdatasync(receipt) == 0;
}

/* Make the receipt, empty, while there is time: to be filled it needs one sync only.  O_EXCL: the first one
 * wins, and a link is not followed. */
static void begin_receipt(void)
{
    receipt = openat(folder, "receipt", O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW | O_CLOEXEC, 0644);
    if (receipt < 0) no_receipt("the receipt can't be made");
    /* Its name must last as well; some file systems can't sync a folder, and need not. */
    if (fsync(folder) != 0 && errno != EINVAL) no_receipt("the receipt's folder can't be synced");
}

static void give(const char *verb, const char *what)
{
    struct stat status;
    if (!put(verb, what)) no_receipt("the receipt can't be written");
    if (fstat(receipt, &status) != 0 || status.st_nlink == 0) no_receipt("the receipt was taken away");
}

static _Noreturn void never(const char *reason)
{
    if (*token) nonce = token;
    give("NEVER", reason);
    _exit(EXIT_NEVER);
}

static _Noreturn void unusable(const char *what, int code)
{
    give("UNUSABLE", what);
    _exit(code);
}

static const char SAFE[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";

/* What only a gate that has not been opened can say. */
static void learn_token(int control)
{
    int file = openat(control, "token", O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (file < 0) return;
    ssize_t size = read(file, token, NONCE + 1);
    close(file);
    token[size < 0 || size > NONCE ? 0 : size] = '\0';
    if (*token == '-' || token[strspn(token, SAFE)]) *token = '\0'; /* it would break the receipt's line */
}

/* A decimal number as one would write it, from 0 to `most`; else -1. */
static long number(const char *text, long most)
{
    const char *at = text;
    long value = 0;
    for (; *at >= '0' && *at <= '9' && value <= most; at++) value = 10 * value + (*at - '0');
    return at == text || *at || value > most || (*text == '0' && at > text + 1) ? -1 : value;
}

/* What the bytes that are here say: how long the frame is, and for whom.  A wrong one is refused at once. */
static void look(void)
{
    if (!body) {
        size_t prefix = sizeof MAGIC - 1;
        if (memcmp(frame, MAGIC, got < prefix ? got : prefix) != 0) never("malformed");
        char *line_end = memchr(frame, '\n', got < HEADER ? got : HEADER);
        if (!line_end && got >= HEADER) never("malformed");
        if (!line_end) return;
        *line_end = '\0';
        long length = number(frame + prefix, MOST_BYTES);
        if (length < 0) never("malformed");
        body = line_end + 1;
        whole = (size_t)(body - frame) + (size_t)length;
    }
    if (*nonce == '-') { /* also for a frame that will be cut short */
        size_t here = (size_t)(frame + got - body), length = strnlen(body, here);
        /* Only what can't break the receipt's line, or be taken for "no nonce". */
        if (length < here && length > 0 && length <= NONCE && body[0] != '-' &&
            strspn(body, SAFE) == length)
            nonce = body;
    }
    if (got > whole) never("malformed");
}

/* Read the frame, as slowly as it may come.  Being told to leave goes before all else, until BEGAN. */
static void await(int fifo, int signals, long patience)
{
    struct pollfd on[] = {{.fd = fifo, .events = POLLIN}, {.fd = signals, .events = POLLIN}};
    struct timespec end, now; /* CLOCK_MONOTONIC: nobody can set it, and poll counts by it too */
    clock_gettime(CLOCK_MONOTONIC, &end);
    for (;;) {
        bool complete = whole && got == whole;
        clock_gettime(CLOCK_MONOTONIC, &now);
        long left = (end.tv_sec + patience - now.tv_sec) * 1000 + (end.tv_nsec - now.tv_nsec) / 1000000;
        if (!complete && left <= 0) never("patience");
        if (poll(on, 2, complete ? 0 : (int)left) < 0) continue;
        if (on[1].revents) never("told");
        if (!on[0].revents && complete) return;
        if (!on[0].revents) continue;
        ssize_t size = read(fifo, frame + got, sizeof frame - got);
        if (size == 0 && complete) return;
        if (size == 0) never("short"); /* every writer has closed it */
        if (size < 0) continue;
        got += (size_t)size;
        look();
    }
}

static char *next(void)
{
    char *string = cursor;
    char *nul = memchr(cursor, '\0', (size_t)(frame + whole - cursor));
    if (!nul) never("malformed");
    cursor = nul + 1;
    return string;
}

/* How many strings follow: each takes a byte at least. */
static size_t count(void)
{
    long strings = number(next(), MOST_STRINGS);
    if (strings < 0 || strings > frame + whole - cursor) never("malformed");
    return (size_t)strings;
}

static const char *work = ""; /* the place that is proved first: what the command is to have to itself */

/* What is mounted must be what the manager has mounted: it says of each place which file that is to be. */
static void prove_mounts(void)
{
    for (size_t left = count(); left > 0; left--) {
        struct stat status;
        char *at = next(), *end;
        unsigned long long device = strtoull(at, &end, 10);
        if (end == at || *end != ' ') never("malformed");
        at = end + 1;
        unsigned long long inode = strtoull(at, &end, 10);
        if (end == at || *end != ' ' || end[1] != '/') never("malformed");
        if (!*work) work = end + 1;
        if (stat(end + 1, &status) != 0 || status.st_dev != device || status.st_ino != inode) never("mounts");
    }
}

/* Take the frame apart into `arguments` and `environment`; returns the working directory. */
static char *unpack(void)
{
    cursor = body;
    if (next() != nonce) never("malformed"); /* look() found nothing wrong with it, or it is no nonce */
    char *workdir = next();
    size_t words = count();
    for (size_t i = 0; i < words; i++) arguments[i] = next();
    size_t given = count(), entries = given;
    for (size_t i = 0; i < given; i++) {
        environment[i] = next();
        char *equals = strchr(environment[i], '=');
        if (!equals || equals == environment[i]) never("malformed");
    }
    if (words == 0) never("malformed");
    if (cursor != frame + whole) prove_mounts();
    if (cursor != frame + whole) never("malformed");
    /* The container's own, but for the names that are given.  The manager gives each name once. */
    for (char **own = environ; *own; own++) {
        size_t name = strcspn(*own, "="), i = 0;
        while (i < given && !(strncmp(*own, environment[i], name) == 0 && environment[i][name] == '=')) i++;
        if (i < given) continue;
        if (entries == MOST_STRINGS) never("malformed");
        environment[entries++] = *own;
    }
    return workdir;
}

/* Go there; in the command's own place, make what is missing on the way, as its user. */
static bool enter(char *path)
{
    size_t length = strlen(work);
    if (chdir(path) == 0) return true;
    if (errno != ENOENT || !length || strncmp(path, work, length) != 0 || path[length] != '/') return false;
    for (char *slash = path + length + 1; (slash = strchr(slash, '/')); slash++) {
        *slash = '\0';
        mkdir(path, 0777); /* or it is there */
        *slash = '/';
    }
    mkdir(path, 0777);
    return chdir(path) == 0;
}

/* 0: may be executed; EXIT_DENIED: is there, but not for us; EXIT_MISSING.  As shells tell them apart. */
static int look_at(const char *path)
{
    struct stat status;
    if (stat(path, &status) != 0)
        return errno == ENOENT || errno == ENOTDIR || errno == ELOOP || errno == ENAMETOOLONG ? EXIT_MISSING
                                                                                              : EXIT_DENIED;
    bool usable = S_ISREG(status.st_mode) && (status.st_mode & 0111) != 0 &&
                  faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) == 0;
    return usable ? 0 : EXIT_DENIED;
}

/* Where the command is: itself when it has a slash, else in PATH.  Ends here when it is nowhere. */
static const char *find(const char *command)
{
    static char candidate[PATH_MAX];
    int worst = EXIT_MISSING;
    if (strchr(command, '/')) {
        worst = look_at(command);
        if (worst == 0) return command;
    } else if (*command) {
        char **entry = environment;
        while (*entry && strncmp(*entry, "PATH=", 5) != 0) entry++;
        const char *path = *entry ? *entry + 5 : USUAL_PATH;
        for (;; path++) {
            size_t length = strcspn(path, ":"); /* an empty part is the working directory */
            int size = length > PATH_MAX ? PATH_MAX
                                         : snprintf(candidate, sizeof candidate, "%.*s%s%s", (int)length, path,
                                                    length ? "/" : "", command);
            int found = size < PATH_MAX ? look_at(candidate) : EXIT_MISSING;
            if (found == 0) return candidate;
            if (found == EXIT_DENIED) worst = found; /* as execvp: a later one may serve */
            path += length;
            if (!*path) break;
        }
    }
    unusable(worst == EXIT_DENIED ? "denied" : "missing", worst);
}

/* The wall clock's time, as receipts have it. */
static const char *clock_time(void)
{
    static char text[48];
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    snprintf(text, sizeof text, "%lld.%09ld", (long long)now.tv_sec, now.tv_nsec);
    return text;
}

/* After BEGAN: if this can't be said, BEGAN stands, which is the safe side. */
static int failed(void)
{
    char number[16];
    snprintf(number, sizeof number, "%d", errno);
    put("FAILED", number);
    return EXIT_DENIED;
}

/* Run the command in a process of its own, with the signals that it would have had. */
static pid_t begin(const char *program, const sigset_t *mask)
{
    signal(SIGCHLD, SIG_DFL); /* who ignores it is not told of ends */
    pid_t child = fork();
    if (child != 0) return child;
    setpgid(0, 0); /* what it sends to its group is not for us */
    sigprocmask(SIG_SETMASK, mask, NULL);
    execve(program, arguments, environment);
    _exit(failed());
}

/* Pass signals on until the command ends; returns its exit code, and which signal ended it, if one did. */
static int attend(pid_t child, const sigset_t *heard, int *ended_by)
{
    for (;;) {
        int signal = sigwaitinfo(heard, NULL), status;
        if (signal > 0 && signal != SIGCHLD) kill(child, signal);
        for (pid_t ended; (ended = waitpid(-1, &status, WNOHANG)) > 0;) {
            if (WIFSTOPPED(status)) /* PTRACE_TRACEME has made a tracer of us; it goes on as without one */
                ptrace(PTRACE_DETACH, ended, 0L, (long)WSTOPSIG(status));
            else if (ended == child) {
                *ended_by = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
                return *ended_by ? 128 + *ended_by : WEXITSTATUS(status);
            }
        }
    }
}

/* End what the command has left behind, as the end of the first process would, but before anybody is told. */
static void sweep(void)
{
    if (getpid() != 1) return; /* -1 would be everybody on the machine */
    kill(-1, SIGKILL);
    while (waitpid(-1, NULL, 0) > 0 || errno == EINTR) continue;
}

int main(int argc, char **argv)
{
    long patience = argc == 4 ? number(argv[3], MOST_PATIENCE) : -1;
    if (patience < 0) {
        dprintf(2, "Usage: gate CONTROL RECEIPT PATIENCE\n");
        return EXIT_CALL;
    }
    /* Whatever would end us is read from a descriptor, so no handler has to be undone; blocked signals also
     * reach process 1.  The image's stop signal may be any of them.  Faults must stay what they are. */
    sigset_t leaving, heard, before;
    const int others[] = {SIGCHLD, SIGCONT, SIGURG, SIGWINCH, SIGTSTP, SIGTTIN, SIGTTOU,
                          SIGSEGV, SIGBUS,  SIGFPE, SIGILL,   SIGTRAP, SIGSYS,  SIGABRT};
    sigfillset(&leaving);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) sigdelset(&leaving, others[i]);
    sigprocmask(SIG_BLOCK, &leaving, &before);
    prctl(PR_SET_DUMPABLE, 0); /* the command has our user, and is to find nothing of ours */

    int null; /* fills those of 0, 1 and 2 that are closed, so that no other descriptor becomes one of them */
    while ((null = open("/dev/null", O_RDWR)) >= 0 && null <= 2) continue;
    bool no_input = null < 0 || dup2(null, 0) != 0;
    close_range(3, ~0U, 0); /* also what the runtime may have left; it is not known everywhere */
    if (null > 2) close(null);

    /* Looked at early: better to end now than to wait for nothing. */
    struct stat status;
    folder = open(argv[2], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0) no_receipt(argv[2]);
    begin_receipt();
    int signals = signalfd(-1, &leaving, SFD_CLOEXEC | SFD_NONBLOCK);

    /* O_NONBLOCK: there is a reader from now on, which a writer's own O_NONBLOCK asks for, and signals and
     * patience are heeded meanwhile.  Linux reports the end of file only once a writer has come and gone. */
    int control = open(argv[1], O_PATH | O_DIRECTORY | O_CLOEXEC);
    learn_token(control);
    int end = openat(control, "end", O_RDWR | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC); /* needs no reader */
    int fifo = openat(control, "payload", O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
    if (fifo < 0 || fstat(fifo, &status) != 0 || !S_ISFIFO(status.st_mode) || no_input || signals < 0)
        never("unfit");
    await(fifo, signals, patience);
    close(fifo); /* who would write more is to see that nobody reads */

    char *workdir = unpack();
    if (*workdir && !enter(workdir)) unusable("workdir", EXIT_DENIED);
    const char *program = find(arguments[0]);
    /* A signal that waits by now is the command's.  Only faults stay what they are. */
    const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGABRT};
    sigfillset(&heard);
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) sigdelset(&heard, faults[i]);
    sigprocmask(SIG_BLOCK, &heard, NULL);
    give("BEGAN", clock_time());
    pid_t child = begin(program, &before);
    int ended_by = 0, code = child > 0 ? attend(child, &heard, &ended_by) : failed();
    sweep();
    if (end >= 0) dprintf(end, "ENDED %d %s %d\n", code, clock_time(), ended_by);
    return code;
}
