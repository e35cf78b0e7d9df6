/* SPDX-License-Identifier: MIT */
/*
 * Tests of bplugin_sdk.h, compiled as C and as C++, with the address and undefined-behaviour sanitizers. Each is a
 * function; test_sdk.py runs them one by one, by name. A page is allocated to the byte: a write beside it is seen.
 */
#include <stdlib.h>

#include "bplugin_sdk.h"

#define CHECK(condition)                                                            \
  do {                                                                              \
    if (!(condition)) {                                                             \
      fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);       \
      exit(1);                                                                      \
    }                                                                               \
  } while (0)

/* ---- a host's page --------------------------------------------------------------------------------------------- */

static bp_batch new_batch(uint64_t cap, uint32_t stride, uint32_t max_entries)
{
  bp_batch batch;
  memset(&batch, 0, sizeof batch);
  batch.struct_size = sizeof batch;
  batch.stride = stride;
  batch.buf = calloc(1, cap ? cap : 1);
  batch.cap = cap;
  batch.max_entries = max_entries;
  batch.count = 99;
  batch.heap_low = 99;
  batch.flags = 99;
  CHECK(batch.buf);
  return batch;
}

static bp_entry record(const bp_batch *batch, uint32_t number)
{
  bp_entry entry;
  memcpy(&entry, (char *)batch->buf + (size_t)number * batch->stride, sizeof entry);
  return entry;
}

static const char *at(const bp_batch *batch, uint32_t offset)
{
  return (const char *)batch->buf + offset;
}

static int same(const bp_batch *batch, uint32_t offset, uint32_t len, const char *text)
{
  return len == strlen(text) && !memcmp(at(batch, offset), text, len);
}

/* What a host checks of every part. */
static void check_part(const bp_batch *batch, uint32_t offset, uint32_t len)
{
  if (!len && !offset)
    return;
  CHECK(offset >= batch->heap_low);
  CHECK((uint64_t)offset + len <= batch->cap);
}

static void check_page(const bp_batch *batch)
{
  CHECK(batch->count <= batch->max_entries);
  CHECK(batch->heap_low <= batch->cap);
  CHECK((uint64_t)batch->count * batch->stride <= batch->heap_low);
  for (uint32_t i = 0; i < batch->count; i++) {
    bp_entry entry = record(batch, i);
    check_part(batch, entry.name_off, entry.name_len);
    check_part(batch, entry.link_off, entry.link_len);
    check_part(batch, entry.old_name_off, entry.old_name_len);
    check_part(batch, entry.inline_off, entry.inline_len);
    check_part(batch, entry.tlv_off, entry.tlv_len);
    CHECK(entry.tlv_off % 8 == 0 && entry.tlv_len % 8 == 0);
  }
}

static bp_entry simple(uint64_t cookie)
{
  bp_entry entry;
  memset(&entry, 0, sizeof entry);
  entry.cookie = cookie;
  entry.type = BP_TYPE_REGULAR;
  entry.size = cookie * 3;
  entry.fs_type = 0xfeedu;
  return entry;
}

/* ---- the page writer ------------------------------------------------------------------------------------------- */

