// OpenBLAS, the independent peer of our matrix products. Tests only: the programs do not link it (docs/decisions/0002).
#include <cblas.h>
