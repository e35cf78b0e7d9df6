/* SPDX-License-Identifier: Apache-2.0 */
/* The holder: `watcher [--background] STORE PATH...`. In the background it is when it watches and its store can be read. See watcher.h. */
#define _GNU_SOURCE
#include "watcher.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fanotify.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { USAGE = 2, IN_USE = 3, NOT_POSSIBLE = 4, GAVE_UP = 5 };

#define RESTARTS_MOST 20u /* of a reader, without a minute between them */
#define RESTART_PAUSE_NS 100000000
#define QUIET_S 60

void say(const char *format, ...)
{
  char line[4096 + 512];
  va_list args;
  int n;
  va_start(args, format);
  n = vsnprintf(line, sizeof line - 1, format, args);
  va_end(args);
  n = n < 0 ? 0 : n > (int)sizeof line - 2 ? (int)sizeof line - 2 : n;
  line[n] = '\n';
  if (write(2, line, (size_t)n + 1) < 0)
    return; /* nobody reads the log: no reason to stop */
}

/* "READY=1" to a service manager that asked for it; sd_notify(3). */
static void tell_manager(const char *text)
{
  const char *name = getenv("NOTIFY_SOCKET");
  struct sockaddr_un to = { .sun_family = AF_UNIX };
  size_t len = name ? strlen(name) : 0;
  int fd;
  if (!len || len >= sizeof to.sun_path)
    return;
  memcpy(to.sun_path, name, len);
  if (name[0] == '@')
    to.sun_path[0] = 0;
  fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0)
    return;
  if (sendto(fd, text, strlen(text), MSG_NOSIGNAL, (struct sockaddr *)&to,
             (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)) < 0)
    say("cannot tell the service manager: %s", strerror(errno));
  close(fd);
}

static void new_identity(shared *page)
{
  uint8_t random[16];
  int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
  if (fd >= 0) {
    ssize_t n = read(fd, page->boot, 36);
    page->boot[n > 0 ? n : 0] = 0;
    close(fd);
  }
  if (getrandom(random, sizeof random, 0) != sizeof random)
    abort(); /* 16 bytes are never short */
  for (unsigned i = 0; i < sizeof random; i++)
    snprintf(page->uuid + 2 * i, 3, "%02x", random[i]);
  page->started = time(NULL);
}

/* The stores of earlier watchers: nobody may use them any more. */
static void remove_old_stores(const char *store)
{
  DIR *dir = opendir(store);
  struct dirent *entry;
  if (!dir)
    return;
  while ((entry = readdir(dir)))
    if (!strncmp(entry->d_name, "events-", 7))
      (void)unlinkat(dirfd(dir), entry->d_name, 0);
  closedir(dir);
}

/*
 * All that the holder waits for is a signal, and all of them are blocked: one that comes between two waits is there at the next.
 * SIGTERM, SIGINT: end. SIGCHLD: a reader ended. SIGUSR1: from a reader, its store can be read.
 */
static sigset_t signals_waited_for(void)
{
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGCHLD);
  sigaddset(&set, SIGUSR1);
  return set;
}

/* With the signals as they were before the holder. Does not return. */
static void become_reader(int fanotify, shared *page, const char *store, pid_t holder, const sigset_t *before)
{
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != holder)
    _exit(0);
  sigprocmask(SIG_SETMASK, before, NULL);
  _exit(reader(fanotify, page, store, holder));
}

/* Once: whoever started the watcher, and a service manager. *to_parent: -1 afterwards. */
static void say_ready(bool *said, int *to_parent)
{
  if (*said)
    return;
  *said = true;
  tell_manager("READY=1");
  if (*to_parent < 0)
    return;
  if (write(*to_parent, "", 1) != 1)
    say("whoever started the watcher is gone");
  close(*to_parent);
  *to_parent = -1;
}

/* Does one of the signals that end the holder come within this time? */
static bool stop_comes(const sigset_t *set, const struct timespec *within)
{
  sigset_t stops = *set;
  sigdelset(&stops, SIGCHLD);
  sigdelset(&stops, SIGUSR1);
  return sigtimedwait(&stops, NULL, within) > 0;
}