static void what_is_written_is_read_back(void)
{
  bp_batch batch = new_batch(1 << 16, sizeof(bp_entry), 10);
  bp_page page;
  bp_entry entry = simple(7), got;
  bp_tlv_reader reader;
  bp_tlv tlv;
  const char *name;
  const void *value;
  uint32_t name_len;
  uint64_t value_len;

  CHECK(bp_page_init(&page, &batch) == BP_OK);
  CHECK(batch.count == 0 && batch.heap_low == batch.cap && batch.flags == 0);
  entry.name_off = entry.inline_len = entry.tlv_len = 12345; /* ignored */
  CHECK(bp_page_add(&page, &entry, "/a/file", 7, NULL, 0) == BP_OK);
  CHECK(bp_page_old_name(&page, "/a/before", 9) == BP_OK);
  CHECK(bp_page_inline(&page, "content", 7) == BP_OK);
  CHECK(bp_page_tlv(&page, BP_STREAM_ACL_ACCESS, "user::rw-", 9) == BP_OK);
  CHECK(bp_page_xattr(&page, "user.a", 6, "value", 5) == BP_OK);
  CHECK(bp_page_xattr(&page, "user.empty", 10, NULL, 0) == BP_OK);
  entry = simple(8);
  entry.type = BP_TYPE_SYMLINK;
  CHECK(bp_page_add(&page, &entry, "/a/link", 7, "file", 4) == BP_OK);
  entry = simple(9);
  CHECK(bp_page_add(&page, &entry, "/a/empty", 8, NULL, 0) == BP_OK);
  CHECK(bp_page_inline(&page, NULL, 0) == BP_OK);
  CHECK(bp_page_end(&page, 1) == BP_END && batch.flags == BP_BATCH_COMPLETE);
  CHECK(batch.count == 3 && bp_page_count(&page) == 3);
  check_page(&batch);

  got = record(&batch, 0);
  CHECK(got.cookie == 7 && got.size == 21 && got.fs_type == 0xfeedu);
  CHECK(same(&batch, got.name_off, got.name_len, "/a/file"));
  CHECK(same(&batch, got.old_name_off, got.old_name_len, "/a/before"));
  CHECK(same(&batch, got.inline_off, got.inline_len, "content"));
  CHECK(got.link_off == 0 && got.link_len == 0);
  bp_tlv_begin(&reader, at(&batch, got.tlv_off), got.tlv_len);
  CHECK(bp_tlv_next(&reader, &tlv) == BP_OK && tlv.stream == BP_STREAM_ACL_ACCESS);
  CHECK(tlv.len == 9 && !memcmp(tlv.data, "user::rw-", 9));
  CHECK(bp_tlv_next(&reader, &tlv) == BP_OK && tlv.stream == BP_STREAM_XATTR);
  CHECK(bp_xattr_split(tlv.data, tlv.len, &name, &name_len, &value, &value_len) == BP_OK);
  CHECK(name_len == 6 && !memcmp(name, "user.a", 6) && value_len == 5 && !memcmp(value, "value", 5));
  CHECK(bp_tlv_next(&reader, &tlv) == BP_OK && tlv.stream == BP_STREAM_XATTR);
  CHECK(bp_xattr_split(tlv.data, tlv.len, &name, &name_len, &value, &value_len) == BP_OK);
  CHECK(name_len == 10 && value_len == 0);
  CHECK(bp_tlv_next(&reader, &tlv) == BP_END);

  got = record(&batch, 1);
  CHECK(same(&batch, got.link_off, got.link_len, "file") && got.inline_off == 0 && got.tlv_off == 0);
  got = record(&batch, 2);
  CHECK(got.inline_off != 0 && got.inline_len == 0);
  free(batch.buf);
}

static void a_full_page_says_so_and_keeps_what_it_has(void)
{
  bp_batch batch = new_batch(4 * sizeof(bp_entry), sizeof(bp_entry), 100);
  bp_page page;
  bp_entry entry = simple(1);
  char name[32], far[254];
  int32_t status = BP_OK;
  volatile uint32_t huge = UINT32_MAX; /* the compiler must not see that nothing is that long */
  uint32_t n = 0;
  memset(far, '/', sizeof far);
  CHECK(bp_page_init(&page, &batch) == BP_OK);
  while (status == BP_OK) {
    uint32_t len = (uint32_t)snprintf(name, sizeof name, "/file/%u", (unsigned)n);
    status = bp_page_add(&page, &entry, name, len, NULL, 0);
    n += status == BP_OK;
  }
  CHECK(status == BP_PAGE_FULL && n == 3 && batch.count == 3);
  CHECK(bp_page_inline(&page, name, 31) == BP_OK);
  CHECK(bp_page_inline_begin(&page, 4096) == NULL);
  CHECK(bp_page_inline(&page, far, sizeof far) == BP_PAGE_FULL);
  CHECK(bp_page_tlv(&page, BP_STREAM_ACL_ACCESS, far, sizeof far) == BP_PAGE_FULL);
  CHECK(bp_page_xattr(&page, "n", 1, far, sizeof far) == BP_PAGE_FULL);
  CHECK(bp_page_old_name(&page, far, sizeof far) == BP_PAGE_FULL);
  CHECK(bp_page_inline(&page, name, huge) == BP_E_TOO_BIG);
  CHECK(bp_page_tlv(&page, BP_STREAM_XATTR, name, huge) == BP_E_TOO_BIG);
  check_page(&batch);
  free(batch.buf);
}

static void as_many_entries_as_the_host_allows(void)
{
  bp_batch batch = new_batch(1 << 16, sizeof(bp_entry), 2);
  bp_page page;
  bp_entry entry = simple(1);
  CHECK(bp_page_init(&page, &batch) == BP_OK);
  CHECK(bp_page_add(&page, &entry, "/1", 2, NULL, 0) == BP_OK);
  CHECK(bp_page_add(&page, &entry, "/2", 2, NULL, 0) == BP_OK);
  CHECK(bp_page_add(&page, &entry, "/3", 2, NULL, 0) == BP_PAGE_FULL);
  CHECK(batch.count == 2);
  free(batch.buf);
}

static void what_never_fits_is_too_big(void)
{
  bp_batch batch = new_batch(1024, sizeof(bp_entry), 10);
  bp_page page;
  bp_entry entry = simple(1);
  char name[1024];
  memset(name, '/', sizeof name);
  CHECK(bp_page_init(&page, &batch) == BP_OK);
  CHECK(bp_page_add(&page, &entry, name, sizeof name, NULL, 0) == BP_E_TOO_BIG);
  CHECK(bp_page_add(&page, &entry, name, 1024 - sizeof(bp_entry), NULL, 0) == BP_OK);
  CHECK(batch.heap_low == sizeof(bp_entry));
  CHECK(bp_page_add(&page, &entry, "/", 1, NULL, 0) == BP_PAGE_FULL);
  check_page(&batch);
  free(batch.buf);
}

