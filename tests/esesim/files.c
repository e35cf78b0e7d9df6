/* SPDX-License-Identifier: Apache-2.0 */
#ifndef _WIN32
#define _GNU_SOURCE
#endif
#include "files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#ifdef _WIN32
#include <io.h>
#include <windows.h>
#include <ntsecapi.h>
#define seek_to _lseeki64
#define O_PLAIN (_O_BINARY | _O_NOINHERIT)
#else
#include <dirent.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>
#define seek_to lseek
#define O_PLAIN O_CLOEXEC
#endif

static ese_result from_errno(void)
{
  switch (errno) {
    case ENOENT: return ESE_E_FILE_NOT_FOUND;
    case ENOSPC: return ESE_E_DISK_FULL;
    case ENOMEM: return ESE_E_NOT_ENOUGH_MEMORY;
    default: return ESE_E_DISK_IO;
  }
}

ese_result path_join(char *out, const char *directory, const char *name)
{
  char joined[PATH_CAP];
  int length = snprintf(joined, sizeof joined, "%s%c%s", directory, PATH_SEPARATOR, name);
  if (length < 0 || (size_t)length >= sizeof joined)
    return ESE_E_INVALID_PARAMETER;
  memcpy(out, joined, (size_t)length + 1);
  return ESE_OK;
}

const char *path_base(const char *path)
{
  const char *base = path;
  for (; *path; path++)
    if (*path == '/' || *path == '\\')
      base = path + 1;
  return base;
}

#ifdef _WIN32
/* A path for the Unicode calls; the prefix lifts the limit of 260 characters. Static: the simulator has one thread. */
static const wchar_t *wide(const char *path, int which)
{
  static wchar_t buffers[2][PATH_CAP + 8];
  wchar_t *out = buffers[which], *text = out;
  if (path[0] && path[1] == ':') {
    memcpy(out, L"\\\\?\\", 4 * sizeof *out);
    text += 4;
  }
  if (!MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, path, -1, text, PATH_CAP))
    *out = 0;
  for (; *text; text++)
    if (*text == L'/')
      *text = L'\\';
  return out;
}
#define system_open(path, flags) _wopen(wide(path, 0), (flags) | O_PLAIN, _S_IREAD | _S_IWRITE)
#else
#define system_open(path, flags) open(path, (flags) | O_PLAIN, 0666)
#endif

static int opened(const char *path, int flags, ese_result *error)
{
  int file = system_open(path, flags);
  *error = file < 0 ? from_errno() : ESE_OK;
  return file;
}

int files_open(const char *path, ese_result *error)
{
  return opened(path, O_RDWR, error);
}

int files_create(const char *path, ese_result *error)
{
  return opened(path, O_RDWR | O_CREAT | O_EXCL, error);
}

void files_close(int file)
{
  if (file >= 0)
    close(file);
}

int64_t files_size(int file)
{
  return seek_to(file, 0, SEEK_END);
}

ese_result files_read_at(int file, int64_t at, void *data, size_t size, size_t *got)
{
  char *out = data;
  *got = 0;
  if (seek_to(file, at, SEEK_SET) < 0)
    return from_errno();
  while (*got < size) {
    int piece = (int)read(file, out + *got, (unsigned)(size - *got));
    if (piece < 0 && errno == EINTR)
      continue;
    if (piece < 0)
      return from_errno();
    if (piece == 0)
      break;
    *got += (size_t)piece;
  }
  return ESE_OK;
}

static ese_result write_whole(int file, const char *data, size_t size)
{
  while (size) {
    int piece = (int)write(file, data, (unsigned)size);
    if (piece < 0 && errno == EINTR)
      continue;
    if (piece <= 0)
      return from_errno();
    data += piece;
    size -= (size_t)piece;
  }
  return ESE_OK;
}

ese_result files_write_at(int file, int64_t at, const void *data, size_t size)
{
  if (seek_to(file, at, SEEK_SET) < 0)
    return from_errno();
  return write_whole(file, data, size);
}

ese_result files_set_size(int file, int64_t size)
{
#ifdef _WIN32
  return _chsize_s(file, size) ? from_errno() : ESE_OK;
#else
  return ftruncate(file, size) ? from_errno() : ESE_OK;
#endif
}

bool files_exists(const char *path)
{
#ifdef _WIN32
  return GetFileAttributesW(wide(path, 0)) != INVALID_FILE_ATTRIBUTES;
#else
  return access(path, F_OK) == 0;
#endif
}

ese_result files_read_all(const char *path, char **text)
{
  ese_result result;
  size_t size, got;
  int file = opened(path, O_RDONLY, &result);
  *text = NULL;
  if (file < 0)
    return result;
  size = (size_t)files_size(file);
  *text = malloc(size + 1);
  result = *text ? files_read_at(file, 0, *text, size, &got) : ESE_E_NOT_ENOUGH_MEMORY;
  files_close(file);
  if (result < 0) {
    free(*text);
    *text = NULL;
    return result;
  }
  (*text)[got] = 0;
  return ESE_OK;
}

