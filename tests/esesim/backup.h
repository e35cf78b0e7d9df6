/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ESESIM_BACKUP_H
#define ESESIM_BACKUP_H

#include "esebcli2.h"

/* HrESEBackupPrepare of a store that the caller names. */
ese_result backup_prepare(const char *root, const ese_char *server, const ese_char *annotation, uint32_t *count,
                          ese_instance_info **instances, ese_context *context);

#endif