static void parts_that_never_fit_are_too_big(void)
{
  bp_batch batch = new_batch(1024, sizeof(bp_entry), 10);
  bp_page page;
  bp_entry entry = simple(1);
  char part[1024];
  uint32_t room = 1024 - sizeof(bp_entry) - 4; /* of a page with one entry and its name */
  memset(part, 'p', sizeof part);
  CHECK(bp_page_init(&page, &batch) == BP_OK);
  CHECK(bp_page_add(&page, &entry, "/one", 4, NULL, 0) == BP_OK);
  CHECK(bp_page_inline(&page, part, room + 1) == BP_E_TOO_BIG);
  CHECK(bp_page_tlv(&page, BP_STREAM_ACL_ACCESS, part, room) == BP_E_TOO_BIG);
  CHECK(bp_page_xattr(&page, "n", 1, part, room) == BP_E_TOO_BIG);
  CHECK(bp_page_old_name(&page, part, sizeof part) == BP_E_TOO_BIG);
  CHECK(bp_page_add(&page, &entry, "/two", 4, NULL, 0) == BP_OK);
  CHECK(bp_page_inline(&page, part, room + 8) == BP_E_TOO_BIG); /* as the second entry, too */
  CHECK(bp_page_inline(&page, part, room - 8) == BP_PAGE_FULL); /* on the next page */
  bp_page_undo(&page);
  CHECK(bp_page_inline(&page, part, room) == BP_OK);
  check_page(&batch);
  free(batch.buf);
}

static void a_full_page_is_no_status_of_a_call(void)
{
  CHECK(BP_PAGE_FULL > 0 && BP_PAGE_FULL != BP_OK && BP_PAGE_FULL != BP_END);
}

static void an_entry_can_be_taken_back(void)
{
  bp_batch batch = new_batch(4096, sizeof(bp_entry), 10);
  bp_page page;
  bp_entry entry = simple(1), nothing;
  uint64_t low;
  memset(&nothing, 0, sizeof nothing);
  CHECK(bp_page_init(&page, &batch) == BP_OK);
  bp_page_undo(&page); /* nothing to take back */
  CHECK(bp_page_add(&page, &entry, "/first", 6, NULL, 0) == BP_OK);
  low = batch.heap_low;
  CHECK(bp_page_add(&page, &entry, "/second", 7, "x", 1) == BP_OK);
  CHECK(bp_page_tlv(&page, BP_STREAM_ACL_ACCESS, "acl", 3) == BP_OK);
  bp_page_undo(&page);
  CHECK(batch.count == 1 && batch.heap_low == low);
  CHECK(!memcmp((char *)batch.buf + sizeof(bp_entry), &nothing, sizeof nothing));
  CHECK(bp_page_add(&page, &entry, "/third", 6, NULL, 0) == BP_OK);
  CHECK(same(&batch, record(&batch, 0).name_off, record(&batch, 0).name_len, "/first"));
  CHECK(same(&batch, record(&batch, 1).name_off, record(&batch, 1).name_len, "/third"));
  free(batch.buf);
}

static void parts_need_an_entry_and_names_have_no_nul(void)
{
  bp_batch batch = new_batch(4096, sizeof(bp_entry), 10);
  bp_page page;
  bp_entry entry = simple(1);
  CHECK(bp_page_init(&page, &batch) == BP_OK);
  CHECK(bp_page_inline(&page, "x", 1) == BP_E_SEQUENCE);
  CHECK(bp_page_inline_begin(&page, 1) == NULL);
  CHECK(bp_page_tlv(&page, BP_STREAM_OBJECT, "x", 1) == BP_E_SEQUENCE);
  CHECK(bp_page_xattr(&page, "n", 1, "x", 1) == BP_E_SEQUENCE);
  CHECK(bp_page_old_name(&page, "/x", 2) == BP_E_SEQUENCE);
  CHECK(bp_page_add(&page, &entry, "/a\0b", 4, NULL, 0) == BP_E_INVAL);
  CHECK(bp_page_add(&page, &entry, "/a", 2, "l\0", 2) == BP_E_INVAL);
  CHECK(batch.count == 0);
  CHECK(bp_page_add(&page, &entry, "/a", 2, NULL, 0) == BP_OK);
  CHECK(bp_page_old_name(&page, "/\0", 2) == BP_E_INVAL);
  CHECK(bp_page_xattr(&page, "", 0, "x", 1) == BP_E_INVAL);
  free(batch.buf);
}

