#include "dialect_gemini.h"
#define DIALECT (&raaf_dialect_gemini)
#define ARGUMENTS_ARE_JSON 1
#include "fuzz_dialect.h"