static ese_result write_file(const char *path, int flags, const void *data, size_t size)
{
  ese_result result;
  int file = opened(path, O_WRONLY | O_CREAT | flags, &result);
  if (file < 0)
    return result;
  result = write_whole(file, data, size);
  files_close(file);
  return result;
}

ese_result files_append(const char *path, const void *data, size_t size)
{
  return write_file(path, O_APPEND, data, size);
}

ese_result files_replace(const char *path, const void *data, size_t size)
{
  char fresh[PATH_CAP + 8];
  ese_result result;
  snprintf(fresh, sizeof fresh, "%s.new", path);
  result = write_file(fresh, O_TRUNC, data, size);
  return result < 0 ? result : files_rename(fresh, path);
}

ese_result files_rename(const char *from, const char *to)
{
#ifdef _WIN32
  return MoveFileExW(wide(from, 0), wide(to, 1), MOVEFILE_REPLACE_EXISTING) ? ESE_OK : ESE_E_DISK_IO;
#else
  return rename(from, to) ? from_errno() : ESE_OK;
#endif
}

ese_result files_remove(const char *path)
{
#ifdef _WIN32
  return DeleteFileW(wide(path, 0)) ? ESE_OK : ESE_E_DISK_IO;
#else
  return unlink(path) ? from_errno() : ESE_OK;
#endif
}

ese_result files_make_directory(const char *path)
{
#ifdef _WIN32
  return CreateDirectoryW(wide(path, 0), NULL) || GetLastError() == ERROR_ALREADY_EXISTS ? ESE_OK : ESE_E_DISK_IO;
#else
  return mkdir(path, 0777) && errno != EEXIST ? from_errno() : ESE_OK;
#endif
}

ese_result files_list(const char *directory, void (*visit)(void *arg, const char *name), void *arg)
{
#ifdef _WIN32
  char pattern[PATH_CAP], name[PATH_CAP];
  WIN32_FIND_DATAW found;
  HANDLE search;
  if (path_join(pattern, directory, "*") < 0)
    return ESE_E_INVALID_PARAMETER;
  search = FindFirstFileW(wide(pattern, 0), &found);
  if (search == INVALID_HANDLE_VALUE)
    return ESE_E_FILE_NOT_FOUND;
  do {
    if (WideCharToMultiByte(CP_UTF8, 0, found.cFileName, -1, name, sizeof name, NULL, NULL))
      visit(arg, name);
  } while (FindNextFileW(search, &found));
  FindClose(search);
#else
  struct dirent *entry;
  DIR *listed = opendir(directory);
  if (!listed)
    return from_errno();
  while ((entry = readdir(listed)))
    visit(arg, entry->d_name);
  closedir(listed);
#endif
  return ESE_OK;
}

int files_guard(const char *path, ese_result *error)
{
  int guard = opened(path, O_RDWR | O_CREAT, error);
#ifdef _WIN32
  OVERLAPPED whole = {0};
  if (guard >= 0 && !LockFileEx((HANDLE)_get_osfhandle(guard), LOCKFILE_EXCLUSIVE_LOCK, 0, 1, 0, &whole))
    *error = ESE_E_DISK_IO;
#else
  while (guard >= 0 && flock(guard, LOCK_EX))
    if (errno != EINTR) {
      *error = from_errno();
      break;
    }
#endif
  if (guard >= 0 && *error < 0) {
    files_close(guard);
    guard = -1;
  }
  return guard;
}

void files_unguard(int guard)
{
  files_close(guard);
}

uint32_t process_self(void)
{
#ifdef _WIN32
  return GetCurrentProcessId();
#else
  return (uint32_t)getpid();
#endif
}

bool process_alive(uint32_t pid)
{
#ifdef _WIN32
  DWORD code = 0;
  HANDLE process = OpenProcess(PROCESS_QUERY_LIMITED_INFORMATION, FALSE, pid);
  bool alive = process && GetExitCodeProcess(process, &code) && code == STILL_ACTIVE;
  if (process)
    CloseHandle(process);
  return alive;
#else
  return kill((pid_t)pid, 0) == 0 || errno == EPERM;
#endif
}

void process_die(void)
{
#ifdef _WIN32
  TerminateProcess(GetCurrentProcess(), 9);
#else
  kill(getpid(), SIGKILL);
#endif
}

void process_sleep_ms(uint32_t ms)
{
#ifdef _WIN32
  Sleep(ms);
#else
  struct timespec time = {ms / 1000, (long)(ms % 1000) * 1000000};
  nanosleep(&time, NULL);
#endif
}

void random_bytes(void *out, size_t size)
{
#ifdef _WIN32
  if (!RtlGenRandom(out, (ULONG)size))
    abort();
#else
  if (getrandom(out, size, 0) != (ssize_t)size)
    abort();
#endif
}
