/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "child.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
  MAX_TOLD = 1000,      /* lines of one command; the rest is counted */
  LOOK_EVERY_MS = 500,  /* at the cancel word, and whether it still lives */
  POLITE_MS = 500,
  PIPE_BYTES = 1 << 20, /* fewer switches between it and us */
  FIRST_DESCRIPTOR = 3
};

static int64_t now_ms(void)
{
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void close_if_open(int *descriptor)
{
  if (*descriptor >= 0)
    close(*descriptor);
  *descriptor = -1;
}

void child_init(child *child)
{
  memset(child, 0, sizeof *child);
  child->data = child->words = child->wake = child->lifeline = -1;
}

/* ---- start ------------------------------------------------------------------------------------------------------- */

/* Between fork and exec: only what is safe there. Nobody's descriptors, handlers or blocked signals go along.
 * group: to join; 0 for one of its own, which is killed with the parent. go: to wait at for a byte; without one nothing is begun. */
static _Noreturn void become(const char *command, pid_t group, int in, int out, int err, const int go[2])
{
  char byte;
  struct sigaction usual;
  sigset_t none;
  memset(&usual, 0, sizeof usual);
  usual.sa_handler = SIG_DFL;
  for (int number = 1; number < NSIG; number++)
    (void)sigaction(number, &usual, NULL); /* SIGPIPE above all: the host ignores it, and a pipeline needs it */
  sigemptyset(&none);
  (void)sigprocmask(SIG_SETMASK, &none, NULL);
  (void)setpgid(0, group);
  if (!group)
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* at once; the rest of its group is the guard's */
  if (go)
    close(go[1]);
  if ((!go || read(go[0], &byte, 1) == 1) && dup2(in, 0) == 0 && dup2(out, 1) == 1 && dup2(err, 2) == 2) {
    if (syscall(SYS_close_range, FIRST_DESCRIPTOR, ~0u, 0) != 0)
      for (int other = FIRST_DESCRIPTOR; other < (int)sysconf(_SC_OPEN_MAX); other++)
        close(other); /* a kernel before 5.9 */
    execl("/bin/sh", "sh", "-c", command, (char *)NULL);
  }
  _exit(127);
}

/* A Job that is killed leaves nothing running: what waits in the command's group for the end of a pipe sees that filed is gone. */
static int start_guard(child *child, int null)
{
  static const char guard[] = "trap '' TERM; read end; kill -9 0";
  int life[2], failed;
  if (pipe2(life, O_CLOEXEC) != 0)
    return errno;
  child->guard = fork();
  if (child->guard == 0)
    become(guard, child->pid, life[0], null, null, NULL);
  failed = child->guard < 0 ? errno : 0;
  if (failed)
    child->guard = 0;
  close(life[0]);
  child->lifeline = life[1];
  return failed;
}

bp_status child_start(child *child, child_way way, const char *command)
{
  int data[2] = { -1, -1 }, words[2] = { -1, -1 }, null = open("/dev/null", O_RDWR | O_CLOEXEC);
  int go[2] = { -1, -1 }, ours = way == CHILD_READS ? 0 : 1, failed = 0;
  child->told = child->used = 0;
  child->last[0] = 0;
  if (null < 0 || pipe2(data, O_CLOEXEC) != 0 || pipe2(words, O_CLOEXEC) != 0 || pipe2(go, O_CLOEXEC) != 0)
    failed = errno;
  else {
    (void)fcntl(data[0], F_SETPIPE_SZ, PIPE_BYTES);
    child->pid = fork();
    if (child->pid == 0)
      become(command, 0, way == CHILD_READS ? null : data[0], way == CHILD_READS ? data[1] : words[1], words[1], go);
    failed = child->pid < 0 ? errno : 0;
  }
  if (failed)
    child->pid = 0;
  else {
    (void)setpgid(child->pid, child->pid); /* whoever of us is first */
    failed = start_guard(child, null);
    if (!failed && write(go[1], "", 1) != 1) /* a command may kill us at once: its guard is there before it begins */
      failed = errno;
  }
  close_if_open(&go[0]);
  close_if_open(&go[1]);
  close_if_open(&null);
  close_if_open(&data[!ours]);
  close_if_open(&words[1]);
  child->data = data[ours];
  child->words = words[0];
  if (failed) {
    child_stop(child);
    close_if_open(&child->data);
    close_if_open(&child->words);
    return bp_fail_errno(child->host, child->trouble, failed, "%s: its command cannot be started", child->label);
  }
  (void)fcntl(child->data, F_SETFL, O_NONBLOCK);
  (void)fcntl(child->words, F_SETFL, O_NONBLOCK);
  child->active_ms = now_ms();
  return BP_OK;
}

/* ---- its words --------------------------------------------------------------------------------------------------- */

static void tell_line(child *child)
{
  if (!child->used)
    return;
  child->line[child->used] = 0;
  memcpy(child->last, child->line, child->used + 1);
  child->used = 0;
  if (child->told++ < MAX_TOLD)
    (void)bp_logf(child->host, BP_MSG_INFO, "%s: %s", child->label, child->last);
}

static void hear(child *child)
{
  char piece[4096];
  ssize_t got;
  while (child->words >= 0 && (got = read(child->words, piece, sizeof piece)) != -1) {
    if (got == 0) {
      close_if_open(&child->words);
      break;
    }
    child->active_ms = now_ms();
    for (ssize_t i = 0; i < got; i++) {
      if (piece[i] == '\n' || piece[i] == '\r' || child->used == CHILD_LINE - 1)
        tell_line(child);
      if (piece[i] != '\n' && piece[i] != '\r')
        child->line[child->used++] = piece[i];
    }
    if (got < (ssize_t)sizeof piece)
      break; /* a flood of words must not starve the data */
  }
}

static void last_words(child *child)
{
  hear(child);
  tell_line(child);
  if (child->told > MAX_TOLD)
    (void)bp_logf(child->host, BP_MSG_INFO, "%s: %u further lines of its command are left out", child->label,
                  child->told - MAX_TOLD);
  child->told = 0;
}

/* ---- waiting ----------------------------------------------------------------------------------------------------- */

/* Waits for the data, for words, for a cancel. BP_OK: look again. */
static bp_status wait_for(child *child, short events, int timeout_ms)
{
  struct pollfd what[3] = {
    { .fd = child->wake, .events = POLLIN }, { .fd = child->words, .events = POLLIN }, { .fd = child->data, .events = events }
  };
  (void)poll(what, events ? 3 : 2, timeout_ms);
  if (what[0].revents || bp_cancelled(child->host))
    return BP_E_CANCELLED;
  hear(child);
  bp_beat(child->host); /* it is the command that is slow: `silence` is its bound, not the host's */
  if (child->silence_s && now_ms() - child->active_ms > (int64_t)child->silence_s * 1000)
    return bp_failf(child->host, child->trouble, BP_OS_NONE, 0, "%s: its command did nothing for %u seconds (option silence)",
                    child->label, child->silence_s);
  return BP_OK;
}

/* Has it ended? *how as waitid has it; it stays to be reaped, so that nobody else gets its number meanwhile. */
static int has_ended(const child *child, siginfo_t *how)
{
  memset(how, 0, sizeof *how);
  return waitid(P_PID, (id_t)child->pid, how, WEXITED | WNOHANG | WNOWAIT) == 0 && how->si_pid == child->pid;
}

static void wait_for_end(pid_t pid)
{
  while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
    ;
}

static void reap(child *child)
{
  if (child->guard) { /* first: the end of its pipe would be the end of what the command left running on purpose */
    (void)kill(child->guard, SIGKILL);
    wait_for_end(child->guard);
    child->guard = 0;
  }
  close_if_open(&child->lifeline);
  wait_for_end(child->pid);
  child->pid = 0;
  close_if_open(&child->data);
  close_if_open(&child->words);
}

static bp_status verdict(child *child, const siginfo_t *how)
{
  const char *said = child->last[0] ? "; the last it said: " : "";
  if (how->si_code == CLD_EXITED && how->si_status == 0)
    return BP_OK;
  if (how->si_code == CLD_EXITED)
    return bp_failf(child->host, child->trouble, BP_OS_NONE, 0, "%s: its command ended with exit code %d%s%s", child->label,
                    how->si_status, said, child->last);
  return bp_failf(child->host, child->trouble, BP_OS_NONE, 0, "%s: its command was ended by signal %d (%s)%s%s", child->label,
                  how->si_status, strsignal(how->si_status), said, child->last);
}

/* ---- data -------------------------------------------------------------------------------------------------------- */

/* A command that failed while something it started still holds its output: nobody need wait for that. */
static bp_status failed_already(child *child)
{
  siginfo_t how;
  if (!has_ended(child, &how) || (how.si_code == CLD_EXITED && how.si_status == 0))
    return BP_OK;
  last_words(child);
  return verdict(child, &how);
}

bp_status child_read(child *child, void *buf, uint64_t cap, uint64_t *len)
{
  *len = 0;
  child->active_ms = now_ms(); /* the time that the host took is not its silence */
  while (*len < cap) {
    ssize_t got = read(child->data, (char *)buf + *len, cap - *len);
    if (got == 0)
      return BP_OK;
    if (got > 0) {
      *len += (uint64_t)got;
      child->active_ms = now_ms();
      bp_beat(child->host);
      if (bp_cancelled(child->host))
        return BP_E_CANCELLED;
      continue;
    }
    if (errno != EAGAIN && errno != EINTR)
      return bp_fail_errno(child->host, child->trouble, errno, "%s: reading from its command", child->label);
    bp_status status = failed_already(child);
    if (status == BP_OK)
      status = wait_for(child, POLLIN, LOOK_EVERY_MS);
    if (status != BP_OK)
      return status;
  }
  return BP_OK;
}

/* write(2) without the signal that nobody may have a handler for. */
static ssize_t write_quietly(int descriptor, const void *buf, size_t len)
{
  static const struct timespec at_once = { 0, 0 };
  sigset_t pipe, before, pending;
  sigemptyset(&pipe);
  sigaddset(&pipe, SIGPIPE);
  sigpending(&pending);
  pthread_sigmask(SIG_BLOCK, &pipe, &before);
  ssize_t put = write(descriptor, buf, len);
  int number = put < 0 ? errno : 0;
  if (number == EPIPE && !sigismember(&pending, SIGPIPE))
    while (sigtimedwait(&pipe, NULL, &at_once) < 0 && errno == EINTR)
      ;
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  errno = number;
  return put;
}

bp_status child_write(child *child, const void *buf, uint64_t len)
{
  const char *from = buf;
  child->active_ms = now_ms();
  while (len) {
    ssize_t put = write_quietly(child->data, from, len);
    if (put > 0) {
      from += put;
      len -= (uint64_t)put;
      child->active_ms = now_ms();
      bp_beat(child->host);
      continue;
    }
    if (put < 0 && errno == EPIPE) {
      bp_status status = child_finish(child);
      return status != BP_OK ? status
                             : bp_failf(child->host, child->trouble, BP_OS_NONE, 0,
                                        "%s: its command ended before it had read everything", child->label);
    }
    if (put < 0 && errno != EAGAIN && errno != EINTR)
      return bp_fail_errno(child->host, child->trouble, errno, "%s: writing to its command", child->label);
    bp_status status = wait_for(child, POLLOUT, LOOK_EVERY_MS);
    if (status != BP_OK)
      return status;
  }
  return BP_OK;
}

/* ---- the end ----------------------------------------------------------------------------------------------------- */

bp_status child_finish(child *child)
{
  siginfo_t how;
  int pause_ms = 1;
  child->active_ms = now_ms();
  close_if_open(&child->data);
  while (!has_ended(child, &how)) {
    bp_status status = wait_for(child, 0, pause_ms);
    if (status != BP_OK)
      return status;
    pause_ms = pause_ms < 50 ? pause_ms * 2 : pause_ms;
  }
  last_words(child);
  bp_status status = verdict(child, &how);
  if (status == BP_OK)
    reap(child); /* what it left running on purpose may go on */
  else
    child_stop(child);
  return status;
}

void child_stop(child *child)
{
  siginfo_t how;
  int64_t end = now_ms() + POLITE_MS;
  struct timespec nap = { 0, 5000000 };
  if (!child->pid)
    return;
  (void)kill(-child->pid, SIGTERM);
  close_if_open(&child->data); /* behind the signal: it must not take the end of its input for a good one */
  while (!has_ended(child, &how) && now_ms() < end)
    (void)nanosleep(&nap, NULL);
  (void)kill(-child->pid, SIGKILL); /* also what its leader did not take along */
  reap(child);
}