/* Keeps a reader running. before: the signals that were blocked before `waited`. */
static int hold(int fanotify, shared *page, const char *store, int to_parent, const sigset_t *waited, const sigset_t *before)
{
  static const struct timespec restart_pause = { .tv_nsec = RESTART_PAUSE_NS };
  unsigned restarts = 0;
  time_t since = time(NULL);
  pid_t holder = getpid();
  bool said_ready = false;
  for (;;) {
    int status = 0, number;
    pid_t child = fork();
    if (child < 0) {
      say("cannot start a reader: %s", strerror(errno));
      return GAVE_UP;
    }
    if (!child)
      become_reader(fanotify, page, store, holder, before);
    while (waitpid(child, &status, WNOHANG) == 0) {
      number = sigwaitinfo(waited, NULL);
      if (number == SIGUSR1)
        say_ready(&said_ready, &to_parent);
      if (number == SIGTERM || number == SIGINT) {
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
        return 0;
      }
    }
    say("the reader ended with %d; starting another", WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
    if (time(NULL) - since > QUIET_S)
      restarts = 0;
    since = time(NULL);
    if (++restarts > RESTARTS_MOST) {
      say("the reader does not stay alive: giving up");
      return GAVE_UP;
    }
    if (stop_comes(waited, &restart_pause))
      return 0;
  }
}

/* In the child: the descriptor to write a byte to when it watches. The parent ends then, or with the child. */
static int go_to_background(void)
{
  int ready[2], status;
  char byte;
  pid_t child;
  if (pipe2(ready, O_CLOEXEC) || (child = fork()) < 0) {
    say("cannot start: %s", strerror(errno));
    exit(NOT_POSSIBLE);
  }
  if (!child) {
    close(ready[0]);
    setsid();
    return ready[1];
  }
  close(ready[1]);
  if (read(ready[0], &byte, 1) == 1)
    _exit(0);
  if (waitpid(child, &status, 0) < 0 || !WIFEXITED(status))
    _exit(GAVE_UP);
  _exit(WEXITSTATUS(status));
}

/* Locks the store for this process, and writes its id there. An exit code, or 0. */
static int take_store(const char *store)
{
  char path[4096];
  int lock;
  if (mkdir(store, 0700) && errno != EEXIST) {
    say("cannot make %s: %s", store, strerror(errno));
    return NOT_POSSIBLE;
  }
  snprintf(path, sizeof path, "%s/watcher.lock", store);
  lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600); /* stays open: whoever can lock it knows that we are gone */
  if (lock < 0) {
    say("cannot open %s: %s", path, strerror(errno));
    return NOT_POSSIBLE;
  }
  if (flock(lock, LOCK_EX | LOCK_NB)) {
    say("a watcher is running already in %s", store);
    return IN_USE;
  }
  if (ftruncate(lock, 0) || dprintf(lock, "%d\n", getpid()) < 0) {
    say("cannot write %s: %s", path, strerror(errno));
    return NOT_POSSIBLE;
  }
  return 0;
}

int main(int argc, char **argv)
{
  sigset_t waited = signals_waited_for(), before;
  int fanotify, code, to_parent = -1;
  shared *page;
  if (argc > 1 && !strcmp(argv[1], "--background")) {
    to_parent = go_to_background();
    argc--;
    argv++;
  }
  if (argc < 3) {
    say("usage: watcher [--background] STORE PATH...");
    return USAGE;
  }
  code = take_store(argv[1]);
  if (code)
    return code;
  page = mmap(NULL, sizeof *page, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (page == MAP_FAILED) {
    say("no memory");
    return NOT_POSSIBLE;
  }
  new_identity(page);
  fanotify = fanotify_init(FAN_CLASS_NOTIF | FAN_REPORT_DFID_NAME | FAN_REPORT_FID | FAN_UNLIMITED_QUEUE | FAN_CLOEXEC
                             | FAN_NONBLOCK, O_RDONLY);
  if (fanotify < 0) {
    say("cannot watch file systems: fanotify: %s%s", strerror(errno),
        errno == EPERM ? " (it needs CAP_SYS_ADMIN)" : errno == EINVAL ? " (it needs Linux 5.9 or newer)" : "");
    return NOT_POSSIBLE;
  }
  for (int i = 2; i < argc; i++)
    if (!mark_path(fanotify, page, argv[i]))
      return NOT_POSSIBLE;
  remove_old_stores(argv[1]);
  signal(SIGPIPE, SIG_IGN);
  signal(SIGHUP, SIG_IGN);
  signal(SIGCHLD, SIG_DFL); /* ignored, as a parent may leave it, it is not sent */
  sigprocmask(SIG_BLOCK, &waited, &before);
  return hold(fanotify, page, argv[1], to_parent, &waited, &before);
}
