/* gate CONTROL RECEIPT PATIENCE: wait for a command, say so durably, run it, say how it ended.
 *
 * The first process of a task's container.  It reads one frame from the FIFO
 * CONTROL/payload (manager/gates/protocol.py writes it; the format is described there), for at most PATIENCE seconds,
 * and writes one line into RECEIPT/receipt, a file that it has made itself, before anything else happens:
 *
 *   BEGAN nonce seconds.nanoseconds      right before the command's first instruction
 *   NEVER nonce reason                   told | patience | short | malformed | unfit | mounts | files (75)
 *   UNUSABLE nonce missing facts         there is no such command (127)
 *   UNUSABLE nonce denied facts          it can't be executed (126)
 *   UNUSABLE nonce workdir facts         its folder can't be entered (126)
 *
 * The nonce is "-" where none is known.  NEVER has what stands in the file CONTROL/token instead, where there
 * is one when the gate begins: whoever opens the gate takes that away first, so no task can say it.  Without
 * a receipt nothing is run (74); a wrong call ends with 64.
 *
 * Facts are NAME=VALUE, as many as are known: the manager makes a sentence of them.  A value is escaped as in a
 * URL and cut, so that nothing which a stranger named can break the line.
 *
 * Whether a command can be executed, the kernel is asked, and nobody guesses: the child executes it while the
 * gate traces it, and so stands still before its first instruction.  Then BEGAN is written, and it goes on.
 * Where no process may trace another, BEGAN is written before; and where the machine is short of processes or
 * memory, that is no fault of the command.  In both cases "FAILED nonce errno facts" follows on a line of its
 * own (126).  A file that the kernel does not take, and that is text without a "#!", is handed to /bin/sh, as
 * execvp does; one that is empty is not: a command that does nothing is nobody's wish.
 *
 * The command is its child.  As the first process of a container it passes signals on, reaps orphans and ends
 * with the command's own code, or 128 and the signal's number.  When the command has ended, and everything
 * that it left behind is dead, one line goes into the FIFO CONTROL/end, which the manager reads:
 *
 *   ENDED code seconds.nanoseconds signal      0: by itself, whatever its code; else which signal ended it
 *
 * The engine tells of a container's end some 50 ms later.  The same line comes to the end of the receipt, for a
 * manager that was not there to hear it.
 *
 * Files may come with a command: its secrets.  They are made where they are to be, by this process and so as the
 * command's user, before the command begins, and are overwritten in our memory before that goes on.
 * What the command was given it has anyway; but it is in one place less.
 *
 * What the command can do to us: it has our user, and is to find its output at /proc/1/fd/1 and 2 as behind any
 * init.  For that this process must be dumpable, which it is only once it has no descriptor left but those, and
 * `end`, and has forgotten the token.  `end` has no name any more, and a mode, set by whoever opened the gate,
 * by which nobody opens it through /proc.  But the command may trace us, or write to our memory: so it may say
 * ENDED itself, or keep this process from leaving.  That is about its own container, which it may end or leave
 * running as it likes, and about nothing else.  The manager takes ENDED for the command's word, and kills a
 * container that goes on after it.  The token is what a lie about never having begun would need, so nothing is
 * executed twice by one.
 *
 * It stands on system calls alone: static, no locale, no /proc, no /tmp, no memory but its own. */
#define _GNU_SOURCE
#include <elf.h>
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
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/utsname.h>
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
    HEAD = 256,        /* of a file: as much as the kernel looks at */
    MOST_PATH = 200,   /* of a stranger's name in a receipt, in bytes */
    MOST_FACTS = 2048, /* all of them */
    DEEPEST = 8,       /* interpreters of interpreters; the kernel follows fewer */
    MOST_SEGMENTS = 256,
};
static const char MAGIC[] = "AIRX1 ";
static char SHELL[] = "/bin/sh";
/* Docker's, for images that set none. */
static const char USUAL_PATH[] = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/* Static, so that running out of memory is no case.  One byte more than fits: what comes after a frame is
 * noticed. */
