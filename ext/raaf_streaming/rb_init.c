#include "rb_raaf.h"

#include "core/result_code.h"

VALUE mRAAF, mStreaming;

RUBY_FUNC_EXPORTED void Init_raaf_streaming(void) {
    mRAAF = rb_define_module("RAAF");
    mStreaming = rb_define_module_under(mRAAF, "Streaming");
    /* libcurl's global set-up is not thread-safe: now, before there is a thread of ours. */
    if (raaf_reactor_global_init() != RAAF_OK) rb_raaf_raise_code(RAAF_SYSTEM, "libcurl");
    rb_raaf_init_waiter();
    rb_raaf_init_reactor();
    rb_raaf_init_chunk();
    rb_raaf_init_place();
    rb_raaf_init_stream();
    rb_raaf_init_parsers();
    rb_raaf_init_partial_json();
    rb_raaf_init_chunk_buffer();
    rb_raaf_init_dispatch_queue();
    rb_raaf_init_event_bus();
    rb_raaf_init_circuit_breaker();
    rb_raaf_init_analytics();
}
