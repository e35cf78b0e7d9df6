/* SPDX-License-Identifier: Apache-2.0 */
#include "loghead.h"

#include <string.h>
#include <time.h>

#include "wide.h"

static uint32_t u32(const uint8_t *p)
{
  return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

bool log_head_read(log_head *head, const uint8_t bytes[LOG_HEAD_BYTES])
{
  head->generation = u32(bytes + 4);
  memcpy(head->created, bytes + 16, sizeof head->created);
  memcpy(head->previous, bytes + 24, sizeof head->previous);
  memcpy(head->signature, bytes + 44, sizeof head->signature);
  return head->generation > 0 && head->generation <= INT32_MAX;
}

bool log_follows(const log_head *head, const log_head *next)
{
  return next->generation == head->generation + 1 && !memcmp(next->previous, head->created, sizeof head->created)
         && !memcmp(next->signature, head->signature, sizeof head->signature);
}

/* Days from 1970-01-01 to a date of the Gregorian calendar; month 1 to 12. */
static int64_t days(int64_t year, int month, int day)
{
  static const int before[] = { 0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334 };
  int64_t y = year - (month <= 2);
  return year * 365 + y / 4 - y / 100 + y / 400 + before[month - 1] + day - 1 - 719527;
}

int64_t log_time(const uint8_t t[LOG_TIME_BYTES])
{
  struct tm local = { .tm_sec = t[0], .tm_min = t[1], .tm_hour = t[2], .tm_mday = t[3], .tm_mon = t[4] - 1,
                      .tm_year = t[5], .tm_isdst = -1 };
  if (t[4] < 1 || t[4] > 12 || t[3] < 1 || t[3] > 31 || t[2] > 23 || t[1] > 59 || t[0] > 60)
    return 0;
  if (t[6] & 1)
    return days(1900 + t[5], t[4], t[3]) * 86400 + t[2] * 3600 + t[1] * 60 + t[0];
  return (int64_t)mktime(&local);
}

static int hex_digit(ese_char c)
{
  return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool log_name(const ese_char *name, char base[LOG_BASE_MAX + 1], uint32_t *generation)
{
  static const char suffix[] = ".log";
  size_t len = wide_len(name), digits = len < 4 + LOG_BASE_MAX ? 0 : len - 4 - LOG_BASE_MAX;
  if (digits != 5 && digits != 8)
    return false;
  for (size_t i = 0; i < 4; i++)
    if ((name[len - 4 + i] | (i ? 0x20 : 0)) != suffix[i])
      return false;
  *generation = 0;
  for (size_t i = 0; i < digits; i++) {
    int value = hex_digit(name[LOG_BASE_MAX + i]);
    if (value < 0)
      return false;
    *generation = *generation << 4 | (uint32_t)value;
  }
  for (size_t i = 0; i < LOG_BASE_MAX; i++) {
    if (name[i] <= ' ' || name[i] >= 0x7F)
      return false;
    base[i] = (char)name[i];
  }
  base[LOG_BASE_MAX] = 0;
  return true;
}
