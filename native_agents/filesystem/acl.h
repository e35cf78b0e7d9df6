/* SPDX-License-Identifier: Apache-2.0 */
/*
 * POSIX access control lists, between the two forms they have here:
 *
 *   kernel  the value of system.posix_acl_access and _default: u32 version 2, then per entry u16 tag, u16 permissions,
 *           u32 id, all little endian (linux/posix_acl_xattr.h)
 *   text    "user::rw-\nuser:1000:r--\ngroup::r--\nmask::r--\nother::---\n", as libacl prints it
 */
#ifndef FILESYSTEM_ACL_H
#define FILESYSTEM_ACL_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ACL_ACCESS_NAME "system.posix_acl_access"
#define ACL_DEFAULT_NAME "system.posix_acl_default"

bool acl_is_name(const char *attribute);

/* Longest line written: "group:4294967295:rwx\n". */
#define ACL_LINE_MAX 21

/* Text of a kernel value, ids as numbers; its length, 0 when it is no version 2 list or does not fit `cap`. */
size_t acl_text(char *text, size_t cap, const void *value, size_t len);

/* Does a kernel value say no more than mode bits do? */
bool acl_is_mode(const void *value, size_t len);

/*
 * Kernel value of a text, with ids as numbers or names of this machine, comments and blanks allowed; its length. 0: `cap`
 * is too small, or no such text; then *bad points to the line that is not understood.
 */
size_t acl_value(void *value, size_t cap, const char *text, size_t len, const char **bad);

#endif
