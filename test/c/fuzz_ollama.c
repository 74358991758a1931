#include "dialect_ollama.h"
#define DIALECT (&raaf_dialect_ollama)
#include "fuzz_dialect.h"