static char frame[HEADER + MOST_BYTES + 1];
static char *words[1 + MOST_STRINGS + 1], *environment[MOST_STRINGS + 1];
static char **const arguments = words + 1; /* there is room for a shell before them */
static size_t got, whole;   /* bytes that are here; bytes of the whole frame, 0 until the header is */
static char *body, *cursor; /* after the header; what is read next of it */
static const char *nonce = "-";
static char token[NONCE + 2];
static int folder, receipt = -1;
static char facts[MOST_FACTS] = ""; /* each with a space before it */

static _Noreturn void no_receipt(const char *why)
{
    dprintf(2, "gate: %s: %s\n", why, strerror(errno));
    /* What may not have reached the disk must not be taken for a receipt. */
    if (receipt >= 0) unlinkat(folder, "receipt", 0);
    _exit(EXIT_RECEIPT);
}

static bool put(const char *verb, const char *what)
{
    char line[128 + MOST_FACTS];
    int size = snprintf(line, sizeof line, "%s %s %s%s\n", verb, nonce, what, facts);
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

/* Add to the facts what somebody named: escaped, and only its beginning. */
static void fact(const char *name, const char *value, size_t length)
{
    size_t used = strlen(facts);
    if (length > MOST_PATH) length = MOST_PATH;
    if (used + strlen(name) + 3 + 3 * length > MOST_FACTS) return;
    char *at = facts + used + sprintf(facts + used, " %s=", name);
    for (size_t i = 0; i < length; i++) {
        bool plain = value[i] && (strchr(SAFE, value[i]) || strchr("/.+,:@", value[i]));
        at += sprintf(at, plain ? "%c" : "%%%02X", (unsigned char)value[i]);
    }
}

static void fact_text(const char *name, const char *text)
{
    fact(name, text, strlen(text));
}

static void fact_number(const char *name, unsigned long long value)
{
    char text[24];
    sprintf(text, "%llu", value);
    fact_text(name, text);
}

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

/* Make a file that was not there, with nothing in it that was not meant. */
static bool keep(const char *path, mode_t mode, const char *content, size_t size)
{
    int file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (file < 0) return false;
    bool good = true;
    while (size > 0) {
        ssize_t written = write(file, content, size);
        good = written > 0;
        if (!good) break;
        content += written;
        size -= (size_t)written;
    }
    good = good && fchmod(file, mode) == 0;
    return close(file) == 0 && good;
}

/* Make the files that come with the command: of each its mode, its size and its place, and what is in it. */
static void make_files(void)
{
    for (size_t left = count(); left > 0; left--) {
        char *at = next(), *end;
        unsigned long mode = strtoul(at, &end, 8);
        if (end == at || *end != ' ' || mode > 0777) never("malformed");
        char *length = end + 1, *path = strchr(length, ' ');
        if (!path || path[1] != '/') never("malformed");
        *path++ = '\0';
        long size = number(length, MOST_BYTES);
        if (size < 0 || size >= frame + whole - cursor || cursor[size]) never("malformed");
        if (!keep(path, (mode_t)mode, cursor, (size_t)size)) never("files");
        cursor += size + 1;
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
    if (cursor != frame + whole) make_files();
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
    int number = errno;
    bool own = length && strncmp(path, work, length) == 0 && path[length] == '/';
    if (number == ENOENT && own) {
        for (char *slash = path + length; slash;) {
            slash = strchr(slash + 1, '/');
            if (slash) *slash = '\0';
            number = mkdir(path, 0777) == 0 || errno == EEXIST ? 0 : errno;
            if (number) fact_text("file", path); /* the one that can't be made */
            if (slash) *slash = '/';
            if (number) break;
        }
        if (!number && chdir(path) == 0) return true;
        if (!number) number = errno;
    }
    fact_number("errno", (unsigned)number);
    return false;
}

/* 0: may be executed, as far as can be seen from outside. Otherwise an errno. */
static int look_at(const char *path)
{
    struct stat status;
    if (stat(path, &status) != 0) return errno;
    if (S_ISDIR(status.st_mode)) return EISDIR;
    if (!S_ISREG(status.st_mode) || (status.st_mode & 0111) == 0) return EACCES;
    return faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) == 0 ? 0 : errno;
}

/* Where the command is: itself when it has a slash, else in PATH.  0, or why it can't be used: then `place`
 * is the file that comes nearest to it. */
static int search(const char *command, char place[PATH_MAX])
{
    bool path_wanted = !strchr(command, '/');
    size_t most = path_wanted ? NAME_MAX : PATH_MAX - 1, size = strlen(command);
    snprintf(place, PATH_MAX, "%s", command);
    if (size > most) return ENAMETOOLONG;
    if (size == 0) return ENOENT;
    if (!path_wanted) return look_at(command);
    static char candidate[PATH_MAX];
    int worst = ENOENT;
    char **entry = environment;
    while (*entry && strncmp(*entry, "PATH=", 5) != 0) entry++;
    const char *path = *entry ? *entry + 5 : USUAL_PATH;
    for (;; path++) {
        size_t length = strcspn(path, ":"); /* an empty part is the working directory */
        int whole = length > PATH_MAX ? PATH_MAX
                                      : snprintf(candidate, sizeof candidate, "%.*s%s%s", (int)length, path,
                                                 length ? "/" : "", command);
        int found = whole < PATH_MAX ? look_at(candidate) : ENOENT;
        bool here = found != ENOENT && found != ENOTDIR && found != ENAMETOOLONG;
        if (found == 0 || (here && worst == ENOENT)) strcpy(place, candidate);
        if (found == 0) return 0;
        if (here && worst == ENOENT) worst = found; /* as execvp: a later one may serve */
        path += length;
        if (!*path) break;
    }
    return worst;
}

/* The beginning of a file, with a NUL after it; returns its size, or -1. */
static ssize_t read_head(const char *path, char head[HEAD + 1])
{
    int file = open(path, O_RDONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    if (file < 0) return -1;
    ssize_t size = read(file, head, HEAD);
    close(file);
    head[size < 0 ? 0 : size] = '\0';
    return size;
}

/* The interpreter that the first line of a script names, and what stands after it; NULL where none is named.
 * They end with the line: a carriage return belongs to it.  This takes the head apart. */
static char *shebang(char *head, char **rest)
{
    if (strncmp(head, "#!", 2) != 0) return NULL;
    char *name = head + 2 + strspn(head + 2, " \t"), *end = name + strcspn(name, "\n");
    while (end > name && strchr(" \t", end[-1])) end--;
    *end = '\0';
    size_t length = strcspn(name, " \t");
    *rest = name + length + strspn(name + length, " \t");
    name[length] = '\0';
    return *name ? name : NULL;
}

/* Whether a shell is to read what the kernel did not take: text, which names nobody else to read it. */
static bool is_for_a_shell(const char *path)
{
    char head[HEAD + 1], *rest;
    ssize_t size = read_head(path, head);
    if (size <= 0 || memcmp(head, ELFMAG, size < SELFMAG ? (size_t)size : SELFMAG) == 0) return false;
    char *end = memchr(head, '\n', (size_t)size);
    if (memchr(head, '\0', (size_t)(end ? end - head : size))) return false;
    return !shebang(head, &rest);
}

/* The loader that a program of this machine names, into `name`. */
static bool loader(const char *path, char name[PATH_MAX])
{
    union {
        Elf64_Ehdr wide;
        Elf32_Ehdr narrow;
    } header;
    union {
        Elf64_Phdr wide;
        Elf32_Phdr narrow;
    } segment;
    int file = open(path, O_RDONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    ssize_t size = file < 0 ? 0 : pread(file, &header, sizeof header, 0);
    bool found = false;
    if (size == sizeof header && memcmp(&header, ELFMAG, SELFMAG) == 0) {
        bool wide = header.wide.e_ident[EI_CLASS] == ELFCLASS64;
        size_t each = wide ? sizeof segment.wide : sizeof segment.narrow;
        int count = wide ? header.wide.e_phnum : header.narrow.e_phnum;
        off_t at = wide ? (off_t)header.wide.e_phoff : (off_t)header.narrow.e_phoff;
        for (int i = 0; i < count && i < MOST_SEGMENTS && !found; i++, at += (off_t)each) {
            if (pread(file, &segment, each, at) != (ssize_t)each) break;
            if ((wide ? segment.wide.p_type : segment.narrow.p_type) != PT_INTERP) continue;
            size = pread(file, name, PATH_MAX - 1,
                         wide ? (off_t)segment.wide.p_offset : (off_t)segment.narrow.p_offset);
            found = size > 0;
            name[found ? size : 0] = '\0';
        }
    }
    if (file >= 0) close(file);
    return found;
}

/* What is to be known of a file that can't be executed, and why the kernel says that. */
static void describe(const char *role, const char *path, int number)
{
    char head[HEAD + 1];
    struct stat status;
    struct statvfs system;
    struct utsname here;
    fact_number("errno", (unsigned)number);
    if (role) fact_text("role", role);
    fact_text("file", path);
    if (stat(path, &status) != 0) return;
    fact_number("mode", status.st_mode);
    fact_number("uid", status.st_uid);
    fact_number("gid", status.st_gid);
    if (statvfs(path, &system) == 0 && system.f_flag & ST_NOEXEC) fact_number("noexec", 1);
    if (number != ENOEXEC && number != ELIBBAD) return;
    ssize_t size = read_head(path, head);
    if (size >= 0) fact("head", head, size > 20 ? 20 : (size_t)size); /* with the machine of a program */
    if (uname(&here) == 0) fact_text("here", here.machine);
}

/* Which string is too long, or how long all are, as the kernel counts them. */
static void measure(void)
{
    size_t most = 32 * (size_t)sysconf(_SC_PAGESIZE) - 1, all = 0, count = 0;
    struct rlimit stack;
    fact_number("errno", E2BIG);
    for (char **list = arguments; list; list = list == arguments ? environment : NULL)
        for (char **each = list; *each; each++, count++) {
            size_t size = strlen(*each);
            all += size + 1 + sizeof *each; /* and a pointer to it */
            if (size <= most) continue;
            if (list == arguments)
                fact_number("argument", (size_t)(each - list));
            else
                fact("variable", *each, strcspn(*each, "="));
            fact_number("size", size);
            fact_number("limit", most);
            return;
        }
    size_t limit = getrlimit(RLIMIT_STACK, &stack) != 0 || stack.rlim_cur / 4 > 6 << 20 ? 6 << 20
                                                                                        : stack.rlim_cur / 4;
    fact_number("size", all);
    fact_number("limit", limit < 131072 ? 131072 : limit);
}

/* Why a command was not executed: an errno, and whether that is about the shell which was to read it. */
struct failure {
    int number;
    bool shell;
};

/* Find out what to say of it, along the interpreters, as the kernel has come to it. */
static void explain(const char *program, struct failure why)
{
    static char name[PATH_MAX];
    char head[HEAD + 1], *rest;
    const char *path = why.shell ? SHELL : program, *role = why.shell ? "shell" : NULL;
    if (why.number == E2BIG) {
        measure();
        return;
    }
    bool own = why.number == ELOOP || why.number == ETXTBSY;
    for (int depth = 0; !own && depth < DEEPEST && look_at(path) == 0; depth++) {
        char *next = read_head(path, head) > 0 ? shebang(head, &rest) : NULL;
        if (next) {
            snprintf(name, sizeof name, "%s", next);
            role = "interpreter";
        } else if (why.number != ENOEXEC && loader(path, name)) {
            role = "loader";
        } else {
            break;
        }
        path = name;
    }
    describe(role, path, why.number);
}

/* Where the command is.  Ends here when it is nowhere, or can't be used. */
static const char *find(const char *command)
{
    static char place[PATH_MAX];
    int number = search(command, place);
    if (number == ENOENT || number == ENOTDIR) unusable("missing", EXIT_MISSING);
    if (number != 0) {
        describe(NULL, place, number);
        unusable("denied", EXIT_DENIED);
    }
    return place;
}

/* "#!/usr/bin/env NAME": what it would look for is looked for here, since nobody else can say that it is not
 * there.  Ends here then.  One that is part of a larger program may have NAME in itself. */
static void find_by_env(const char *program)
{
    static char place[PATH_MAX];
    char head[HEAD + 1], *rest;
    struct stat status;
    if (read_head(program, head) <= 0) return;
    const char *name = shebang(head, &rest), *base = name ? strrchr(name, '/') : NULL;
    if (!base || strcmp(base, "/env") != 0 || look_at(name) != 0) return;
    bool alone = lstat(name, &status) == 0 && S_ISREG(status.st_mode) && status.st_nlink == 1;
    if (!alone && !strpbrk(rest, " \t\r")) return;
    if (!*rest || *rest == '-' || strchr(rest, '=') || search(rest, place) != ENOENT) return;
    fact_number("errno", ENOENT);
    fact_text("role", "interpreter");
    fact_text("file", rest);
    unusable("denied", EXIT_DENIED);
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

enum { UNTRACED = -1 }; /* in place of an errno */

/* That the machine is short of something says nothing about the command. */
static bool passes(int number)
{
    return number == EAGAIN || number == ENOMEM || number == EMFILE || number == ENFILE;
}

/* In the child: become the command, with the signals that it would have had; or tell why not, and end. */
static _Noreturn void become(const char *program, const sigset_t *mask, int told)
{
    struct failure why = {0};
    setpgid(0, 0); /* what it sends to its group is not for us */
    sigprocmask(SIG_SETMASK, mask, NULL);
    dup2(1, 2); /* one way out: what is written to both is read in the order in which it was written */
    execve(program, arguments, environment);
    why.number = errno;
    if (why.number == ENOEXEC && is_for_a_shell(program)) {
        words[0] = SHELL;
        words[1] = (char *)program;
        execve(SHELL, words, environment);
        why.number = errno;
        why.shell = true;
    }
    _exit(write(told, &why, sizeof why) == sizeof why ? EXIT_DENIED : EXIT_RECEIPT);
}

/* A child that is to stand still when it has become the command. */
static _Noreturn void become_traced(const char *program, const sigset_t *mask, int told)
{
    const struct failure untraced = {.number = UNTRACED};
    if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0 && raise(SIGSTOP) == 0) /* for hold() to see to it */
        become(program, mask, told);
    _exit(write(told, &untraced, sizeof untraced) == sizeof untraced ? EXIT_DENIED : EXIT_RECEIPT);
}

typedef void beginning(const char *program, const sigset_t *mask, int told);

/* Make the child; what it tells is read from `told`. */
static pid_t spawn(beginning *begin, const char *program, const sigset_t *mask, int *told)
{
    int both[2];
    if (pipe2(both, O_CLOEXEC) != 0) return -1;
    pid_t child = fork();
    if (child == 0) begin(program, mask, both[1]); /* which never comes back */
    int number = errno;
    close(both[1]);
    if (child < 0) close(both[0]);
    *told = both[0];
    errno = number;
    return child;
}

/* What a child tells that ends; nothing where it was the command already. */
static struct failure reason(pid_t child, int told)
{
    struct failure why = {0};
    if (read(told, &why, sizeof why) == sizeof why)
        waitpid(child, NULL, 0);
    else
        why.number = 0;
    close(told);
    return why;
}

/* Begin the command, and have it stand still before its first instruction; if we die, it dies.  One that ends
 * before that, by the kernel's hand, is told of when it is attended to. */
static struct failure hold(const char *program, const sigset_t *mask, pid_t *child)
{
    int told;
    *child = spawn(become_traced, program, mask, &told);
    if (*child < 0) return (struct failure){.number = errno};
    for (siginfo_t seen;;) {
        if (waitid(P_PID, (id_t)*child, &seen, WEXITED | WSTOPPED | WNOWAIT) != 0 && errno == EINTR) continue;
        if (seen.si_code != CLD_TRAPPED || seen.si_status == (SIGTRAP | PTRACE_EVENT_EXEC << 8)) break;
        bool ready = seen.si_status == SIGSTOP; /* or else it is somebody's signal, meanwhile */
        if (ready) ptrace(PTRACE_SETOPTIONS, *child, NULL, (long)(PTRACE_O_EXITKILL | PTRACE_O_TRACEEXEC));
        ptrace(PTRACE_CONT, *child, NULL, ready ? 0L : (long)seen.si_status);
    }
    return reason(*child, told); /* whoever stands still has closed it */
}

/* Begin the command where nobody can be traced. */
static struct failure launch(const char *program, const sigset_t *mask, pid_t *child)
{
    int told;
    *child = spawn(become, program, mask, &told);
    return *child < 0 ? (struct failure){.number = errno} : reason(*child, told);
}

/* From here on the command may look at us: nothing is left that it could use. */
static void be_seen(int control, int signals)
{
    close(folder);
    close(control);
    close(signals);
    explicit_bzero(token, sizeof token);
    dup2(1, 2); /* as the command's */
    prctl(PR_SET_DUMPABLE, 1);
}

/* After BEGAN: if this can't be said, BEGAN stands, which is the safe side. */
static int failed(const char *program, struct failure why)
{
    char number[16];
    snprintf(number, sizeof number, "%d", why.number);
    if (!passes(why.number)) explain(program, why);
    put("FAILED", number);
    return EXIT_DENIED;
}

/* Pass signals on until the command ends; returns its exit code, and which signal ended it, if one did. */
static int attend(pid_t child, const sigset_t *heard, int *ended_by)
{
    for (;;) {
        int signal = sigwaitinfo(heard, NULL), status;
        if (signal > 0 && signal != SIGCHLD) kill(child, signal);
        for (pid_t ended; (ended = waitpid(-1, &status, WNOHANG)) > 0;) {
            if (WIFSTOPPED(status)) /* PTRACE_TRACEME has made a tracer of us; it goes on as without one */
                ptrace(PTRACE_DETACH, ended, 0L, WSTOPSIG(status) == SIGTRAP ? 0L : (long)WSTOPSIG(status));
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

/* Say how the command has ended. */
static void tell_end(int end, const char *receipts, int code, int ended_by)
{
    char line[96];
    int size = snprintf(line, sizeof line, "ENDED %d %s %d\n", code, clock_time(), ended_by);
    if (end >= 0 && write(end, line, (size_t)size) != size) return;
    /* By its name: no descriptor of it is open while the command may look. */
    int place = open(receipts, O_PATH | O_DIRECTORY | O_CLOEXEC);
    int file = openat(place, "receipt", O_WRONLY | O_APPEND | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (file >= 0 && write(file, line, (size_t)size) != size) return;
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
    prctl(PR_SET_DUMPABLE, 0); /* nobody is to look for the token */

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
    find_by_env(program);
    /* A signal that waits by now is the command's.  Only faults stay what they are. */
    const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGABRT};
    sigfillset(&heard);
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) sigdelset(&heard, faults[i]);
    sigprocmask(SIG_BLOCK, &heard, NULL);
    signal(SIGCHLD, SIG_DFL); /* who ignores it is not told of ends */
    pid_t child;
    struct failure why = hold(program, &before, &child);
    if (why.number > 0 && !passes(why.number)) {
        explain(program, why);
        unusable("denied", EXIT_DENIED);
    }
    give("BEGAN", clock_time());
    be_seen(control, signals);
    if (why.number == UNTRACED) why = launch(program, &before, &child);
    int ended_by = 0, code = why.number ? failed(program, why) : 0;
    close(receipt);
    explicit_bzero(frame, whole); /* there may have been secrets in it */
    if (!why.number) {
        ptrace(PTRACE_DETACH, child, NULL, NULL); /* it goes on */
        code = attend(child, &heard, &ended_by);
    }
    sweep();
    tell_end(end, argv[2], code, ended_by);
    return code;
}