static void data_can_be_read_straight_into_the_page(void)
{
  bp_batch batch = new_batch(4096, sizeof(bp_entry), 10);
  bp_page page;
  bp_entry entry = simple(1), got;
  char *room;
  CHECK(bp_page_init(&page, &batch) == BP_OK);
  CHECK(bp_page_add(&page, &entry, "/a", 2, NULL, 0) == BP_OK);
  room = (char *)bp_page_inline_begin(&page, 100);
  CHECK(room && (uintptr_t)room % 8 == 0);
  memset(room, 'x', 100);
  bp_page_inline_done(&page, 60);
  got = record(&batch, 0);
  CHECK(got.inline_len == 60 && at(&batch, got.inline_off)[59] == 'x');
  CHECK(bp_page_add(&page, &entry, "/b", 2, NULL, 0) == BP_OK);
  CHECK(bp_page_inline_begin(&page, 10) != NULL);
  bp_page_inline_drop(&page);
  got = record(&batch, 1);
  CHECK(got.inline_len == 0 && got.inline_off == 0);
  check_page(&batch);
  free(batch.buf);
}

static void small_streams_keep_their_order_whatever_comes_between(void)
{
  bp_batch batch = new_batch(8192, sizeof(bp_entry), 10);
  bp_page page;
  bp_entry entry = simple(1), got;
  bp_tlv_reader reader;
  bp_tlv tlv;
  CHECK(bp_page_init(&page, &batch) == BP_OK);
  CHECK(bp_page_add(&page, &entry, "/a", 2, NULL, 0) == BP_OK);
  for (uint32_t i = 0; i < 20; i++) {
    CHECK(bp_page_tlv(&page, BP_STREAM_OBJECT, "abcdefghijklmnopqrstuvwxyz", i) == BP_OK);
    if (i == 5)
      CHECK(bp_page_inline(&page, "in between", 10) == BP_OK);
    if (i == 9)
      CHECK(bp_page_old_name(&page, "/x", 2) == BP_OK);
  }
  got = record(&batch, 0);
  bp_tlv_begin(&reader, at(&batch, got.tlv_off), got.tlv_len);
  for (uint32_t i = 0; i < 20; i++) {
    CHECK(bp_tlv_next(&reader, &tlv) == BP_OK);
    CHECK(tlv.len == i && !memcmp(tlv.data, "abcdefghijklmnopqrstuvwxyz", i) && (uintptr_t)tlv.data % 8 == 0);
  }
  CHECK(bp_tlv_next(&reader, &tlv) == BP_END);
  CHECK(same(&batch, got.inline_off, got.inline_len, "in between"));
  check_page(&batch);
  free(batch.buf);
}

static void a_later_hosts_longer_record_is_zeroed_behind_ours(void)
{
  uint32_t stride = sizeof(bp_entry) + 24;
  bp_batch batch = new_batch(4096, stride, 10);
  bp_page page;
  bp_entry entry = simple(1);
  CHECK(bp_page_init(&page, &batch) == BP_OK);
  memset(batch.buf, 0x55, 2 * stride);
  CHECK(bp_page_add(&page, &entry, "/a", 2, NULL, 0) == BP_OK);
  CHECK(bp_page_add(&page, &entry, "/b", 2, NULL, 0) == BP_OK);
  for (uint32_t i = 0; i < 24; i++)
    CHECK(at(&batch, sizeof(bp_entry) + i)[0] == 0 && at(&batch, stride + sizeof(bp_entry) + i)[0] == 0);
  CHECK(same(&batch, record(&batch, 1).name_off, record(&batch, 1).name_len, "/b"));
  free(batch.buf);
}

static void a_page_that_is_none_is_refused(void)
{
  bp_batch good = new_batch(4096, sizeof(bp_entry), 10), bad;
  bp_page page;
  bad = good;
  bad.stride = sizeof(bp_entry) - 8;
  CHECK(bp_page_init(&page, &bad) == BP_E_INVAL);
  bad = good;
  bad.stride = sizeof(bp_entry) + 4;
  CHECK(bp_page_init(&page, &bad) == BP_E_INVAL);
  bad = good;
  bad.buf = (char *)good.buf + 4;
  CHECK(bp_page_init(&page, &bad) == BP_E_INVAL);
  bad = good;
  bad.buf = NULL;
  CHECK(bp_page_init(&page, &bad) == BP_E_INVAL);
  bad = good;
  bad.struct_size = 40;
  CHECK(bp_page_init(&page, &bad) == BP_E_INVAL);
  free(good.buf);
}

/* ---- fuzz: any sizes in any order; after each call the page is one that a host accepts ------------------------- */

static uint64_t random_state;

static uint32_t draw(uint32_t below)
{
  random_state ^= random_state << 13;
  random_state ^= random_state >> 7;
  random_state ^= random_state << 17;
  return below ? (uint32_t)((random_state >> 16) % below) : 0;
}

