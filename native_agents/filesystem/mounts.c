/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "mounts.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* "\040" is a blank, in the kernel's tables. In place. */
static void unescape(char *text)
{
  char *out = text;
  for (const char *in = text; *in; in++)
    if (in[0] == '\\' && in[1] >= '0' && in[1] <= '3' && in[2] && in[3]) {
      *out++ = (char)((in[1] - '0') << 6 | (in[2] - '0') << 3 | (in[3] - '0'));
      in += 3;
    } else {
      *out++ = *in;
    }
  *out = 0;
}

/* Is one of the two at or above the other? */
static bool on_one_line(const char *a, uint32_t a_len, const char *b, uint32_t b_len)
{
  uint32_t shorter = a_len < b_len ? a_len : b_len;
  const char *longer = a_len < b_len ? b : a;
  return !memcmp(a, b, shorter) && (a_len == b_len || longer[shorter] == '/');
}

uint64_t mounts_around(const char *path, uint32_t len)
{
  FILE *table = fopen("/proc/self/mountinfo", "re");
  uint64_t hash = 14695981039346656037u;
  char *line = NULL;
  size_t cap = 0;
  if (!table)
    return 0;
  while (getline(&line, &cap, table) > 0) {
    char *fields[5], *rest = line;
    uint32_t point;
    unsigned n = 0;
    while (n < 5 && (fields[n] = strsep(&rest, " ")))
      n++;
    if (n < 5)
      continue;
    unescape(fields[4]);
    point = (uint32_t)strlen(fields[4]);
    if (point == 1)
      point = 0; /* "/" */
    if (!on_one_line(path, len, fields[4], point))
      continue;
    for (n = 2; n < 5; n++) /* device, which part of it, where */
      for (const char *c = fields[n];; c++) {
        hash = (hash ^ (uint8_t)*c) * 1099511628211u;
        if (!*c)
          break;
      }
  }
  free(line);
  fclose(table);
  return hash ? hash : 1;
}

/* ---- files without events ---------------------------------------------------------------------------------------------------- */

static bool want_by_path(state *s, const char *path)
{
  struct stat st;
  return stat(path, &st) || state_want_file(s, st.st_ino, st.st_dev, false);
}

/* The kernel's own file system of memory that processes share: nothing there has a path. 0: not known. */
static dev_t device_of_memory(void)
{
  int fd = memfd_create("filed", MFD_CLOEXEC);
  struct stat st = { .st_dev = 0 };
  if (fd < 0)
    return 0;
  (void)fstat(fd, &st);
  close(fd);
  return st.st_dev;
}

/*
 * Lines of a process's maps: "start-end rw-s offset dev inode path". The device there is not that of stat(2) on btrfs or below an
 * overlay, so that the inode's number alone counts; a file more may be saved.
 */
static bool want_mapped(state *s, FILE *maps, dev_t memory)
{
  char *line = NULL;
  size_t cap = 0;
  bool good = true;
  while (good && getline(&line, &cap, maps) > 0) {
    unsigned long long ino;
    unsigned int major, minor;
    char flags[8];
    if (sscanf(line, "%*s %7s %*s %x:%x %llu", flags, &major, &minor, &ino) == 4 && ino && flags[1] == 'w' && flags[3] == 's'
        && (!memory || makedev(major, minor) != memory))
      good = state_want_file(s, ino, 0, true);
  }
  free(line);
  return good;
}

static bool want_all_mapped(state *s, bool *all)
{
  DIR *processes = opendir("/proc");
  struct dirent *entry;
  dev_t memory = device_of_memory();
  bool good = true;
  *all = processes != NULL && access("/proc/1/maps", R_OK) == 0;
  while (processes && good && (entry = readdir(processes))) {
    char path[300];
    FILE *maps;
    if (!isdigit((unsigned char)entry->d_name[0]))
      continue;
    snprintf(path, sizeof path, "/proc/%s/maps", entry->d_name);
    maps = fopen(path, "re");
    if (maps) {
      good = want_mapped(s, maps, memory);
      fclose(maps);
    } else if (errno == EACCES || errno == EPERM) { /* else it has ended meanwhile */
      *all = false;
    }
  }
  if (processes)
    closedir(processes);
  return good;
}

static bool want_loops(state *s)
{
  DIR *blocks = opendir("/sys/block");
  struct dirent *entry;
  bool good = true;
  if (!blocks)
    return true;
  while (good && (entry = readdir(blocks))) {
    char name[300], path[4097];
    ssize_t n;
    int fd;
    if (strncmp(entry->d_name, "loop", 4))
      continue;
    snprintf(name, sizeof name, "/sys/block/%s/loop/backing_file", entry->d_name);
    fd = open(name, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
      continue; /* not in use */
    n = read(fd, path, sizeof path - 1);
    close(fd);
    if (n > 0) {
      path[n] = 0;
      path[strcspn(path, "\n")] = 0;
      good = want_by_path(s, path);
    }
  }
  closedir(blocks);
  return good;
}

static bool want_swap(state *s)
{
  FILE *swaps = fopen("/proc/swaps", "re");
  char *line = NULL;
  size_t cap = 0;
  bool good = true;
  while (good && swaps && getline(&line, &cap, swaps) > 0) {
    line[strcspn(line, " \t\n")] = 0;
    unescape(line);
    if (line[0] == '/')
      good = want_by_path(s, line);
  }
  free(line);
  if (swaps)
    fclose(swaps);
  return good;
}

bool mounts_want_hot(state *s, bool *all)
{
  return want_all_mapped(s, all) && want_loops(s) && want_swap(s);
}
