#include "dialect_openai_chat.h"
#define DIALECT (&raaf_dialect_openai_chat)
#include "fuzz_dialect.h"