static void any_sizes_make_a_proper_page(void)
{
  static char data[3000];
  memset(data, 'd', sizeof data);
  for (uint64_t seed = 1; seed <= 3000; seed++) {
    bp_batch batch;
    bp_page page;
    bp_entry entry = simple(seed);
    char *room;
    random_state = seed * 0x9E3779B97F4A7C15ull;
    batch = new_batch(draw(6000), (uint32_t)sizeof(bp_entry) + 8 * draw(4), 1 + draw(20));
    CHECK(bp_page_init(&page, &batch) == BP_OK);
    for (int step = 0; step < 60; step++) {
      uint32_t len = draw(draw(4) ? 40 : sizeof data);
      int32_t status = BP_OK;
      switch (draw(8)) {
      case 0:
      case 1:
      case 2:
        status = bp_page_add(&page, &entry, data, 1 + draw(60), data, draw(3) ? 0 : len);
        break;
      case 3:
        status = bp_page_inline(&page, data, len);
        break;
      case 4:
        status = bp_page_tlv(&page, draw(5), data, len);
        break;
      case 5:
        status = bp_page_xattr(&page, data, 1 + draw(20), data, len);
        break;
      case 6:
        room = (char *)bp_page_inline_begin(&page, len);
        if (room) {
          memset(room, 'r', len);
          bp_page_inline_done(&page, len ? draw(len) : 0);
        }
        break;
      default:
        if (!draw(3))
          bp_page_undo(&page);
        else
          status = bp_page_old_name(&page, data, 1 + draw(30));
      }
      CHECK(status == BP_OK || status == BP_PAGE_FULL || status == BP_E_TOO_BIG || status == BP_E_SEQUENCE);
      check_page(&batch);
      if (batch.count && record(&batch, batch.count - 1).tlv_len) {
        bp_entry last = record(&batch, batch.count - 1);
        bp_tlv_reader reader;
        bp_tlv tlv;
        bp_status more;
        bp_tlv_begin(&reader, at(&batch, last.tlv_off), last.tlv_len);
        while ((more = bp_tlv_next(&reader, &tlv)) == BP_OK)
          CHECK(tlv.stream < 5);
        CHECK(more == BP_END);
      }
    }
    free(batch.buf);
  }
}

static void any_bytes_are_no_trouble_to_the_readers(void)
{
  for (uint64_t seed = 1; seed <= 20000; seed++) {
    uint32_t len, n = 0, item_len;
    unsigned char *bytes;
    bp_tlv_reader reader;
    bp_tlv tlv;
    bp_fileset lines;
    char code[4], item[40];
    const char *name;
    const void *value;
    uint32_t name_len;
    uint64_t value_len;
    bp_status status;
    random_state = seed * 0x9E3779B97F4A7C15ull;
    len = draw(80);
    bytes = (unsigned char *)malloc(len + 1);
    for (uint32_t i = 0; i < len; i++)
      bytes[i] = (unsigned char)(draw(3) ? draw(6) : draw(256));
    bp_tlv_begin(&reader, bytes, len);
    while ((status = bp_tlv_next(&reader, &tlv)) == BP_OK)
      n += tlv.len ? *(const unsigned char *)tlv.data : 0;
    CHECK(status == BP_END || status == BP_E_CORRUPT);
    status = bp_xattr_split(bytes, len, &name, &name_len, &value, &value_len);
    CHECK(status == BP_E_CORRUPT || 4 + (uint64_t)name_len + value_len == len);
    for (uint32_t i = 0; i < len; i++)
      bytes[i] = (unsigned char)"IFN \\n\n/\n"[draw(9)];
    bytes[len] = 0;
    bp_fileset_begin(&lines, (const char *)bytes);
    do
      status = bp_fileset_next(&lines, code, item, sizeof item, &item_len);
    while (status == BP_OK && strlen(item) == item_len);
    CHECK(status != BP_OK);
    free(bytes);
  }
}

/* ---- the fileset ----------------------------------------------------------------------------------------------- */

static void fileset_lines_are_unescaped(void)
{
  static const char text[] = "I\nO MZ6\nWD /x*\nN\nF /a b\nF /back\\\\slash\nF /new\\nline\nF  /blank\nF \nN\n";
  static const struct { const char *code, *item; } want[] = {
    { "I", "" }, { "O", "MZ6" }, { "WD", "/x*" }, { "N", "" }, { "F", "/a b" }, { "F", "/back\\slash" },
    { "F", "/new\nline" }, { "F", " /blank" }, { "F", "" }, { "N", "" },
  };
  bp_fileset lines;
  char code[4], item[64];
  uint32_t len;
  bp_fileset_begin(&lines, text);
  for (size_t i = 0; i < sizeof want / sizeof want[0]; i++) {
    CHECK(bp_fileset_next(&lines, code, item, sizeof item, &len) == BP_OK);
    CHECK(!strcmp(code, want[i].code) && !strcmp(item, want[i].item) && len == strlen(item));
  }
  CHECK(bp_fileset_next(&lines, code, item, sizeof item, &len) == BP_END);
  CHECK(bp_fileset_next(&lines, code, item, sizeof item, &len) == BP_END);
  bp_fileset_begin(&lines, NULL);
  CHECK(bp_fileset_next(&lines, code, item, sizeof item, &len) == BP_END);
}

