/*
 * The last words of a job process on Windows: which exception, where, and the calls that led there, written into a file that its
 * parent has open too. Then the process ends with the exception's code.
 *
 * A vectored handler comes before all others: else ctypes would make a Python exception of a fault in an agent, and the process would go
 * on with what the agent left. Of abort() the C library of agents tells us; its exit code alone would be that of exit(3).
 */
#ifdef _WIN32
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <windows.h>

#define FRAMES 62 /* RtlCaptureStackBackTrace takes no more on old systems */
#define ABORTED 0xE0000016u
#define KEPT_STACK (64 << 10) /* for the handler, when the stack is used up */

static HANDLE into;
static DWORD caller; /* the thread that calls agents; reports give it the number of the process, as on Linux */

static void say(const char *text)
{
  DWORD written;
  WriteFile(into, text, (DWORD)strlen(text), &written, NULL);
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

static void say_place(const void *address)
{
  wchar_t name[MAX_PATH];
  char text[MAX_PATH * 3];
  HMODULE module = NULL;
  const DWORD how = GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS | GET_MODULE_HANDLE_EX_FLAG_UNCHANGED_REFCOUNT;
  if (GetModuleHandleExW(how, (LPCWSTR)address, &module) && GetModuleFileNameW(module, name, MAX_PATH) &&
      WideCharToMultiByte(CP_UTF8, 0, name, -1, text, sizeof text, NULL, NULL)) {
    say(text);
    say_number("(+0x", (uint64_t)(uintptr_t)address - (uint64_t)(uintptr_t)module, 16);
    say(")");
  }
  say_number("[0x", (uint64_t)(uintptr_t)address, 16);
  say("]\n");
}

static void last_words(DWORD code, const void *address, const void *place)
{
  void *frames[FRAMES];
  const DWORD thread = GetCurrentThreadId();
  unsigned short count, i;
  say_number("signal ", code, 10);
  if (address)
    say_number(", address 0x", (uint64_t)(uintptr_t)address, 16);
  say_number(", thread ", thread == caller ? GetCurrentProcessId() : thread, 10);
  say("\n");
  if (place)
    say_place(place);
  count = code == EXCEPTION_STACK_OVERFLOW ? 0 : CaptureStackBackTrace(2, FRAMES, frames, NULL);
  for (i = 0; i < count; ++i)
    say_place(frames[i]);
  say("end\n"); /* backtrace.py waits for it */
  TerminateProcess(GetCurrentProcess(), code);
}

static LONG CALLBACK on_exception(EXCEPTION_POINTERS *found)
{
  const EXCEPTION_RECORD *record = found->ExceptionRecord;
  switch (record->ExceptionCode) {
  case EXCEPTION_ACCESS_VIOLATION:
  case EXCEPTION_IN_PAGE_ERROR:
    last_words(record->ExceptionCode, (const void *)record->ExceptionInformation[1], record->ExceptionAddress);
    break;
  case EXCEPTION_ILLEGAL_INSTRUCTION:
  case EXCEPTION_PRIV_INSTRUCTION:
  case EXCEPTION_INT_DIVIDE_BY_ZERO:
  case EXCEPTION_STACK_OVERFLOW:
    last_words(record->ExceptionCode, NULL, record->ExceptionAddress);
    break;
  default:
    break; /* C++ throws, debuggers are spoken to, and others answer */
  }
  return EXCEPTION_CONTINUE_SEARCH;
}

static void on_abort(int number)
{
  (void)number;
  last_words(ABORTED, NULL, NULL);
}

/* From now on the process, whose calling thread calls agents, writes its last words into `file`. Returns 0, or -1. */
__declspec(dllexport) int postmortem_install(HANDLE file)
{
  ULONG kept = KEPT_STACK;
  into = file;
  caller = GetCurrentThreadId();
  SetThreadStackGuarantee(&kept);
  signal(SIGABRT, on_abort);
  return AddVectoredExceptionHandler(1, on_exception) ? 0 : -1;
}
#endif
