#include "delta.h"

const char *raaf_chunk_type_name(raaf_chunk_type_t type) {
    switch (type) {
#define RAAF_CHUNK_TYPE_NAME(name, text)                                                           \
    case name:                                                                                     \
        return text;
        RAAF_CHUNK_TYPES(RAAF_CHUNK_TYPE_NAME)
#undef RAAF_CHUNK_TYPE_NAME
    case RAAF_CHUNK_TYPE_COUNT:
        break;
    }
    return "unknown";
}
