/* SPDX-License-Identifier: Apache-2.0 */
#include "disk.h"

#include <stdlib.h>
#include <string.h>

#include "wide.h"

#ifdef _WIN32
#include <windows.h>
#else
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>
#endif

#ifdef _WIN32

bool disk_create(disk_file *file, const ese_char *path)
{
  HANDLE handle = CreateFileW((const wchar_t *)path, GENERIC_WRITE, 0, NULL, CREATE_ALWAYS, FILE_ATTRIBUTE_NORMAL, NULL);
  file->handle = (intptr_t)handle;
  file->open = handle != INVALID_HANDLE_VALUE;
  return file->open;
}

bool disk_write(disk_file *file, const void *bytes, uint64_t len, uint64_t offset)
{
  const uint8_t *p = bytes;
  while (len) {
    OVERLAPPED at = { .Offset = (DWORD)offset, .OffsetHigh = (DWORD)(offset >> 32) };
    DWORD done = 0, part = len > (1u << 20) ? 1u << 20 : (DWORD)len;
    if (!WriteFile((HANDLE)file->handle, p, part, &done, &at))
      return false;
    p += done;
    len -= done;
    offset += done;
  }
  return true;
}

bool disk_flush(disk_file *file)
{
  return FlushFileBuffers((HANDLE)file->handle) != 0;
}

bool disk_finish(disk_file *file, uint64_t size)
{
  LARGE_INTEGER end = { .QuadPart = (LONGLONG)size };
  HANDLE handle = (HANDLE)file->handle;
  bool done = SetFilePointerEx(handle, end, NULL, FILE_BEGIN) && SetEndOfFile(handle) && FlushFileBuffers(handle);
  file->open = false;
  return CloseHandle(handle) && done;
}

void disk_close(disk_file *file)
{
  if (file->open)
    CloseHandle((HANDLE)file->handle);
  file->open = false;
}

bool disk_exists(const ese_char *path)
{
  return GetFileAttributesW((const wchar_t *)path) != INVALID_FILE_ATTRIBUTES;
}

bool disk_make_directory(const ese_char *path)
{
  return CreateDirectoryW((const wchar_t *)path, NULL) || GetLastError() == ERROR_ALREADY_EXISTS;
}

bool disk_move(const ese_char *from, const ese_char *to)
{
  return MoveFileExW((const wchar_t *)from, (const wchar_t *)to, MOVEFILE_REPLACE_EXISTING) != 0;
}

void disk_remove(const ese_char *path)
{
  (void)DeleteFileW((const wchar_t *)path);
}

void disk_remove_directory(const ese_char *path)
{
  (void)RemoveDirectoryW((const wchar_t *)path);
}

bp_status disk_failed(const bp_host_api *host, const char *what, const ese_char *path)
{
  DWORD number = GetLastError();
  char *name = wide_to_utf8(path);
  bp_status status = number == ERROR_DISK_FULL || number == ERROR_HANDLE_DISK_FULL ? BP_E_NOSPACE : BP_E_FAIL;
  status = bp_failf(host, status, BP_OS_WIN32, number, "%s %s", what, name ? name : "a file");
  free(name);
  return status;
}

#else

bool disk_create(disk_file *file, const ese_char *path)
{
  char *name = wide_to_utf8(path);
  file->handle = name ? open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600) : -1;
  file->open = file->handle >= 0;
  free(name);
  return file->open;
}

bool disk_write(disk_file *file, const void *bytes, uint64_t len, uint64_t offset)
{
  const uint8_t *p = bytes;
  while (len) {
    ssize_t done = pwrite((int)file->handle, p, len, (off_t)offset);
    if (done < 0 && errno == EINTR)
      continue;
    if (done < 0)
      return false;
    p += done;
    len -= (uint64_t)done;
    offset += (uint64_t)done;
  }
  return true;
}

bool disk_flush(disk_file *file)
{
  return !fsync((int)file->handle);
}

bool disk_finish(disk_file *file, uint64_t size)
{
  int fd = (int)file->handle;
  bool done = !ftruncate(fd, (off_t)size) && !fsync(fd);
  int number = errno;
  file->open = false;
  if (close(fd))
    return false;
  errno = number;
  return done;
}

void disk_close(disk_file *file)
{
  if (file->open)
    close((int)file->handle);
  file->open = false;
}

bool disk_exists(const ese_char *path)
{
  char *name = wide_to_utf8(path);
  struct stat status;
  bool there = name && !lstat(name, &status);
  free(name);
  return there;
}

bool disk_make_directory(const ese_char *path)
{
  char *name = wide_to_utf8(path);
  bool there = name && (!mkdir(name, 0700) || errno == EEXIST);
  free(name);
  return there;
}

bool disk_move(const ese_char *from, const ese_char *to)
{
  char *one = wide_to_utf8(from), *other = wide_to_utf8(to);
  bool moved = one && other && !rename(one, other);
  int number = errno;
  free(one);
  free(other);
  errno = number;
  return moved;
}

void disk_remove(const ese_char *path)
{
  char *name = wide_to_utf8(path);
  if (name)
    (void)unlink(name);
  free(name);
}

void disk_remove_directory(const ese_char *path)
{
  char *name = wide_to_utf8(path);
  if (name)
    (void)rmdir(name);
  free(name);
}

bp_status disk_failed(const bp_host_api *host, const char *what, const ese_char *path)
{
  int number = errno;
  char *name = wide_to_utf8(path);
  bp_status status = bp_status_of_errno(number);
  if (status != BP_E_NOMEM && status != BP_E_NOSPACE)
    status = BP_E_FAIL; /* part of a database is none */
  status = bp_fail_errno(host, status, number, "%s %s", what, name ? name : "a file");
  free(name);
  return status;
}

#endif

ese_char *disk_join(const ese_char *directory, const ese_char *name)
{
  size_t len = wide_len(directory), more = wide_len(name);
  ese_char separator = '/', *path = malloc((len + more + 2) * sizeof *path);
  if (!path)
    return NULL;
  for (size_t i = 0; i < len; i++)
    if (directory[i] == '\\')
      separator = '\\';
  memcpy(path, directory, len * sizeof *path);
  if (len && path[len - 1] != '/' && path[len - 1] != '\\')
    path[len++] = separator;
  memcpy(path + len, name, (more + 1) * sizeof *path);
  return path;
}