static void a_long_item_says_how_long_and_waits(void)
{
  bp_fileset lines;
  char code[4], small[4], large[16];
  uint32_t len;
  bp_fileset_begin(&lines, "F /lo\\\\ng\nN\n");
  CHECK(bp_fileset_next(&lines, code, small, sizeof small, &len) == BP_E_TOO_BIG && len == 6);
  CHECK(bp_fileset_next(&lines, code, large, 6, &len) == BP_E_TOO_BIG);
  CHECK(bp_fileset_next(&lines, code, NULL, 0, &len) == BP_E_TOO_BIG && len == 6);
  CHECK(bp_fileset_next(&lines, code, large, 7, &len) == BP_OK && !strcmp(large, "/lo\\ng"));
  CHECK(bp_fileset_next(&lines, code, small, sizeof small, &len) == BP_OK && !strcmp(code, "N"));
}

static void a_line_that_is_none_is_corrupt(void)
{
  static const char *const bad[] = {
    "F /cut", "F /bad\\x\n", "F /end\\", " F /x\n", "f /x\n", "ABCD x\n", "\n", "F/x\n"
  };
  bp_fileset lines;
  char code[4], item[64];
  uint32_t len;
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    bp_fileset_begin(&lines, bad[i]);
    CHECK(bp_fileset_next(&lines, code, item, sizeof item, &len) == BP_E_CORRUPT);
  }
}

/* ---- the host's callbacks -------------------------------------------------------------------------------------- */

struct bp_ctx {
  char text[BP_TEXT_MAX + 10];
  uint32_t len;
  int32_t severity, status, domain;
  int64_t number;
  bp_status answer;
  uint32_t verdict;
  const void *table;
};

static bp_status BPLUGIN_CALL on_message(bp_ctx *ctx, int32_t severity, const char *utf8, uint32_t len)
{
  ctx->severity = severity;
  ctx->len = len;
  CHECK(len < sizeof ctx->text);
  memcpy(ctx->text, utf8, len);
  ctx->text[len] = 0;
  return ctx->answer;
}

static bp_status BPLUGIN_CALL on_fail(bp_ctx *ctx, bp_status status, int32_t domain, int64_t number, const char *utf8,
                                      uint32_t len)
{
  ctx->status = status;
  ctx->domain = domain;
  ctx->number = number;
  return on_message(ctx, 0, utf8, len);
}

static bp_status BPLUGIN_CALL on_match(bp_ctx *ctx, const char *path, uint32_t len, const bp_entry *entry,
                                       uint32_t *verdict)
{
  (void)path, (void)len, (void)entry;
  CHECK(*verdict == BP_VERDICT_NONE);
  *verdict = ctx->verdict;
  return ctx->answer;
}

static bp_status BPLUGIN_CALL on_put_state(bp_ctx *ctx, const void *state, uint64_t len, uint32_t format)
{
  (void)state, (void)len, (void)format;
  return ctx->answer;
}

static bp_status BPLUGIN_CALL on_secret(bp_ctx *ctx, const char *name, void *buf, uint32_t cap, uint32_t *len)
{
  (void)name, (void)buf, (void)cap;
  CHECK(*len == 0);
  *len = 7;
  return ctx->answer;
}

static bp_status BPLUGIN_CALL on_defer(bp_ctx *ctx, uint32_t seconds)
{
  (void)seconds;
  return ctx->answer;
}

static bp_status BPLUGIN_CALL on_extension(bp_ctx *ctx, const char *id, const void **out)
{
  (void)id;
  CHECK(*out == NULL);
  *out = ctx->table;
  return ctx->answer;
}

static uint32_t cancel_word;
static uint64_t heartbeat_word;
static bp_ctx context;

static bp_host_api full_host(void)
{
  bp_host_api host;
  memset(&host, 0, sizeof host);
  memset(&context, 0, sizeof context);
  host.struct_size = sizeof host;
  host.version = BP_VERSION(1, 0);
  host.ctx = &context;
  host.cancel = &cancel_word;
  host.heartbeat = &heartbeat_word;
  host.message = on_message;
  host.fail = on_fail;
  host.match = on_match;
  host.put_state = on_put_state;
  host.secret = on_secret;
  host.defer = on_defer;
  host.extension = on_extension;
  return host;
}

