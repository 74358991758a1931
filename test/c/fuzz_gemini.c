#include "dialect_gemini.h"
#define ARGUMENTS_ARE_JSON 1
#include "fuzz_dialect.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    return fuzz_dialect(&raaf_dialect_gemini, data, size);
}
