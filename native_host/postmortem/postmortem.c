/*
 * The last words of a job process: a native backtrace, written into a descriptor that its parent holds too.
 *
 * Signals that end the process get a handler that writes and then lets them end it; SIGQUIT one that only writes, for a
 * process that hangs. Everything the handler needs is made ready before: it opens and allocates nothing.
 */
#ifndef _WIN32 /* there it is windows.c */
#define _GNU_SOURCE
#include <execinfo.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define FRAMES 128
#define WITHIN_S 5

static const int fatal[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGSYS };
static int into = -1;
static char stack[64 << 10]; /* a thread that overran its own stack still has this one */

static void say(const char *text)
{
  if (write(into, text, strlen(text)) < 0)
    return; /* nobody is left to be told */
}

static void say_number(const char *before, uint64_t number, unsigned base)
{
  char digits[24];
  char *at = digits + sizeof digits - 1;
  *at = 0;
  do
    *--at = "0123456789abcdef"[number % base];
  while (number /= base);
  say(before);
  say(at);
}

static void last_words(int number, siginfo_t *info, void *context)
{
  void *frames[FRAMES];
  (void)context;
  if (number != SIGQUIT)
    alarm(WITHIN_S); /* a lock of the C library may be held by whom the fault interrupted, and this must end */
  say_number("signal ", (uint64_t)number, 10);
  if (info->si_code > 0)
    say_number(", address 0x", (uint64_t)(uintptr_t)info->si_addr, 16);
  say_number(", thread ", (uint64_t)syscall(SYS_gettid), 10);
  say("\n");
  backtrace_symbols_fd(frames, backtrace(frames, FRAMES), into);
  say("end\n"); /* last_words.py waits for it */
  if (number == SIGSYS || (number != SIGQUIT && info->si_code <= 0)) /* it was sent; a fault comes again by itself */
    syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), number);
}

/* From now on the process writes its last words into `descriptor`. Returns 0, or -1 with errno. */
__attribute__((visibility("default"))) int postmortem_install(int descriptor)
{
  struct sigaction action;
  stack_t alternate = { .ss_sp = stack, .ss_size = sizeof stack };
  void *frame;
  unsigned i;
  into = descriptor;
  backtrace(&frame, 1); /* the first one loads a library, which a handler must not */
  if (sigaltstack(&alternate, NULL))
    return -1;
  memset(&action, 0, sizeof action);
  action.sa_sigaction = last_words;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART;
  if (sigaction(SIGQUIT, &action, NULL))
    return -1;
  action.sa_flags |= SA_RESETHAND; /* the second time it ends the process */
  for (i = 0; i < sizeof fatal / sizeof *fatal; ++i)
    if (sigaction(fatal[i], &action, NULL))
      return -1;
  return 0;
}
#endif