static void every_answer_is_checked(void)
{
  bp_host_api host = full_host();
  bp_entry entry = simple(1);
  const void *table = &host;
  uint32_t verdict = 99, len = 99;
  char secret[8];

  context.verdict = BP_VERDICT_DESCEND;
  CHECK(bp_match(&host, "/", 1, &entry, &verdict) == BP_OK && verdict == BP_VERDICT_DESCEND);
  context.verdict = BP_VERDICT_NONE; /* "OK" without an answer is a fault of the host */
  CHECK(bp_match(&host, "/", 1, &entry, &verdict) == BP_E_HOST && verdict == BP_VERDICT_NONE);
  CHECK(bp_secret(&host, "p", secret, sizeof secret, &len) == BP_OK && len == 7);
  CHECK(bp_secret(&host, "p", secret, 3, &len) == BP_E_HOST); /* a length beyond the buffer */
  CHECK(bp_host_extension(&host, "x/1", &table) == BP_E_UNSUPPORTED && table == NULL);
  context.table = &host;
  CHECK(bp_host_extension(&host, "x/1", &table) == BP_OK && table == &host);
  CHECK(bp_put_state(&host, "s", 1, 1) == BP_OK && bp_defer(&host, 1) == BP_OK);

  context.answer = 5; /* no status of ours */
  CHECK(bp_put_state(&host, "s", 1, 1) == BP_E_HOST && bp_defer(&host, 1) == BP_E_HOST);
  CHECK(bp_match(&host, "/", 1, &entry, &verdict) == BP_E_HOST);
  context.answer = BP_E_TOO_BIG;
  CHECK(bp_secret(&host, "p", secret, 3, &len) == BP_E_TOO_BIG && len == 7);
  CHECK(bp_host_extension(&host, "x/1", &table) == BP_E_TOO_BIG && table == NULL);
}

static void what_an_older_host_lacks_is_never_called(void)
{
  bp_host_api host = full_host(), none;
  bp_entry entry = simple(1);
  const void *table = &host;
  uint32_t verdict = 99, len = 99;
  char secret[8];
  const bp_host_api *hosts[3];
  memset(&none, 0, sizeof none);
  none.struct_size = sizeof none;
  host.struct_size = offsetof(bp_host_api, message); /* the slots are there in memory, but not in the contract */
  hosts[0] = &host;
  hosts[1] = &none;
  hosts[2] = NULL;
  for (int i = 0; i < 3; i++) {
    CHECK(bp_message(hosts[i], BP_MSG_INFO, "x", 1) == BP_E_UNSUPPORTED);
    CHECK(bp_logf(hosts[i], BP_MSG_INFO, "x%d", 1) == BP_E_UNSUPPORTED);
    CHECK(bp_fail(hosts[i], BP_E_IO, BP_OS_NONE, 0, "x") == BP_E_IO);
    CHECK(bp_match(hosts[i], "/", 1, &entry, &verdict) == BP_E_UNSUPPORTED && verdict == BP_VERDICT_NONE);
    CHECK(bp_put_state(hosts[i], "s", 1, 1) == BP_E_UNSUPPORTED);
    CHECK(bp_secret(hosts[i], "p", secret, sizeof secret, &len) == BP_E_UNSUPPORTED && len == 0);
    CHECK(bp_defer(hosts[i], 1) == BP_E_UNSUPPORTED);
    CHECK(bp_host_extension(hosts[i], "x/1", &table) == BP_E_UNSUPPORTED && table == NULL);
  }
  CHECK(!bp_cancelled(NULL) && !bp_cancelled(&none));
  bp_beat(NULL);
  bp_beat(&none);
}

static void a_message_is_formatted_here_and_cut_between_characters(void)
{
  bp_host_api host = full_host();
  char text[3 * BP_TEXT_MAX];
  CHECK(bp_logf(&host, BP_MSG_WARNING, "%s is %d", "it", 42) == BP_OK);
  CHECK(!strcmp(context.text, "it is 42") && context.len == 8 && context.severity == BP_MSG_WARNING);
  for (size_t shift = 0; shift < 4; shift++) {
    memset(text, 'a', shift);
    for (size_t i = shift; i + 3 < sizeof text; i += 3)
      memcpy(text + i, "\xe2\x82\xac", 4); /* the euro sign */
    CHECK(bp_logf(&host, BP_MSG_INFO, "%s", text) == BP_OK);
    CHECK(context.len < BP_TEXT_MAX && context.len > BP_TEXT_MAX - 8);
    CHECK(!strcmp(context.text + context.len - 3, "..."));
    CHECK((context.len - 3 - shift) % 3 == 0);
  }
}

