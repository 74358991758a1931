#include "dialect_openai_responses.h"
#include "fuzz_dialect.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    return fuzz_dialect(&raaf_dialect_openai_responses, data, size);
}
