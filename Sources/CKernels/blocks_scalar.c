// Blocks for the baseline processor: the same code as the other sets, whose arithmetic has one meaning on all of them.
#include "blocks_kernels.h"
#include "ck_widen.h"
#include <math.h>
#include <string.h>
#define CK_SET(name) ck_scalar_##name
enum { CK_SET_ROWS = 2, CK_SET_WIDTH = 4 };
#include "blocks_set.h"
const ck_block_kernels ck_scalar_block_kernels = CK_SET_BLOCK_TABLE;
