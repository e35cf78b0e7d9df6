/* SPDX-License-Identifier: Apache-2.0 */
/* Everything of esebcli2.h as what this library exports. */
#ifndef ESESIM_EXPORTS_H
#define ESESIM_EXPORTS_H

#include "esesim.h"

#define ESESIM_PROTOTYPE(returns, name, arguments) ESESIM_EXPORT returns ESE_CALL name arguments;
ESEBCLI2_CALLS(ESESIM_PROTOTYPE)

#endif