static void an_error_carries_its_number(void)
{
  bp_host_api host = full_host();
  CHECK(bp_fail_errno(&host, BP_E_ACCESS, EACCES, "open %s", "/x") == BP_E_ACCESS);
  CHECK(context.status == BP_E_ACCESS && context.domain == BP_OS_ERRNO && context.number == EACCES);
  CHECK(!strcmp(context.text, "open /x"));
  CHECK(bp_failf(&host, BP_E_FAIL, BP_OS_HRESULT, -2147024891, "%s", "denied") == BP_E_FAIL);
  CHECK(context.domain == BP_OS_HRESULT && context.number == -2147024891);
  CHECK(bp_fail(&host, BP_E_FAIL, BP_OS_NONE, 0, "plain 100%") == BP_E_FAIL && !strcmp(context.text, "plain 100%"));
  CHECK(bp_status_of_errno(ENOENT) == BP_E_NOTFOUND && bp_status_of_errno(EPERM) == BP_E_ACCESS);
  CHECK(bp_status_of_errno(EIO) == BP_E_IO && bp_status_of_errno(ENOSPC) == BP_E_NOSPACE);
  CHECK(bp_status_of_errno(EBADF) == BP_E_ENTRY && bp_status_of_errno(0) == BP_E_ENTRY);
}

static void the_two_words_are_read_and_written(void)
{
  bp_host_api host = full_host();
  uint64_t before = heartbeat_word;
  CHECK(!bp_cancelled(&host));
  cancel_word = 2;
  CHECK(bp_cancelled(&host));
  cancel_word = 0;
  bp_beat(&host);
  bp_beat(&host);
  CHECK(heartbeat_word == before + 2);
}

static void the_query_compares_ranges(void)
{
  bp_descriptor d;
  memset(&d, 0, sizeof d);
  d.min_version = BP_VERSION(1, 2);
  d.max_version = BP_VERSION(1, 4);
  CHECK(bp_query(&d, BP_VERSION(1, 0), BP_VERSION(1, 1)) == NULL);
  CHECK(bp_query(&d, BP_VERSION(1, 0), BP_VERSION(1, 2)) == &d);
  CHECK(bp_query(&d, BP_VERSION(1, 3), BP_VERSION(1, 3)) == &d);
  CHECK(bp_query(&d, BP_VERSION(1, 4), BP_VERSION(1, 9)) == &d);
  CHECK(bp_query(&d, BP_VERSION(1, 5), BP_VERSION(1, 9)) == NULL);
}

static void a_secret_is_wiped(void)
{
  char secret[16];
  memset(secret, 's', sizeof secret);
  bp_wipe(secret, sizeof secret);
  for (size_t i = 0; i < sizeof secret; i++)
    CHECK(secret[i] == 0);
}

#ifdef __cplusplus
#include <stdexcept>
static void a_guard_lets_nothing_out(void)
{
  CHECK(bp_guard([] { return bp_status(BP_END); }) == BP_END);
  CHECK(bp_guard([]() -> bp_status { throw std::bad_alloc(); }) == BP_E_NOMEM);
  CHECK(bp_guard([]() -> bp_status { throw std::runtime_error("x"); }) == BP_E_FAIL);
  CHECK(bp_guard([]() -> bp_status { throw 42; }) == BP_E_FAIL);
}
#else
static void a_guard_lets_nothing_out(void)
{
  /* C has nothing to throw */
}
#endif

#define TEST(name) { #name, name }
static const struct { const char *name; void (*run)(void); } tests[] = {
  TEST(what_is_written_is_read_back), TEST(a_full_page_says_so_and_keeps_what_it_has),
  TEST(as_many_entries_as_the_host_allows), TEST(what_never_fits_is_too_big), TEST(parts_that_never_fit_are_too_big),
  TEST(a_full_page_is_no_status_of_a_call), TEST(an_entry_can_be_taken_back),
  TEST(parts_need_an_entry_and_names_have_no_nul), TEST(data_can_be_read_straight_into_the_page),
  TEST(small_streams_keep_their_order_whatever_comes_between), TEST(a_later_hosts_longer_record_is_zeroed_behind_ours),
  TEST(a_page_that_is_none_is_refused), TEST(any_sizes_make_a_proper_page),
  TEST(any_bytes_are_no_trouble_to_the_readers), TEST(fileset_lines_are_unescaped),
  TEST(a_long_item_says_how_long_and_waits), TEST(a_line_that_is_none_is_corrupt), TEST(every_answer_is_checked),
  TEST(what_an_older_host_lacks_is_never_called), TEST(a_message_is_formatted_here_and_cut_between_characters),
  TEST(an_error_carries_its_number), TEST(the_two_words_are_read_and_written), TEST(the_query_compares_ranges),
  TEST(a_secret_is_wiped), TEST(a_guard_lets_nothing_out),
};

int main(int argc, char **argv)
{
  for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++)
    if (argc == 2 && !strcmp(argv[1], tests[i].name)) {
      tests[i].run();
      return 0;
    }
  fprintf(stderr, "no such test\n");
  return 2;
}
